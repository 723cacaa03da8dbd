/** Who may connect follows the ledger: admitted, replaced and removed members; and what the ledger says of this box. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Members } from '../../firmware/src/box/members.ts';
import { standingOf, watchStanding } from '../../firmware/src/box/standing.ts';
import { chainId, encodeTransaction } from '../../firmware/src/ledger/index.ts';
import type { Transaction } from '../../firmware/src/ledger/types.ts';
import { FinalLedger } from '../fakes/final-ledger.ts';
import { MemoryHealthBoard } from '../fakes/health.ts';
import { candidate, certifiedKeys, ConsortiumFixture } from '../fakes/ledger-consortium.ts';
import { genesisTime, LedgerFixture } from '../fakes/ledger.ts';
import { ManualClock } from '../support/manual-clock.ts';

function consortium() {
  const fixture = new LedgerFixture();
  const ledger = new FinalLedger(fixture.genesis, new ManualClock(genesisTime + 1_000));
  const finalise = (...transactions: readonly Transaction[]): void => {
    for (const transaction of transactions) {
      assert.equal(ledger.finalise(encodeTransaction(transaction)).kind, 'final');
    }
  };
  return { make: new ConsortiumFixture(fixture), ledger, finalise, genesis: fixture.genesis };
}

/** Of `south`, by two of its three root keys. */
function replacement({
  make,
  genesis,
}: Pick<ReturnType<typeof consortium>, 'make' | 'genesis'>): Transaction {
  const keys = certifiedKeys(chainId(genesis), 'south', 'the new box of south', {
    identityName: 'identity of the new box',
  });
  return make.replace('south', 2, keys, [1, 3]);
}

test('members are those of the ledger: admitted, replaced, removed', () => {
  const world = consortium();
  const { make, ledger, finalise } = world;
  const members = new Members(ledger);
  let told = 0;
  const stop = members.start();
  const forget = members.onMembersChange(() => told++);
  ledger.finalise();
  assert.equal(told, 0, 'a heartbeat changes nobody');

  const admission = {
    kind: 'admit',
    institution: candidate(chainId(world.genesis), 'delta'),
    validator: false,
  } as const;
  const proposal = make.proposeBody('north', admission);
  finalise(make.propose('north', admission), make.vote('south', proposal));
  assert.equal(told, 0, 'two votes of four decide nothing');
  finalise(make.vote('east', proposal));
  assert.equal(told, 1);
  assert.deepEqual(
    members.members().map(({ id }) => id),
    ['delta', 'east', 'north', 'south', 'west'],
  );

  const before = members.members().find(({ id }) => id === 'south')?.keys.transport;
  finalise(replacement(world));
  assert.equal(told, 2);
  assert.notDeepEqual(members.members().find(({ id }) => id === 'south')?.keys.transport, before);

  forget();
  const removal = { kind: 'remove', id: 'delta' } as const;
  const removing = make.proposeBody('north', removal);
  finalise(make.propose('north', removal), make.vote('east', removing), make.vote('west', removing));
  // Of five members four decide.
  assert.equal(members.members().length, 5);
  finalise(make.vote('delta', removing));
  assert.equal(members.members().length, 4);
  assert.equal(told, 2, 'who unsubscribed is told no more');
  stop();
});

test('a box that the ledger does not name says so until it does', () => {
  const world = consortium();
  const { ledger, finalise, genesis } = world;
  const own = genesis.institutions.find(({ id }) => id === 'south');
  assert.ok(own);
  const old = { identityPublicKey: own.keys.identity };
  const replacing = certifiedKeys(chainId(genesis), 'south', 'the new box of south', {
    identityName: 'identity of the new box',
  });
  const fresh = { identityPublicKey: replacing.identity };
  assert.equal(standingOf(ledger, 'south', old), 'member');
  assert.equal(standingOf(ledger, 'south', fresh), 'other keys');
  assert.equal(standingOf(ledger, 'delta', fresh), 'no member');

  const [oldBoard, freshBoard] = [new MemoryHealthBoard(), new MemoryHealthBoard()];
  watchStanding(ledger, 'south', old, oldBoard);
  watchStanding(ledger, 'south', fresh, freshBoard);
  const codes = (board: MemoryHealthBoard): readonly string[] => board.list().map(({ code }) => code);
  assert.deepEqual([codes(oldBoard), codes(freshBoard)], [[], ['BOX_NOT_ON_LEDGER']]);
  finalise(replacement(world));
  assert.deepEqual([codes(oldBoard), codes(freshBoard)], [['BOX_NOT_ON_LEDGER'], []]);
});
