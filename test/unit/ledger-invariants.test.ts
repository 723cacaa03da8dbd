import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  applyTransaction,
  basisId,
  idBytes,
  refusalReasons,
  signingMessage,
  stateChanges,
  stateKeys,
  type RefusalReason,
} from '../../firmware/src/ledger/index.ts';
import type {
  AccessGrant,
  AccessOpen,
  BasisId,
  LedgerState,
  StudyId,
} from '../../firmware/src/ledger/types.ts';
import type { TransactionBody } from '../../firmware/src/ledger/types.ts';
import { genesisTime, LedgerFixture, signerOf } from '../fakes/ledger.ts';
import { applied } from '../support/ledger-outcome.ts';

/** Signatures are not the subject here, and would cost the most: all hold. */
const verify = (): boolean => true;

const ledger = new LedgerFixture();
const grantee = signerOf('grantee');
const registration = ledger.register('north', 'batch', [signerOf('one'), signerOf('two')]);
const studies = registration.ids;
const start = applied(ledger.initial, registration.transaction);

const study = fc.integer({ min: 0, max: 1 });
/** Mostly the number that fits next, sometimes one that does not. */
const offset = fc.oneof(
  { weight: 6, arbitrary: fc.constant(0) },
  { weight: 1, arbitrary: fc.integer({ min: -2, max: 2 }) },
);

const someAct = fc.oneof(
  { weight: 1, arbitrary: fc.record({ act: fc.constant('amend' as const), study, offset }) },
  {
    weight: 3,
    arbitrary: fc.record({
      act: fc.constant('grant' as const),
      study,
      offset,
      maxOpens: fc.integer({ min: 1, max: 3 }),
      days: fc.integer({ min: 1, max: 5 }),
      amendments: fc.boolean(),
    }),
  },
  { weight: 1, arbitrary: fc.record({ act: fc.constant('revoke' as const), study, which: fc.nat() }) },
  { weight: 1, arbitrary: fc.record({ act: fc.constant('revoke-up-to' as const), study, offset }) },
  { weight: 6, arbitrary: fc.record({ act: fc.constant('open' as const), study, which: fc.nat(), offset }) },
  { weight: 2, arbitrary: fc.record({ act: fc.constant('close' as const), which: fc.nat() }) },
  {
    weight: 1,
    arbitrary: fc.record({ act: fc.constant('wait' as const), hours: fc.integer({ min: 1, max: 60 }) }),
  },
);
type Act = typeof someAct extends fc.Arbitrary<infer T> ? T : never;

const hour = 3_600_000;

/** Plays acts against the ledger and keeps, beside it, what was granted, revoked and opened. */
class Play {
  state: LedgerState = start;
  time = genesisTime + hour;
  readonly made: AccessGrant[] = [];
  readonly revoked = new Set<BasisId>();
  readonly opened: AccessOpen[] = [];
  readonly closed = new Set<AccessOpen>();
  readonly reasons = new Set<RefusalReason>();

  #submit(body: TransactionBody): boolean {
    const before = this.state;
    const signatures = body.type === 'access.open' || body.type === 'access.close' ? 2 : 1;
    const outcome = applyTransaction(
      before,
      { body, signatures: Array.from({ length: signatures }, () => new Uint8Array(64)) },
      { height: 1, time: this.time, verify },
    );
    if (outcome.kind === 'refused') {
      assert.ok(refusalReasons.includes(outcome.reason));
      this.reasons.add(outcome.reason);
      return false;
    }
    assert.notDeepEqual(outcome.state.root, before.root, 'what applies changes the state');
    this.state = outcome.state;
    return true;
  }

  #base() {
    return { validUntil: this.time + hour };
  }

  play(act: Act): void {
    switch (act.act) {
      case 'wait':
        this.time += act.hours * hour;
        return;
      case 'amend': {
        const id = studies[act.study] as StudyId;
        const version = (this.state.study(id)?.version ?? 0) + 1 + act.offset;
        this.#submit(ledger.amend('north', id, version, this.#base()).body);
        return;
      }
      case 'grant': {
        const id = studies[act.study] as StudyId;
        const grant = ledger.grantBody(
          id,
          (this.state.study(id)?.grantSeq ?? 0) + 1 + act.offset,
          grantee.publicKey,
          {
            ...this.#base(),
            expiry: this.time + act.days * 24 * hour,
            maxOpens: act.maxOpens,
            amendments: act.amendments,
          },
        );
        if (this.#submit(grant)) {
          assert.ok(!this.revoked.has(basisId(grant)), 'a grant arrived though it was revoked');
          this.made.push(grant);
        }
        return;
      }
      case 'revoke': {
        const id = studies[act.study] as StudyId;
        const ofStudy = this.made.filter((grant) => Buffer.from(grant.studyId).toString('hex') === id);
        const grant =
          ofStudy[act.which % (ofStudy.length + 1)] ??
          ledger.grantBody(id, 1 + (act.which % 5), grantee.publicKey);
        const target = { basisId: idBytes(basisId(grant)) };
        if (this.#submit(ledger.revokeBody(id, target, this.#base()))) this.revoked.add(basisId(grant));
        return;
      }
      case 'revoke-up-to': {
        const id = studies[act.study] as StudyId;
        const upTo = (this.state.study(id)?.grantSeq ?? 0) + act.offset;
        if (upTo < 1 || !this.#submit(ledger.revokeBody(id, { upTo }, this.#base()))) return;
        for (const grant of this.made) {
          if (Buffer.from(grant.studyId).toString('hex') === id && grant.seq <= upTo)
            this.revoked.add(basisId(grant));
        }
        return;
      }
      case 'open': {
        const grant = this.made[act.which % Math.max(1, this.made.length)];
        if (grant === undefined) return;
        const record = this.state.basis(basisId(grant));
        const current = this.state.study(
          studies.find((id) => idBytes(id).join() === grant.studyId.join()) as StudyId,
        );
        assert.ok(record !== undefined && current !== undefined);
        const head = grant.amendments ? current.commitment : record.head;
        const open = ledger.openBody('north', grant, record.opens + 1 + act.offset, head, this.#base());
        if (open.openNo < 1 || !this.#submit(open)) return;
        assert.ok(!this.revoked.has(basisId(grant)), 'a revoked grant was opened');
        assert.ok(
          this.time < grant.expiry && this.time >= grant.notBefore,
          'a grant was opened out of its time',
        );
        this.opened.push(open);
        return;
      }
      case 'close': {
        const open = this.opened[act.which % Math.max(1, this.opened.length)];
        if (open === undefined) return;
        if (this.#submit(ledger.closeBody(open, this.#base()))) {
          assert.ok(!this.closed.has(open), 'an open was closed twice');
          this.closed.add(open);
        }
        return;
      }
    }
  }

  check(): void {
    for (const id of studies) {
      const record = this.state.study(id);
      assert.ok(record !== undefined);
      const grants = this.made.filter((grant) => Buffer.from(grant.studyId).toString('hex') === id);
      let opens = 0;
      for (const grant of grants) {
        const state = this.state.basis(basisId(grant));
        assert.ok(state !== undefined);
        assert.ok(state.opens <= state.maxOpens, 'opened more often than allowed');
        assert.equal(
          state.opens,
          this.opened.filter((open) => open.basisId.join() === idBytes(basisId(grant)).join()).length,
        );
        assert.equal(this.state.basisStands(basisId(grant)), !this.revoked.has(basisId(grant)));
        opens += state.opens;
      }
      assert.equal(record.opens, opens, 'the study counts the opens of all its grants');
      assert.equal(
        new Set(grants.map(({ seq }) => seq)).size,
        grants.length,
        'a sequence number was used twice',
      );
      for (let number = 1; number <= opens; number++) assert.ok(this.state.open(id, number));
      assert.equal(this.state.prove(stateKeys.open(id, opens + 1)).value, null);
    }
    const closings = studies.flatMap((id) =>
      Array.from(
        { length: this.state.study(id)?.opens ?? 0 },
        (_, index) => this.state.open(id, index + 1)?.closed,
      ),
    );
    assert.equal(closings.filter((closing) => closing !== null).length, this.closed.size);
  }
}

test('whatever is submitted, the invariants of the ledger hold', () => {
  const reasons = new Set<RefusalReason>();
  let opened = 0;
  fc.assert(
    fc.property(fc.array(someAct, { minLength: 20, maxLength: 60, size: 'max' }), (acts) => {
      const play = new Play();
      for (const act of acts) play.play(act);
      play.check();
      opened += play.opened.length;
      for (const reason of play.reasons) reasons.add(reason);
    }),
    { numRuns: 150, seed: 20260102 },
  );
  // The plays must reach the rules that they are to hold.
  assert.ok(opened > 300, `only ${opened} opens`);
  for (const reason of [
    'revoked',
    'opens-exhausted',
    'basis-expired',
    'seq-gap',
    'already-closed',
  ] as const) {
    assert.ok(reasons.has(reason), `${reason} was never reached`);
  }
});

test('a refused transaction leaves the state as it was', () => {
  fc.assert(
    fc.property(fc.array(someAct, { maxLength: 20 }), (acts) => {
      const play = new Play();
      for (const act of acts) play.play(act);
      const { state } = play;
      const body = ledger.grantBody(studies[0] as StudyId, 1, grantee.publicKey, { expiry: play.time });
      const outcome = applyTransaction(
        state,
        { body, signatures: [new Uint8Array(64)] },
        { height: 1, time: play.time, verify },
      );
      assert.equal(outcome.kind, 'refused');
      assert.deepEqual(stateChanges(play.state, state), []);
    }),
    { numRuns: 20, seed: 20260102 },
  );
});

test('a signature made for one body serves for no other', () => {
  const grant = ledger.grantBody(studies[0] as StudyId, 1, grantee.publicKey);
  const messages = [
    grant,
    { ...grant, seq: 2 },
    { ...grant, chain: new Uint8Array(32) },
    { ...grant, note: new Uint8Array(3) },
    ledger.revokeBody(studies[0] as StudyId, { upTo: 1 }),
    ledger.amend('north', studies[0] as StudyId, 2).body,
  ].map((body) => Buffer.from(signingMessage(body)).toString('hex'));
  assert.equal(new Set(messages).size, messages.length);
});
