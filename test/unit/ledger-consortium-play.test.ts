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
  Institution,
  InstitutionPropose,
  LedgerState,
  ProposalAction,
  Transaction,
} from '../../firmware/src/ledger/types.ts';
import { actionRefusal } from '../../firmware/src/ledger/consortium/action-effect.ts';
import { verdictOf } from '../../firmware/src/ledger/consortium/verdict.ts';
import { stateKeys } from '../../firmware/src/ledger/state-keys.ts';
import { asSnapshot } from '../../firmware/src/ledger/state.ts';
import { boxOf, genesisTime, LedgerFixture, signerOf } from '../fakes/ledger.ts';
import { candidate, certifiedKeys, ConsortiumFixture } from '../fakes/ledger-consortium.ts';

/** Signatures are not the subject here, and would cost the most: all hold. */
const verify = (): boolean => true;

const epochMs = 600_000;
const founders = ['north', 'south', 'east', 'west', 'fifth'];
const ledger = new LedgerFixture(founders, {
  parameters: { ...defaultParameters, epochMs, proposalMs: 2_000_000 },
});
const consortium = new ConsortiumFixture(ledger);
const all = [...founders, 'sixth'];

/** As it asks to be admitted after so many removals: each time with another transaction key. Signing costs, so they are kept. */
const candidates = new Map<string, Institution>();
function candidateAfter(id: string, removals: number): Institution {
  const name = `${id} ${removals}`;
  const made = candidates.get(name) ?? makeCandidate(id, removals);
  candidates.set(name, made);
  return made;
}

function makeCandidate(id: string, removals: number): Institution {
  const first = candidate(ledger.chain, id);
  if (removals === 0) return first;
  const signers = { transaction: signerOf(`${id} transaction, life ${removals + 1}`) };
  return { ...first, keys: certifiedKeys(ledger.chain, id, id, { signers }) };
}

const someone = fc.constantFrom(...all);
const someAct = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({
      act: fc.constant('propose' as const),
      by: someone,
      about: fc.constantFrom('west', 'fifth', 'sixth'),
      kind: fc.constantFrom('admit', 'admit', 'remove', 'remove', 'add', 'leave', 'parameters'),
    }),
  },
  {
    weight: 6,
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

/** Single acts, and votes of several for the same, one after the other: or hardly anything would be decided. */
const someActs = fc.oneof(
  { weight: 3, arbitrary: someAct.map((act): readonly Act[] => [act]) },
  {
    weight: 2,
    arbitrary: fc
      .record({ voters: fc.subarray(all, { minLength: 2 }), which: fc.nat() })
      .map(({ voters, which }) => voters.map((by): Act => ({ act: 'vote', by, which }))),
  },
);

/** What the model knows of a proposal: who approved and who rejected, each once. */
interface Ballot {
  readonly body: InstitutionPropose;
  readonly approved: Set<string>;
  readonly rejected: Set<string>;
  passed: boolean | null;
}

class Play {
  state: LedgerState = ledger.initial;
  header: BlockHeader = ledger.genesisHeader;
  readonly blocks: Block[] = [];
  readonly ballots: Ballot[] = [];
  passed = 0;
  readonly removals = new Map<string, number>();
  readmissions = 0;
  /** Decided by a removal, not by a vote. */
  recounted = 0;
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
    const members = new Set(before.institutions().map(({ id }) => id));
    if (transaction !== undefined) this.#checkApplied(act, transaction, applied, members);
    this.#checkRecount(members);
    assert.deepEqual(new Set(this.state.institutions().map(({ id }) => id)), members);
    this.#checkState(before);
  }

  #actionOf(kind: string, about: string): ProposalAction {
    switch (kind) {
      case 'admit':
        return {
          kind: 'admit',
          institution: candidateAfter(about, this.removals.get(about) ?? 0),
          validator: about !== 'sixth',
        };
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
        const body = consortium.proposeBody(act.by, this.#actionOf(act.kind, act.about), {
          // Two proposals of the same are two: they differ in this.
          validUntil: this.#time + 1_000_000 + this.ballots.length,
        });
        this.ballots.push({ body, approved: new Set(), rejected: new Set(), passed: null });
        return ledger.sign(body, boxOf(act.by).transaction);
      }
      case 'vote':
      case 'reject': {
        const ballot = this.#ballotOf(act);
        return ballot && consortium.vote(act.by, ballot.body, act.act === 'vote');
      }
    }
  }

  /** One of the last: so that many get the votes that they need. */
  #ballotOf({ which }: { readonly which: number }): Ballot | undefined {
    return this.ballots.at(-1 - (which % 3));
  }

  /** `members`: those of before the block; who comes and goes by the transaction is added and taken away. */
  #checkApplied(act: Act, { body }: Transaction, applied: boolean, members: Set<string>): void {
    if (act.act === 'wait') return;
    const isMember = members.has(act.by);
    if (!isMember) assert.equal(applied, false, `${act.by} is no member and signed ${body.type}`);
    if (act.act === 'register') assert.equal(applied, isMember);
    if (!applied || act.act === 'register') return;
    const ballot = act.act === 'propose' ? this.ballots.at(-1) : this.#ballotOf(act);
    assert.ok(ballot !== undefined);
    assert.ok(!ballot.approved.has(act.by) && !ballot.rejected.has(act.by), `${act.by} voted twice`);
    (act.act === 'reject' ? ballot.rejected : ballot.approved).add(act.by);
    const record = this.state.proposal(proposalId(ballot.body));
    assert.ok(record !== undefined);
    const { approvedBy, rejectedBy } = this.state.voters(proposalId(ballot.body));
    const present = (ids: ReadonlySet<string>): Set<string> =>
      new Set([...ids].filter((id) => this.state.institution(id) !== undefined));
    assert.deepEqual(new Set(approvedBy), present(ballot.approved));
    assert.deepEqual(new Set(rejectedBy), present(ballot.rejected));
    // A decision came with this vote exactly if the model's count says so.
    assert.equal(record.outcome?.passed ?? null, countOf(ballot, members));
    if (record.outcome !== null) this.#decided(ballot, record.outcome.passed, members);
  }

  /** At most one other was decided, by what the members of now said of it before. */
  #checkRecount(members: Set<string>): void {
    const decided = this.ballots.filter(({ body, passed }) => {
      const record = this.state.proposal(proposalId(body));
      return passed === null && (record?.outcome ?? null) !== null;
    });
    assert.ok(decided.length <= 1);
    for (const ballot of decided) {
      const passed = this.state.proposal(proposalId(ballot.body))?.outcome?.passed;
      assert.equal(passed, countOf(ballot, members));
      this.#decided(ballot, passed === true, members);
      this.recounted++;
    }
  }

  #decided(ballot: Ballot, passed: boolean, members: Set<string>): void {
    ballot.passed = passed;
    if (!passed) return;
    this.passed++;
    const { action } = ballot.body;
    if (action.kind === 'admit') {
      members.add(action.institution.id);
      if (this.removals.has(action.institution.id)) this.readmissions++;
    }
    if (action.kind !== 'remove') return;
    members.delete(action.id);
    this.removals.set(action.id, (this.removals.get(action.id) ?? 0) + 1);
    // What it said of what is still open is gone with it: admitted again, it may say it again.
    for (const other of this.ballots) {
      if (other.passed !== null) continue;
      other.approved.delete(action.id);
      other.rejected.delete(action.id);
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

  /** Once nothing waits, no open proposal has the votes that decide it, but what cannot be done. */
  checkSettled(): void {
    for (let blocks = 0; asSnapshot(this.state).has(stateKeys.recount); blocks++) {
      assert.ok(blocks < this.ballots.length);
      this.run({ act: 'wait', ms: 1 });
    }
    const state = asSnapshot(this.state);
    for (const { id, proposal } of state.proposals()) {
      const verdict = proposal.expiry <= this.#time ? undefined : verdictOf(state.votes(id), state.members());
      assert.notEqual(verdict, 'failed');
      if (verdict === undefined) continue;
      assert.ok(actionRefusal(state, proposal.action, { time: this.#time, verify }));
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

/** What the votes decide, by the model's count. */
function countOf({ approved, rejected }: Ballot, members: ReadonlySet<string>): boolean | null {
  const quorum = quorumOf(members.size);
  const count = (voters: ReadonlySet<string>): number => [...voters].filter((id) => members.has(id)).length;
  if (count(approved) >= quorum) return true;
  return members.size - count(rejected) < quorum ? false : null;
}

test('members, votes, validators and epochs are as the rules say, whatever is done', () => {
  const seen = { passed: 0, removals: 0, readmissions: 0, recounted: 0, epochs: 0 };
  fc.assert(
    fc.property(fc.array(someActs, { minLength: 40, maxLength: 80, size: 'max' }), (acts) => {
      const play = new Play();
      for (const act of acts.flat()) play.run(act);
      play.checkSettled();
      play.checkReplay();
      seen.passed += play.passed;
      seen.removals += [...play.removals.values()].reduce((sum, count) => sum + count, 0);
      seen.readmissions += play.readmissions;
      seen.recounted += play.recounted;
      seen.epochs += play.state.epoch().number;
    }),
    { numRuns: 40, seed: 7 },
  );
  const { passed, removals, readmissions, recounted, epochs } = seen;
  assert.ok(
    passed > 40 && removals > 15 && readmissions > 2 && recounted > 0 && epochs > 60,
    JSON.stringify(seen),
  );
});
