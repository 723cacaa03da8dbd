/**
 * Random acts on a study, played against the ledger and against a plain model of it: what the model allows applies, what
 * it forbids is refused, and a study that was registered in bulk cannot be told from one that was registered singly.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { equalBytes } from '../../firmware/src/encoding/bytes.ts';
import {
  applyTransaction,
  basisId,
  idBytes,
  mayApplyLater,
  signerCount,
  stateKeys,
  type RefusalReason,
} from '../../firmware/src/ledger/index.ts';
import {
  emergenciesInWindowMax,
  emergencyOpensMax,
  revocationsAheadMax,
} from '../../firmware/src/ledger/limits.ts';
import type {
  AccessEmergency,
  AccessGrant,
  AccessRefer,
  LedgerState,
  StudyId,
  StudyLeaf,
  StudyReassign,
  StudyRecord,
  TransactionBody,
} from '../../firmware/src/ledger/types.ts';
import type { VerifySignature } from '../../firmware/src/ports.ts';
import { bytesOf, genesisTime, LedgerFixture, signerOf } from '../fakes/ledger.ts';
import {
  completeBody,
  confirmBody,
  emergencyBody,
  objectBody,
  reassignBody,
  referBody,
  registerBulk,
  statusAct,
  transferBody,
} from '../fakes/ledger-studies.ts';
import { applied } from '../support/ledger-outcome.ts';
import { StudyModel, type ModelBasis } from '../support/study-model.ts';

const hour = 3_600_000;
const ledger = new LedgerFixture();
const owner = signerOf('owner');
const next = signerOf('next');
const grantee = signerOf('grantee').publicKey;
const bulk = registerBulk(ledger, 'north', 'batch', [owner]);
const [study] = bulk.ids as readonly [StudyId];
const starts = {
  singly: applied(ledger.initial, ledger.register('north', 'batch', [owner]).transaction),
  'in bulk': applied(ledger.initial, bulk.transaction),
} as const;
type Registered = keyof typeof starts;

/** Mostly the number that fits next, sometimes one that does not. */
const offset = fc.oneof(
  { weight: 8, arbitrary: fc.constant(0) },
  { weight: 1, arbitrary: fc.integer({ min: -1, max: 1 }) },
);
const which = fc.nat();
const kind = <K extends string>(name: K) => fc.constant(name);
const someAct = fc.oneof(
  { weight: 2, arbitrary: fc.record({ act: kind('amend'), offset }) },
  {
    weight: 3,
    arbitrary: fc.record({
      act: fc.constantFrom('freeze' as const, 'unfreeze' as const, 'unfreeze' as const),
      offset,
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      act: fc.constantFrom('rescind' as const, 'erase' as const),
      offset,
      rarely: which,
    }),
  },
  { weight: 2, arbitrary: fc.record({ act: kind('transfer'), offset, stale: offset }) },
  { weight: 3, arbitrary: fc.record({ act: kind('reassign'), offset }) },
  {
    weight: 1,
    arbitrary: fc.record({
      act: kind('object'),
      which,
      by: fc.constantFrom('owner' as const, 'new-owner' as const),
    }),
  },
  { weight: 3, arbitrary: fc.record({ act: kind('complete'), which, offset, stale: offset }) },
  {
    weight: 8,
    arbitrary: fc.record({
      act: fc.constantFrom('grant' as const, 'referral' as const),
      offset,
      stale: offset,
      maxOpens: fc.integer({ min: 1, max: 3 }),
      startHours: fc.integer({ min: -2, max: 2 }),
      hours: fc.integer({ min: 3, max: 200 }),
      amendments: fc.boolean(),
    }),
  },
  { weight: 3, arbitrary: fc.record({ act: kind('emergency') }) },
  { weight: 3, arbitrary: fc.record({ act: kind('confirm'), which }) },
  { weight: 3, arbitrary: fc.record({ act: kind('revoke'), which, stale: offset }) },
  { weight: 1, arbitrary: fc.record({ act: kind('revoke-ahead'), offset }) },
  { weight: 2, arbitrary: fc.record({ act: kind('revoke-up-to'), offset, stale: offset }) },
  { weight: 14, arbitrary: fc.record({ act: kind('open'), which, offset, older: fc.boolean() }) },
  { weight: 3, arbitrary: fc.record({ act: kind('wait'), hours: fc.integer({ min: 1, max: 30 }) }) },
  { weight: 1, arbitrary: fc.record({ act: kind('wait'), hours: fc.constant(24 * 14) }) },
);
type Act = typeof someAct extends fc.Arbitrary<infer T> ? T : never;

type Basis = AccessGrant | AccessRefer | AccessEmergency;

/** Commitments by version: the first is the registration's. */
function commitment(version: number): Uint8Array {
  return bytesOf(version === 1 ? 'commitment batch 0 1' : `commitment ${study} ${version}`);
}

/** A record but for what differs between bodies with and without a leaf: ids that are hashes of them. */
function comparable(record: StudyRecord | undefined) {
  return (
    record && {
      ...record,
      reassignment: record.reassignment && { ...record.reassignment, id: null },
      revokedAhead: record.revokedAhead.length,
    }
  );
}

const sourceKey = ledger.box('north').transaction.publicKey;

/** By whom the rule asks for; where the owner or the source may sign, by the owner. */
function signedAsItMust({ type }: TransactionBody): VerifySignature {
  return (key) => type !== 'access.revoke' || !equalBytes(key, sourceKey);
}

class Play {
  readonly model = new StudyModel({
    ...ledger.initial.parameters(),
    emergencyOpensMax,
    emergenciesInWindowMax,
  });
  readonly outcomes: string[] = [];
  readonly #leaf: { readonly leaf?: StudyLeaf };
  readonly #bodies: Basis[] = [];
  readonly #reassigns: StudyReassign[] = [];
  /** Bases that were revoked before they came, by the owner epoch in which they were. */
  readonly #ahead = new Map<string, number>();
  state: LedgerState;
  time = genesisTime + 3 * hour;

  constructor(registered: Registered) {
    this.state = starts[registered];
    this.#leaf = registered === 'in bulk' ? { leaf: bulk.leaves[0] as StudyLeaf } : {};
  }

  /** Submits it and holds the outcome to what the model says. */
  #expect(allowed: boolean, body: TransactionBody): boolean {
    const before = this.state;
    const outcome = applyTransaction(
      before,
      { body, signatures: Array.from({ length: signerCount(body) }, () => new Uint8Array(64)) },
      { height: 1, time: this.time, verify: signedAsItMust(body) },
    );
    const told = outcome.kind === 'applied' ? 'applied' : outcome.reason;
    assert.equal(outcome.kind === 'applied', allowed, `${body.type}: ${told}`);
    this.outcomes.push(told);
    if (outcome.kind === 'applied') this.state = outcome.state;
    return allowed;
  }

  get #base() {
    return { validUntil: this.time + hour, ...this.#leaf };
  }

  play(act: Act): void {
    const { model } = this;
    switch (act.act) {
      case 'wait':
        this.time += act.hours * hour;
        return;
      case 'amend': {
        const version = Math.max(2, model.version + 1 + act.offset);
        const { body } = ledger.amend('north', study, version, this.#base);
        this.#expect(model.amend(version), body);
        return;
      }
      case 'freeze':
      case 'unfreeze':
      case 'rescind':
      case 'erase': {
        // What cannot be undone comes seldom, or there would be little to play with.
        if ('rarely' in act && act.rarely % 8 !== 0) return;
        const number = Math.max(1, model.acts + 1 + act.offset);
        const { body } = statusAct(ledger, `study.${act.act}`, 'north', study, number, this.#base);
        this.#expect(model.act(act.act, number), body);
        return;
      }
      case 'transfer': {
        const version = Math.max(1, model.version + act.offset);
        const ownerEpoch = Math.max(0, model.owner + act.stale);
        const body = transferBody(ledger, study, next, { ...this.#base, version, ownerEpoch });
        this.#expect(model.transfer(ownerEpoch, version), body);
        return;
      }
      case 'reassign': {
        const actSeq = Math.max(1, model.acts + 1 + act.offset);
        const body = reassignBody(ledger, 'north', study, next, { ...this.#base, actSeq });
        if (this.#expect(model.reassign(actSeq, this.time), body)) this.#reassigns.push(body);
        return;
      }
      case 'object': {
        const reassign = this.#reassigns[act.which % Math.max(1, this.#reassigns.length)];
        if (reassign === undefined) return;
        const body = objectBody(ledger, reassign, act.by, { validUntil: this.time + hour });
        this.#expect(model.object(reassign.actSeq), body);
        return;
      }
      case 'complete': {
        const reassign = this.#reassigns[act.which % Math.max(1, this.#reassigns.length)];
        if (reassign === undefined) return;
        const actSeq = Math.max(1, model.acts + 1 + act.offset);
        const version = Math.max(1, model.version + act.stale);
        const body = completeBody(ledger, reassign, { ...this.#base, actSeq, version });
        this.#expect(model.complete(reassign.actSeq, actSeq, version, this.time), body);
        return;
      }
      case 'grant':
      case 'referral':
        this.#grant(act);
        return;
      case 'emergency': {
        // A tag of its own, so that two of the same moment are two.
        const body = emergencyBody(ledger, 'south', study, grantee, {
          ...this.#base,
          tag: this.#bodies.length % 256,
        });
        if (this.#expect(model.emergency(this.time), body)) this.#bodies.push(body);
        return;
      }
      case 'revoke-ahead': {
        const seq = Math.max(1, model.grants + 1 + act.offset);
        const body = ledger.grantBody(study, seq, grantee, { ...this.#base, ownerEpoch: model.owner });
        const target = { basisId: idBytes(basisId(body)) };
        const ofOwner = [...this.#ahead.values()].filter((owner) => owner === model.owner).length;
        const known = this.#ahead.has(basisId(body)) || ofOwner >= revocationsAheadMax;
        this.#expect(!known, ledger.revokeBody(study, target, { ...this.#base, ownerEpoch: model.owner }));
        if (known) return;
        this.#ahead.set(basisId(body), model.owner);
        this.#expect(model.grant('grant', { ...body, owner: model.owner }, true, this.time), body);
        return;
      }
      case 'revoke-up-to': {
        const upTo = Math.max(1, model.grants + act.offset);
        const ownerEpoch = Math.max(0, model.owner + act.stale);
        const body = ledger.revokeBody(study, { upTo }, { ...this.#base, ownerEpoch });
        this.#expect(model.revokeUpTo(upTo, ownerEpoch), body);
        return;
      }
      case 'confirm':
      case 'revoke':
      case 'open':
        this.#use(act);
    }
  }

  #grant(act: Extract<Act, { act: 'grant' | 'referral' }>): void {
    const { model } = this;
    const seq = Math.max(1, (act.act === 'grant' ? model.grants : model.referrals) + 1 + act.offset);
    const terms = {
      ...this.#base,
      ownerEpoch: Math.max(0, model.owner + act.stale),
      notBefore: this.time + act.startHours * hour,
      expiry: this.time + act.startHours * hour + act.hours * hour,
      maxOpens: act.maxOpens,
      amendments: act.amendments,
    };
    const body =
      act.act === 'grant'
        ? ledger.grantBody(study, seq, grantee, terms)
        : referBody(ledger, 'north', study, seq, grantee, terms);
    const wish = { ...terms, seq, owner: terms.ownerEpoch };
    const allowed = model.grant(act.act, wish, this.#ahead.has(basisId(body)), this.time);
    if (this.#expect(allowed, body)) this.#bodies.push(body);
  }

  #use(act: Extract<Act, { act: 'confirm' | 'revoke' | 'open' }>): void {
    const { model } = this;
    const at = act.which % Math.max(1, this.#bodies.length);
    const body = this.#bodies[at];
    const basis = model.bases[at];
    if (body === undefined || basis === undefined) return;
    if (act.act === 'confirm') {
      const emergency = body.type === 'access.emergency' ? body : undefined;
      if (emergency === undefined) return;
      const confirm = confirmBody(ledger, emergency, { validUntil: this.time + hour });
      this.#expect(model.confirm(basis, this.time), confirm);
    } else if (act.act === 'revoke') {
      const ownerEpoch = Math.max(0, model.owner + act.stale);
      const target = { basisId: idBytes(basisId(body)) };
      const revoke = ledger.revokeBody(study, target, { ...this.#base, ownerEpoch });
      this.#expect(model.revokeOne(basis, ownerEpoch), revoke);
    } else {
      const number = Math.max(1, basis.opens + 1 + act.offset);
      const version = act.older ? basis.madeAtVersion : model.version;
      const open = ledger.openBody('north', body, number, commitment(version), {
        validUntil: this.time + hour,
      });
      this.#expect(model.open(basis, number, version, this.time), open);
    }
  }

  /** The records say what the model says. */
  check(): void {
    const { model, state } = this;
    const record = state.study(study);
    if (record === undefined) {
      assert.ok(!this.outcomes.includes('applied'), 'a study that was used has a record');
      return;
    }
    assert.deepEqual(
      [record.status, record.ownerEpoch, record.version, record.actSeq, record.grantSeq, record.referralSeq],
      [model.status, model.owner, model.version, model.acts, model.grants, model.referrals],
    );
    assert.equal(record.revokedUpTo, model.revokedUpTo);
    assert.equal(record.reassignment?.effectiveFrom, model.reassignment?.effectiveFrom);
    assert.equal(record.bases, model.bases.length);
    assert.equal(record.opens, model.opens);
    let opens = 0;
    for (const [at, basis] of model.bases.entries()) this.#checkBasis(this.#bodies[at] as Basis, basis);
    for (const { opens: of } of model.bases) opens += of;
    assert.equal(opens, model.opens, 'the study counts the opens of all its bases');
    assert.equal(state.prove(stateKeys.open(study, model.opens + 1)).value, null);
    assert.equal(state.prove(stateKeys.studyBasis(study, model.bases.length + 1)).value, null);
  }

  #checkBasis(body: Basis, basis: ModelBasis): void {
    const record = this.state.basis(basisId(body));
    assert.ok(record !== undefined);
    assert.equal(record.opens, basis.opens);
    assert.ok(record.opens <= record.maxOpens, 'opened more often than allowed');
    assert.equal(this.state.basisStands(basisId(body)), this.model.holds(basis));
    assert.equal(record.emergency?.confirmed !== null, basis.kind !== 'emergency' || basis.confirmed);
  }
}

test('the ledger does what the model says, however a study was registered', () => {
  const reached = new Map<string, number>();
  fc.assert(
    fc.property(fc.array(someAct, { minLength: 20, maxLength: 60, size: 'max' }), (acts) => {
      const singly = new Play('singly');
      const inBulk = new Play('in bulk');
      for (const act of acts) {
        singly.play(act);
        inBulk.play(act);
      }
      for (const play of [singly, inBulk]) play.check();
      assert.deepEqual(inBulk.outcomes, singly.outcomes);
      if (inBulk.outcomes.includes('applied')) {
        assert.deepEqual(comparable(inBulk.state.study(study)), comparable(singly.state.study(study)));
      }
      for (const outcome of singly.outcomes) reached.set(outcome, (reached.get(outcome) ?? 0) + 1);
    }),
    { numRuns: 200, seed: 20260101 },
  );
  // The plays must reach the rules that they are to hold.
  for (const reason of [
    'study-frozen',
    'study-rescinded',
    'study-erased',
    'not-frozen',
    'act-stale',
    'act-gap',
    'version-stale',
    'version-gap',
    'owner-epoch-stale',
    'owner-epoch-gap',
    'seq-stale',
    'seq-gap',
    'revoked',
    'already-revoked',
    'not-revocable',
    'reassignment-pending',
    'unknown-reassignment',
    'time-to-object',
    'emergency-unconfirmed',
    'already-confirmed',
    'basis-expired',
    'basis-not-yet-valid',
    'opens-exhausted',
    'open-no-stale',
    'open-no-gap',
    'wrong-head',
  ] satisfies RefusalReason[]) {
    assert.ok((reached.get(reason) ?? 0) > 0, `${reason} was never reached`);
  }
  assert.ok((reached.get('applied') ?? 0) > 1_000);
});

test('a refusal that stands for ever does so: what was refused so never applies later', () => {
  fc.assert(
    fc.property(
      fc.array(someAct, { minLength: 10, maxLength: 30, size: 'max' }),
      fc.array(someAct, { minLength: 5, maxLength: 20, size: 'max' }),
      fc.nat({ max: 5 }),
      (before, after, amendments) => {
        const play = new Play('singly');
        for (const act of before) play.play(act);
        const bodies: TransactionBody[] = [
          ...[-1, 0, 1].map((add) =>
            ledger.grantBody(study, Math.max(1, play.model.grants + 1 + add), grantee, {
              ownerEpoch: play.model.owner,
            }),
          ),
          ledger.amend('north', study, 2 + amendments).body,
          statusAct(ledger, 'study.freeze', 'north', study, play.model.acts + 1).body,
          statusAct(ledger, 'study.unfreeze', 'north', study, play.model.acts + 1).body,
          transferBody(ledger, study, next, { ownerEpoch: play.model.owner, version: play.model.version }),
          reassignBody(ledger, 'north', study, next, { actSeq: play.model.acts + 1 }),
        ].map((body) => ({ ...body, validUntil: Number.MAX_SAFE_INTEGER }));
        const judge = (body: TransactionBody) =>
          applyTransaction(
            play.state,
            { body, signatures: Array.from({ length: signerCount(body) }, () => new Uint8Array(64)) },
            { height: 1, time: play.time, verify: signedAsItMust(body) },
          );
        const refusedForEver = bodies.filter((body) => {
          const outcome = judge(body);
          return outcome.kind === 'refused' && !mayApplyLater(outcome.reason);
        });
        for (const act of after) {
          play.play(act);
          for (const body of refusedForEver) assert.equal(judge(body).kind, 'refused', body.type);
        }
      },
    ),
    { numRuns: 60, seed: 20260102 },
  );
});
