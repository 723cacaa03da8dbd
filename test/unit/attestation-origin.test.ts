/** Where an identity key comes from: under which policy, made by which firmware, and who has taken its TPM. */
import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { noFormerOrigins, type Expectation } from '../../firmware/src/attestation/expectation.ts';
import { judgeClaim } from '../../firmware/src/attestation/judge-claim.ts';
import { judgeOrigin } from '../../firmware/src/attestation/judge-origin.ts';
import type { Claim } from '../../firmware/src/attestation/messages.ts';
import type { Check } from '../../firmware/src/attestation/verdict.ts';
import { sha256 } from '../../firmware/src/encoding/hash.ts';
import { eventType, type BootEvent } from '../../firmware/tpm/simulator/event-log.ts';
import { nvAttribute } from '../../firmware/tpm/wire/constants.ts';
import { policyBranches } from '../../firmware/tpm/wire/device-policy.ts';
import { originStatement } from '../../firmware/tpm/wire/key-origin.ts';
import { approvalIndex } from '../../firmware/tpm/wire/nv.ts';
import { pcrPolicyDigest, policyDigest, policyOrDigest } from '../../firmware/tpm/wire/policy.ts';
import { nameOf } from '../../firmware/tpm/wire/structures.ts';
import { creationOf, FakeDevice, measuredBoot, type FakeDeviceWish } from '../fakes/attesting-device.ts';
import { bytesOf, keysExpiry } from '../fakes/ledger.ts';
import { TpmVendor } from '../support/tpm-vendor.ts';

const now = keysExpiry - 86_400_000;
const registers = [7, 11];

let vendor: TpmVendor;
let north: FakeDevice;
/** What the registers hold after `measuredBoot`. */
let values: readonly Uint8Array[];
before(async () => {
  vendor = await TpmVendor.make({ from: now - 1_000 });
  north = await FakeDevice.make('north', vendor);
  values = await north.registers();
});

const other: BootEvent = {
  register: 11,
  type: eventType.efiAction,
  digest: bytesOf('other firmware'),
  data: bytesOf('x'),
};
const [authorityMeasured] = measuredBoot;
assert.ok(authorityMeasured);
const otherBoot = [authorityMeasured, other];

/** The checks of the first round that failed, and that of the origin. */
async function judged(
  claim: Claim,
  named: Partial<Pick<Expectation, 'bootAuthorities' | 'releases' | 'former'>> = {},
): Promise<{ readonly failures: readonly string[]; readonly origin: Check | undefined }> {
  const { checks, device } = await judgeClaim(claim, {
    trust: { roots: [vendor.pin], development: false },
    now,
  });
  const accepted = {
    bootAuthorities: [values[0] ?? assert.fail()],
    releases: [values[1] ?? assert.fail()],
    former: noFormerOrigins,
    ...named,
  };
  const failures = checks.filter(({ passed }) => !passed).map(({ name }) => name);
  return { failures, origin: device && judgeOrigin(device, accepted) };
}

async function findingOn(claim: Claim, named: Parameters<typeof judged>[1] = {}): Promise<string> {
  const { failures, origin } = await judged(claim, named);
  assert.deepEqual(failures, []);
  assert.ok(origin);
  return `${origin.passed ? 'passed' : 'failed'}: ${origin.finding}`;
}

const claimOf = async (wish: FakeDeviceWish): Promise<Claim> =>
  (await FakeDevice.make('north', vendor, wish)).parts;

test('a key that an accepted release made, in a TPM that it took, passes', async () => {
  assert.match(await findingOn(north.parts), /^passed: A release that the consortium accepted/);
});

test("an identity key under a policy of its owner's own is refused", async () => {
  const [approved] = policyBranches(undefined);
  assert.ok(approved);
  for (const identityPolicy of [
    bytesOf('a policy of my own'),
    pcrPolicyDigest({ registers, values }),
    // The device policy's own branch, and one more.
    policyOrDigest([approved, bytesOf('a branch of my own')]),
    policyDigest([{ kind: 'approval', index: approvalIndex }]),
  ])
    assert.deepEqual((await judged(await claimOf({ identityPolicy }))).failures, ['device-policy']);
});

test('an approval index that somebody else may write, or of another number, is another policy', async () => {
  /** TPMA_NV_AUTHWRITE and TPMA_NV_POLICYWRITE (TPM 2.0 part 2, table 204), and the byte where the index is. */
  const altered = (change: (view: DataView) => void): Uint8Array => {
    const area = approvalIndex.slice();
    change(new DataView(area.buffer));
    return area;
  };
  const attributesAt = 2 + 4 + 2;
  const withAttribute = (bit: number): Uint8Array =>
    altered((view) => {
      view.setUint32(attributesAt, view.getUint32(attributesAt) | bit);
    });
  const areas = [
    withAttribute(0x0000_0004),
    withAttribute(0x0000_0008),
    altered((view) => {
      view.setUint32(attributesAt, view.getUint32(attributesAt) & ~nvAttribute.writeAll);
    }),
    altered((view) => {
      view.setUint32(2, 0x0180_6899);
    }),
  ];
  for (const index of areas) {
    const branch = policyDigest([{ kind: 'approval', index }]);
    const identityPolicy = policyOrDigest([branch, branch]);
    assert.deepEqual((await judged(await claimOf({ identityPolicy }))).failures, ['device-policy']);
  }
});

test('a rescue is told, or the policy is another one; the members read whose key it is', async () => {
  const rescue = { key: keyOf(5), lockName: lockOf(6) };
  const claim = await claimOf({ rescue });
  const { checks } = await judgeClaim(claim, { trust: { roots: [vendor.pin], development: false }, now });
  assert.match(
    checks.find(({ name }) => name === 'device-policy')?.finding ?? '',
    /offline rescue key that begins with 0505050505050505 /,
  );
  assert.match(await findingOn(claim), /^passed/);
  const none = { rescueKey: new Uint8Array(0), rescueLock: new Uint8Array(0) };
  assert.deepEqual((await judged({ ...claim, ...none })).failures, ['device-policy']);
  assert.deepEqual((await judged({ ...claim, rescueKey: keyOf(7) })).failures, ['device-policy']);
  assert.deepEqual((await judged({ ...claim, rescueLock: lockOf(7) })).failures, ['device-policy']);
});

const keyOf = (fill: number): Uint8Array => new Uint8Array(65).fill(fill).with(0, 4);
const lockOf = (fill: number): Uint8Array => new Uint8Array(34).fill(fill);

test('a key that another firmware made is refused, whatever runs now', async () => {
  assert.match(await findingOn(await claimOf({ making: otherBoot })), /^failed: .* made by a firmware/);
  const authority = { ...authorityMeasured, digest: bytesOf('other keys') };
  const making = [authority, ...measuredBoot.slice(1)];
  assert.match(await findingOn(await claimOf({ making })), /^failed: .* boot authority/);
  const unmeasured = await claimOf({ making: [other] });
  assert.match(await findingOn(unmeasured), /^failed: .* nothing measured/);
});

test('a key that an earlier accepted release made passes', async () => {
  const claim = await claimOf({ making: otherBoot });
  const [, firmware] = claim.originRegisters;
  assert.ok(firmware && values[1]);
  assert.match(await findingOn(claim, { releases: [firmware, values[1]] }), /^passed/);
});

test('a TPM that another firmware took is refused, though a good one made the key', async () => {
  const claim = await claimOf({ making: measuredBoot, taking: otherBoot });
  assert.match(await findingOn(claim), /^failed: The firmware that took the TPM is not the one/);
});

test('who has not taken the TPM, or took it with other keys, says nothing', async () => {
  const quoteOver = (extra: Uint8Array): Partial<Claim> => {
    const { attest, signature } = north.quoteOf(extra, values);
    return { taken: attest, takenSignature: signature };
  };
  const names = [nameOf(north.parts.identityKey), nameOf(north.parts.attestationKey)] as const;
  const { certification, signature } = north.parts;
  const stranger = await FakeDevice.make('south', vendor);
  const { attest, signature: foreign } = stranger.quoteOf(originStatement(...names), values);
  for (const bent of [
    // A quote that the box gave to whoever asked.
    quoteOver(sha256(bytesOf('a nonce'))),
    quoteOver(originStatement(names[1], names[0])),
    quoteOver(originStatement(bytesOf('another identity'), names[1])),
    { taken: certification, takenSignature: signature },
    { taken: attest, takenSignature: foreign },
    { takenSignature: new Uint8Array(64) },
    { taken: new Uint8Array(0) },
  ])
    assert.match(await findingOn({ ...north.parts, ...bent }), /^failed: No firmware says/);
  assert.match(await findingOn({ ...north.parts, ...quoteOver(originStatement(...names)) }), /^passed/);
});

test('values and creation data that the TPM did not certify are refused', async () => {
  const another = await FakeDevice.make('north', vendor, { making: otherBoot });
  const creation = creationOf(values);
  assert.deepEqual((await judged({ ...another.parts, creation })).failures, ['certification']);
  // The right data, and values that are not theirs.
  const told = { ...another.parts, originRegisters: values };
  assert.match(await findingOn(told), /^failed: The TPM did not make the identity key/);
  assert.match(await findingOn({ ...north.parts, originRegisters: [] }), /^failed: The TPM did not make/);
});

test('keys that were made under what was dropped since pass, each register for itself; others do not', async () => {
  const [authority, firmware] = values as [Uint8Array, Uint8Array];
  const others = { bootAuthorities: [bytesOf('newer authority')], releases: [bytesOf('newer release')] };
  assert.match(await findingOn(north.parts, others), /^failed: .*boot authority/);
  const both = { bootAuthorities: [authority], releases: [firmware] };
  assert.match(await findingOn(north.parts, { ...others, former: both }), /^passed/);
  for (const [former, finding] of [
    [{ ...both, bootAuthorities: [] }, /^failed: .*boot authority/],
    [{ ...both, releases: [] }, /^failed: .*no release/],
    // What one register held says nothing of the other.
    [{ bootAuthorities: [firmware], releases: [authority] }, /^failed: .*boot authority/],
  ] as const)
    assert.match(await findingOn(north.parts, { ...others, former }), finding);
});

test('a consortium that has named nothing takes the keys of a simulator only', async () => {
  const nothing = { bootAuthorities: [], releases: [], former: noFormerOrigins };
  assert.match(await findingOn(north.parts, nothing), /^failed/);
  const { device } = await judgeClaim(north.parts, {
    trust: { roots: [vendor.pin], development: false },
    now,
  });
  assert.ok(device);
  const simulated = judgeOrigin({ ...device, development: true }, nothing);
  assert.equal(simulated.passed, true);
  assert.match(simulated.finding, /does not judge/);
});
