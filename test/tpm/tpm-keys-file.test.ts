/** Whoever has the disk, brings it back changed and knows all that is public: nothing of it is taken for the box's own. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { fixedEndpoint, openDeviceKeys, type DeviceKeysOptions } from '../../firmware/tpm/index.ts';
import { BrokerClient } from '../../firmware/tpm/broker/client.ts';
import { ApprovedFirmwares, guardedBy } from '../../firmware/tpm/keys/approved-firmware.ts';
import { devicePolicyDigest } from '../../firmware/tpm/keys/device-policy.ts';
import {
  authenticatedBytes,
  decodeKeysFile,
  encodeKeysFile,
  type StoredKeys,
} from '../../firmware/tpm/keys/keys-file.ts';
import { KeysRecord } from '../../firmware/tpm/keys/keys-record.ts';
import { recoveryKeyOf } from '../../firmware/tpm/keys/recovery-file.ts';
import { permanentAttribute, property } from '../../firmware/tpm/wire/constants.ts';
import { FreshTpm } from '../support/fresh-tpm.ts';
import { refused } from '../support/refused.ts';
import { TappedBus } from '../support/tapped-bus.ts';

async function stored(tpm: FreshTpm): Promise<StoredKeys> {
  return decodeKeysFile(await readFile(tpm.keysFile, 'utf8'), tpm.keysFile);
}

/** What an intruder does with a broker of his own while no box runs. */
async function withBroker<T>(tpm: FreshTpm, act: (broker: BrokerClient) => Promise<T>): Promise<T> {
  await tpm.powerOff();
  await tpm.softwareTpm.start();
  const broker = new BrokerClient({ endpoint: fixedEndpoint(await tpm.tcti()), logger: tpm.logger });
  try {
    return await act(broker);
  } finally {
    await broker.close();
    await tpm.powerOff();
  }
}

async function refusedAltered(tpm: FreshTpm, altered: StoredKeys): Promise<void> {
  const text = encodeKeysFile(altered);
  await tpm.powerOff();
  await writeFile(tpm.keysFile, text);
  const failure = await refused('STORE_CORRUPT', tpm.openKeys());
  assert.match(failure.message, /was altered/);
  assert.equal(await readFile(tpm.keysFile, 'utf8'), text);
}

function over(bus: TappedBus, { keysFile, logger }: FreshTpm): DeviceKeysOptions {
  return { tcti: bus.tcti, keysFile, institutionId: 'north', logger, onRecoveryCode: () => undefined };
}

/** TPM_CC_Quote (part 2, table 12). */
const quote = 0x0000_0158;

/** The answer to TPM2_GetCapability of TPM_PT_PERMANENT (part 2, 8.6 and 10.10.1) without ownerAuthSet; any other as it is. */
function withoutOwner(answer: Buffer): Buffer {
  const [propertyAt, valueAt] = [19, 23];
  if (answer.length !== valueAt + 4 || answer.readUInt32BE(propertyAt) !== property.permanent) return answer;
  const altered = Buffer.from(answer);
  const { ownerAuthSet } = permanentAttribute;
  altered.writeUInt32BE((answer.readUInt32BE(valueAt) & ~ownerAuthSet) >>> 0, valueAt);
  return altered;
}

/** A box with the seed of a stranger, sealed under the box's own public policy. */
async function boxAndForeignSeed(t: TestContext): Promise<{
  tpm: FreshTpm;
  before: StoredKeys;
  foreign: StoredKeys['accountSeed'];
}> {
  const tpm = await FreshTpm.make(t);
  await tpm.openKeys();
  const before = await stored(tpm);
  const { rootName, rescue } = before;
  const secret = new Uint8Array(64).fill(9);
  const foreign = await withBroker(tpm, (broker) =>
    broker.call('seal', { rootName, policy: devicePolicyDigest(rescue), secret }),
  );
  return { tpm, before, foreign };
}

test('a recovery key, a seed or a name that somebody else put into the keys file is refused', async (t) => {
  const { tpm, before, foreign } = await boxAndForeignSeed(t);
  const { seeds } = before;
  await refusedAltered(tpm, { ...before, recoveryKey: recoveryKeyOf(new Uint8Array(32).fill(7)) });
  for (const name of ['voting', 'transaction', 'transport'] as const)
    await refusedAltered(tpm, { ...before, seeds: { ...seeds, [name]: [...seeds[name], foreign] } });
  await refusedAltered(tpm, { ...before, accountSeed: foreign });
  await refusedAltered(tpm, { ...before, generation: before.generation + 1 });
  await refusedAltered(tpm, { ...before, mac: before.mac.map((byte) => byte ^ 1) });
  await tpm.powerOff();
  await writeFile(tpm.keysFile, encodeKeysFile(before));
  await tpm.openKeys();
});

test('authorizations that somebody else sealed authenticate nothing: they are not the owner’s of the TPM', async (t) => {
  const { tpm, before, foreign } = await boxAndForeignSeed(t);
  const altered = { ...before, authorizations: foreign };
  // He may even have run the approved firmware to make the MAC.
  const mac = await withBroker(tpm, (broker) =>
    broker.call('authenticate', {
      authorizations: guardedBy(altered, altered.approval[0], altered.approval, foreign),
      message: authenticatedBytes(altered),
    }),
  );
  await refusedAltered(tpm, { ...altered, mac });
  // Nor where a chip on the bus has the TPM say that nobody owns it.
  const bus = await TappedBus.between(t, tpm);
  bus.alterAnswer = withoutOwner;
  const opening = openDeviceKeys(over(bus, tpm));
  t.after(async () => {
    for (const settled of await Promise.allSettled([opening]))
      if (settled.status === 'fulfilled') await settled.value.stop();
  });
  await refused('STORE_CORRUPT', opening);
});

test('keys that were erased do not come back with an older copy of the keys file', async (t) => {
  const tpm = await FreshTpm.make(t);
  const keys = await tpm.openKeys();
  const copies: Buffer[] = [];
  for (const held of [keys.voting, keys.transaction, keys.transport]) {
    const made = await held.make();
    copies.push(await readFile(tpm.keysFile));
    await held.keepOnly([made]);
  }
  const newest = await readFile(tpm.keysFile);
  for (const copy of copies) {
    await tpm.powerOff();
    await writeFile(tpm.keysFile, copy);
    assert.match((await refused('TPM_POLICY', tpm.openKeys())).message, /keys that were erased/);
  }
  await tpm.powerOff();
  await writeFile(tpm.keysFile, newest);
  assert.deepEqual((await tpm.openKeys()).voting.held(), keys.voting.held());
});

test('a copy of the keys file from before the TPM was taken does not have a working box cleared', async (t) => {
  const tpm = await FreshTpm.make(t);
  const bus = await TappedBus.between(t, tpm);
  let copy = new Uint8Array();
  bus.alterCommand = (command) => {
    if (command.length > 10 && command.readUInt32BE(6) === quote) copy = readFileSync(tpm.keysFile);
    return command;
  };
  const keys = await openDeviceKeys(over(bus, tpm));
  await keys.stop();
  const newest = await readFile(tpm.keysFile);
  await tpm.powerOff();
  await writeFile(tpm.keysFile, copy);
  await rm(join(dirname(tpm.keysFile), 'recovery'));
  assert.match((await refused('TPM_POLICY', tpm.openKeys())).message, /is of another time/);
  await tpm.powerOff();
  await writeFile(tpm.keysFile, newest);
  assert.deepEqual((await tpm.openKeys()).boxKey, keys.boxKey);
});

test('erasures at the same time step the counter no further than the keys file', async (t) => {
  const tpm = await FreshTpm.make(t);
  await tpm.openKeys();
  const before = await stored(tpm);
  const { rootName, generation } = before;
  const count = await withBroker(tpm, async (broker) => {
    const firmware = await ApprovedFirmwares.open(broker, new KeysRecord(tpm.keysFile, before));
    await Promise.all([1, 1, 2].map((more) => firmware.stepTo('keysFiles', generation + more)));
    return broker.call('readCounter', { counter: 'keysFiles', rootName });
  });
  assert.equal(count, generation + 2);
});

test('a power cut between keys file and counter: the next start retires the older file', async (t) => {
  const tpm = await FreshTpm.make(t);
  await tpm.openKeys();
  const before = await stored(tpm);
  const erased = { ...before, generation: before.generation + 1 };
  const mac = await withBroker(tpm, (broker) =>
    broker.call('authenticate', {
      authorizations: guardedBy(before, before.approval[0], before.approval, before.authorizations),
      message: authenticatedBytes(erased),
    }),
  );
  await writeFile(tpm.keysFile, encodeKeysFile({ ...erased, mac }));
  await tpm.openKeys();
  await tpm.powerOff();
  await writeFile(tpm.keysFile, encodeKeysFile(before));
  await refused('TPM_POLICY', tpm.openKeys());
});
