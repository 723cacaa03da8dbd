/** The wire codec of the TPM room against bytes worked out by hand from the specification, and against random bytes. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { concatBytes, fromHex, toHex, u16, utf8 } from '../../firmware/src/encoding/bytes.ts';
import { sha256 } from '../../firmware/src/encoding/hash.ts';
import { pcrExtendCommand, shutdownCommand } from '../../firmware/tpm/simulator/boot.ts';
import { encodeEventLog, eventType } from '../../firmware/tpm/simulator/event-log.ts';
import { pcrPolicyDigest } from '../../firmware/tpm/wire/policy.ts';
import { WireReader } from '../../firmware/tpm/wire/reader.ts';
import {
  nameOf,
  parseDigestList,
  parseEcdsaSignature,
  parseHandles,
  parseProperties,
  parseSigningPoint,
  pcrSelection,
  sensitiveCreate,
  sized,
  unsized,
} from '../../firmware/tpm/wire/structures.ts';
import {
  attestationTemplate,
  identityTemplate,
  rescueLockTemplate,
  sealedTemplate,
  storageRootTemplate,
} from '../../firmware/tpm/wire/templates.ts';

const policy = new Uint8Array(32).fill(0x5a);
const policyHex = '5a'.repeat(32);

test('a PCR selection has one bit for each register', () => {
  assert.equal(toHex(pcrSelection([])), '00000000');
  assert.equal(toHex(pcrSelection([0])), '00000001000b03010000');
  assert.equal(toHex(pcrSelection([7, 11])), '00000001000b03800800');
  assert.equal(toHex(pcrSelection([23])), '00000001000b03000080');
  for (const wrong of [-1, 24, 1.5, Number.NaN]) assert.throws(() => pcrSelection([wrong]), RangeError);
});

test('the storage root key is the one of the provisioning guidance, without dictionary attacks', () => {
  assert.equal(
    toHex(storageRootTemplate()),
    `005a0023000b000304720000${'000600800043'}001000030010${`0020${'00'.repeat(32)}`.repeat(2)}`,
  );
});

test('the identity key signs under its policy only', () => {
  assert.equal(
    toHex(identityTemplate(policy)),
    `00380023000b000404320020${policyHex}00100018000b0003001000000000`,
  );
});

test('the attestation key signs what its TPM says alone, for whoever asks, in a lock-out too', () => {
  assert.equal(
    toHex(attestationTemplate()),
    '00180023000b0005047200000010' + '0018000b' + '0003001000000000',
  );
});

test('what the recovery code opens is no prey of a lock-out', () => {
  assert.equal(toHex(rescueLockTemplate()), '000e0008000b00000452' + '0000' + '0010' + '0000');
});

test('a sealed secret opens under its policy only', () => {
  assert.equal(toHex(sealedTemplate(policy)), `002e0008000b000004120020${policyHex}00100000`);
});

test('what is to be sealed has no authorization value', () => {
  assert.equal(toHex(sensitiveCreate()), '000400000000');
  assert.equal(toHex(sensitiveCreate(Uint8Array.of(1, 2, 3))), '000700000003010203');
});

test('the policy digest is the hash that TPM2_PolicyPCR makes', () => {
  const values = [new Uint8Array(32).fill(7), new Uint8Array(32).fill(11)];
  const pcrDigest = toHex(sha256(concatBytes(...values)));
  const expected = sha256(fromHex(`${'00'.repeat(32)}0000017f00000001000b03800800${pcrDigest}`));
  assert.deepEqual(pcrPolicyDigest({ registers: [7, 11], values }), expected);
  assert.throws(() => pcrPolicyDigest({ registers: [7, 11], values: values.slice(1) }), RangeError);
});

test('the raw commands of the boot firmware', () => {
  assert.equal(toHex(shutdownCommand()), '8001' + '0000000c' + '00000145' + '0000');
  assert.equal(
    toHex(pcrExtendCommand(11, policy)),
    [
      '8002',
      '00000041',
      '00000182',
      '0000000b',
      '00000009',
      '400000090000000000',
      '00000001',
      '000b',
      policyHex,
    ].join(''),
  );
});

test('the event log is crypto-agile', () => {
  const log = encodeEventLog([
    { register: 11, type: eventType.initialProgramLoader, digest: policy, data: utf8('abc') },
  ]);
  assert.equal(
    toHex(log),
    [
      '00000000' + '03000000' + '00'.repeat(20) + '21000000',
      toHex(utf8('Spec ID Event03\0')) + '00000000' + '000200' + '02' + '01000000' + '0b002000' + '00',
      '0b000000' + '0d000000' + '01000000' + '0b00' + policyHex + '03000000' + '616263',
    ].join(''),
  );
});

test('the point of a signing key, with the zeros that a TPM may leave out', () => {
  const area = (x: Uint8Array, y: Uint8Array): Uint8Array =>
    sized(concatBytes(fromHex(`0023000b000404320020${policyHex}00100018000b00030010`), sized(x), sized(y)));
  const x = new Uint8Array(31).fill(1);
  const y = new Uint8Array(32).fill(2);
  assert.equal(toHex(parseSigningPoint(area(x, y))), `0400${toHex(x)}${toHex(y)}`);
  assert.throws(() => parseSigningPoint(area(x, new Uint8Array(33))), RangeError);
  assert.throws(() => parseSigningPoint(sealedTemplate(policy)), /not an elliptic-curve key/);
  assert.throws(() => parseSigningPoint(storageRootTemplate()), /not a key for ECDSA/);
});

test('a signature has 64 bytes whatever zeros the TPM leaves out', () => {
  const wire = concatBytes(
    u16(0x18),
    u16(0x0b),
    sized(new Uint8Array(30).fill(3)),
    sized(new Uint8Array(32).fill(4)),
  );
  assert.equal(toHex(parseEcdsaSignature(wire)), `0000${'03'.repeat(30)}${'04'.repeat(32)}`);
  assert.throws(() => parseEcdsaSignature(concatBytes(wire, Uint8Array.of(0))), RangeError);
  assert.throws(() => parseEcdsaSignature(wire.slice(0, -1)), RangeError);
});

test('lists of handles, properties and digests', () => {
  assert.deepEqual(
    parseHandles(fromHex('00000001' + '00000002' + '80000000' + '80000001')),
    [0x80000000, 0x80000001],
  );
  const properties = parseProperties(fromHex('00000006' + '00000001' + '00000200' + '00000201'));
  assert.deepEqual([...properties], [[0x200, 0x201]]);
  assert.deepEqual(parseDigestList(fromHex('00000002' + '0001aa' + '0002bbcc')).map(toHex), ['aa', 'bbcc']);
});

test('the Name of an object is the hash of its public area', () => {
  const template = sealedTemplate(policy);
  assert.equal(toHex(nameOf(template)), `000b${toHex(sha256(unsized(template)))}`);
});

test('random bytes are parsed or refused, never read past their end', () => {
  const parsers = [
    unsized,
    nameOf,
    parseDigestList,
    parseEcdsaSignature,
    parseHandles,
    parseProperties,
    parseSigningPoint,
  ];
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), fc.constantFrom(...parsers), (bytes, parse) => {
      try {
        parse(bytes);
      } catch (failure) {
        assert.ok(failure instanceof RangeError, String(failure));
      }
    }),
    { numRuns: 3000 },
  );
});

test('a truncated structure is refused at every length', () => {
  const whole = identityTemplate(policy);
  for (let length = 0; length < whole.length; length++) {
    assert.throws(() => parseSigningPoint(whole.slice(0, length)), RangeError);
  }
});

test('the reader gives copies and counts what is left', () => {
  const bytes = fromHex('01020304050607');
  const reader = new WireReader(bytes);
  assert.equal(reader.u8(), 1);
  assert.equal(reader.u16(), 0x0203);
  const copy = reader.bytes(2);
  bytes.fill(0xff);
  assert.equal(toHex(copy), '0405');
  assert.equal(reader.remaining, 2);
  assert.throws(() => reader.u32(), RangeError);
  assert.throws(() => reader.end(), RangeError);
});
