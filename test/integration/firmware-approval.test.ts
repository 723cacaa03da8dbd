/** A box approves no firmware that its consortium would not take: it asks the ledger that it has on its disk. */
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import {
  approveFirmware,
  confirmFirmware,
  measureFirmware,
} from '../../firmware/src/box/firmware-approval.ts';
import { formatMeasuredFirmware, parseMeasuredFirmware } from '../../firmware/src/box/measured-firmware.ts';
import { readConfig } from '../../firmware/src/config.ts';
import { toHex } from '../../firmware/src/encoding/bytes.ts';
import {
  defaultParameters,
  parametersRecord,
  releaseRecord,
  releasesRecord,
  stateKeys,
  toReleaseDigest,
} from '../../firmware/src/ledger/index.ts';
import { noSeats } from '../../firmware/src/ledger/consortium/seats.ts';
import { LedgerStateStore } from '../../firmware/src/store/ledger-state-store.ts';
import { LevelStore } from '../../firmware/src/store/level-store.ts';
import { LoneBox } from '../support/lone-box.ts';
import { refused } from '../support/refused.ts';

const accepted = new Uint8Array(32).fill(1);
const published = new Uint8Array(32).fill(2);
const strange = new Uint8Array(32).fill(3);
const otherAuthority = new Uint8Array(32).fill(4);

async function ownRegisters(): Promise<{ readonly authority: Uint8Array; readonly firmware: Uint8Array }> {
  const { authority, firmware } = parseMeasuredFirmware(await measureFirmware());
  return { authority: authority ?? assert.fail(), firmware };
}

/** What the box saved of the ledger when it was stopped. */
async function saveLedger(box: LoneBox, bootAuthorities: readonly Uint8Array[]): Promise<void> {
  const store = await LevelStore.open(join(box.dataFolder, 'ledger'));
  const release = { version: '1.0.0', metadataHash: strange, publishedAt: 1, accepting: noSeats };
  const keyOf = (digest: Uint8Array): string => stateKeys.release(toReleaseDigest(digest));
  await new LedgerStateStore(store).save(7, strange, [
    { key: stateKeys.parameters, value: parametersRecord.encode({ ...defaultParameters, bootAuthorities }) },
    {
      key: stateKeys.releases,
      value: releasesRecord.encode({ digests: [accepted, published], dropped: null, vendorKeys: [] }),
    },
    { key: keyOf(accepted), value: releaseRecord.encode({ ...release, acceptedAt: 2 }) },
    { key: keyOf(published), value: releaseRecord.encode({ ...release, acceptedAt: null }) },
  ]);
  await store.close();
}

interface Scene {
  readonly box: LoneBox;
  readonly approve: (firmware: Uint8Array, authority?: Uint8Array) => Promise<string>;
}

async function scene(box: Promise<LoneBox>): Promise<Scene> {
  const made = await box;
  const file = join(made.folder, 'measured');
  return {
    box: made,
    approve: async (firmware, authority) => {
      const text =
        authority === undefined
          ? formatMeasuredFirmware([11], [firmware])
          : formatMeasuredFirmware([7, 11], [authority, firmware]);
      await writeFile(file, text);
      return approveFirmware(readConfig(made.configPath), file);
    },
  };
}

test('a member approves a release that the consortium accepted, under an authority that it named, and no other', async (t) => {
  const { box, approve } = await scene(LoneBox.makeMember(t, 'ashdown'));
  const { authority } = await ownRegisters();
  await saveLedger(box, [authority]);
  for (const firmware of [published, strange]) {
    const { message } = await refused('FIRMWARE_REFUSED', approve(firmware));
    assert.ok(message.includes(`PCR 11 would begin with ${toHex(firmware).slice(0, 16)}`), message);
  }
  const { message } = await refused('FIRMWARE_REFUSED', approve(accepted, otherAuthority));
  assert.match(message, /PCR 7 would begin with 0404/);
  assert.match(await confirmFirmware(readConfig(box.configPath)), /No other firmware/);
  assert.match(await approve(accepted), /PCR 11 0101010101010101 may open the keys/);
  assert.match(await confirmFirmware(readConfig(box.configPath)), /taken back/);
});

test('before its first block a member holds to the genesis document; in development what is not named may be anything', async (t) => {
  const { approve } = await scene(LoneBox.makeMember(t, 'ashdown'));
  assert.match(await approve(strange, otherAuthority), /may open the keys/);
});

test('the running firmware, a box without keys and a file that is not there are told', async (t) => {
  const { box, approve } = await scene(LoneBox.make(t, 'ashdown'));
  const { message: none } = await refused('FIRMWARE_REFUSED', approve(strange));
  assert.match(none, /holds no keys of a box/);
  await box.process.enrol();
  const { authority, firmware } = await ownRegisters();
  const { message: same } = await refused('FIRMWARE_REFUSED', approve(firmware, authority));
  assert.match(same, /this is the firmware that runs/);
  const missing = approveFirmware(readConfig(box.configPath), join(box.folder, 'nowhere'));
  assert.match((await refused('FIRMWARE_REFUSED', missing)).message, /nowhere cannot be read/);
  // In no consortium the hospital alone answers for it.
  assert.match(await approve(strange), /may open the keys/);
});
