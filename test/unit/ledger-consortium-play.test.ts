/** Random acts of a consortium, block by block, beside a plain model of who belongs to it and who has voted. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  buildBlock,
  defaultParameters,
  encodeTransaction,
  executeBlock,
  proposalId,
  quorumOf,
  stateEntries,
  stateFromEntries,
} from '../../firmware/src/ledger/index.ts';
import type {
  Block,
  BlockHeader,
  InstitutionPropose,
  LedgerState,
  ProposalAction,
  Transaction,
} from '../../firmware/src/ledger/types.ts';
import { boxOf, genesisTime, LedgerFixture, signerOf } from '../fakes/ledger.ts';
import { candidate, ConsortiumFixture } from '../fakes/ledger-consortium.ts';

/** Signatures are not the subject here, and would cost the most: all hold. */
const verify = (): boolean => true;

const epochMs = 600_000;
const ledger = new LedgerFixture(undefined, {
  parameters: { ...defaultParameters, epochMs, proposalMs: 2_000_000 },
});
const consortium = new ConsortiumFixture(ledger);
const founders = ['north', 'south', 'east', 'west'];
const all = [...founders, 'fifth', 'sixth'];
const candidates = new Map(all.map((id) => [id, candidate(ledger.chain, id)]));

const someone = fc.constantFrom(...all);
const someAct = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({
      act: fc.constant('propose' as const),
      by: someone,
      about: someone,
      kind: fc.constantFrom('admit', 'remove', 'add', 'leave', 'parameters'),
    }),
  },
  {
    weight: 12,
    arbitrary: fc.record({
      act: fc.constant('vote' as const),
      by: someone,
      which: fc.nat(),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ act: fc.constant('reject' as const), by: someone, which: fc.nat() }),
  },
  { weight: 2, arbitrary: fc.record({ act: fc.constant('register' as const), by: someone }) },
  {
    weight: 2,
    arbitrary: fc.record({ act: fc.constant('wait' as const), ms: fc.integer({ min: 1, max: epochMs * 2 }) }),
  },
);
type Act = typeof someAct extends fc.Arbitrary<infer T> ? T : never;

/** What the model knows of a proposal: who approved and who rejected, each once. */
interface Ballot {
  readonly body: InstitutionPropose;
  readonly approved: Set<string>;
  readonly rejected: Set<string>;
}

class Play {
  state: LedgerState = ledger.initial;
  header: BlockHeader = ledger.genesisHeader;
  readonly blocks: Block[] = [];
  readonly ballots: Ballot[] = [];
  passed = 0;
  removals = 0;
  #time = genesisTime;
  #batch = 0;

  run(act: Act): void {
    this.#time += act.act === 'wait' ? act.ms : 1_000;
    const transaction = this.#transactionOf(act);
    const before = this.state;
    const view = this.header.epoch === before.epoch().number ? this.header.view + 1 : 1;
    const built = buildBlock(before, this.header, {
      view,
      time: this.#time,
      proposer: before.validators()[0] as string,
      candidates: transaction === undefined ? [] : [encodeTransaction(transaction)],
      verify,
    });
    this.blocks.push(built.block);
    this.state = built.state;
    this.header = built.block.header;
    const applied = built.transactions.length === 1;
    if (transaction !== undefined) this.#checkApplied(act, transaction, applied, before);
    this.#checkState(before);
  }

  #transactionOf(act: Act): Transaction | undefined {
    switch (act.act) {
      case 'wait':
        return undefined;
      case 'register': {
        const { body } = ledger.register('north', `batch ${this.#batch++}`, [signerOf('owner')], {
          source: act.by,
          validUntil: Number.MAX_SAFE_INTEGER,
        }).transaction;
        return ledger.sign(body, boxOf(act.by).transaction);
      }
      case 'propose': {
        const body = consortium.proposeBody(act.by, actionOf(act.kind, act.about), {
          // Two proposals of the same are two: they differ in this.
          validUntil: this.#time + 1_000_000 + this.ballots.length,
        });
        this.ballots.push({ body, approved: new Set(), rejected: new Set() });
        return ledger.sign(body, boxOf(act.by).transaction);
      }
      case 'vote':
      case 'reject': {
        const ballot = this.ballots[act.which % Math.max(1, this.ballots.length)];
        return ballot && consortium.vote(act.by, ballot.body, act.act === 'vote');
      }
    }
  }

  #checkApplied(act: Act, { body }: Transaction, applied: boolean, before: LedgerState): void {
    if (act.act === 'wait') return;
    const isMember = before.institution(act.by) !== undefined;
    if (!isMember) assert.equal(applied, false, `${act.by} is no member and signed ${body.type}`);
    if (act.act === 'register') assert.equal(applied, isMember);
    if (!applied) return;
    if (act.act === 'propose') this.ballots.at(-1)?.approved.add(act.by);
    if (act.act === 'vote' || act.act === 'reject') {
      const ballot = this.ballots[act.which % this.ballots.length] as Ballot;
      assert.ok(!ballot.approved.has(act.by) && !ballot.rejected.has(act.by), `${act.by} voted twice`);
      (act.act === 'vote' ? ballot.approved : ballot.rejected).add(act.by);
    }
    this.#checkDecision(act, before);
  }

  /** A decision came with this vote exactly if the model's count says so. */
  #checkDecision(act: Act, before: LedgerState): void {
    if (act.act === 'register' || act.act === 'wait') return;
    const ballot =
      act.act === 'propose' ? this.ballots.at(-1) : this.ballots[act.which % this.ballots.length];
    assert.ok(ballot !== undefined);
    const record = this.state.proposal(proposalId(ballot.body));
    assert.ok(record !== undefined);
    assert.deepEqual(new Set(record.approvedBy), ballot.approved);
    assert.deepEqual(new Set(record.rejectedBy), ballot.rejected);
    const members = before.institutions().map(({ id }) => id);
    const approvals = members.filter((id) => ballot.approved.has(id)).length;
    const rejections = members.filter((id) => ballot.rejected.has(id)).length;
    const quorum = quorumOf(members.length);
    const expected = approvals >= quorum ? true : members.length - rejections < quorum ? false : null;
    assert.equal(record.outcome?.passed ?? null, expected);
    if (expected !== true) return;
    this.passed++;
    const { action } = ballot.body;
    if (action.kind === 'remove') {
      this.removals++;
      assert.equal(this.state.institution(action.id), undefined);
      assert.ok(!this.state.nextValidators().includes(action.id));
      // What it said of what is still open is gone with it: admitted again, it may say it again.
      for (const { body, approved, rejected } of this.ballots) {
        const isOpen = this.state.proposal(proposalId(body))?.outcome === null;
        for (const voters of isOpen ? [approved, rejected] : []) voters.delete(action.id);
      }
    }
  }

  #checkState(before: LedgerState): void {
    const { state } = this;
    const [was, is] = [before.epoch(), state.epoch()];
    assert.ok(is.validators.length > 0);
    assert.ok(state.nextValidators().length > 0);
    assert.ok(state.institutions().length > 0);
    for (const id of state.nextValidators()) assert.ok(state.institution(id) !== undefined);
    assert.equal(new Set(state.nextValidators()).size, state.nextValidators().length);
    if (is.number === was.number) {
      assert.deepEqual(is, was, 'an epoch does not change while it lasts');
    } else {
      assert.equal(is.number, was.number + 1);
      assert.ok(this.header.time >= was.startTime + epochMs);
      assert.equal(is.startHeight, this.header.height + 1);
      assert.deepEqual(state.validators(), state.nextValidators());
      assert.deepEqual(state.epochOf(was.number), was);
    }
  }

  /** Another box gets the blocks only, and has the same state after each. */
  checkReplay(): void {
    let state: LedgerState = ledger.initial;
    let parent = ledger.genesisHeader;
    for (const block of this.blocks) {
      const executed = executeBlock(state, parent, block, { verify });
      assert.ok(executed.kind === 'valid', executed.kind === 'invalid' ? executed.detail : '');
      [state, parent] = [executed.state, block.header];
    }
    assert.deepEqual(state.root, this.state.root);
    assert.deepEqual(stateFromEntries(ledger.chain, stateEntries(state)).root, state.root);
  }
}

function actionOf(kind: string, about: string): ProposalAction {
  switch (kind) {
    case 'admit': {
      const institution = candidates.get(about);
      assert.ok(institution !== undefined);
      return { kind: 'admit', institution, validator: about !== 'sixth' };
    }
    case 'remove':
      return { kind: 'remove', id: about };
    case 'add':
      return { kind: 'validators', add: [about], remove: [] };
    case 'leave':
      return { kind: 'validators', add: [], remove: [about] };
    default:
      return { kind: 'parameters', parameters: ledger.genesis.parameters };
  }
}

test('members, votes, validators and epochs are as the rules say, whatever is done', () => {
  let passed = 0;
  let removals = 0;
  let epochs = 0;
  fc.assert(
    fc.property(fc.array(someAct, { minLength: 20, maxLength: 60, size: 'max' }), (acts) => {
      const play = new Play();
      for (const act of acts) play.run(act);
      play.checkReplay();
      passed += play.passed;
      removals += play.removals;
      epochs += play.state.epoch().number;
    }),
    { numRuns: 60, seed: 26 },
  );
  assert.ok(
    passed > 20 && removals > 3 && epochs > 60,
    `${passed} passed, ${removals} removed, ${epochs} epochs`,
  );
});
