/** Who sits between the box and its TPM learns no secret by listening, and gets none by exchanging what passes. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { makeCredential } from '../../firmware/src/attestation/credential.ts';
import { challengeRandomBytes } from '../../firmware/src/attestation/limits.ts';
import { readEndorsementKey } from '../../firmware/src/attestation/public-area.ts';
import { AppError } from '../../firmware/src/errors.ts';
import { utf8 } from '../../firmware/src/encoding/bytes.ts';
import {
  BrokerClient,
  fixedEndpoint,
  joinRecoveryCode,
  nameOf,
  openDeviceKeys,
  rescueKeys,
  type DeviceKeysOptions,
  type RecoveryHalves,
} from '../../firmware/tpm/index.ts';
import { decodeKeysFile } from '../../firmware/tpm/keys/keys-file.ts';
import { counterBytes, sessionAttribute } from '../../firmware/tpm/wire/constants.ts';
import { WireReader } from '../../firmware/tpm/wire/reader.ts';
import { FreshTpm } from '../support/fresh-tpm.ts';
import { offlineKey } from '../support/offline-key.ts';
import { TappedBus } from '../support/tapped-bus.ts';

function over(bus: TappedBus, { keysFile, logger }: FreshTpm): DeviceKeysOptions {
  return { tcti: bus.tcti, keysFile, institutionId: 'north', logger, onRecoveryCode: () => undefined };
}

/** TPM_CC (part 2, table 12). */
const startAuthSession = 0x0000_0176;
const sign = 0x0000_015d;
const createPrimary = 0x0000_0131;
const nvRead = 0x0000_014e;

/** Commands with a secret as their first parameter, and those with one in the answer's: what encrypts it (part 1, 21). */
const secretCommands: readonly (readonly [name: string, code: number, attribute: number])[] = [
  ['TPM2_Create', 0x0000_0153, sessionAttribute.decrypt],
  ['TPM2_HierarchyChangeAuth', 0x0000_0129, sessionAttribute.decrypt],
  ['TPM2_Unseal', 0x0000_015e, sessionAttribute.encrypt],
];

/** Of all sessions of a command with one handle (part 1, 18.6). */
function sessionAttributesOf(command: Buffer): number {
  const reader = new WireReader(command);
  reader.bytes(10 + 4); // header and handle
  const bytes = reader.u32();
  const parameters = reader.remaining - bytes;
  let attributes = 0;
  while (reader.remaining > parameters) {
    reader.u32();
    reader.sized(); // nonce
    attributes |= reader.u8();
    reader.sized(); // HMAC
  }
  return attributes;
}

test('neither making nor opening the keys shows a secret on the bus', async (t) => {
  const tpm = await FreshTpm.make(t);
  const bus = await TappedBus.between(t, tpm);
  await (await openDeviceKeys(over(bus, tpm))).stop();
  const keys = await openDeviceKeys(over(bus, tpm));
  await keys.stop();

  // The tap hears everything: the identity key's public point crosses it in clear.
  assert.ok(bus.heard(keys.identityPublicKey.slice(1, 33)));
  const transport = keys.transport.signer(keys.transport.held()[0] ?? assert.fail()) ?? assert.fail();
  for (const secret of [keys.boxKey, keys.accountSeed, transport.seed]) {
    assert.ok(!bus.heard(secret));
    // Nor in parts, should a transport cut it.
    for (let from = 0; from + 8 <= secret.length; from += 8) {
      assert.ok(!bus.heard(secret.slice(from, from + 8)));
    }
  }
});

test("whatever brings or opens a secret crosses the bus encrypted, over all of a box's life", async (t) => {
  const tpm = await FreshTpm.make(t);
  const bus = await TappedBus.between(t, tpm);
  const offline = offlineKey();
  const halves: RecoveryHalves[] = [];
  const options = {
    ...over(bus, tpm),
    rescueKey: offline.point,
    onRecoveryCode: (shown: RecoveryHalves) => void halves.push(shown),
  };
  await (await openDeviceKeys(options)).stop();
  const keys = await openDeviceKeys(options);
  await keys.starts.advance();
  await keys.voting.make();
  await keys.transaction.make();
  await keys.renewBoxKey(() => Promise.resolve());
  await keys.resetLockout();
  await keys.firmware.approveNext(await tpm.installFirmware('next'));
  await keys.stop();
  // Another firmware than was approved: a rescue.
  await tpm.powerOff();
  await tpm.installFirmware('mended');
  const [[first, second] = assert.fail()] = halves;
  const joined = joinRecoveryCode(first, second);
  assert.ok(joined.kind === 'code');
  const again = await TappedBus.between(t, tpm);
  const { keysFile, logger } = tpm;
  const rescue = { keysFile, logger, code: joined.code, sign: offline.sign };
  await rescueKeys({ ...rescue, endpoint: fixedEndpoint(again.tcti) });
  const rescued = await openDeviceKeys({ ...over(again, tpm) });
  await rescued.firmware.confirm();
  await rescued.clear();
  await rescued.stop();

  const commands = [...bus.commands, ...again.commands];
  for (const [name, code, attribute] of secretCommands) {
    const sent = commands.filter((command) => command.readUInt32BE(6) === code);
    assert.ok(sent.length > 0, name);
    const inClear = sent.filter((command) => (sessionAttributesOf(command) & attribute) === 0);
    assert.deepEqual(inClear, [], name);
  }
});

test('a credential that is activated does not show on the bus either', async (t) => {
  const tpm = await FreshTpm.make(t);
  const bus = await TappedBus.between(t, tpm);
  const broker = new BrokerClient({ endpoint: fixedEndpoint(bus.tcti), logger: tpm.logger });
  t.after(() => broker.close());
  const rootName = await broker.call('prepare', null);
  const attestationKey = await broker.call('createAttestationKey', { rootName });
  const { kind, publicArea } = await broker.call('readEndorsement', {});
  const secret = randomBytes(32);
  const { blob, seed } = await makeCredential(
    readEndorsementKey(publicArea),
    nameOf(attestationKey.publicArea),
    secret,
    randomBytes(challengeRandomBytes),
  );
  const request = { attestationKey, rootName, kind, credential: blob, encryptedSecret: seed };
  assert.deepEqual(Buffer.from(await broker.call('activateCredential', request)), secret);
  assert.ok(bus.heard(blob));
  assert.ok(!bus.heard(secret));
});

test('a storage root key that is exchanged on the bus is refused before anything is salted to it', async (t) => {
  const tpm = await FreshTpm.make(t);
  const bus = await TappedBus.between(t, tpm);
  await (await openDeviceKeys(over(bus, tpm))).stop();
  const { rootName } = decodeKeysFile(await readFile(tpm.keysFile, 'utf8'), tpm.keysFile);
  // Its own point in the public area, the true Name beside it: what a chip in between would answer.
  let exchanged = 0;
  bus.alterAnswer = (answer) => {
    const name = answer.indexOf(Buffer.from(rootName));
    if (name < 0) return answer;
    exchanged++;
    const altered = Buffer.from(answer);
    const lastOfPoint = name - 2 - 1;
    altered[lastOfPoint] = (altered[lastOfPoint] ?? 0) ^ 1;
    return altered;
  };
  bus.commandCodes.length = 0;
  await assert.rejects(
    openDeviceKeys(over(bus, tpm)),
    (failure) => failure instanceof AppError && failure.code === 'TPM_WRONG',
  );
  assert.ok(exchanged > 0);
  assert.ok(!bus.commandCodes.includes(startAuthSession));
});

test('a command that is altered on the bus does nothing, and an altered answer is not believed', async (t) => {
  const tpm = await FreshTpm.make(t);
  const bus = await TappedBus.between(t, tpm);
  const keys = await openDeviceKeys(over(bus, tpm));
  t.after(() => keys.stop());
  const isSign = (command: Buffer): boolean => command.length > 10 && command.readUInt32BE(6) === sign;
  // Another digest than the box's, under the box's authorization: the last bytes before the empty ticket.
  bus.alterCommand = (command) => {
    if (!isSign(command)) return command;
    const altered = Buffer.from(command);
    const inDigest = altered.length - 20;
    altered[inDigest] = (altered[inDigest] ?? 0) ^ 1;
    return altered;
  };
  await assert.rejects(keys.signWithIdentity(utf8('x')), AppError);
  bus.alterCommand = (command) => command;
  assert.equal((await keys.signWithIdentity(utf8('x'))).length, 64);

  let afterSign = false;
  bus.alterCommand = (command) => {
    afterSign = isSign(command);
    return command;
  };
  bus.alterAnswer = (answer) => {
    if (!afterSign || answer.length < 100) return answer;
    const altered = Buffer.from(answer);
    const inSignature = 30;
    altered[inSignature] = (altered[inSignature] ?? 0) ^ 1;
    return altered;
  };
  await assert.rejects(
    keys.signWithIdentity(utf8('x')),
    (failure) => failure instanceof AppError && failure.code === 'TPM_WRONG',
  );
  assert.equal(keys.health(), 'wrong-tpm');
  bus.alterAnswer = (answer) => answer;
  assert.equal((await keys.signWithIdentity(utf8('x'))).length, 64);
});

test('registers that are exchanged on the bus are not believed, so that nobody has them approved', async (t) => {
  const tpm = await FreshTpm.make(t);
  const bus = await TappedBus.between(t, tpm);
  const keys = await openDeviceKeys(over(bus, tpm));
  t.after(() => keys.stop());
  const [authority] = await keys.attester.readRegisters([7, 11]);
  assert.ok(authority);
  let exchanged = 0;
  bus.alterAnswer = (answer) => {
    const at = answer.indexOf(authority);
    if (at < 0) return answer;
    exchanged++;
    return Buffer.concat([answer.subarray(0, at), Buffer.alloc(32, 0xee), answer.subarray(at + 32)]);
  };
  await assert.rejects(
    keys.attester.readRegisters([7, 11]),
    (failure) => failure instanceof AppError && failure.code === 'TPM_WRONG',
  );
  assert.ok(exchanged > 0);
});

/** Where TPM2_NV_Read answers with the content (part 3, 31.13): after header, parameterSize and the content's own size. */
const nvContentAt = 10 + 4 + 2;

test('counters and approval that are exchanged on the bus are not believed, and nothing is approved by them', async (t) => {
  const tpm = await FreshTpm.make(t);
  const bus = await TappedBus.between(t, tpm);
  await (await openDeviceKeys(over(bus, tpm))).stop();
  const keysFile = await readFile(tpm.keysFile);
  const { rootName } = decodeKeysFile(keysFile.toString(), tpm.keysFile);
  const heldApproval = async (): Promise<Uint8Array | undefined> => {
    const broker = new BrokerClient({ endpoint: fixedEndpoint(await tpm.tcti()), logger: tpm.logger });
    try {
      return await broker.call('readApproval', { rootName });
    } finally {
      await broker.close();
    }
  };
  const approval = (await heldApproval()) ?? assert.fail();

  const keys = await openDeviceKeys(over(bus, tpm));
  t.after(() => keys.stop());
  const starts = await keys.starts.value();
  const next = await tpm.installFirmware('next');
  let isRead = false;
  let exchanged = 0;
  bus.alterCommand = (command) => {
    isRead = command.length > 10 && command.readUInt32BE(6) === nvRead;
    return command;
  };
  bus.alterAnswer = (answer) => {
    if (!isRead || answer.length < nvContentAt + counterBytes) return answer;
    exchanged++;
    const altered = Buffer.from(answer);
    // Of a counter this is 2^40 and more: an update bound to it would never be retired.
    altered.writeUInt32BE(0xff, nvContentAt);
    return altered;
  };
  const disbelieved = async (work: Promise<unknown>): Promise<void> => {
    exchanged = 0;
    await assert.rejects(work, (failure) => failure instanceof AppError && failure.code === 'TPM_WRONG');
    assert.equal(exchanged, 1);
  };
  await disbelieved(keys.starts.value());
  await disbelieved(keys.firmware.approveNext(next));
  await disbelieved(keys.firmware.confirm());
  await keys.stop();
  await disbelieved(openDeviceKeys(over(bus, tpm)));

  bus.alterAnswer = (answer) => answer;
  assert.deepEqual(await readFile(tpm.keysFile), keysFile);
  assert.deepEqual(await heldApproval(), approval);
  const again = await openDeviceKeys(over(bus, tpm));
  t.after(() => again.stop());
  assert.equal(await again.starts.value(), starts);
});

test('a storage root key that is made in another hierarchy, by four bytes on the bus, is noticed', async (t) => {
  const tpm = await FreshTpm.make(t);
  const bus = await TappedBus.between(t, tpm);
  /** TPM_RH_OWNER and TPM_RH_ENDORSEMENT (part 2, table 28), where the command's first handle stands. */
  const [owner, endorsement, handleAt] = [0x4000_0001, 0x4000_000b, 10];
  let exchanged = 0;
  bus.alterCommand = (command) => {
    if (command.length < handleAt + 4 || command.readUInt32BE(6) !== createPrimary) return command;
    if (command.readUInt32BE(handleAt) !== owner) return command;
    exchanged++;
    const altered = Buffer.from(command);
    altered.writeUInt32BE(endorsement, handleAt);
    return altered;
  };
  await assert.rejects(
    openDeviceKeys(over(bus, tpm)),
    (failure) => failure instanceof AppError && failure.code === 'TPM_WRONG',
  );
  assert.ok(exchanged > 0);
  await assert.rejects(readFile(tpm.keysFile), { code: 'ENOENT' });
});
