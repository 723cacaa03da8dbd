/** Proposals that a removal decides: fewer members need fewer votes, and who has voted does not vote again. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  buildBlock,
  encodeTransaction,
  executeBlock,
  proposalId,
  stateKeys,
  toReleaseDigest,
} from '../../firmware/src/ledger/index.ts';
import { asSnapshot } from '../../firmware/src/ledger/state.ts';
import { recountedAtOnceMax } from '../../firmware/src/ledger/limits.ts';
import type {
  BlockHeader,
  InstitutionPropose,
  LedgerState,
  ProposalAction,
  Transaction,
} from '../../firmware/src/ledger/types.ts';
import { bytesOf, LedgerFixture, verifySignature } from '../fakes/ledger.ts';
import { candidate, ConsortiumFixture } from '../fakes/ledger-consortium.ts';
import { soon } from '../support/ledger-outcome.ts';

const ids = ['a', 'b', 'c', 'd', 'e', 'f', 'g'];

/** A consortium of so many members, block by block. */
class Chain {
  readonly ledger: LedgerFixture;
  readonly consortium: ConsortiumFixture;
  state: LedgerState;
  #header: BlockHeader;

  constructor(members: number) {
    this.ledger = new LedgerFixture(ids.slice(0, members));
    this.consortium = new ConsortiumFixture(this.ledger);
    this.state = this.ledger.initial;
    this.#header = this.ledger.genesisHeader;
  }

  /** One more block with these, a second after the last or at this time: built by one box, executed by the others. */
  block(transactions: readonly Transaction[] = [], time = Math.max(soon, this.#header.time + 1_000)): void {
    const built = buildBlock(this.state, this.#header, {
      view: this.#header.view + 1,
      time,
      proposer: 'a',
      candidates: transactions.map(encodeTransaction),
      verify: verifySignature,
    });
    assert.deepEqual(built.refused, []);
    const executed = executeBlock(this.state, this.#header, built.block, { verify: verifySignature });
    assert.equal(executed.kind, 'valid');
    this.state = built.state;
    this.#header = built.block.header;
  }

  get time(): number {
    return this.#header.time;
  }

  get height(): number {
    return this.#header.height;
  }

  /** A proposal by the first, with the votes of the others. */
  propose(action: ProposalAction, approve: string, reject = ''): InstitutionPropose {
    const [proposer = '', ...others] = approve;
    const body = this.consortium.proposeBody(proposer, action);
    this.block([
      this.consortium.propose(proposer, action),
      ...others.map((voter) => this.consortium.vote(voter, body)),
      ...[...reject].map((voter) => this.consortium.vote(voter, body, false)),
    ]);
    return body;
  }

  outcome(body: InstitutionPropose): boolean | undefined {
    return this.state.proposal(proposalId(body))?.outcome?.passed;
  }

  get isWaiting(): boolean {
    return asSnapshot(this.state).has(stateKeys.recount);
  }

  parameters(proposalMs: number): ProposalAction {
    return { kind: 'parameters', parameters: { ...this.state.parameters(), proposalMs } };
  }
}

test('what three of five wanted is done once they are three of four', () => {
  const chain = new Chain(5);
  const admission = chain.propose(
    { kind: 'admit', institution: candidate(chain.ledger.chain, 'f'), validator: true },
    'abc',
  );
  const waiting = chain.propose(chain.parameters(2_000_000), 'ab');
  assert.equal(chain.outcome(admission), undefined);
  chain.propose({ kind: 'remove', id: 'e' }, 'abcd');
  assert.equal(chain.state.institution('e'), undefined);
  assert.equal(chain.outcome(admission), true);
  assert.ok(chain.state.institution('f') !== undefined);
  assert.ok(chain.state.nextValidators().includes('f'));
  assert.deepEqual(
    chain.state.proposals().map(({ id }) => id),
    [proposalId(waiting)],
  );
  assert.equal(chain.isWaiting, false);
});

test('the votes of the one who went do not count', () => {
  const chain = new Chain(5);
  const body = chain.propose(chain.parameters(2_000_000), 'abe');
  chain.propose({ kind: 'remove', id: 'e' }, 'abcd');
  chain.block();
  assert.equal(chain.outcome(body), undefined);
});

test('what cannot have its votes any more has failed', () => {
  const chain = new Chain(7);
  const body = chain.propose(chain.parameters(2_000_000), 'a', 'bc');
  assert.equal(chain.outcome(body), undefined);
  chain.propose({ kind: 'remove', id: 'g' }, 'abcde');
  assert.equal(chain.outcome(body), false);
  assert.deepEqual(chain.state.proposals(), []);
});

test('each block decides one, in the order in which they were made', () => {
  const chain = new Chain(5);
  const bodies = [2_000_000, 3_000_000, 4_000_000].map((ms) => chain.propose(chain.parameters(ms), 'abc'));
  chain.propose({ kind: 'remove', id: 'e' }, 'abcd');
  for (let count = 1; count <= bodies.length; count++) {
    const passed = bodies.filter((body) => chain.outcome(body) === true);
    assert.deepEqual(passed, bodies.slice(0, count));
    assert.equal(chain.isWaiting, count < bodies.length);
    chain.block();
  }
});

test('where more are open than a block counts again, the next blocks count the others', () => {
  const chain = new Chain(7);
  const few = Array.from({ length: recountedAtOnceMax + 4 }, (_, index) =>
    chain.propose(chain.parameters(2_000_000 + index), 'abcdef'.charAt(index % 6)),
  );
  const last = chain.propose(chain.parameters(3_000_000), 'a', 'bc');
  chain.propose({ kind: 'remove', id: 'g' }, 'abcde');
  assert.equal(chain.state.institution('g'), undefined);
  assert.equal(chain.outcome(last), undefined);
  assert.equal(chain.isWaiting, true);
  chain.block();
  assert.equal(chain.outcome(last), false);
  assert.equal(chain.isWaiting, false);
  assert.ok(few.every((body) => chain.outcome(body) === undefined));
});

test('a removal that a removal decides lets all be counted once more', () => {
  const chain = new Chain(5);
  const second = chain.propose({ kind: 'remove', id: 'd' }, 'abc');
  const third = chain.propose(chain.parameters(2_000_000), 'abd');
  chain.propose({ kind: 'remove', id: 'e' }, 'abcd');
  assert.equal(chain.outcome(second), true);
  assert.deepEqual(
    chain.state.institutions().map(({ id }) => id),
    ['a', 'b', 'c'],
  );
  chain.block();
  // The quorum of three is three, and one of its votes went with d.
  assert.equal(chain.outcome(third), undefined);
  assert.equal(chain.isWaiting, false);
});

test('one whose time has passed, and one that cannot be done any more, stay as they are', () => {
  const chain = new Chain(5);
  const first = chain.propose(chain.parameters(2_000_000), 'abc');
  const again = chain.propose({ kind: 'remove', id: 'e' }, 'abc');
  const late = chain.propose(chain.parameters(3_000_000), 'abc');
  const removal = chain.consortium.proposeBody(
    'a',
    { kind: 'remove', id: 'e' },
    { validUntil: soon + 90_000 },
  );
  const { transaction } = chain.ledger.box('a');
  chain.block([
    chain.ledger.sign(removal, transaction),
    ...['b', 'c', 'd'].map((voter) => chain.consortium.vote(voter, removal)),
  ]);
  assert.equal(chain.outcome(first), true);
  chain.block();
  assert.equal(chain.outcome(again), undefined, 'e was removed already');
  const expiry = chain.state.proposal(proposalId(late))?.expiry;
  assert.ok(expiry !== undefined);
  chain.block([], expiry);
  assert.equal(chain.outcome(late), undefined);
  assert.equal(chain.isWaiting, false);
});

test('a release that three of five accepted is accepted once they are three of four', () => {
  const chain = new Chain(5);
  const digest = toReleaseDigest(bytesOf('release 1.0.0'));
  const { consortium } = chain;
  chain.block([consortium.publish('1.0.0', [1, 2]), consortium.publish('1.1.0', [1, 2])]);
  chain.block(['a', 'b', 'c'].map((member) => consortium.accept(member, '1.0.0')));
  chain.block([consortium.accept('a', '1.1.0'), consortium.accept('e', '1.1.0')]);
  assert.equal(chain.state.release(digest)?.acceptedAt, null);
  chain.propose({ kind: 'remove', id: 'e' }, 'abcd');
  assert.equal(chain.state.institution('e'), undefined);
  assert.equal(chain.state.release(digest)?.acceptedAt, chain.time);
  assert.equal(chain.state.release(toReleaseDigest(bytesOf('release 1.1.0')))?.acceptedAt, null);
});

test('a format that the validators of the next epoch can is set when that begins', () => {
  const chain = new Chain(5);
  const { consortium } = chain;
  chain.block(['a', 'b', 'c'].map((member) => consortium.signal(member, 2)));
  chain.propose({ kind: 'validators', add: [], remove: ['e'] }, 'abcd');
  assert.deepEqual(chain.state.formats().activations.length, 1, 'three of five that vote now');
  const { startTime } = chain.state.epoch();
  const { epochMs, activationBlocks } = chain.state.parameters();
  chain.block([], startTime + epochMs);
  assert.deepEqual(chain.state.formats().activations.at(-1), {
    format: 2,
    height: chain.height + activationBlocks,
  });
});
