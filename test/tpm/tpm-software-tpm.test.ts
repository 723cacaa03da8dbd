/** The life of a software TPM and of the broker: starts, crashes, leftovers, deep folders. */
import assert from 'node:assert/strict';
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { lstat, mkdir, readFile, readdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { SoftwareTpm } from '../../firmware/tpm/index.ts';
import { AppError } from '../../firmware/src/errors.ts';
import { utf8 } from '../../firmware/src/encoding/bytes.ts';
import { firmwareDigest } from '../../firmware/tpm/simulator/measurement.ts';
import { FreshTpm } from '../support/fresh-tpm.ts';

/** True while the process runs; a zombie has ended. */
async function runs(pid: number): Promise<boolean> {
  try {
    return (await readFile(`/proc/${pid}/cmdline`, 'utf8')) !== '';
  } catch (failure) {
    if ((failure as NodeJS.ErrnoException).code === 'ENOENT') return false;
    throw failure;
  }
}

/** Far more than the broker's own leave, which is 3 s. */
const endMsMax = 30_000;

/** Resolves when the process has ended. */
async function gone(pid: number): Promise<void> {
  const deadline = performance.now() + endMsMax;
  while (await runs(pid)) {
    assert.ok(performance.now() < deadline, `process ${pid} still runs`);
    await delay(20);
  }
}

async function exists(path: string): Promise<boolean> {
  return lstat(path).then(
    () => true,
    (failure: NodeJS.ErrnoException) => {
      if (failure.code === 'ENOENT') return false;
      throw failure;
    },
  );
}

/** The processes of brokers that are children of this one. */
async function brokersOf(parent: number): Promise<number[]> {
  const children = await readFile(`/proc/${parent}/task/${parent}/children`, 'utf8');
  const found: number[] = [];
  for (const pid of children.trim().split(' ').filter(Boolean).map(Number)) {
    const commandLine = await readFile(`/proc/${pid}/cmdline`, 'utf8');
    if (commandLine.includes('tpm/broker/main.ts')) found.push(pid);
  }
  return found;
}

/** A box that opens its keys in a process of its own, to be killed. */
function startBox(tpm: FreshTpm): ChildProcess {
  return fork(join(import.meta.dirname, '..', 'support', 'tpm-box.ts'), [tpm.folder], { execArgv: [] });
}

test('a stop leaves no process and no socket', async (t) => {
  const tpm = await FreshTpm.make(t);
  await tpm.openKeys();
  const pid = await tpm.pid();
  const [broker] = await brokersOf(process.pid);
  assert.ok(broker !== undefined);
  assert.ok(await exists(join(tpm.stateFolder, 'tpm.sock')));
  await tpm.powerOff();
  assert.equal(await runs(pid), false);
  assert.equal(await runs(broker), false);
  const left = await readdir(tpm.stateFolder);
  assert.deepEqual(
    left.filter((name) => /sock/.test(name)),
    [],
  );
  assert.ok(!tpm.logger.lines.some((line) => line.startsWith('warn')), tpm.logger.lines.join('\n'));
});

test('the keys file and the state folder are for their owner alone', async (t) => {
  const tpm = await FreshTpm.make(t);
  await tpm.openKeys();
  assert.equal((await stat(tpm.keysFile)).mode & 0o777, 0o600);
  assert.equal((await stat(tpm.stateFolder)).mode & 0o777, 0o700);
  assert.equal((await stat(join(tpm.stateFolder, 'tpm2-00.permall'))).mode & 0o777, 0o600);
  assert.equal((await stat(join(tpm.stateFolder, 'tpm.sock'))).mode & 0o777, 0o600);
});

test('a state folder whose path is too long for a socket works, and its short folder goes again', async (t) => {
  const tpm = await FreshTpm.make(t);
  const deep = join(tpm.folder, 'a-rather-long-name-for-a-folder'.repeat(2), 'and-another-one'.repeat(3));
  await mkdir(deep, { recursive: true });
  const { logger, firmwareRoot } = tpm;
  const softwareTpm = new SoftwareTpm({ stateFolder: join(deep, 'swtpm'), logger, firmwareRoot });
  const { tcti, simulator } = await softwareTpm.open();
  try {
    assert.ok(simulator);
    assert.ok(Buffer.byteLength(tcti) <= 'swtpm:path='.length + 107);
    assert.equal((await stat(simulator.socketFolder)).mode & 0o777, 0o700);
    // After a crash the next start removes the folder of the last one.
    const lost = new Promise<void>((resolve) => softwareTpm.onLost(resolve));
    process.kill(simulator.pid, 'SIGKILL');
    await lost;
    assert.ok(await exists(simulator.socketFolder));
    const again = await softwareTpm.open();
    assert.ok(!(await exists(simulator.socketFolder)));
    await softwareTpm.stop();
    assert.ok(!(await exists(again.simulator?.socketFolder ?? '')));
  } finally {
    await softwareTpm.stop();
  }
});

test('a path that swtpm cannot be told is refused', async (t) => {
  const { logger, folder } = await FreshTpm.make(t);
  for (const stateFolder of ['relative/path', join(folder, 'a,b')]) {
    assert.throws(
      () => new SoftwareTpm({ stateFolder, logger }),
      (failure) => failure instanceof AppError && failure.code === 'CONFIG_INVALID',
    );
  }
});

test('a swtpm of an earlier run is ended first', async (t) => {
  const tpm = await FreshTpm.make(t);
  const { logger, stateFolder, firmwareRoot } = tpm;
  const forgotten = new SoftwareTpm({ stateFolder, logger, firmwareRoot });
  const { simulator } = await forgotten.open();
  assert.ok(simulator);
  assert.notEqual(await tpm.pid(), simulator.pid);
  assert.equal(await runs(simulator.pid), false);
});

test('a box that is killed takes its broker and its swtpm with it, and comes back with its keys', async (t) => {
  const tpm = await FreshTpm.make(t);
  const box = startBox(tpm);
  const [ready] = (await once(box, 'message')) as [{ swtpm: number; boxKey: string }];
  const [broker] = await brokersOf(box.pid as number);
  assert.ok(broker !== undefined);
  box.kill('SIGKILL');
  await gone(broker);
  await gone(ready.swtpm);
  assert.ok(!(await exists(join(tpm.stateFolder, 'tpm.sock'))));
  const keys = await tpm.openKeys();
  assert.equal(Buffer.from(keys.boxKey).toString('hex'), ready.boxKey);
});

test('a box that is killed while its TPM hangs leaves nothing either', async (t) => {
  const tpm = await FreshTpm.make(t);
  const box = startBox(tpm);
  const [ready] = (await once(box, 'message')) as [{ swtpm: number }];
  const [broker] = await brokersOf(box.pid as number);
  assert.ok(broker !== undefined);
  process.kill(ready.swtpm, 'SIGSTOP');
  box.kill('SIGKILL');
  await gone(broker);
  await gone(ready.swtpm);
});

test('a hung swtpm does not hold up a stop', async (t) => {
  const tpm = await FreshTpm.make(t);
  await tpm.openKeys();
  const pid = await tpm.pid();
  process.kill(pid, 'SIGSTOP');
  await tpm.powerOff();
  assert.equal(await runs(pid), false);
  assert.ok(tpm.logger.lines.some((line) => line.startsWith('warn the TPM was not shut down in order')));
  assert.ok(tpm.logger.lines.some((line) => line.startsWith('warn swtpm was not shut down in order')));
});

test('an operation that is under way when the TPM dies fails as absent', async (t) => {
  const tpm = await FreshTpm.make(t);
  const keys = await tpm.openKeys();
  const pid = await tpm.pid();
  process.kill(pid, 'SIGSTOP');
  const waiting = keys.signWithIdentity(utf8('x'));
  const lost = new Promise<string>((resolve) => keys.onHealthChange(resolve));
  process.kill(pid, 'SIGKILL');
  await assert.rejects(waiting, (failure) => failure instanceof AppError && failure.code === 'TPM_ABSENT');
  assert.equal(await lost, 'absent');
});

test('a broker that is killed is forked anew, and its handles do not fill the TPM', async (t) => {
  const tpm = await FreshTpm.make(t);
  const keys = await tpm.openKeys();
  // More often than the TPM has slots; each time with a loaded root key, and in the midst of a signature.
  for (let i = 0; i < 5; i++) {
    await keys.signWithIdentity(utf8('x'));
    const [broker] = await brokersOf(process.pid);
    const interrupted = keys.signWithIdentity(utf8('y'));
    process.kill(broker as number, 'SIGKILL');
    await assert.rejects(
      interrupted,
      (failure) => failure instanceof AppError && failure.code === 'TPM_FAILED',
    );
  }
  assert.equal((await keys.signWithIdentity(utf8('z'))).length, 64);
});

test('operations beyond the limit are refused at once, and those within it all end', async (t) => {
  const tpm = await FreshTpm.make(t);
  const keys = await tpm.openKeys();
  const results = await Promise.allSettled(
    Array.from({ length: 70 }, () => keys.signWithIdentity(utf8('x'))),
  );
  const failures = results.flatMap((result) => (result.status === 'rejected' ? [String(result.reason)] : []));
  assert.equal(failures.length, 6);
  assert.ok(failures.every((text) => /more than 64 operations wait/.test(text)));
});

test('the firmware is measured: any file counts, the built console does not', async (t) => {
  const tpm = await FreshTpm.make(t);
  const root = tpm.firmwareRoot;
  const hex = async (): Promise<string> => Buffer.from(await firmwareDigest(root)).toString('hex');
  const first = await hex();
  assert.equal(await hex(), first);
  await mkdir(join(root, 'firmware', 'console', 'dist'), { recursive: true });
  await writeFile(join(root, 'firmware', 'console', 'dist', 'page.js'), 'built');
  assert.equal(await hex(), first);
  await writeFile(join(root, 'package.json'), '{"imports":{}}\n');
  const redirected = await hex();
  assert.notEqual(redirected, first);
  await writeFile(join(root, 'package-lock.json'), '{"changed":true}\n');
  const second = await hex();
  assert.notEqual(second, redirected);
  await writeFile(join(root, 'firmware', 'new.ts'), '');
  assert.notEqual(await hex(), second);
});
