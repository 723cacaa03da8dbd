/** What Hilum makes, the TCG's own tools can use: they derive the same root key and load, unseal, sign under policy. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createPublicKey, verify } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { fromHex, toHex, utf8 } from '../../firmware/src/encoding/bytes.ts';
import { decodeKeysFile } from '../../firmware/tpm/keys/keys-file.ts';
import { guardedBy } from '../../firmware/tpm/keys/approved-firmware.ts';
import { devicePolicyDigest } from '../../firmware/tpm/keys/device-policy.ts';
import { nameOf } from '../../firmware/tpm/index.ts';
import { FreshTpm } from '../support/fresh-tpm.ts';

const run = promisify(execFile);

/** Where the TCG's provisioning guidance wants the storage root key. */
const root = '0x81000001';

test('tpm2-tools loads, unseals and signs with what was made here', async (t) => {
  const tpm = await FreshTpm.make(t);
  const keys = await tpm.openKeys();
  const stored = decodeKeysFile(await readFile(tpm.keysFile, 'utf8'), tpm.keysFile);
  const tcti = await tpm.tcti();
  await keys.stop();
  const file = (name: string): string => join(tpm.folder, name);
  const tool = async (name: string, ...args: string[]): Promise<Buffer> => {
    const { stdout } = await run(`tpm2_${name}`, ['-T', tcti, ...args], { encoding: 'buffer' });
    // The tools leave what they load to a resource manager, which swtpm has not.
    await run('tpm2_flushcontext', ['-T', tcti, '-t']);
    return stdout;
  };

  // The storage root key is the one of the provisioning guidance, at its place.
  await tool('readpublic', '-c', root, '-n', file('root.name'));
  assert.equal(toHex(await readFile(file('root.name'))), toHex(stored.rootName));

  // A session of the tools takes the same steps, and the TPM comes to the digests that we compute.
  const running = stored.approval[0];
  const branches = guardedBy(stored, running, stored.approval, stored.identity).policy.flatMap((step) =>
    step.kind === 'or' ? [step.branches] : [],
  );
  const files: string[] = [];
  for (const [index, pair] of branches.entries()) {
    const names = pair.map((_, part) => file(`branch-${index}-${part}`));
    for (const [part, branch] of pair.entries()) await writeFile(names[part] as string, branch);
    files.push(`sha256:${names.join(',')}`);
  }
  const [approved, device] = files as [string, string];
  const count = Buffer.alloc(8);
  count.writeBigUInt64BE(BigInt(running.countMax));
  await writeFile(file('count'), count);
  const satisfy = async (): Promise<void> => {
    const session = ['-S', file('session.ctx')];
    await tool('policypcr', ...session, '-l', 'sha256:7,11');
    await tool('policynv', ...session, '-i', file('count'), '0x0180684a', 'ule');
    await tool('policyor', ...session, '-l', approved);
    await tool('policyauthorizenv', ...session, '0x0180684c');
    await tool('policyor', ...session, '-l', device, '-L', file('policy'));
    assert.equal(toHex(await readFile(file('policy'))), toHex(devicePolicyDigest(stored.rescue)));
  };

  const load = async (name: 'identity' | 'accountSeed'): Promise<void> => {
    const blob = name === 'identity' ? stored.identity : stored.accountSeed;
    await writeFile(file('public'), blob.publicArea);
    await writeFile(file('private'), blob.privateArea);
    const parts = [
      '-u',
      file('public'),
      '-r',
      file('private'),
      '-c',
      file('object.ctx'),
      '-n',
      file('object.name'),
    ];
    await tool('load', '-C', root, ...parts);
    assert.equal(toHex(await readFile(file('object.name'))), toHex(nameOf(blob.publicArea)));
  };
  const withPolicy = async (use: () => Promise<void>): Promise<void> => {
    await tool('startauthsession', '--policy-session', '-S', file('session.ctx'));
    await satisfy();
    await use();
    await tool('flushcontext', file('session.ctx'));
  };

  await load('accountSeed');
  await withPolicy(async () => {
    const secret = await tool('unseal', '-c', file('object.ctx'), '-p', `session:${file('session.ctx')}`);
    assert.equal(toHex(secret), toHex(keys.accountSeed));
  });
  // Without the policy, by the (empty) authorization value: refused, TPM_RC_AUTH_UNAVAILABLE.
  await assert.rejects(tool('unseal', '-c', file('object.ctx')), /0x12F/);

  await load('identity');
  await writeFile(file('message'), 'signed by the tools');
  await withPolicy(async () => {
    await tool(
      ...([
        'sign',
        '-c',
        file('object.ctx'),
        '-p',
        `session:${file('session.ctx')}`,
        '-g',
        'sha256',
      ] as const),
      ...['-s', 'ecdsa', '-f', 'plain', '-o', file('signature'), file('message')],
    );
  });
  const key = createPublicKey({
    key: Buffer.concat([
      fromHex('3059301306072a8648ce3d020106082a8648ce3d030107034200'),
      keys.identityPublicKey,
    ]),
    format: 'der',
    type: 'spki',
  });
  assert.ok(verify('sha256', utf8('signed by the tools'), key, await readFile(file('signature'))));
  await assert.rejects(
    tool('sign', '-c', file('object.ctx'), '-o', file('signature'), file('message')),
    /0x12F/,
  );
});

test('the event log is what the TCG tools replay to the values of the PCRs', async (t) => {
  const tpm = await FreshTpm.make(t);
  await tpm.softwareTpm.start();
  const { stdout: log } = await run('tpm2_eventlog', [tpm.softwareTpm.eventLogFile]);
  const { stdout: now } = await run('tpm2_pcrread', ['-T', await tpm.tcti(), 'sha256:7,11']);
  const values = (text: string): string[] =>
    [...text.matchAll(/^ +(?:7|11) *: 0x([0-9A-Fa-f]{64})$/gm)].map((m) => (m[1] as string).toLowerCase());
  assert.equal(values(now).length, 2);
  assert.deepEqual(values(log), values(now));
  assert.ok(values(now).every((value) => !/^0+$/.test(value)));
});
