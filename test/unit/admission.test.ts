/** Whether a source releases: every ground, and each boundary of time to the millisecond. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encodeTransaction, basisId, idBytes, signingMessage } from '../../firmware/src/ledger/index.ts';
import type { AccessOpen, BasisBody } from '../../firmware/src/ledger/types.ts';
import { recogniseGrant } from '../../firmware/src/protocol/grants.ts';
import {
  admitOpen,
  basisPermits,
  isFresh,
  type LedgerSnapshot,
} from '../../firmware/src/release/admission.ts';
import { receiptAheadMsMax } from '../../firmware/src/release/limits.ts';
import { bytesOf } from '../fakes/ledger.ts';
import { actOn, confirmEmergency, declareEmergency, refer } from '../support/release-bases.ts';
import { ReleaseWorld } from '../support/release-world.ts';

const world = new ReleaseWorld();
const study = await world.registeredStudy('1.2.3', [new Uint8Array(10)]);
const foreign = world.fixture.register('south', 'foreign', [world.fixture.box('south').transaction]);
world.ledger.finalise();
const grant = await world.grant(study, 'south');

/** Valid a moment longer than the time of the ledger under which it is asked. */
const soon = -1;

function snapshot(change: Partial<LedgerSnapshot> = {}): LedgerSnapshot {
  const head = world.ledger.head();
  return { head, state: world.ledger.state(), now: head.time, suspends: () => false, ...change };
}

/** The snapshot in which block time and own clock are these. */
function at(blockTime: number, now: number): LedgerSnapshot {
  return snapshot({ head: { ...world.ledger.head(), time: blockTime }, now });
}

function tweakOf(of: BasisBody, institution = 'south'): Uint8Array {
  return recogniseGrant(world.account(institution), of)?.tweak ?? new Uint8Array(32);
}

function openOf(of: BasisBody, change: Partial<AccessOpen> = {}): AccessOpen {
  const head = world.record(study)?.commitment ?? new Uint8Array(32);
  return { ...world.fixture.openBody('north', of, 1, head, { validUntil: soon }), ...change };
}

function ground(
  open: AccessOpen,
  { view = snapshot(), asker = 'south', tweak = tweakOf(grant), self = 'north' } = {},
): string {
  const validUntil = open.validUntil === soon ? view.head.time + 1 : open.validUntil;
  const admission = admitOpen(view, self, asker, { ...open, validUntil }, tweak);
  return admission.kind === 'refused' ? admission.ground : 'admitted';
}

test('the member to whom the grant is addressed is admitted, with the grant and the study', () => {
  const open = openOf(grant, { validUntil: snapshot().head.time + 1 });
  const admission = admitOpen(snapshot(), 'north', 'south', open, tweakOf(grant));
  assert.equal(admission.kind, 'admitted');
  if (admission.kind !== 'admitted') return;
  assert.deepEqual(admission.basis.granteeKey, grant.granteeKey);
  assert.equal(admission.basis.kind, 'grant');
  assert.equal(admission.study.source, 'north');
});

test('the ledger is fresh up to 30 s; a clock that is further behind than blocks may be off releases nothing', () => {
  const time = grant.notBefore + 10_000_000;
  assert.equal(isFresh(at(time, time + 30_000)), true);
  assert.equal(isFresh(at(time, time + 30_001)), false);
  // With 30 s here too, bytes would leave until 65 s after a revocation.
  assert.equal(isFresh(at(time, time - 10_000)), true);
  assert.equal(isFresh(at(time, time - 10_001)), false);
  assert.equal(ground(openOf(grant), { view: at(time, time + 30_000) }), 'admitted');
  assert.equal(ground(openOf(grant), { view: at(time, time + 30_001) }), 'the ledger is not fresh');
});

test('a grant ends when block time or the own clock reaches its expiry, whichever is first', () => {
  const { expiry } = grant;
  assert.equal(ground(openOf(grant), { view: at(expiry - 1, expiry - 1) }), 'admitted');
  assert.equal(ground(openOf(grant), { view: at(expiry, expiry - 1) }), 'the grant has expired');
  assert.equal(ground(openOf(grant), { view: at(expiry - 1, expiry) }), 'the grant has expired');
});

test('a grant begins when both block time and the own clock have reached its beginning', () => {
  const { notBefore } = grant;
  assert.equal(ground(openOf(grant), { view: at(notBefore, notBefore) }), 'admitted');
  assert.equal(ground(openOf(grant), { view: at(notBefore - 1, notBefore) }), 'the grant is not yet valid');
  assert.equal(ground(openOf(grant), { view: at(notBefore, notBefore - 1) }), 'the grant is not yet valid');
});

test('another chain, an unknown study, the study of another source', () => {
  assert.equal(ground(openOf(grant, { chain: bytesOf('other chain') })), 'the request is malformed');
  assert.equal(ground(openOf(grant, { studyId: bytesOf('no study') })), 'no such study here');
  const [id] = foreign.ids;
  assert.ok(id !== undefined);
  assert.equal(ground(openOf(grant, { studyId: idBytes(id) })), 'no such study here');
  assert.equal(ground(openOf(grant, { source: 'east' })), 'no such study here');
  assert.equal(ground(openOf(grant), { self: 'east' }), 'no such study here');
});

test('no grant, the grant of another study, a withdrawn grant', async () => {
  assert.equal(ground(openOf(grant, { basisId: bytesOf('no grant') })), 'no grant by the patient');
  const second = await world.registeredStudy('1.2.4', [new Uint8Array(10)]);
  const elsewhere = await world.grant(second, 'south');
  assert.equal(
    ground(openOf(grant, { basisId: idBytes(basisId(elsewhere)) }), { tweak: tweakOf(elsewhere) }),
    'no grant by the patient',
  );
  await world.revoke(second, elsewhere);
  const open: AccessOpen = {
    ...world.fixture.openBody('north', elsewhere, 1, world.record(second)?.commitment ?? bytesOf('')),
  };
  assert.equal(ground(open, { tweak: tweakOf(elsewhere) }), 'the grant was withdrawn');
});

test('a grant serves only the member whose account its key was made for', () => {
  const other = 'the grant is addressed to another institution';
  assert.equal(ground(openOf(grant), { asker: 'east' }), other);
  assert.equal(ground(openOf(grant), { asker: 'nobody' }), other);
  assert.equal(ground(openOf(grant), { tweak: new Uint8Array(32) }), other);
  assert.equal(ground(openOf(grant), { tweak: new Uint8Array(32).fill(0xff) }), other);
  const flipped = tweakOf(grant).slice();
  flipped[0] = (flipped[0] ?? 0) ^ 1;
  assert.equal(ground(openOf(grant), { tweak: flipped }), other);
});

test('a grant that was opened as often as it allows is used up', async () => {
  const third = await world.registeredStudy('1.2.5', [new Uint8Array(10)]);
  const once = await world.grant(third, 'south', { maxOpens: 1 });
  const head = world.record(third)?.commitment ?? bytesOf('');
  const open = world.fixture.openBody('north', once, 1, head, {
    validUntil: world.clock.now() + receiptAheadMsMax,
  });
  assert.equal(ground(open, { tweak: tweakOf(once) }), 'admitted');
  const granteeKey = recogniseGrant(world.account('south'), once);
  assert.ok(granteeKey !== undefined);
  const message = signingMessage(open);
  const signatures = [
    await granteeKey.signer.sign(message),
    world.fixture.box('north').transaction.sign(message),
  ];
  assert.equal(world.ledger.finalise(encodeTransaction({ body: open, signatures })).kind, 'final');
  assert.equal(ground({ ...open, openNo: 2 }, { tweak: tweakOf(once) }), 'the grant is used up');
});

test('an open is admitted only as the next of its grant, and only if it applies soon or never', () => {
  const view = snapshot();
  for (const openNo of [0, 2, 900])
    assert.equal(ground(openOf(grant, { openNo }), { view }), 'the receipt is not the next of its grant');
  const open = openOf(grant, { validUntil: view.now + receiptAheadMsMax });
  assert.equal(ground(open, { view }), 'admitted');
  const longer = { ...open, validUntil: open.validUntil + 1 };
  assert.equal(ground(longer, { view }), 'the receipt is valid for too long');
  const past = { ...open, validUntil: view.head.time };
  assert.equal(ground(past, { view }), 'the receipt is valid no more');
});

test('a grant without amendments covers the version that stood when it was given, one with them the newest', async () => {
  const growing = await world.registeredStudy('1.2.6', [new Uint8Array(10)]);
  const first = world.record(growing)?.commitment ?? bytesOf('');
  const fixed = await world.grant(growing, 'south', { amendments: false });
  const following = await world.grant(growing, 'south', { amendments: true });
  await world.keep('1.2.6', 2, new Uint8Array(20));
  await world.register(growing);
  const second = world.record(growing)?.commitment ?? bytesOf('');
  assert.notDeepEqual(first, second);
  const other = 'the grant does not cover this version';
  for (const [of, head, expected] of [
    [fixed, first, 'admitted'],
    [fixed, second, other],
    [following, first, other],
    [following, second, 'admitted'],
  ] as const) {
    const open = world.fixture.openBody('north', of, 1, head, { validUntil: soon });
    assert.equal(ground(open, { tweak: tweakOf(of) }), expected);
  }
});

test('the first ground in order is the one that is told: an old ledger before a missing grant', () => {
  const time = world.ledger.head().time;
  const open = openOf(grant, { basisId: bytesOf('no grant') });
  assert.equal(ground(open, { view: at(time, time + 60_000) }), 'the ledger is not fresh');
  assert.equal(
    basisPermits(at(time, time + 60_000), 'south', idBytes(basisId(grant))).kind,
    'refused',
    'a running stream is judged by the same rule',
  );
});

test('a member that is suspended gets nothing, whatever the patient granted it; others do', () => {
  const suspends = (member: string): boolean => member === 'south';
  const suspended = 'the institution did not attest';
  assert.equal(ground(openOf(grant), { view: snapshot({ suspends }) }), suspended);
  const running = basisPermits(snapshot({ suspends }), 'south', idBytes(basisId(grant)));
  assert.equal(running.kind === 'refused' && running.ground, suspended, 'a running stream is cut');
  assert.equal(basisPermits(snapshot({ suspends }), 'east', idBytes(basisId(grant))).kind, 'admitted');
});

test('a referral admits like a grant, an emergency only the member that declared it', async () => {
  const referral = await refer(world, study, 'south');
  assert.equal(ground(openOf(referral), { tweak: tweakOf(referral) }), 'admitted');
  assert.equal(
    ground(openOf(referral), { asker: 'east', tweak: tweakOf(referral) }),
    'the grant is addressed to another institution',
  );
  const emergency = await declareEmergency(world, study, 'east');
  const tweak = tweakOf(emergency, 'east');
  assert.equal(ground(openOf(emergency), { asker: 'east', tweak }), 'admitted');
  assert.equal(
    ground(openOf(emergency), { asker: 'south', tweak }),
    'the grant is addressed to another institution',
  );
});

test('an emergency that nobody confirmed ends when either clock says so', async () => {
  const emergency = await declareEmergency(world, study, 'south');
  const { confirmMs } = world.ledger.state().parameters();
  const end = world.ledger.head().time + confirmMs;
  const permits = (blockTime: number, now: number): string => {
    const permitted = basisPermits(at(blockTime, now), 'south', idBytes(basisId(emergency)));
    return permitted.kind === 'refused' ? permitted.ground : 'admitted';
  };
  assert.equal(permits(end - 1, end - 1), 'admitted');
  assert.equal(permits(end, end - 1), 'the emergency was not confirmed in time');
  assert.equal(permits(end - 1, end), 'the emergency was not confirmed in time');
  confirmEmergency(world, emergency);
  assert.equal(permits(end, end), 'admitted');
});

test('nothing is released of a study that is frozen, rescinded or erased, on whatever basis', async () => {
  const doubted = await world.registeredStudy('1.2.7', [new Uint8Array(10)]);
  const bases = [
    await world.grant(doubted, 'south'),
    await refer(world, doubted, 'south'),
    await declareEmergency(world, doubted, 'south'),
  ];
  const head = world.record(doubted)?.commitment ?? bytesOf('');
  const expect = (expected: string): void => {
    for (const basis of bases) {
      const open = world.fixture.openBody('north', basis, 1, head, { validUntil: soon });
      assert.equal(ground(open, { tweak: tweakOf(basis) }), expected, basis.type);
    }
  };
  expect('admitted');
  actOn(world, doubted, 'study.freeze');
  expect('the study is frozen');
  actOn(world, doubted, 'study.unfreeze');
  expect('admitted');
  actOn(world, doubted, 'study.rescind');
  expect('the study was rescinded');
  actOn(world, doubted, 'study.erase');
  expect('the study was erased');
});
