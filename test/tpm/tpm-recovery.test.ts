/** How a hospital gets its data back: the running firmware approved from outside, or another TPM. And how nobody else does. */
import assert from 'node:assert/strict';
import { readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { utf8 } from '../../firmware/src/encoding/bytes.ts';
import { decodeKeysFile, encodeKeysFile, type StoredKeys } from '../../firmware/tpm/keys/keys-file.ts';
import {
  openRecovery,
  recoveryKeyOf,
  sealRecovery,
  type RecoverySecrets,
} from '../../firmware/tpm/keys/recovery-file.ts';
import {
  BrokerClient,
  fixedEndpoint,
  joinRecoveryCode,
  rescueKeys,
  restoreKeys,
} from '../../firmware/tpm/index.ts';
import { FreshTpm } from '../support/fresh-tpm.ts';
import { offlineKey } from '../support/offline-key.ts';
import { refused } from '../support/refused.ts';
import { TappedBus } from '../support/tapped-bus.ts';

function codeOf({ recoveryHalves }: FreshTpm): Uint8Array {
  const [first, second] = recoveryHalves ?? assert.fail('no recovery code was shown');
  const joined = joinRecoveryCode(first, second);
  assert.ok(joined.kind === 'code');
  return joined.code;
}

test('offline key and recovery code together let the running firmware open the keys; neither alone does', async (t) => {
  const tpm = await FreshTpm.make(t);
  const offline = offlineKey();
  tpm.rescueKey = offline.point;
  const keys = await tpm.openKeys();
  const before = await readFile(join(tpm.firmwareRoot, 'firmware', 'main.ts'), 'utf8');
  await tpm.powerOff();
  await tpm.changeFirmware();
  await refused('TPM_POLICY', tpm.openKeys());
  const code = codeOf(tpm);
  const attempt = { endpoint: tpm.softwareTpm, keysFile: tpm.keysFile, logger: tpm.logger, code };
  const used: Uint8Array[] = [];
  const signOnce = async (message: Uint8Array): Promise<Uint8Array> => {
    const signature = await offline.sign(message);
    used.push(signature);
    return signature;
  };
  await refused('RECOVERY_REFUSED', rescueKeys({ ...attempt, sign: offlineKey().sign }));
  await refused('RECOVERY_REFUSED', rescueKeys({ ...attempt, sign: () => Promise.resolve(utf8('no DER')) }));
  await refused('RECOVERY_REFUSED', rescueKeys({ ...attempt, code: new Uint8Array(32), sign: signOnce }));
  // The code was wrong, the signature right; it is for that session alone.
  const [replayed = new Uint8Array()] = used;
  await refused('RECOVERY_REFUSED', rescueKeys({ ...attempt, sign: () => Promise.resolve(replayed) }));
  await refused('TPM_POLICY', tpm.openKeys());
  await rescueKeys({ ...attempt, sign: offline.sign });
  const rescued = await tpm.openKeys();
  assert.deepEqual(rescued.boxKey, keys.boxKey);
  assert.deepEqual(rescued.identityPublicKey, keys.identityPublicKey);
  assert.deepEqual(rescued.voting.held(), keys.voting.held());
  assert.equal((await rescued.signWithIdentity(utf8('x'))).length, 64);
  // What was approved before is retired.
  await tpm.powerOff();
  await tpm.installFirmware(before);
  await refused('TPM_POLICY', tpm.openKeys());
});

test('a rescue that is refused after a power cut leaves what the TPM approves', async (t) => {
  const tpm = await FreshTpm.make(t);
  const offline = offlineKey();
  tpm.rescueKey = offline.point;
  await tpm.installFirmware('old\n');
  const keys = await tpm.openKeys();
  const stored = async (): Promise<StoredKeys> =>
    decodeKeysFile(await readFile(tpm.keysFile, 'utf8'), tpm.keysFile);
  const before = await stored();
  await keys.firmware.approveNext(await tpm.installFirmware('new\n'));
  const { approval } = await stored();
  await tpm.powerOff();
  // The power went when the TPM had been told, and the file did not say so yet.
  await writeFile(tpm.keysFile, encodeKeysFile({ ...before, approving: approval }));
  await tpm.installFirmware('broken\n');
  const attempt = {
    endpoint: tpm.softwareTpm,
    keysFile: tpm.keysFile,
    logger: tpm.logger,
    code: codeOf(tpm),
  };
  await refused('RECOVERY_REFUSED', rescueKeys({ ...attempt, sign: offlineKey().sign }));
  await refused('RECOVERY_REFUSED', rescueKeys({ ...attempt, sign: () => Promise.resolve(utf8('no DER')) }));
  await tpm.powerOff();
  await tpm.installFirmware('old\n');
  assert.deepEqual((await tpm.openKeys()).boxKey, keys.boxKey);
});

for (const which of ['the newest keys file', 'one from before it'])
  test(`a rescue with ${which} retires an update that was approved and never confirmed`, async (t) => {
    const tpm = await FreshTpm.make(t);
    const offline = offlineKey();
    tpm.rescueKey = offline.point;
    const keys = await tpm.openKeys();
    const older = await readFile(tpm.keysFile);
    await keys.firmware.approveNext(await tpm.installFirmware('bad\n'));
    const stored = async (): Promise<StoredKeys> =>
      decodeKeysFile(await readFile(tpm.keysFile, 'utf8'), tpm.keysFile);
    const countsMax = (await stored()).approval.map(({ countMax }) => countMax);
    await tpm.powerOff();
    if (which !== 'the newest keys file') await writeFile(tpm.keysFile, older);
    await tpm.installFirmware('mended\n');
    const { keysFile, logger, softwareTpm: endpoint } = tpm;
    await rescueKeys({ endpoint, keysFile, logger, code: codeOf(tpm), sign: offline.sign });
    await tpm.powerOff();
    await tpm.openKeys();
    const { rootName } = await stored();
    const broker = new BrokerClient({ endpoint: fixedEndpoint(await tpm.tcti()), logger });
    const count = await broker.call('readCounter', { counter: 'firmware', rootName });
    await broker.close();
    assert.ok(count > Math.max(...countsMax), `${count}`);
  });

test('a rescue approves what the TPM says that runs, and nothing that a chip on the bus says', async (t) => {
  const tpm = await FreshTpm.make(t);
  const offline = offlineKey();
  tpm.rescueKey = offline.point;
  const keys = await tpm.openKeys();
  await tpm.powerOff();
  const [, theirs] = await tpm.installFirmware('foreign\n');
  const [, running] = await tpm.installFirmware('mended\n');
  assert.ok(theirs && running);
  const bus = await TappedBus.between(t, tpm);
  let exchanged = 0;
  bus.alterAnswer = (answer) => {
    const at = answer.indexOf(running);
    if (at < 0) return answer;
    exchanged++;
    return Buffer.concat([answer.subarray(0, at), theirs, answer.subarray(at + theirs.length)]);
  };
  const { keysFile, logger } = tpm;
  const attempt = { keysFile, logger, code: codeOf(tpm), sign: offline.sign };
  await refused('TPM_WRONG', rescueKeys({ ...attempt, endpoint: fixedEndpoint(bus.tcti) }));
  assert.ok(exchanged > 0);
  await rescueKeys({ ...attempt, endpoint: tpm.softwareTpm });
  assert.deepEqual((await tpm.openKeys()).boxKey, keys.boxKey);
});

test('keys that were made without an offline key have no rescue', async (t) => {
  const tpm = await FreshTpm.make(t);
  await tpm.openKeys();
  await tpm.powerOff();
  const attempt = {
    endpoint: tpm.softwareTpm,
    keysFile: tpm.keysFile,
    logger: tpm.logger,
    code: codeOf(tpm),
  };
  const failure = await refused('RECOVERY_REFUSED', rescueKeys({ ...attempt, sign: offlineKey().sign }));
  assert.match(failure.message, /without an offline rescue key/);
});

test('another TPM takes over what the recovery code opens, and nothing that must not live twice', async (t) => {
  const tpm = await FreshTpm.make(t);
  const keys = await tpm.openKeys();
  await keys.voting.make();
  await tpm.powerOff();
  await rename(tpm.stateFolder, `${tpm.stateFolder}.dead`);
  await refused('TPM_WRONG', tpm.openKeys());
  const code = codeOf(tpm);
  const { keysFile, logger } = tpm;
  const attempt = { endpoint: tpm.softwareTpm, keysFile, institutionId: 'north', logger, code };
  const before = await readFile(keysFile);
  await refused('RECOVERY_REFUSED', restoreKeys({ ...attempt, code: new Uint8Array(32) }));
  await refused('RECOVERY_REFUSED', restoreKeys({ ...attempt, institutionId: 'south' }));
  assert.deepEqual(await readFile(keysFile), before);
  await restoreKeys(attempt);
  const restored = await tpm.openKeys();
  assert.deepEqual(restored.boxKey, keys.boxKey);
  assert.deepEqual(restored.accountSeed, keys.accountSeed);
  assert.notDeepEqual(restored.identityPublicKey, keys.identityPublicKey);
  const old = [keys.voting, keys.transaction, keys.transport].flatMap((held) => held.held());
  for (const held of [restored.voting, restored.transaction, restored.transport]) {
    assert.equal(held.held().length, 1);
    for (const key of old) assert.equal(held.signer(key), undefined);
  }
  assert.equal((await restored.signWithIdentity(utf8('x'))).length, 64);
  // The code stays good for the next time, with the file that is there.
  await tpm.powerOff();
  await rm(tpm.stateFolder, { recursive: true });
  await restoreKeys({ ...attempt, endpoint: tpm.softwareTpm });
  assert.deepEqual((await tpm.openKeys()).boxKey, keys.boxKey);
});

test('a TPM of another box is not taken over, and one that was cleared is', async (t) => {
  const tpm = await FreshTpm.make(t);
  const keys = await tpm.openKeys();
  const code = codeOf(tpm);
  const { keysFile, logger } = tpm;
  const attempt = { keysFile, institutionId: 'north', logger, code };
  await keys.stop();
  await refused('TPM_OWNED', restoreKeys({ ...attempt, endpoint: tpm.softwareTpm }));
  const again = await tpm.openKeys();
  await again.clear();
  await tpm.powerOff();
  await refused('TPM_WRONG', tpm.openKeys());
  await restoreKeys({ ...attempt, endpoint: tpm.softwareTpm });
  assert.deepEqual((await tpm.openKeys()).boxKey, keys.boxKey);
});

test('each start mends a recovery file that is damaged or somebody else’s, also in the middle of a renewal', async (t) => {
  const tpm = await FreshTpm.make(t);
  const keys = await tpm.openKeys();
  const file = join(dirname(tpm.keysFile), 'recovery');
  const opened = async (): Promise<RecoverySecrets | undefined> =>
    openRecovery(codeOf(tpm), 'north', await readFile(file));
  const { boxKey, accountSeed } = keys;
  const foreign = await sealRecovery(recoveryKeyOf(new Uint8Array(32)), 'north', { boxKey, accountSeed });
  for (const damage of [utf8('rubbish'), foreign, new Uint8Array(5000)]) {
    await tpm.powerOff();
    await writeFile(file, damage);
    await tpm.openKeys();
    assert.deepEqual(await opened(), { boxKey, accountSeed });
  }
  await tpm.powerOff();
  let nextBoxKey = new Uint8Array();
  await assert.rejects(
    (await tpm.openKeys()).renewBoxKey((_, next) => {
      nextBoxKey = new Uint8Array(next);
      return Promise.reject(new Error('the power goes'));
    }),
    /the power goes/,
  );
  await tpm.powerOff();
  await rm(file);
  await tpm.openKeys();
  assert.deepEqual(await opened(), { boxKey, nextBoxKey, accountSeed });
});

test('no new keys are made where earlier ones left a recovery file: it is pointed to the restore', async (t) => {
  const tpm = await FreshTpm.make(t);
  const keys = await tpm.openKeys();
  const file = join(dirname(tpm.keysFile), 'recovery');
  const before = await readFile(file);
  await keys.clear();
  await tpm.powerOff();
  await rm(tpm.keysFile);
  assert.match((await refused('STORE_CORRUPT', tpm.openKeys())).message, /hilum restore/);
  assert.deepEqual(await readFile(file), before);
  await assert.rejects(readFile(tpm.keysFile), { code: 'ENOENT' });
});

test('a recovery file that is gone is written anew, one that is damaged opens nothing', async (t) => {
  const tpm = await FreshTpm.make(t);
  const keys = await tpm.openKeys();
  const file = join(dirname(tpm.keysFile), 'recovery');
  await rm(file);
  await tpm.powerOff();
  await tpm.openKeys();
  const content = await readFile(file);
  assert.ok(!content.includes(Buffer.from(keys.boxKey)));
  await tpm.powerOff();
  content[content.length - 1]! ^= 1;
  await writeFile(file, content);
  const { keysFile, logger } = tpm;
  const attempt = { keysFile, institutionId: 'north', logger, code: codeOf(tpm), endpoint: tpm.softwareTpm };
  await refused('RECOVERY_REFUSED', restoreKeys(attempt));
  await rm(file);
  await refused('STORE_CORRUPT', restoreKeys(attempt));
});
