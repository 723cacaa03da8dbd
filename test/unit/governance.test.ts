/** Proposals, votes and signed documents of a member under the ledger's real rules, each remembered with its person. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AppError } from '../../firmware/src/errors.ts';
import { Governance } from '../../firmware/src/governance/governance.ts';
import { governanceSubmitMsMax, proposalsRememberedMax } from '../../firmware/src/governance/limits.ts';
import { encodeTransaction, proposalId } from '../../firmware/src/ledger/index.ts';
import type { ProposalAction, ProposalId } from '../../firmware/src/ledger/types.ts';
import { FinalLedger } from '../fakes/final-ledger.ts';
import { MemoryHealthBoard } from '../fakes/health.ts';
import { candidate, certifiedKeys, ConsortiumFixture } from '../fakes/ledger-consortium.ts';
import { genesisTime, LedgerFixture } from '../fakes/ledger.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { MemoryStore } from '../support/memory-store.ts';
import { RecordingLogger } from '../support/recording-logger.ts';

const dayMs = 86_400_000;

function world() {
  const fixture = new LedgerFixture();
  const clock = new ManualClock(genesisTime + 1_000);
  const ledger = new FinalLedger(fixture.genesis, clock);
  const make = new ConsortiumFixture(fixture);
  const stores = new Map<string, MemoryStore>();
  const health = new MemoryHealthBoard();
  const open = async (id: string): Promise<Governance> => {
    const store = stores.get(id) ?? new MemoryStore();
    stores.set(id, store);
    const signer = fixture.box(id).transaction;
    const governance = new Governance({
      self: id,
      ledger,
      signer,
      store,
      clock,
      logger: new RecordingLogger(),
      health,
    });
    await governance.start();
    return governance;
  };
  return { clock, health, ledger, make, open, stores };
}

const removal: ProposalAction = { kind: 'remove', id: 'west' };

function only(governance: Governance) {
  const [known, ...others] = governance.proposals();
  assert.ok(known);
  assert.equal(others.length, 0);
  return known;
}

test('a proposal is voted on until it passes; each box remembers who of its people did what', async () => {
  const { ledger, make, open } = world();
  const [north, south, east] = [await open('north'), await open('south'), await open('east')];
  let told = 0;
  east.onChange(() => told++);
  const action: ProposalAction = {
    kind: 'admit',
    institution: candidate(make.ledger.chain, 'delta'),
    validator: true,
  };
  assert.deepEqual(await north.propose(action, 'n.admin'), { kind: 'done' });
  assert.equal(told, 1);
  const { id } = only(north);
  assert.deepEqual([north.waiting(), south.waiting()], [0, 1], 'who proposes has voted');
  assert.deepEqual(await south.vote(id, false, 's.admin'), { kind: 'done' });
  assert.deepEqual([south.waiting(), only(south).state], [0, 'open']);
  assert.deepEqual(await south.vote(id, true, 's.admin'), {
    kind: 'refused',
    reason: 'This hospital has voted on it already.',
  });
  await east.vote(id, true, 'e.admin');
  assert.equal(only(east).state, 'open', 'two of four');
  ledger.finalise();
  const west = await open('west');
  assert.equal(west.waiting(), 1, 'a box that begins later sees what is open');
  await west.vote(id, true, 'w.admin');
  assert.equal(only(west).state, 'passed');
  assert.ok(ledger.state().institution('delta'));
  const acts = (governance: Governance) => only(governance).acts.map(({ kind, account }) => [kind, account]);
  assert.deepEqual(acts(north), [['proposed', 'n.admin']]);
  assert.deepEqual(acts(south), [['rejected', 's.admin']]);
  await north.stop();
  assert.deepEqual(acts(await open('north')), [['proposed', 'n.admin']], 'also after a restart');
});

test('what fails, runs out or is refused says so', async () => {
  const { clock, ledger, open } = world();
  const [north, south, east] = [await open('north'), await open('south'), await open('east')];
  await north.propose(removal, 'n.admin');
  const { id } = only(north);
  await south.vote(id, false, 's.admin');
  await east.vote(id, false, 'e.admin');
  assert.equal(only(north).state, 'failed');

  await north.propose({ kind: 'remove', id: 'south' }, 'n.admin');
  clock.advance(31 * dayMs);
  ledger.finalise();
  assert.deepEqual(
    north.proposals().map(({ state }) => state),
    ['expired', 'failed'],
  );
  assert.equal(south.waiting(), 0);
  assert.deepEqual(await north.propose({ kind: 'remove', id: 'nobody' }, 'n.admin'), {
    kind: 'refused',
    reason: 'No such hospital is a member.',
  });
  const unknown = 'ab'.repeat(32) as ProposalId;
  ledger.before = () => Promise.resolve({ kind: 'refused', reason: 'some-new-rule' });
  assert.deepEqual(await north.vote(unknown, true, 'n.admin'), {
    kind: 'refused',
    reason: 'The ledger refuses it: some-new-rule.',
  });
  assert.deepEqual(
    north.proposals().map(({ acts }) => acts.length),
    [1, 1],
    'what was refused is no act',
  );
});

test('the replacement of a dead box is brought by any member; other transactions are not', async () => {
  const { ledger, make, open } = world();
  const north = await open('north');
  const keys = certifiedKeys(make.ledger.chain, 'south', 'the new box', {
    identityName: 'identity of the new box',
  });
  const document = encodeTransaction(make.replace('south', 2, keys, [1, 2]));
  assert.deepEqual(await north.bring(document, 'n.admin'), { kind: 'done' });
  assert.deepEqual(ledger.state().institution('south')?.keys.identity, keys.identity);
  assert.deepEqual(await north.bring(document, 'n.admin'), {
    kind: 'refused',
    reason: 'It was made for an earlier record of this hospital: it may have been used before.',
  });
  const other = encodeTransaction(make.propose('north', removal));
  assert.deepEqual(await north.bring(other, 'n.admin'), {
    kind: 'refused',
    reason: 'This is no signed document.',
  });
  assert.deepEqual(await north.bring(document.subarray(1), 'n.admin'), {
    kind: 'refused',
    reason: 'This is no signed document.',
  });
  assert.equal(ledger.submitted.length, 2);
});

test('an act for which no block comes waits, and the person is told', async () => {
  const { clock, ledger, open } = world();
  const north = await open('north');
  let hold = (): void => undefined;
  ledger.before = () => new Promise(() => hold());
  const submit = ledger.submit.bind(ledger);
  ledger.submit = (transaction, signal) =>
    Promise.race([
      submit(transaction),
      new Promise<never>((_, reject) => {
        signal?.addEventListener('abort', () => reject(signal.reason as Error));
      }),
    ]);
  const held = new Promise<void>((resolve) => (hold = resolve));
  const acted = north.propose(removal, 'n.admin');
  await held;
  clock.advance(governanceSubmitMsMax);
  assert.deepEqual(await acted, { kind: 'waiting' });
  ledger.before = () => Promise.reject(new AppError('MEMPOOL_FULL', 'full'));
  await assert.rejects(north.propose({ kind: 'remove', id: 'south' }, 'n.admin'), { code: 'MEMPOOL_FULL' });
});

test('a proposal that the disk did not take is remembered with the next block; until then it is an alarm', async () => {
  const { health, ledger, make, open, stores } = world();
  const north = await open('north');
  const store = stores.get('north') as MemoryStore;
  const write = store.write.bind(store);
  store.write = () => Promise.reject(new AppError('STORE_FAILED', 'The index cannot be written.'));
  const decided = make.proposeBody('south', removal);
  const votes = ['north', 'east'].map((voter) => encodeTransaction(make.vote(voter, decided, false)));
  ledger.finalise(encodeTransaction(make.propose('south', removal)), ...votes);
  await new Promise(setImmediate);
  assert.deepEqual([health.list().map(({ code }) => code), north.proposals().length], [['STORE_FAILED'], 0]);
  store.write = write;
  ledger.finalise(encodeTransaction(make.propose('south', { kind: 'remove', id: 'east' })));
  await new Promise(setImmediate);
  assert.deepEqual(health.list(), []);
  assert.deepEqual(
    north.proposals().map(({ state }) => state),
    ['open', 'failed'],
  );
});

test('a bug in what is remembered is not taken for a fault of the disk', async () => {
  const { health, ledger, make, open, stores } = world();
  const north = await open('north');
  const store = stores.get('north') as MemoryStore;
  store.write = () => Promise.reject(new TypeError('a bug'));
  ledger.finalise(encodeTransaction(make.propose('south', removal)));
  // Nobody but this test waits for it so soon: in a box it ends the process.
  await assert.rejects(north.stop(), TypeError);
  assert.deepEqual(health.list(), []);
});

test('decided proposals are forgotten, the oldest first; open ones never', async () => {
  const { clock, ledger, make, open } = world();
  const north = await open('north');
  const body = (id: string) => make.proposeBody('north', { kind: 'remove', id });
  for (let round = 0; round < proposalsRememberedMax + 3; round++) {
    clock.advance(1_000);
    // In turns: the ledger keeps fewer of one member than a box remembers.
    const [proposer, other] = round % 2 === 0 ? (['north', 'south'] as const) : (['south', 'north'] as const);
    const proposal = make.proposeBody(proposer, removal, { validUntil: genesisTime + 20 * dayMs + round });
    const transaction = make.ledger.sign(proposal, make.ledger.box(proposer).transaction);
    const votes = [other, 'east'].map((voter) => encodeTransaction(make.vote(voter, proposal, false)));
    assert.equal(ledger.finalise(encodeTransaction(transaction), ...votes).kind, 'final');
  }
  ledger.finalise(encodeTransaction(make.propose('north', { kind: 'remove', id: 'south' })));
  await north.stop();
  const again = await open('north');
  const states = again.proposals().map(({ state }) => state);
  assert.equal(states.filter((state) => state === 'failed').length, proposalsRememberedMax);
  assert.equal(again.proposals()[0]?.id, proposalId(body('south')));
});
