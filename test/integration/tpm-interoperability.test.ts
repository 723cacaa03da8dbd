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
import { nameOf, pcrPolicyDigest } from '../../firmware/tpm/index.ts';
import { FreshTpm } from '../support/fresh-tpm.ts';

const run = promisify(execFile);

/** TPMS_ECC_POINT as tpm2_createprimary reads it: two coordinates, each u16 (host order) and TPM2_MAX_ECC_KEY_BYTES. */
function zeroPoint(): Buffer {
  const coordinate = Buffer.alloc(2 + 128);
  coordinate.writeUInt16LE(32);
  return Buffer.concat([coordinate, coordinate]);
}

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

  await writeFile(file('unique'), zeroPoint());
  const attributes = 'fixedtpm|fixedparent|sensitivedataorigin|userwithauth|noda|restricted|decrypt';
  await tool(
    ...([
      'createprimary',
      '-C',
      'o',
      '-g',
      'sha256',
      '-G',
      'ecc256:null:aes128cfb',
      '-a',
      attributes,
    ] as const),
    ...['-u', file('unique'), '-c', file('root.ctx')],
  );
  await tool('readpublic', '-c', file('root.ctx'), '-n', file('root.name'));
  assert.equal(toHex(await readFile(file('root.name'))), toHex(stored.rootName));

  // The policy digest that we compute is the one that the TPM computes.
  await tool('createpolicy', '--policy-pcr', '-l', 'sha256:7,11', '-L', file('policy'));
  assert.equal(toHex(await readFile(file('policy'))), toHex(pcrPolicyDigest(stored.policy)));

  const load = async (name: 'identity' | 'boxKey'): Promise<void> => {
    const blob = name === 'identity' ? stored.identity : stored.sealed.boxKey;
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
    await tool('load', '-C', file('root.ctx'), ...parts);
    assert.equal(toHex(await readFile(file('object.name'))), toHex(nameOf(blob.publicArea)));
  };
  const withPolicy = async (use: () => Promise<void>): Promise<void> => {
    await tool('startauthsession', '--policy-session', '-S', file('session.ctx'));
    await tool('policypcr', '-S', file('session.ctx'), '-l', 'sha256:7,11');
    await use();
    await tool('flushcontext', file('session.ctx'));
  };

  await load('boxKey');
  await withPolicy(async () => {
    const secret = await tool('unseal', '-c', file('object.ctx'), '-p', `session:${file('session.ctx')}`);
    assert.equal(toHex(secret), toHex(keys.boxKey));
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
