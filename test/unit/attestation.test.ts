/** Two rounds of attestation against a device that says what a test wants: what passes, and what each lie fails by. */
import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { beginAttempt, type Attempt } from '../../firmware/src/attestation/challenge.ts';
import { noFormerOrigins, type Expectation } from '../../firmware/src/attestation/expectation.ts';
import { judgeClaim } from '../../firmware/src/attestation/judge-claim.ts';
import { judgeEvidence } from '../../firmware/src/attestation/judge-evidence.ts';
import { encodeRecord } from '../../firmware/src/attestation/judge-record.ts';
import { attestationBinding, attestationProof } from '../../firmware/src/attestation/binding.ts';
import { challengeRandomBytes } from '../../firmware/src/attestation/limits.ts';
import {
  decodeAttestationRequest,
  encodeAttestationAnswer,
  type Claim,
  type Evidence,
} from '../../firmware/src/attestation/messages.ts';
import {
  checkNames,
  type Check,
  type CheckName,
  type Verdict,
} from '../../firmware/src/attestation/verdict.ts';
import { attest } from '../../firmware/src/attestation/verify.ts';
import { AttestationAnswerer } from '../../firmware/src/attesting/answerer.ts';
import { concatBytes } from '../../firmware/src/encoding/bytes.ts';
import { sha256 } from '../../firmware/src/encoding/hash.ts';
import type { Institution } from '../../firmware/src/ledger/types.ts';
import { encodeEventLog, eventType, type BootEvent } from '../../firmware/tpm/simulator/event-log.ts';
import { objectAttribute } from '../../firmware/tpm/wire/constants.ts';
import { nameOf } from '../../firmware/tpm/wire/structures.ts';
import { FakeDevice, goodAttributes, measuredBoot, type FakeDeviceWish } from '../fakes/attesting-device.ts';
import { boxOf, bytesOf, institutionOf, keysExpiry } from '../fakes/ledger.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { TpmVendor } from '../support/tpm-vendor.ts';

const now = keysExpiry - 86_400_000;
const random = new Uint8Array(challengeRandomBytes).map((_, at) => at + 1);

let vendor: TpmVendor;
let north: FakeDevice;
/** What PCR 7 holds after `measuredBoot`. */
let authority: Uint8Array;
/** What PCR 11 holds after it. */
let release: Uint8Array;
before(async () => {
  vendor = await TpmVendor.make({ from: now - 1_000 });
  north = await FakeDevice.make('north', vendor);
  const [seven, eleven] = await north.registers();
  assert.ok(seven && eleven);
  [authority, release] = [seven, eleven];
});

function expecting(change: Partial<Expectation> = {}): Expectation {
  return {
    chain: bytesOf('chain'),
    verifier: 'south',
    candidate: 'north',
    trust: { roots: [vendor.pin], development: false },
    record: north.record,
    proposed: false,
    former: noFormerOrigins,
    evadedSince: undefined,
    provenTpms: [],
    bootAuthorities: [authority],
    releases: [release],
    now,
    ...change,
  };
}

/** The verdict on a device that answers as the box does, by way of bytes. */
async function verdictOn(device: FakeDevice, change: Partial<Expectation> = {}): Promise<Verdict> {
  const clock = new ManualClock();
  const answerer = new AttestationAnswerer({
    self: 'north',
    device,
    record: () => Promise.resolve(device.record),
    clock,
  });
  const attested = await attest(
    expecting({ record: device.record, ...change }),
    async (request) => {
      const answer = await answerer.answer({ member: 'south' }, request);
      assert.ok(answer);
      return answer;
    },
    random,
  );
  assert.equal(attested.kind, 'judged');
  return attested.kind === 'judged' ? attested.verdict : assert.fail();
}

const failures = (checks: readonly Check[]): CheckName[] =>
  checks.filter(({ passed }) => !passed).map(({ name }) => name);

async function failuresOf(wish: FakeDeviceWish, change: Partial<Expectation> = {}): Promise<CheckName[]> {
  const { checks } = await verdictOn(await FakeDevice.make('north', vendor, wish), change);
  return failures(checks.filter(({ finding }) => !finding.startsWith('Not judged')));
}

test('an honest device passes every check, each of which says so in a sentence', async () => {
  const verdict = await verdictOn(north);
  assert.deepEqual(
    verdict.checks.map(({ name }) => name),
    [...checkNames],
  );
  assert.deepEqual(failures(verdict.checks), []);
  assert.equal(verdict.passed, true);
  assert.equal(verdict.development, false);
  assert.deepEqual(verdict.registers, await north.registers());
  for (const { finding } of verdict.checks) assert.match(finding, /^[A-Z].*\.$/);
});

test('after a first round that failed nobody is challenged, and nothing counts as passed', async () => {
  const device = await FakeDevice.make('north', vendor);
  const verdict = await verdictOn(device, { trust: { roots: [], development: false } });
  assert.equal(device.operations, 0);
  assert.equal(verdict.passed, false);
  assert.equal(verdict.registers, undefined);
  assert.ok(failures(verdict.checks).includes('credential'));
});

test('a key that is not bound to its TPM, or signs what others say, is no attestation key', async () => {
  const { fixedTpm, restricted, sensitiveDataOrigin } = objectAttribute;
  for (const without of [fixedTpm, restricted, sensitiveDataOrigin]) {
    const attributes = { attestation: goodAttributes.attestation & ~without };
    assert.deepEqual(await failuresOf({ attributes }), ['attestation-key']);
  }
  const attributes = { attestation: goodAttributes.attestation | objectAttribute.decrypt };
  assert.deepEqual(await failuresOf({ attributes }), ['attestation-key']);
});

test('an identity key that is usable without its policy is none', async () => {
  const attributes = { identity: goodAttributes.identity | objectAttribute.userWithAuth };
  assert.deepEqual(await failuresOf({ attributes }), ['identity-key']);
  assert.deepEqual(await failuresOf({ identityPolicy: new Uint8Array(0) }), [
    'identity-key',
    'device-policy',
  ]);
});

test('an endorsement key that signs, or may leave its TPM, is none', async () => {
  for (const endorsement of [
    goodAttributes.endorsement | objectAttribute.sign,
    goodAttributes.endorsement & ~objectAttribute.fixedTpm,
  ])
    assert.deepEqual(await failuresOf({ attributes: { endorsement } }), ['endorsement-key']);
});

test('registers that nothing was measured into are taken from a simulator only', async () => {
  const [authority] = measuredBoot;
  assert.ok(authority);
  assert.deepEqual(await failuresOf({ boot: [authority] }), ['measured', 'firmware']);
});

test('the firmware is held against the releases that the consortium accepted', async () => {
  const [, eleven] = await north.registers();
  assert.ok(eleven);
  assert.deepEqual(await failuresOf({}, { releases: [bytesOf('another'), eleven] }), []);
  assert.deepEqual(await failuresOf({}, { releases: [sha256(measuredBoot[1]?.data ?? eleven)] }), []);
  assert.deepEqual(await failuresOf({}, { releases: [bytesOf('another')] }), ['firmware', 'key-origin']);
  // Nobody has said which firmware is good: that is no pass.
  const none = await verdictOn(north, { releases: [] });
  assert.deepEqual(failures(none.checks), ['firmware', 'key-origin']);
  assert.match(none.checks.find(({ name }) => name === 'firmware')?.finding ?? '', /not judged/);
});

/** A boot in which PCR 11 was measured with these digests, each under its type. */
function bootOf(...measured: readonly (readonly [digest: Uint8Array, type: number])[]): readonly BootEvent[] {
  const [authority] = measuredBoot;
  assert.ok(authority);
  return [
    authority,
    ...measured.map(([digest, type]) => ({ register: 11, type, digest, data: new Uint8Array(0) })),
  ];
}

test('a release that is only named in the event log does not pass for the firmware that runs', async () => {
  const [accepted, other] = [bytesOf('accepted release'), bytesOf('other firmware')];
  const [measured, toldOnly] = [eventType.efiAction, 3];
  // The keys were made by an earlier release.
  const accepting = { releases: [release, accepted] };
  assert.deepEqual(await failuresOf({ boot: bootOf([accepted, measured]) }, accepting), []);
  for (const boot of [
    bootOf([other, measured], [accepted, measured]),
    bootOf([accepted, measured], [other, measured]),
    bootOf([accepted, measured], [accepted, measured]),
  ])
    assert.deepEqual(await failuresOf({ boot }, accepting), ['firmware']);
  // EV_NO_ACTION: the replay skips it, so that the log still makes what the register holds.
  const device = await FakeDevice.make('north', vendor, { boot: bootOf([other, measured]) });
  device.eventLog = () => Promise.resolve(encodeEventLog(bootOf([other, measured], [accepted, toldOnly])));
  assert.deepEqual(failures((await verdictOn(device, accepting)).checks), ['firmware']);
});

test('PCR 7 is held against what the consortium named; a box that it cannot hold against anything fails', async () => {
  const other = { register: 7, type: eventType.efiAction, digest: bytesOf('other keys'), data: bytesOf('x') };
  const [, firmware] = measuredBoot;
  assert.ok(firmware);
  assert.deepEqual(await failuresOf({ boot: [other, firmware] }), ['boot-authority']);
  assert.deepEqual(await failuresOf({ boot: [...measuredBoot, other] }), ['boot-authority']);
  assert.deepEqual(await failuresOf({}, { bootAuthorities: [bytesOf('another'), authority] }), []);
  const none = await verdictOn(north, { bootAuthorities: [] });
  assert.deepEqual(failures(none.checks), ['boot-authority', 'key-origin']);
  assert.match(none.checks.find(({ name }) => name === 'boot-authority')?.finding ?? '', /not judged/);
});

test('the record is of this institution, as it is known, with keys that are certified and valid', async () => {
  const south = await FakeDevice.make('south', vendor);
  const failing = async (change: Partial<Expectation>): Promise<CheckName[]> =>
    failures((await verdictOn(north, change)).checks);
  assert.deepEqual(await failing({ record: undefined }), []);
  assert.deepEqual(await failing({ record: south.record }), ['record']);
  assert.deepEqual(await failing({ now: keysExpiry }), ['keys']);
  const elsewhere = { ...north.record, endpoints: { ...north.record.endpoints, p2p: '/ip4/10.0.0.1/tcp/1' } };
  assert.deepEqual(await failing({ record: elsewhere }), []);
});

test('who carries a record to the others can put nothing of his own into it', async () => {
  const failing = async (change: Partial<Institution>, proposed: boolean): Promise<CheckName[]> => {
    const record = { ...north.record, ...change };
    return failures((await verdictOn(north, { record, proposed })).checks);
  };
  const { endpoints, account } = north.record;
  const root = { keys: [bytesOf('a key of his own')], threshold: 1 };
  assert.deepEqual(await failing({}, true), []);
  for (const change of [
    { root },
    { name: 'Another hospital' },
    { endpoints: { ...endpoints, https: 'https://127.0.0.1:9' } },
    { account: { ...account, view: bytesOf('a view of his own') } },
  ])
    assert.deepEqual(await failing(change, true), ['record'], Object.keys(change)[0]);
  // A member may have moved since, but nobody has another root than the ledger says.
  assert.deepEqual(await failing({ root }, false), ['record']);
});

/** An attempt that is under way, and the honest evidence for it, to be bent. */
async function underWay(
  device = north,
): Promise<{ attempt: Attempt; evidence: Evidence; binding: Uint8Array }> {
  const { device: claimed } = await judgeClaim(device.parts, expecting());
  assert.ok(claimed);
  const attempt = await beginAttempt(claimed, expecting(), random);
  const { challenge } = attempt;
  const record = encodeRecord(device.record);
  const binding = attestationBinding(challenge, claimed.names, record);
  const secret = await device.activate(challenge.blob, challenge.seed);
  assert.deepEqual(secret, attempt.secret);
  const { attest: attested, signature } = await device.quote(binding);
  const evidence: Evidence = {
    type: 'evidence',
    attest: attested,
    signature,
    registers: await device.registers(),
    eventLog: await device.eventLog(),
    record,
    proof: attestationProof(attempt.secret, binding, attested),
  };
  return { attempt, evidence, binding };
}

async function failuresAfter(
  bend: (under: Awaited<ReturnType<typeof underWay>>) => Partial<Evidence> | Promise<Partial<Evidence>>,
): Promise<CheckName[]> {
  const under = await underWay();
  const evidence = { ...under.evidence, ...(await bend(under)) };
  return failures(judgeEvidence(evidence, under.attempt, expecting()).checks);
}

test('a quote for another question is none, though the TPM is there', async () => {
  assert.deepEqual(
    await failuresAfter(({ attempt, binding }) => {
      const { attest: attested, signature } = north.quoteOf(bytesOf('another nonce'), []);
      return { attest: attested, signature, proof: attestationProof(attempt.secret, binding, attested) };
    }),
    ['nonce', 'registers'],
  );
});

test('a quote that was given before does not serve again', async () => {
  const { evidence: earlier } = await underWay();
  const { device } = await judgeClaim(north.parts, expecting());
  assert.ok(device);
  const fresh = await beginAttempt(
    device,
    expecting(),
    random.map((byte) => byte ^ 0xff),
  );
  assert.deepEqual(failures(judgeEvidence(earlier, fresh, expecting()).checks), ['nonce', 'credential']);
});

test('each of chain, verifier, candidate, device and record is part of the question', async () => {
  const { attempt, evidence } = await underWay();
  const { challenge, device } = attempt;
  for (const change of [
    { chain: bytesOf('another chain') },
    { verifier: 'east' },
    { candidate: 'east' },
    { nonce: bytesOf('another') },
  ]) {
    const other = { ...attempt, challenge: { ...challenge, ...change } };
    const failed = failures(judgeEvidence(evidence, other, expecting()).checks);
    assert.deepEqual(failed.slice(0, 2), ['nonce', 'credential'], JSON.stringify(change));
  }
  for (const name of ['endorsement', 'attestationKey', 'identityKey'] as const) {
    const names = { ...device.names, [name]: bytesOf('another') };
    const other = { ...attempt, device: { ...device, names } };
    assert.ok(failures(judgeEvidence(evidence, other, expecting()).checks).includes('nonce'), name);
  }
  const record = encodeRecord({ ...north.record, name: 'Another' });
  assert.deepEqual(failures(judgeEvidence({ ...evidence, record }, attempt, expecting()).checks), [
    'nonce',
    'credential',
  ]);
});

test('a quote by another key is none', async () => {
  const south = await FakeDevice.make('south', vendor);
  assert.deepEqual(await failuresAfter(({ binding }) => south.quote(binding)), ['quote-signature']);
});

test('what the attestation key signed besides is no quote', async () => {
  const { certification, signature } = north.parts;
  assert.deepEqual(await failuresAfter(() => ({ attest: certification, signature })), ['quote-signature']);
});

test('an endorsement key of another TPM does not vouch for the attestation key', async () => {
  const south = await FakeDevice.make('south', vendor);
  const { certificates, endorsementKey } = south.parts;
  const swapped: Claim = { ...north.parts, certificates, endorsementKey };
  const { device, checks } = await judgeClaim(swapped, expecting());
  assert.deepEqual(failures(checks), []);
  assert.ok(device);
  const attempt = await beginAttempt(device, expecting(), random);
  const { blob, seed } = attempt.challenge;
  // Neither TPM gives out the secret: one has not the endorsement key, the other not the attestation key.
  assert.equal(await north.activate(blob, seed), undefined);
  assert.equal(await south.activate(blob, seed), undefined);
  const record = encodeRecord(north.record);
  const binding = attestationBinding(attempt.challenge, device.names, record);
  const quote = await north.quote(binding);
  const evidence: Evidence = {
    type: 'evidence',
    ...quote,
    registers: await north.registers(),
    eventLog: await north.eventLog(),
    record,
    proof: attestationProof(new Uint8Array(32), binding, quote.attest),
  };
  assert.deepEqual(failures(judgeEvidence(evidence, attempt, expecting()).checks), ['credential', 'device']);
});

test('a certificate of another endorsement key is none of this TPM', async () => {
  const south = await FakeDevice.make('south', vendor);
  const { checks } = await judgeClaim(
    { ...north.parts, certificates: south.parts.certificates },
    expecting(),
  );
  assert.deepEqual(failures(checks), ['endorsement-key']);
});

test('an identity key that another attestation key certified does not count', async () => {
  const south = await FakeDevice.make('south', vendor);
  const { certification, signature, identityKey } = south.parts;
  const byAnother = await judgeClaim({ ...north.parts, certification, signature, identityKey }, expecting());
  assert.deepEqual(failures(byAnother.checks), ['certification']);
  const ofAnother = await judgeClaim({ ...north.parts, identityKey }, expecting());
  assert.deepEqual(failures(ofAnother.checks), ['certification']);
});

test('values that are not those of the quote are refused, and so is a quote of other registers', async () => {
  const seven = bytesOf('seven');
  assert.deepEqual(
    await failuresAfter(({ evidence: { registers } }) => ({ registers: [seven, ...registers.slice(1)] })),
    ['registers', 'event-log', 'boot-authority'],
  );
  assert.deepEqual(
    await failuresAfter(async ({ attempt, binding }) => {
      const { attest: attested, signature } = north.quoteOf(binding, await north.registers(), [7, 12]);
      return { attest: attested, signature, proof: attestationProof(attempt.secret, binding, attested) };
    }),
    ['registers'],
  );
  assert.deepEqual(await failuresAfter(() => ({ registers: [] })), [
    'registers',
    'event-log',
    'boot-authority',
    'firmware',
  ]);
});

test('an event log that does not make the registers is refused', async () => {
  const other = await FakeDevice.make('north', vendor, { boot: [...measuredBoot, ...measuredBoot] });
  assert.deepEqual(await failuresAfter(async () => ({ eventLog: await other.eventLog() })), ['event-log']);
  assert.deepEqual(await failuresAfter(() => ({ eventLog: new Uint8Array(0) })), ['event-log']);
});

test('one TPM stands for one member: the second that shows it fails, by either of its names', async () => {
  const other = (await FakeDevice.make('south', vendor)).device;
  const { attestationKey, endorsement } = north.device;
  for (const device of [
    { ...other, attestationKey },
    { ...other, endorsement },
  ]) {
    const proven = { institution: 'south', device, endorsementKey: undefined };
    const { checks } = await verdictOn(north, { provenTpms: [proven] });
    assert.deepEqual(failures(checks), ['device']);
    assert.match(checks.find(({ name }) => name === 'device')?.finding ?? '', /south/);
  }
  const { endorsementKey } = await verdictOn(north);
  const own = { institution: 'north', device: north.device, endorsementKey };
  const foreign = { institution: 'south', device: other, endorsementKey: bytesOf('another') };
  const { passed } = await verdictOn(north, { provenTpms: [own, foreign] });
  assert.ok(passed, 'it has shown it itself before');
});

test('one TPM stands for one member, however its certificate is written', async () => {
  const { endorsementKey } = await verdictOn(north);
  assert.ok(endorsementKey);
  // Of one key, and with another digest: as is s → n−s in the vendor's signature, which verifies as well.
  const again = await FakeDevice.make('north', vendor);
  assert.notDeepEqual(again.device.endorsement, north.device.endorsement);
  assert.ok((await verdictOn(again)).passed);
  const south = { institution: 'south', device: { ...north.device, attestationKey: bytesOf('its own') } };
  const { checks, passed } = await verdictOn(again, { provenTpms: [{ ...south, endorsementKey }] });
  assert.deepEqual([passed, failures(checks)], [false, ['device']]);
  assert.match(checks.find(({ name }) => name === 'device')?.finding ?? '', /south/);
});

test('which endorsement key it is, a verdict tells only where the TPM has proved that it holds it', async () => {
  const device = await FakeDevice.make('north', vendor);
  device.activate = () => Promise.resolve(new Uint8Array(32));
  const verdict = await verdictOn(device);
  assert.deepEqual(failures(verdict.checks), ['credential']);
  assert.equal(verdict.endorsementKey, undefined);
});

test("another institution's record is refused, and so is one that names another device", async () => {
  const south = await FakeDevice.make('south', vendor);
  const bound = async (record: Uint8Array) =>
    failuresAfter(async ({ attempt }) => {
      const binding = attestationBinding(attempt.challenge, attempt.device.names, record);
      const quote = await north.quote(binding);
      return { ...quote, record, proof: attestationProof(attempt.secret, binding, quote.attest) };
    });
  assert.deepEqual(await bound(encodeRecord(south.record)), ['record', 'device']);
  const named = { ...institutionOf(boxOf('north'), 0) };
  const { attestationKey, identityKey } = south.parts;
  const elsewhere = {
    ...named,
    keys: { ...named.keys, device: { ...north.device, attestationKey: nameOf(attestationKey) } },
  };
  assert.deepEqual(await bound(encodeRecord(elsewhere)), ['record', 'device', 'keys']);
  assert.deepEqual(await bound(concatBytes(identityKey)), ['record']);
});

test('nonsense for a claim or for evidence ends in a verdict, a refusal in a refusal', async () => {
  const nonsense = await attest(expecting(), () => Promise.resolve(new Uint8Array(3)), random);
  assert.equal(nonsense.kind === 'judged' && nonsense.verdict.passed, false);
  const busy = encodeAttestationAnswer({ type: 'refused', reason: 'busy' });
  assert.deepEqual(await attest(expecting(), () => Promise.resolve(busy), random), {
    kind: 'refused',
    reason: 'busy',
  });
  const claimTwice = await attest(
    expecting(),
    () => Promise.resolve(encodeAttestationAnswer(north.parts)),
    random,
  );
  assert.ok(claimTwice.kind === 'judged');
  assert.equal(claimTwice.verdict.passed, false);
  const thenBusy = await attest(
    expecting(),
    (request) =>
      Promise.resolve(
        decodeAttestationRequest(request)?.type === 'introduce' ? encodeAttestationAnswer(north.parts) : busy,
      ),
    random,
  );
  assert.equal(thenBusy.kind, 'refused');
});
