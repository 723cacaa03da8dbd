/** What is wrong when a box starts: one line that names it, exit status 1, nothing damaged. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, readFile, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { before, test } from 'node:test';
import { promisify } from 'node:util';
import { ed25519 } from '@noble/curves/ed25519.js';
import { ConsoleRefused } from '../../provisioning/demo/console-client.ts';
import { writeCtPhantom } from '../../provisioning/demo/ct-phantom.ts';
import { boxAeTitle } from '../../provisioning/demo/hospitals.ts';
import { sendStudy } from '../../provisioning/demo/modality.ts';
import { patientAtSource } from '../../provisioning/demo/patient.ts';
import { waitFor } from '../../provisioning/demo/waiting.ts';
import { enrolmentFile } from '../../firmware/src/box/handed-in.ts';
import { toHex } from '../../firmware/src/encoding/bytes.ts';
import type { ErrorCode } from '../../firmware/src/errors.ts';
import { errorTable } from '../../firmware/src/errors.ts';
import { fileCleanups } from '../support/file-cleanups.ts';
import { LoneBox, runProgram, type ProgramEnd } from '../support/lone-box.ts';

/** In no consortium; and the one member of a consortium of its own. */
let alone: LoneBox;
let member: LoneBox;

before(async () => {
  [alone, member] = await Promise.all([
    LoneBox.make(fileCleanups, 'harrowmere'),
    LoneBox.makeMember(fileCleanups, 'lindqvist'),
  ]);
});

/** One line in the fixed form, with the remedy of the error table, and status 1. */
function assertFault(end: ProgramEnd, code: ErrorCode, ...named: readonly string[]): void {
  assert.equal(end.words.length, 1, end.words.join('\n'));
  const [line] = end.words as [string];
  assert.ok(line.startsWith('hilum: '), line);
  assert.ok(line.endsWith(` [${code}] ${errorTable[code].remedy}`), line);
  for (const name of named) assert.ok(line.includes(name), `${line} does not name ${name}`);
  assert.equal(end.status, 1);
  assert.equal(end.stdout, '');
}

async function startsAgain(box: LoneBox): Promise<void> {
  await box.process.start();
  assert.equal(await box.process.stop(), 0);
}

/** Whether a modality gets an answer to C-ECHO. */
async function assertEcho(box: LoneBox): Promise<void> {
  await promisify(execFile)('echoscu', [
    ...['-aet', 'ECHOSCU', '-aec', boxAeTitle],
    ...['127.0.0.1', String(box.process.hospital.ports.dicom)],
  ]);
}

async function assertUnchanged(path: string, run: () => Promise<void>): Promise<void> {
  const digest = async () =>
    createHash('sha256')
      .update(await readFile(path))
      .digest('hex');
  const earlier = await digest();
  await run();
  assert.equal(await digest(), earlier, `${path} was changed`);
}

/** Flips a bit of the byte; returns what puts it back. */
async function damage(path: string, offset: number): Promise<() => Promise<void>> {
  const whole = await readFile(path);
  const broken = Buffer.from(whole);
  broken.writeUInt8(broken.readUInt8(offset) ^ 0x10, offset);
  await writeFile(path, broken);
  return () => writeFile(path, whole);
}

/** In the middle of what was written: behind it a log is zero as far as its space is allocated. */
async function middleOf(path: string): Promise<number> {
  const bytes = await readFile(path);
  return Math.floor(bytes.findLastIndex((byte) => byte !== 0) / 2);
}

test('--help tells how it is used, and a forgotten --config tells it too', async () => {
  const help = await runProgram(['--help']);
  assert.equal(help.status, 0);
  assert.match(help.stdout, /Usage: hilum/);
  assert.match(help.stdout, /run .*start the box/);
  const forgotten = await runProgram(['run']);
  assert.equal(forgotten.status, 1);
  assert.match(forgotten.words[0] ?? '', /--config <file>/);
  assert.match(forgotten.words.join('\n'), /Usage: hilum run/);
});

test('a configuration that cannot be used is named by its file or key', async () => {
  const nowhere = join(alone.folder, 'no-such-file.json');
  assertFault(await alone.run(nowhere), 'CONFIG_UNREADABLE', nowhere);
  assertFault(await alone.run(alone.folder), 'CONFIG_UNREADABLE', alone.folder);
  const garbled = join(alone.folder, 'garbled.json');
  await writeFile(garbled, '{ "institution": ');
  assertFault(await alone.run(garbled), 'CONFIG_INVALID', garbled);
  const unknown = await alone.variant({ colour: 'blue' });
  assertFault(await alone.run(unknown), 'CONFIG_INVALID', 'unknown key "colour"');
  const nested = await alone.variant({ log: { level: 'info', colour: true } });
  assertFault(await alone.run(nested), 'CONFIG_INVALID', 'unknown key "log.colour"');
});

test('a data folder that cannot be written is named', async () => {
  const file = join(alone.folder, 'a-file');
  await writeFile(file, 'kept');
  for (const dataDir of [join(file, 'data'), '/proc/hilum']) {
    assertFault(await alone.run(await alone.variant({ dataDir })), 'DATA_FOLDER_UNWRITABLE', dataDir);
  }
  assert.equal(await readFile(file, 'utf8'), 'kept');
});

test('without swtpm a box says what to install', async () => {
  const empty = join(alone.folder, 'empty');
  await mkdir(empty);
  assertFault(await alone.run(alone.configPath, { PATH: empty }), 'TPM_SIMULATOR_MISSING', 'swtpm');
});

test('a box that is not admitted yet receives, and tells wallets so', async () => {
  const admin = await alone.startFirst();
  const study = await writeCtPhantom(join(alone.folder, 'modality'), patientAtSource, 3);
  await sendStudy(study, alone.process.hospital.ports.dicom, 'CT1', true);
  const { studies } = await admin.overview();
  assert.deepEqual(
    studies.map(({ studyInstanceUid, objects, ledger }) => ({ studyInstanceUid, objects, ledger })),
    [{ studyInstanceUid: study.studyInstanceUid, objects: 3, ledger: { kind: 'waiting' } }],
  );
  for (const path of ['genesis', 'head']) {
    await assert.rejects(admin.call('GET', `/wallet/v1/ledger/${path}`), (error: unknown) => {
      assert.ok(error instanceof ConsoleRefused, String(error));
      assert.deepEqual([error.status, error.code], [503, 'NOT_ADMITTED']);
      return true;
    });
  }
});

test('a second box on the same data folder is refused and disturbs nothing', async () => {
  const end = await alone.run();
  assertFault(end, 'DATA_FOLDER_IN_USE', alone.dataFolder, String(alone.process.pid));
  await assertEcho(alone);
  await alone.process.kill();
  // What a killed box leaves behind is no lock.
  await alone.process.start();
  const { studies } = await (await alone.logIn()).overview();
  assert.equal(studies[0]?.objects, 3);
  assert.equal(await alone.process.stop(), 0);
});

test('a member finalises blocks; each port in use is named', async () => {
  const admin = await member.startFirst();
  await waitFor('some blocks', 60, async () =>
    (await admin.overview()).ledger.height >= 3 ? true : undefined,
  );
  assert.equal(await member.process.stop(), 0);
  for (const [name, port] of Object.entries<number>({ ...member.process.hospital.ports })) {
    const occupant = createServer().listen(port, '127.0.0.1');
    await once(occupant, 'listening');
    try {
      assertFault(await member.run(), 'PORT_IN_USE', String(port));
    } catch (cause) {
      throw new Error(`the port of ${name}`, { cause });
    } finally {
      await new Promise((resolve) => occupant.close(resolve));
    }
  }
  await startsAgain(member);
});

test('a genesis file that is missing, garbled or none for this box is named', async () => {
  const nowhere = join(member.folder, 'no-genesis.json');
  assertFault(await member.run(await member.variant({ genesisFile: nowhere })), 'GENESIS_INVALID', nowhere);
  const garbled = join(member.folder, 'garbled.json');
  await writeFile(garbled, '{}');
  assertFault(await member.run(await member.variant({ genesisFile: garbled })), 'GENESIS_INVALID');
  // Right in itself, and none for this box.
  const document = JSON.parse(await readFile(join(member.folder, 'genesis.json'), 'utf8')) as {
    readonly institutions: readonly object[];
  };
  const genesisFile = join(member.folder, 'other-genesis.json');
  const changes = [
    [{ development: false }, 'production consortium', 'tpm.kind: swtpm'],
    [
      {
        institutions: document.institutions.map((institution) => ({
          ...institution,
          root: { keys: [toHex(ed25519.keygen().publicKey)], threshold: 1 },
        })),
      },
      'another offline root for lindqvist than it handed in',
    ],
  ] as const;
  for (const [change, ...named] of changes) {
    await writeFile(genesisFile, JSON.stringify({ ...document, ...change }));
    const variant = await member.variant({ genesisFile });
    assertFault(await member.run(variant), 'GENESIS_INVALID', ...named);
    // Nor does it hand itself in anew, which would make the document right.
    await assertUnchanged(join(member.dataFolder, enrolmentFile), async () =>
      assertFault(await runProgram(['enrol', '--config', variant]), 'GENESIS_INVALID', ...named),
    );
  }
  await startsAgain(member);
});

test('a box that the ledger does not name receives, and says so', async () => {
  const genesisFile = join(member.folder, 'genesis.json');
  // Not listed there: not admitted yet. Listed with the keys of another TPM: it was replaced, or is to replace that box.
  const listed = await LoneBox.make(fileCleanups, 'lindqvist');
  await listed.configure({ genesisFile });
  const console = await listed.startFirst();
  const { health } = await console.overview();
  assert.deepEqual(
    health.filter(({ code }) => code === 'BOX_NOT_ON_LEDGER').map(({ detail }) => detail),
    ['The ledger names another box for lindqvist.'],
  );
  await assertEcho(listed);
  assert.equal(await listed.process.stop(), 0);
  const foreign = await LoneBox.make(fileCleanups, 'harrowmere');
  await foreign.configure({ genesisFile });
  const [item] = (await (await foreign.startFirst()).overview()).health.filter(
    ({ code }) => code === 'BOX_NOT_ON_LEDGER',
  );
  assert.equal(item?.detail, 'The ledger has no member harrowmere.');
  assert.equal(await foreign.process.stop(), 0);
});

test('a damaged store is named and left as it is', async (t) => {
  const { dataFolder } = member;
  await t.test('one bit of the block log', async () => {
    const path = join(dataFolder, 'blocks', '000000000000.log');
    const restore = await damage(path, await middleOf(path));
    await assertUnchanged(path, async () => assertFault(await member.run(), 'STORE_CORRUPT', path));
    await restore();
  });
  await t.test('the key of the index', async () => {
    const path = join(dataFolder, 'index.key');
    const restore = await damage(path, await middleOf(path));
    await assertUnchanged(path, async () => assertFault(await member.run(), 'STORE_CORRUPT', 'index'));
    await restore();
    await rename(path, `${path}.away`);
    assertFault(await member.run(), 'STORE_CORRUPT', 'index', dataFolder);
    await rename(`${path}.away`, path);
  });
  for (const store of ['index', 'ledger']) {
    await t.test(`the manifest of LevelDB in ${store}`, async () => {
      const folder = join(dataFolder, store);
      const name = (await readdir(folder)).find((entry) => entry.startsWith('MANIFEST'));
      assert.ok(name !== undefined);
      await rename(join(folder, name), join(dataFolder, name));
      assertFault(await member.run(), 'STORE_CORRUPT', folder);
      await rename(join(dataFolder, name), join(folder, name));
    });
  }
  await t.test('the sealed keys', async () => {
    const path = join(dataFolder, 'keys.json');
    const whole = await readFile(path);
    await writeFile(path, whole.subarray(0, whole.length / 2));
    await assertUnchanged(path, async () => assertFault(await member.run(), 'STORE_CORRUPT', path));
    await writeFile(path, whole);
  });
  await t.test('put right, the box starts and has everything', async () => {
    // What it handed in when it enrolled may be gone: the ledger names it.
    await rm(join(dataFolder, 'enrolment.json'));
    await member.process.start();
    const { ledger, health } = await (await member.logIn()).overview();
    assert.ok(ledger.height >= 3);
    assert.deepEqual(health, []);
    assert.equal(await member.process.stop(), 0);
  });
});

/** What the only validator shows while it lacks votes: it receives, nothing comes to the ledger. */
async function assertReceivesWithoutVote(): Promise<void> {
  await member.process.start();
  const admin = await member.logIn();
  const before = await admin.overview();
  // On a slow machine half a minute has passed without a block by now, which is an alarm of its own.
  assert.deepEqual(
    before.health.filter(({ code }) => code !== 'LEDGER_STALE').map(({ code, detail }) => [code, detail]),
    [['VOTE_LOG_CORRUPT', 'Earlier votes of this box are not known.']],
  );
  await assertEcho(member);
  // A study gives it something to vote on: it is kept, and no block comes.
  const study = await writeCtPhantom(join(member.folder, 'modality'), patientAtSource, 2);
  await sendStudy(study, member.process.hospital.ports.dicom, 'CT1', true);
  const after = await waitFor('the quiet time to pass', 60, async () => {
    const seen = await admin.overview();
    return seen.time > (seen.studies[0]?.updatedAt ?? Infinity) + 5_000 ? seen : undefined;
  });
  assert.equal(after.studies[0]?.objects, 2);
  assert.equal(after.studies[0]?.ledger.kind, 'waiting');
  assert.equal(after.ledger.height, before.ledger.height);
  assert.equal(await member.process.stop(), 0);
}

test('with a damaged vote log a box puts it aside, receives, shows it, and does not vote', async () => {
  const path = join(member.dataFolder, 'votes.log');
  const restore = await damage(path, await middleOf(path));
  const damaged = await readFile(path);
  await assertReceivesWithoutVote();
  assert.deepEqual(await readFile(`${path}.damaged-1`), damaged);
  // The old log is one of an earlier start, which the TPM has counted: it may lack votes that were cast since.
  await restore();
  await assertReceivesWithoutVote();
});

test('boxes whose TPMs are exchanged cannot open their data, and say so', async () => {
  const [one, other] = [join(alone.dataFolder, 'swtpm'), join(member.dataFolder, 'swtpm')];
  const exchange = async (): Promise<void> => {
    await rename(one, `${one}.away`);
    await rename(other, one);
    await rename(`${one}.away`, other);
  };
  await exchange();
  for (const box of [alone, member]) {
    const keys = join(box.dataFolder, 'keys.json');
    await assertUnchanged(keys, async () => assertFault(await box.run(), 'TPM_WRONG', keys));
  }
  // A TPM that is new is none of theirs either.
  await rename(one, `${one}.away`);
  assertFault(await alone.run(), 'TPM_WRONG', join(alone.dataFolder, 'keys.json'));
  await rm(one, { recursive: true });
  await rename(`${one}.away`, one);
  await exchange();
  await startsAgain(alone);
  await startsAgain(member);
});
