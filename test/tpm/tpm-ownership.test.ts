/** A TPM becomes the box's own, whatever somebody prepared in it before or changed while it was nobody's. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { utf8 } from '../../firmware/src/encoding/bytes.ts';
import { AppError } from '../../firmware/src/errors.ts';
import { fixedEndpoint, joinRecoveryCode, openDeviceKeys } from '../../firmware/tpm/index.ts';
import { BrokerClient } from '../../firmware/tpm/broker/client.ts';
import { decodeKeysFile, writeKeysFile } from '../../firmware/tpm/keys/keys-file.ts';
import { ApprovedFirmwares } from '../../firmware/tpm/keys/approved-firmware.ts';
import { approvalContent } from '../../firmware/tpm/keys/device-policy.ts';
import { KeysRecord } from '../../firmware/tpm/keys/keys-record.ts';
import { provision } from '../../firmware/tpm/keys/provision.ts';
import { restoreKeys } from '../../firmware/tpm/keys/restore.ts';
import { FreshTpm } from '../support/fresh-tpm.ts';
import { refused } from '../support/refused.ts';
import { TappedBus } from '../support/tapped-bus.ts';

const run = promisify(execFile);

const approvalIndex = '0x0180684c';
const rootHandle = '0x81000001';

/** Somebody at the machine with the TCG's own tools. Answers are files in the folder of the TPM. */
class Stranger {
  readonly #tpm: FreshTpm;

  constructor(tpm: FreshTpm) {
    this.#tpm = tpm;
  }

  async does(name: string, ...args: string[]): Promise<void> {
    const tcti = ['-T', await this.#tpm.tcti()];
    await run('tpm2_flushcontext', [...tcti, '-t']);
    await run(`tpm2_${name}`, [...tcti, ...args], { cwd: this.#tpm.folder });
  }

  /** From then on whoever gives just this command is authorized by the hierarchy, without any value. */
  async plantsPolicy(hierarchy: string, command: string): Promise<void> {
    await this.does('startauthsession', '-S', 'trial');
    await this.does('policycommandcode', '-S', 'trial', '-L', 'policy', command);
    await this.does('flushcontext', 'trial');
    await this.does('setprimarypolicy', '-C', hierarchy, '-L', 'policy', '-g', 'sha256');
  }

  /** Gives a command whose authorization is the policy that was planted. */
  async usesPolicy(command: string, name: string, ...args: string[]): Promise<void> {
    await this.does('startauthsession', '--policy-session', '-S', 'session');
    try {
      await this.does('policycommandcode', '-S', 'session', command);
      await this.does(name, ...args, 'session:session');
    } finally {
      await this.does('flushcontext', 'session');
    }
  }

  /** Writes 34 zeros into the approval, by the policy alone. */
  async writesApproval(): Promise<void> {
    await writeFile(join(this.#tpm.folder, 'content'), new Uint8Array(34));
    const what = [approvalIndex, '-C', 'o', '-i', 'content'];
    await this.usesPolicy('TPM2_CC_NV_Write', 'nvwrite', ...what, '-P');
  }
}

/** TPM_RC_POLICY_FAIL or TPM_RC_AUTH_UNAVAILABLE. */
const noPolicy = /0x0*(99D|12F)/i;

/** A box whose keys are on disk when the power goes: its TPM is nobody's yet. */
async function cutBeforeTaking(tpm: FreshTpm, code: Uint8Array): Promise<void> {
  const broker = new BrokerClient({ endpoint: fixedEndpoint(await tpm.tcti()), logger: tpm.logger });
  await writeKeysFile(tpm.keysFile, await provision(broker, { institutionId: 'north', code }));
  await broker.close();
}

/** Whoever starts the machine has his firmware approved, opens the authorizations, and sets them himself. */
async function takeForTheBox(tpm: FreshTpm): Promise<void> {
  const stored = decodeKeysFile(await readFile(tpm.keysFile, 'utf8'), tpm.keysFile);
  const broker = new BrokerClient({ endpoint: fixedEndpoint(await tpm.tcti()), logger: tpm.logger });
  const firmware = await ApprovedFirmwares.open(broker, new KeysRecord(tpm.keysFile, stored));
  const content = approvalContent(stored.approval);
  await broker.call('takeOwnership', { authorizations: firmware.authorizations(), content });
  await broker.close();
}

test('no policy that was planted in a hierarchy outlives the making of the keys', async (t) => {
  const tpm = await FreshTpm.make(t);
  const stranger = new Stranger(tpm);
  await stranger.plantsPolicy('o', 'TPM2_CC_NV_Write');
  await stranger.plantsPolicy('l', 'TPM2_CC_Clear');
  await stranger.plantsPolicy('e', 'TPM2_CC_HierarchyChangeAuth');
  // The control: such a policy authorizes like the value.
  await stranger.does('nvdefine', '0x01806899', '-C', 'o', '-s', '34', '-a', 'ownerwrite|ownerread');
  await writeFile(join(tpm.folder, 'content'), new Uint8Array(34));
  const other = ['0x01806899', '-C', 'o', '-i', 'content', '-P'];
  await stranger.usesPolicy('TPM2_CC_NV_Write', 'nvwrite', ...other);
  const keys = await tpm.openKeys();
  await assert.rejects(stranger.writesApproval(), noPolicy);
  await assert.rejects(stranger.usesPolicy('TPM2_CC_Clear', 'clear', '-c', 'l'), noPolicy);
  await assert.rejects(
    stranger.usesPolicy('TPM2_CC_HierarchyChangeAuth', 'changeauth', '-c', 'e', 'mine', '-p'),
    noPolicy,
  );
  assert.equal(await keys.probe(), 'ready');
});

test("keys that lay on disk while the TPM was nobody's are made anew, and no policy stays", async (t) => {
  const tpm = await FreshTpm.make(t);
  await cutBeforeTaking(tpm, new Uint8Array(32).fill(3));
  const before = decodeKeysFile(await readFile(tpm.keysFile, 'utf8'), tpm.keysFile);
  const stranger = new Stranger(tpm);
  await stranger.plantsPolicy('o', 'TPM2_CC_NV_Write');
  await tpm.powerOff();
  const keys = await tpm.openKeys();
  assert.ok(tpm.recoveryHalves, 'another recovery code');
  const after = decodeKeysFile(await readFile(tpm.keysFile, 'utf8'), tpm.keysFile);
  assert.notDeepEqual(after.authorizations, before.authorizations);
  assert.notDeepEqual(after.identity, before.identity);
  await assert.rejects(stranger.writesApproval(), noPolicy);
  const { boxKey } = keys;
  await tpm.reboot();
  assert.deepEqual((await tpm.openKeys()).boxKey, boxKey);
});

test("keys that somebody opened while the TPM was nobody's, and then took it in the box's name, are made anew", async (t) => {
  const tpm = await FreshTpm.make(t);
  await cutBeforeTaking(tpm, new Uint8Array(32).fill(3));
  const before = decodeKeysFile(await readFile(tpm.keysFile, 'utf8'), tpm.keysFile);
  await takeForTheBox(tpm);
  await tpm.powerOff();
  const keys = await tpm.openKeys();
  assert.ok(tpm.recoveryHalves, 'another recovery code');
  const after = decodeKeysFile(await readFile(tpm.keysFile, 'utf8'), tpm.keysFile);
  assert.notDeepEqual(after.rootName, before.rootName, 'the TPM was cleared');
  assert.notDeepEqual(after.identity, before.identity);
  assert.equal((await keys.signWithIdentity(utf8('x'))).length, 64);
  const { boxKey } = keys;
  await tpm.reboot();
  assert.deepEqual((await tpm.openKeys()).boxKey, boxKey);
});

test("unfinished keys are in nobody's way once their TPM was cleared in the machine's set-up", async (t) => {
  const tpm = await FreshTpm.make(t);
  await cutBeforeTaking(tpm, new Uint8Array(32).fill(3));
  // The machine's set-up clears as the platform does; here the lock-out hierarchy, which is nobody's either.
  await new Stranger(tpm).does('clear', '-c', 'l');
  await tpm.powerOff();
  assert.equal(await (await tpm.openKeys()).probe(), 'ready');
});

test('a TPM that somebody keeps from being cleared is refused, with what to do, before anything is made', async (t) => {
  const tpm = await FreshTpm.make(t);
  await new Stranger(tpm).does('clearcontrol', '-C', 'l', 's');
  const failure = await refused('TPM_OWNED', tpm.openKeys());
  assert.match(failure.message, /TPM2_Clear of the TPM was disabled.*firmware setup enables it/);
  await assert.rejects(readFile(tpm.keysFile), { code: 'ENOENT' });
});

test('a lock-out hierarchy that somebody locked is refused before anybody gets a recovery code', async (t) => {
  const tpm = await FreshTpm.make(t);
  const stranger = new Stranger(tpm);
  const ever = '4294967295';
  await stranger.does('dictionarylockout', '-s', '-n', '5', '-t', ever, '-l', ever);
  await assert.rejects(stranger.does('dictionarylockout', '-c', '-p', 'wrong'), /0x0*98E|auth/i);
  const failure = await refused('TPM_LOCKED_OUT', tpm.openKeys());
  assert.match(failure.message, /lock-out hierarchy.*clearing the TPM/);
  assert.equal(tpm.recoveryHalves, undefined);
  await assert.rejects(readFile(tpm.keysFile), { code: 'ENOENT' });
});

test('a storage root key of the endorsement hierarchy, which outlives a clear, is not taken for ours', async (t) => {
  const tpm = await FreshTpm.make(t);
  const stranger = new Stranger(tpm);
  const attributes = 'fixedtpm|fixedparent|sensitivedataorigin|userwithauth|noda|restricted|decrypt';
  await stranger.does(
    'createprimary',
    '-C',
    'e',
    '-G',
    'ecc256:aes128cfb',
    '-a',
    attributes,
    '-c',
    'primary',
  );
  await stranger.does('evictcontrol', '-C', 'o', '-c', 'primary', rootHandle);
  await stranger.does('readpublic', '-c', rootHandle, '-n', 'name');
  const planted = new Uint8Array(await readFile(join(tpm.folder, 'name')));
  const keys = await tpm.openKeys();
  const { rootName } = decodeKeysFile(await readFile(tpm.keysFile, 'utf8'), tpm.keysFile);
  assert.notDeepEqual(rootName, planted);
  assert.equal((await keys.signWithIdentity(utf8('x'))).length, 64);
});

test("indexes that somebody defined with a value of his own are in nobody's way", async (t) => {
  const tpm = await FreshTpm.make(t);
  const stranger = new Stranger(tpm);
  const how = ['-C', 'o', '-p', 'secret'];
  await stranger.does(
    'nvdefine',
    approvalIndex,
    ...how,
    '-s',
    '34',
    '-a',
    'ownerwrite|authread|no_da|writeall',
  );
  const counter = 'ownerwrite|authread|no_da|nt=counter';
  await stranger.does('nvdefine', '0x0180684b', ...how, '-s', '8', '-a', counter);
  await stranger.does('nvincrement', '0x0180684b', '-C', 'o');
  const keys = await tpm.openKeys();
  assert.equal(await keys.probe(), 'ready');
});

for (const [hierarchy, name] of [
  ['l', 'lock-out'],
  ['e', 'endorsement'],
] as const)
  test(`a TPM whose ${name} authorization somebody set is refused before anything is made`, async (t) => {
    const tpm = await FreshTpm.make(t);
    await new Stranger(tpm).does('changeauth', '-c', hierarchy, 'theirs');
    const failure = await refused('TPM_OWNED', tpm.openKeys());
    assert.match(failure.message, new RegExp(`its ${name} authorization was set`));
    await assert.rejects(readFile(tpm.keysFile), { code: 'ENOENT' });
  });

test('a restore that ends before the TPM is taken is given again, and one that is done is refused', async (t) => {
  const tpm = await FreshTpm.make(t);
  const { boxKey } = await tpm.openKeys();
  const halves = tpm.recoveryHalves;
  assert.ok(halves);
  const joined = joinRecoveryCode(...halves);
  assert.equal(joined.kind, 'code');
  await (await tpm.openKeys()).clear();
  await tpm.powerOff();
  await cutBeforeTaking(tpm, joined.code);
  await tpm.powerOff();
  const mustBeRepeated = async (): Promise<void> => {
    const failure = await refused('STORE_CORRUPT', tpm.openKeys());
    assert.match(failure.message, /give hilum restore again/);
  };
  await mustBeRepeated();
  const restoring = {
    endpoint: tpm.softwareTpm,
    keysFile: tpm.keysFile,
    institutionId: 'north',
    logger: tpm.logger,
    code: joined.code,
  };
  // Also where the power went just after the TPM was taken: it is given back first.
  await takeForTheBox(tpm);
  await mustBeRepeated();
  await restoreKeys(restoring);
  // Nobody's hands come between the restore and the next start.
  await assert.rejects(new Stranger(tpm).does('changeauth', '-c', 'o', 'mine'), /0x0*9A2/i);
  await refused('TPM_OWNED', restoreKeys(restoring));
  assert.deepEqual((await tpm.openKeys()).boxKey, boxKey);
});

test('an unfinished box that nobody attends leaves its TPM as it is, however often it is started', async (t) => {
  const tpm = await FreshTpm.make(t);
  await cutBeforeTaking(tpm, new Uint8Array(32).fill(3));
  const before = await readFile(tpm.keysFile, 'utf8');
  await tpm.softwareTpm.start();
  const bus = await TappedBus.between(t, tpm);
  const nobody = new AppError('KEYS_NOT_MADE', 'nobody takes the code');
  const attempt = openDeviceKeys({
    endpoint: fixedEndpoint(bus.tcti),
    keysFile: tpm.keysFile,
    institutionId: 'north',
    logger: tpm.logger,
    onMaking: () => Promise.reject(nobody),
    onRecoveryCode: () => assert.fail('a code was made'),
  });
  assert.equal(await refused('KEYS_NOT_MADE', attempt), nobody);
  assert.deepEqual(bus.commandCodes, []);
  assert.equal(await readFile(tpm.keysFile, 'utf8'), before);
});
