/** Answering attestations: to members and to strangers, whose time of the TPM is rationed. */
import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { beginAttempt } from '../../firmware/src/attestation/challenge.ts';
import { judgeClaim } from '../../firmware/src/attestation/judge-claim.ts';
import { challengeRandomBytes } from '../../firmware/src/attestation/limits.ts';
import {
  decodeAttestationAnswer,
  encodeAttestationRequest,
  type AttestationAnswer,
} from '../../firmware/src/attestation/messages.ts';
import { AttestationAnswerer, type Asker } from '../../firmware/src/attesting/answerer.ts';
import {
  answersWaitingMax,
  memberAnswerMsMin,
  strangerAnswerMsMin,
  strangerHoldMs,
} from '../../firmware/src/attesting/limits.ts';
import { FakeDevice } from '../fakes/attesting-device.ts';
import { bytesOf, keysExpiry } from '../fakes/ledger.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { TpmVendor } from '../support/tpm-vendor.ts';

const now = keysExpiry - 365 * 86_400_000;
const random = new Uint8Array(challengeRandomBytes).fill(3);

let vendor: TpmVendor;
let north: FakeDevice;
before(async () => {
  vendor = await TpmVendor.make({ from: now - 1_000 });
  north = await FakeDevice.make('north', vendor);
});

const trust = () => ({ roots: [vendor.pin], development: false });

class Answering {
  readonly clock = new ManualClock(now);
  readonly answerer: AttestationAnswerer;

  constructor(device: FakeDevice) {
    const { clock } = this;
    const record = () => Promise.resolve(device.record);
    this.answerer = new AttestationAnswerer({ self: device.institution, device, record, clock });
  }

  async ask(
    asker: Asker,
    request: Parameters<typeof encodeAttestationRequest>[0],
  ): Promise<AttestationAnswer> {
    const answer = await this.answerer.answer(asker, encodeAttestationRequest(request));
    const decoded = answer && decodeAttestationAnswer(answer);
    assert.ok(decoded);
    return decoded;
  }

  async challenge(verifier: string, candidate = 'north') {
    const { device } = await judgeClaim(north.parts, { trust: trust(), now });
    assert.ok(device);
    const { challenge } = await beginAttempt(
      device,
      { chain: bytesOf('chain'), verifier, candidate },
      random,
    );
    return challenge;
  }

  async resultOf(asker: Asker, verifier: string): Promise<string> {
    const answer = await this.ask(asker, await this.challenge(verifier));
    return answer.type === 'refused' ? answer.reason : answer.type;
  }
}

test('a box answers for itself, and a member in that member’s name only', async () => {
  const box = new Answering(north);
  const busy = { type: 'refused', reason: 'not-me' };
  assert.equal(
    (await box.ask({ stranger: '192.0.2.1' }, { type: 'introduce', candidate: 'north' })).type,
    'claim',
  );
  assert.deepEqual(await box.ask({ stranger: '192.0.2.1' }, { type: 'introduce', candidate: 'south' }), busy);
  assert.deepEqual(await box.ask({ stranger: '192.0.2.1' }, await box.challenge('south', 'east')), busy);
  assert.deepEqual(await box.ask({ member: 'west' }, await box.challenge('south')), busy);
  assert.equal(await box.answerer.answer({ stranger: '192.0.2.1' }, new Uint8Array(9)), undefined);
});

test('a credential for another TPM is refused, and tells nothing', async () => {
  const south = await FakeDevice.make('south', vendor);
  const box = new Answering(south);
  const challenge = await box.challenge('west', 'south');
  assert.deepEqual(await box.ask({ stranger: '192.0.2.1' }, challenge), {
    type: 'refused',
    reason: 'not-answerable',
  });
});

test('strangers share what they are given, members have theirs', async () => {
  const box = new Answering(north);
  assert.equal(await box.resultOf({ stranger: '192.0.2.1' }, 'south'), 'evidence');
  assert.equal(await box.resultOf({ stranger: '192.0.2.1' }, 'east'), 'busy');
  assert.equal(await box.resultOf({ member: 'south' }, 'south'), 'evidence');
  assert.equal(await box.resultOf({ member: 'south' }, 'south'), 'busy');
  assert.equal(await box.resultOf({ member: 'east' }, 'east'), 'evidence');
  box.clock.advance(strangerAnswerMsMin);
  assert.equal(await box.resultOf({ stranger: '192.0.2.1' }, 'east'), 'evidence');
  assert.equal(await box.resultOf({ member: 'south' }, 'south'), 'busy');
  box.clock.advance(memberAnswerMsMin);
  assert.equal(await box.resultOf({ member: 'south' }, 'south'), 'evidence');
});

test('a stranger whose challenge cannot be answered takes no turn, and is not heard for a while', async () => {
  const box = new Answering(north);
  const [here, there] = [{ stranger: '192.0.2.1' }, { stranger: '192.0.2.2' }];
  const challenge = await box.challenge('west');
  const garbage = { ...challenge, blob: challenge.blob.map((byte, at) => (at < 8 ? byte : ~byte)) };
  assert.deepEqual(await box.ask(here, garbage), { type: 'refused', reason: 'not-answerable' });
  assert.deepEqual(await box.ask(here, garbage), { type: 'refused', reason: 'busy' });
  assert.equal(await box.resultOf(there, 'east'), 'evidence');
  box.clock.advance(strangerHoldMs);
  assert.equal(await box.resultOf(here, 'east'), 'evidence');
});

test('an address that was answered takes no second turn while another waits for its first', async () => {
  const box = new Answering(north);
  const [greedy, patient] = [{ stranger: '192.0.2.1' }, { stranger: '198.51.100.1' }];
  assert.equal(await box.resultOf(greedy, 'west'), 'evidence');
  assert.equal(await box.resultOf(patient, 'east'), 'busy');
  for (let at = 0; at < 3; at++) {
    box.clock.advance(strangerAnswerMsMin);
    // Whoever is always there first.
    assert.equal(await box.resultOf(greedy, 'west'), 'busy');
  }
  assert.equal(await box.resultOf(patient, 'east'), 'evidence');
  box.clock.advance(strangerAnswerMsMin);
  assert.equal(await box.resultOf(greedy, 'west'), 'evidence', 'nobody waits any more');
  assert.equal(await box.resultOf(patient, 'east'), 'busy');
  box.clock.advance(strangerAnswerMsMin);
  assert.equal(
    await box.resultOf(greedy, 'west'),
    'evidence',
    'who was answered lately waits for no first turn',
  );
});

test('a stranger that waits and does not come back holds the others up for a while only', async () => {
  const box = new Answering(north);
  const [here, gone] = [{ stranger: '192.0.2.1' }, { stranger: '198.51.100.1' }];
  assert.equal(await box.resultOf(here, 'west'), 'evidence');
  assert.equal(await box.resultOf(gone, 'east'), 'busy');
  box.clock.advance(strangerHoldMs - 1);
  assert.equal(await box.resultOf(here, 'west'), 'busy');
  box.clock.advance(1);
  assert.equal(await box.resultOf(here, 'west'), 'evidence');
});

test('strangers wait only where few do: members find a place', async () => {
  const slow = await FakeDevice.make('north', vendor);
  const held = Promise.withResolvers<void>();
  const activate = slow.activate.bind(slow);
  slow.activate = async (blob, seed) => {
    await held.promise;
    return activate(blob, seed);
  };
  const box = new Answering(slow);
  const [south, east, west] = await Promise.all(['south', 'east', 'west'].map((name) => box.challenge(name)));
  assert.ok(south && east && west);
  const asked = [south, east].map((challenge) => box.ask({ member: challenge.verifier }, challenge));
  assert.deepEqual(await box.ask({ stranger: '192.0.2.1' }, west), { type: 'refused', reason: 'busy' });
  asked.push(box.ask({ member: 'west' }, west));
  held.resolve();
  const kinds = (await Promise.all(asked)).map(({ type }) => type);
  assert.deepEqual(kinds, ['evidence', 'evidence', 'evidence']);
});

test('the TPM does one attestation at a time, and few wait for it', async () => {
  const box = new Answering(north);
  const held = Promise.withResolvers<void>();
  let running = 0;
  let most = 0;
  const slow = await FakeDevice.make('north', vendor);
  const activate = slow.activate.bind(slow);
  slow.activate = async (blob, seed) => {
    most = Math.max(most, (running += 1));
    await held.promise;
    running -= 1;
    return activate(blob, seed);
  };
  const slowBox = new Answering(slow);
  const names = Array.from({ length: answersWaitingMax + 1 }, (_, at) => `member-${at}`);
  const challenges = await Promise.all(names.map((name) => box.challenge(name)));
  const asked = challenges.map((challenge) => slowBox.ask({ member: challenge.verifier }, challenge));
  held.resolve();
  const kinds = (await Promise.all(asked)).map(({ type }) => type);
  assert.deepEqual(kinds, [...names.slice(1).map(() => 'evidence'), 'refused']);
  assert.equal(most, 1);
});
