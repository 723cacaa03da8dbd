/** When the TPM, its state, the firmware or the keys file is not the one: each ends with its own error. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readFile, rename, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { AppError } from '../../firmware/src/errors.ts';
import { fixedEndpoint, openDeviceKeys, SoftwareTpm, TpmError } from '../../firmware/tpm/index.ts';
import { decodeKeysFile } from '../../firmware/tpm/keys/keys-file.ts';
import { guardedBy } from '../../firmware/tpm/keys/approved-firmware.ts';
import { failedTriesMax } from '../../firmware/tpm/limits.ts';
import { BrokerClient } from '../../firmware/tpm/broker/client.ts';
import { utf8 } from '../../firmware/src/encoding/bytes.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { FreshTpm } from '../support/fresh-tpm.ts';
import { refused } from '../support/refused.ts';

const run = promisify(execFile);

/** Resolves when somebody accepts connections there. The runner's time-out bounds it. */
async function listening(socket: string): Promise<void> {
  for (;;) {
    const connection = connect(socket);
    const failure = await once(connection, 'connect').then(
      () => undefined,
      (error: unknown) => error as NodeJS.ErrnoException,
    );
    connection.destroy();
    if (!failure) return;
    if (failure.code !== 'ENOENT' && failure.code !== 'ECONNREFUSED') throw failure;
    await delay(10);
  }
}

test('a changed firmware opens nothing; the old one opens again', async (t) => {
  const tpm = await FreshTpm.make(t);
  const { boxKey } = await tpm.openKeys();
  await tpm.powerOff();
  const original = await readFile(join(tpm.firmwareRoot, 'firmware', 'main.ts'));
  await tpm.changeFirmware();
  const failure = await refused('TPM_POLICY', tpm.openKeys());
  assert.match(failure.message, /^PCR 11 changed since .*device-keys\.json was sealed$/);
  // It was the TPM that refused, not our comparison.
  const refusal = (failure.cause as AppError).cause as TpmError;
  assert.equal(refusal.command, 'Esys_PolicyOR');
  assert.match(refusal.message, /TPM_RC_VALUE/);
  await writeFile(join(tpm.firmwareRoot, 'firmware', 'main.ts'), original);
  await tpm.powerOff();
  assert.deepEqual((await tpm.openKeys()).boxKey, boxKey);
});

test('a PCR that is extended under a running box stops its identity key, and the probe sees it', async (t) => {
  const tpm = await FreshTpm.make(t);
  const keys = await tpm.openKeys();
  assert.equal(await keys.probe(), 'ready');
  await run('tpm2_pcrextend', ['-T', await tpm.tcti(), `7:sha256=${'ab'.repeat(32)}`]);
  assert.equal(await keys.probe(), 'policy-mismatch');
  await refused('TPM_POLICY', keys.signWithIdentity(utf8('x')));
  assert.equal(keys.health(), 'policy-mismatch');
});

test('keys are not bound to registers into which nothing was measured', async (t) => {
  const tpm = await FreshTpm.make(t);
  await tpm.softwareTpm.start();
  await tpm.softwareTpm.stop();
  // As a machine without measured boot has it: the same TPM, started without our measurements.
  const socket = join(tpm.folder, 'bare');
  const bare = execFile('swtpm', [
    'socket',
    '--tpm2',
    ...['--tpmstate', `dir=${tpm.stateFolder}`],
    ...['--server', `type=unixio,path=${socket}`],
    ...['--ctrl', `type=unixio,path=${socket}.ctrl`],
    ...['--flags', 'not-need-init,startup-clear'],
  ]);
  try {
    await listening(socket);
    const failure = await refused(
      'TPM_POLICY',
      openDeviceKeys({
        tcti: `swtpm:path=${socket}`,
        keysFile: tpm.keysFile,
        institutionId: 'north',
        logger: tpm.logger,
        onRecoveryCode: () => assert.fail(),
      }),
    );
    assert.match(failure.message, /nothing was measured into PCR 7/);
    await assert.rejects(readFile(tpm.keysFile), { code: 'ENOENT' });
  } finally {
    const ended = once(bare, 'exit');
    bare.kill();
    await ended;
  }
});

test('another TPM cannot open the keys, and says whose file it is', async (t) => {
  const tpm = await FreshTpm.make(t);
  const { boxKey } = await tpm.openKeys();
  await tpm.powerOff();
  const original = `${tpm.stateFolder}.original`;
  await rename(tpm.stateFolder, original);
  const failure = await refused('TPM_WRONG', tpm.openKeys());
  assert.equal(failure.message, `the TPM is not the one that sealed ${tpm.keysFile}`);
  await tpm.powerOff();
  await rm(tpm.stateFolder, { recursive: true });
  await rename(original, tpm.stateFolder);
  assert.deepEqual((await tpm.openKeys()).boxKey, boxKey);
});

test('a TPM that is cleared is another TPM, under a running box too', async (t) => {
  const tpm = await FreshTpm.make(t);
  let keys = await tpm.openKeys();
  await keys.signWithIdentity(utf8('before'));
  await assert.rejects(run('tpm2_clear', ['-T', await tpm.tcti(), '-c', 'lockout']), /0x9A2|0x98E/);
  // A wrong try blocks that authorization until the next start.
  await refused('TPM_LOCKED_OUT', keys.clear());
  await tpm.powerOff();
  keys = await tpm.openKeys();
  await keys.clear();
  assert.equal(await keys.probe(), 'wrong-tpm');
  // The loaded root key went with the TPM: the first use meets that, the next one a TPM with another root key.
  await assert.rejects(keys.signWithIdentity(utf8('after')), AppError);
  await refused('TPM_WRONG', keys.signWithIdentity(utf8('after')));
  assert.equal(keys.health(), 'wrong-tpm');
  await tpm.powerOff();
  await refused('TPM_WRONG', tpm.openKeys());
});

test('a hung TPM is a time-out, and works again when it comes back', async (t) => {
  const tpm = await FreshTpm.make(t);
  const clock = new ManualClock();
  const keys = await tpm.openKeys(clock);
  /** Lets time pass until the operation, whose timer starts when its turn comes, has ended. */
  const timePasses = async <T>(operation: Promise<T>): Promise<T> => {
    const passing = new AbortController();
    const ended = operation.finally(() => passing.abort());
    const ticking = (async () => {
      while (!passing.signal.aborted) {
        await delay(20);
        clock.advance(1_000);
      }
    })();
    await Promise.allSettled([ended, ticking]);
    return ended;
  };
  const seen: string[] = [];
  keys.onHealthChange((health) => seen.push(health));
  const pid = await tpm.pid();
  process.kill(pid, 'SIGSTOP');
  try {
    const failure = await refused('TPM_TIMEOUT', timePasses(keys.signWithIdentity(utf8('x'))));
    assert.match(failure.message, /did not answer sign within 15000 ms/);
    // A new broker meets the same hung TPM.
    const again = await refused('TPM_TIMEOUT', timePasses(keys.signWithIdentity(utf8('x'))));
    assert.match(again.message, /did not answer open within 20000 ms/);
    assert.equal(await timePasses(keys.probe()), 'wedged');
  } finally {
    process.kill(pid, 'SIGCONT');
  }
  assert.equal((await keys.signWithIdentity(utf8('x'))).length, 64);
  assert.deepEqual(seen, ['wedged', 'ready']);
});

test('a TPM that dies is absent, and started and measured anew at the next use', async (t) => {
  const tpm = await FreshTpm.make(t);
  const keys = await tpm.openKeys();
  const lost = new Promise<string>((resolve) => keys.onHealthChange(resolve));
  const pid = await tpm.pid();
  // What runs was measured when it started: a file that changed since must not shut out the running box.
  await tpm.changeFirmware();
  process.kill(pid, 'SIGKILL');
  assert.equal(await lost, 'absent');
  assert.equal((await keys.signWithIdentity(utf8('x'))).length, 64);
  assert.equal(keys.health(), 'ready');
  assert.notEqual(await tpm.pid(), pid);
});

test('lock-out shows, does not stop the keys of the box, and the box ends it', async (t) => {
  const tpm = await FreshTpm.make(t);
  let keys = await tpm.openKeys();
  // The attestation key is used by the empty value: nobody's wrong tries may keep the box from its members.
  const quote = (): Promise<unknown> => keys.attester.quote(randomBytes(32), [7, 11]);
  const lockOut = async (): Promise<void> => {
    const tcti = ['-T', await tpm.tcti()];
    const primary = join(tpm.folder, 'primary.ctx');
    await run('tpm2_createprimary', [...tcti, '-C', 'n', '-p', 'right', '-c', primary]);
    // What is refused last is the lock-out itself.
    for (let tries = 0; tries <= failedTriesMax; tries++) {
      await run('tpm2_flushcontext', [...tcti, '-t']);
      const refusal = tries < failedTriesMax ? /DA counter incremented/ : /DA lockout mode/;
      await assert.rejects(run('tpm2_create', [...tcti, '-C', primary, '-P', 'wrong']), refusal);
    }
    await run('tpm2_flushcontext', [...tcti, '-t']);
  };
  await lockOut();
  assert.equal(await keys.probe(), 'locked-out');
  assert.equal((await keys.signWithIdentity(utf8('x'))).length, 64);
  await quote();
  assert.equal(keys.health(), 'locked-out');
  await keys.resetLockout();
  assert.equal(await keys.probe(), 'ready');
  // At its start a box ends a lock-out by itself.
  await lockOut();
  await tpm.powerOff();
  keys = await tpm.openKeys();
  assert.equal(await keys.probe(), 'ready');
  assert.ok(tpm.logger.lines.some((line) => line.startsWith('warn the TPM was locked out')));
});

/** What the TPM tells of itself since its last start (part 2, 8.7 and 6.13): in order before it, and failed tries. */
async function lastStart(
  tpm: FreshTpm,
): Promise<{ readonly orderly: boolean; readonly failedTries: number }> {
  const { stdout } = await run('tpm2_getcap', ['-T', await tpm.tcti(), 'properties-variable']);
  const figure = (pattern: RegExp): number => Number(pattern.exec(stdout)?.[1] ?? assert.fail(stdout));
  return {
    orderly: figure(/orderly: +(\d)/) === 1,
    failedTries: figure(/TPM2_PT_LOCKOUT_COUNTER: +(0x[0-9A-Fa-f]+)/),
  };
}

test('a box shuts its TPM down in order; a power cut is noticed, and counts for no lock-out', async (t) => {
  const tpm = await FreshTpm.make(t);
  let keys = await tpm.openKeys();
  const endSimulator = async (): Promise<void> => {
    const { promise, resolve } = Promise.withResolvers<void>();
    const forget = tpm.softwareTpm.onLost(resolve);
    process.kill(await tpm.pid(), 'SIGKILL');
    await promise;
    forget();
  };
  await keys.signWithIdentity(utf8('x'));
  // The box's own part of the end: nothing else reaches the TPM any more.
  await keys.stop();
  await endSimulator();
  assert.deepEqual(await lastStart(tpm), { orderly: true, failedTries: 0 });
  for (let cut = 0; cut < 2; cut++) {
    keys = await tpm.openKeys();
    await keys.signWithIdentity(utf8('x'));
    // Of a key with dictionary-attack protection each use is a failed try, until the TPM is shut down in order.
    await keys.attester.quote(randomBytes(32), [7, 11]);
    await endSimulator();
    assert.deepEqual(await lastStart(tpm), { orderly: false, failedTries: 0 }, `cut ${cut}`);
  }
  assert.equal(await keys.probe(), 'ready');
});

test('a TPM that is not there, and a transport that is not installed', async (t) => {
  const tpm = await FreshTpm.make(t);
  const options = {
    keysFile: tpm.keysFile,
    institutionId: 'north',
    logger: tpm.logger,
    onRecoveryCode: () => assert.fail(),
  };
  const nowhere = join(tpm.folder, 'nowhere');
  const absent = await refused('TPM_ABSENT', openDeviceKeys({ ...options, tcti: `swtpm:path=${nowhere}` }));
  assert.ok(absent.cause instanceof TpmError);
  await refused('TPM_ABSENT', openDeviceKeys({ ...options, tcti: `device:${nowhere}` }));
  await refused('TPM_LIBRARY_MISSING', openDeviceKeys({ ...options, tcti: 'nonsense:1' }));
  await assert.rejects(readFile(tpm.keysFile), { code: 'ENOENT' });
});

test('missing simulator programs are named', async (t) => {
  const tpm = await FreshTpm.make(t);
  const programs = { swtpm: 'swtpm', setup: 'no-such-setup' };
  const { stateFolder, logger, firmwareRoot } = tpm;
  const options = { stateFolder, logger, firmwareRoot };
  const setup = await refused('TPM_SIMULATOR_MISSING', new SoftwareTpm({ ...options, programs }).start());
  assert.equal(setup.message, 'no-such-setup is not installed');
  const swtpm = new SoftwareTpm({ ...options, programs: { swtpm: 'no-such-swtpm', setup: 'swtpm_setup' } });
  assert.equal(
    (await refused('TPM_SIMULATOR_MISSING', swtpm.start())).message,
    'no-such-swtpm is not installed',
  );
  await swtpm.stop();
});

test('a damaged keys file is named and left as it is', async (t) => {
  const tpm = await FreshTpm.make(t);
  const { boxKey } = await tpm.openKeys();
  await tpm.powerOff();
  const good = await readFile(tpm.keysFile, 'utf8');
  const damaged = good.replace(/"institutionId": "north"/, '"institutionId": "south"');
  for (const bad of ['', 'garbage', good.slice(0, -20), damaged]) {
    await writeFile(tpm.keysFile, bad);
    const failure = await refused('STORE_CORRUPT', tpm.openKeys());
    assert.ok(failure.message.includes(tpm.keysFile));
    assert.equal(await readFile(tpm.keysFile, 'utf8'), bad);
  }
  await writeFile(tpm.keysFile, good);
  assert.deepEqual((await tpm.openKeys()).boxKey, boxKey);
});

test('the keys of another institution are refused', async (t) => {
  const tpm = await FreshTpm.make(t);
  await tpm.openKeys();
  const { softwareTpm, keysFile, logger } = tpm;
  const south = {
    endpoint: softwareTpm,
    keysFile,
    institutionId: 'south',
    logger,
    onRecoveryCode: () => assert.fail(),
  };
  await refused('CONFIG_INVALID', openDeviceKeys(south));
});

test('an altered blob is refused by the TPM, and nothing is left in its slots', async (t) => {
  const tpm = await FreshTpm.make(t);
  await tpm.openKeys();
  await tpm.powerOff();
  await tpm.softwareTpm.start();
  const stored = decodeKeysFile(await readFile(tpm.keysFile, 'utf8'), tpm.keysFile);
  const [running] = stored.approval;
  const blob = stored.accountSeed;
  const altered = { ...blob, privateArea: blob.privateArea.slice() };
  altered.privateArea[altered.privateArea.length - 1]! ^= 1;
  const broker = new BrokerClient({ endpoint: fixedEndpoint(await tpm.tcti()), logger: tpm.logger });
  try {
    // More often than a TPM has slots.
    for (let i = 0; i < 8; i++) {
      const guarded = guardedBy(stored, running, stored.approval, blob);
      await refused('STORE_CORRUPT', broker.call('unseal', { ...guarded, blob: altered }));
      await refused('TPM_POLICY', broker.call('unseal', { ...guarded, policy: guarded.policy.slice(0, 1) }));
      assert.equal((await broker.call('unseal', guarded)).length, 32);
    }
  } finally {
    await broker.close();
  }
});
