/** What waits in vain takes nobody's turn: neither in blocks, nor in what is judged anew after them. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { equalBytes } from '../../firmware/src/encoding/bytes.ts';
import {
  blockDigest,
  buildBlock,
  encodeTransaction,
  genesisBlock,
  transactionId,
} from '../../firmware/src/ledger/index.ts';
import { bulkEntriesMax, registrationEntriesMax } from '../../firmware/src/ledger/limits.ts';
import { bulkEntryBytes } from '../../firmware/src/ledger/studies/leaf.ts';
import type {
  StudyId,
  StudyRegisterBulk,
  Transaction,
  TransactionId,
} from '../../firmware/src/ledger/types.ts';
import { Mempool, type FinalState } from '../../firmware/src/validator/mempool.ts';
import { institutionKeyChangesMax } from '../../firmware/src/validator/limits.ts';
import { certifiedKeys, ConsortiumFixture } from '../fakes/ledger-consortium.ts';
import { genesisTime, LedgerFixture, signerOf, verifySignature } from '../fakes/ledger.ts';
import { registerBulk } from '../fakes/ledger-studies.ts';
import { applied } from '../support/ledger-outcome.ts';

const ledger = new LedgerFixture();
const owner = signerOf('owner');
const registered = ledger.register('south', 'one', [owner]);
const study = registered.ids[0] as StudyId;
const unknown = ledger.register('south', 'never', [owner]).ids[0] as StudyId;
const initial = applied(ledger.initial, registered.transaction);

/** Of a batch that never comes: its path is work that is checked later. */
const leaf = { source: 'south', batch: new Uint8Array(16), index: 0, entry: new Uint8Array(97), path: [] };

/** As many as a member may have waiting, none of which ever applies or costs a signature; and what others bring. */
interface Lane {
  readonly name: string;
  readonly vain: (number: number) => Transaction;
  readonly honest: (number: number) => Transaction;
}

const registrations: Lane = {
  name: 'registrations',
  vain: (number) => ledger.amend('west', unknown, 2, { validUntil: genesisTime + 86_400_000 + number }),
  honest: (number) => ledger.register('south', `study ${number}`, [owner]).transaction,
};

const revocations: Lane = {
  name: 'revocations',
  vain: (number) => {
    const change = { validUntil: genesisTime + 86_400_000 + number };
    return ledger.sign({ ...ledger.revokeBody(unknown, { upTo: 1 }, change), leaf }, owner);
  },
  honest: (number) => ledger.sign(ledger.revokeBody(study, { upTo: number }), owner),
};

for (const { name, vain, honest } of [registrations, revocations]) {
  test(`a member whose ${name} wait for what never comes holds up nobody else's for long`, () => {
    const pool = new Mempool({ self: 'north', verify: verifySignature, isAwaited: () => false });
    let state = initial;
    const finalAt = (height: number): FinalState => ({
      head: { height, time: genesisTime + 1000 + height, digest: new Uint8Array(32) },
      state,
    });
    for (let number = 0; ; number++)
      if (pool.add('west', encodeTransaction(vain(number)), finalAt(1), 0).kind === 'full') break;
    let sent = 0;
    let longestWait = 0;
    for (let height = 1; height < 1200; sent++) {
      const transaction = honest(sent + 1);
      const bytes = encodeTransaction(transaction);
      assert.equal(pool.add('south', bytes, finalAt(height), 0).kind, 'waiting');
      const isWanted = (candidate: Uint8Array): boolean => equalBytes(candidate, bytes);
      let isBuilt = false;
      for (let wait = 0; !isBuilt; wait++, height++) {
        assert.ok(wait < 10, `${sent} are final, and the next one has no place`);
        longestWait = Math.max(longestWait, wait);
        const candidates = pool.candidates(new Set());
        isBuilt = candidates.some(isWanted);
        // This box builds one block of four.
        const refused = candidates.filter((candidate) => !isWanted(candidate));
        if (height % 4 === 0)
          pool.built({ placed: isBuilt ? [transactionId(bytes)] : [], refused }, finalAt(height), 0);
      }
      state = applied(state, transaction);
      pool.afterFinal({ ids: [transactionId(bytes)], isOwn: height % 4 === 1 }, finalAt(height), 0);
    }
    assert.ok(sent > 1000, `${sent} became final, the longest after ${longestWait} blocks`);
  });
}

/** A box that builds one block of four, of which nothing ever applies but what is told; what it does then. */
class Builder {
  readonly pool = new Mempool({ self: 'north', verify: verifySignature, isAwaited: () => false });
  readonly #final = {
    head: { height: 1, time: genesisTime + 1000, digest: new Uint8Array(32) },
    state: initial,
  };
  #height = 0;
  now = 0;

  bring(from: string, bytes: Uint8Array): string {
    return this.pool.add(from, bytes, this.#final, this.now).kind;
  }

  /** Fills the share of west with what this makes. */
  fill(make: (number: number) => Uint8Array): void {
    for (let number = 0; this.bring('west', make(number)) !== 'full'; number++);
  }

  /** One more block, which holds the wanted one if that has a place. */
  step(wanted?: Uint8Array): boolean {
    const isWanted = (candidate: Uint8Array): boolean =>
      wanted !== undefined && equalBytes(candidate, wanted);
    const candidates = this.pool.candidates(new Set());
    const ids = candidates.some(isWanted) && wanted !== undefined ? [transactionId(wanted)] : [];
    const isOwn = ++this.#height % 4 === 0;
    const refused = candidates.filter((candidate) => !isWanted(candidate));
    if (isOwn) this.pool.built({ placed: ids, refused }, this.#final, this.now);
    this.pool.afterFinal({ ids, isOwn }, this.#final, this.now);
    return ids.length > 0;
  }

  /** Blocks until this one stands in one; at most so many. */
  blocksUntil(wanted: Uint8Array, most: number): number {
    let blocks = 0;
    while (blocks < most && !this.step(wanted)) blocks++;
    return blocks;
  }
}

test('turns in vain are no debt to those who wanted none', () => {
  const box = new Builder();
  const vain = (number: number): Uint8Array => encodeTransaction(revocations.vain(number));
  let number = 0;
  // An hour of heartbeats, in which a hospital brings what strangers left with it.
  for (let block = 0; block < 360; block++) {
    box.now += 10_000;
    if (block % 3 === 0)
      for (let count = 0; count < 60; count++) assert.equal(box.bring('south', vain(number++)), 'waiting');
    box.step();
  }
  box.now += 60_000;
  box.step();
  assert.equal(box.pool.size, 0);
  box.fill((other) => vain(number + other));
  const revocation = encodeTransaction(revocations.honest(1));
  assert.equal(box.bring('south', revocation), 'waiting');
  assert.ok(box.blocksUntil(revocation, 50) <= 4);
});

test('who keeps a little waiting all the time saves up no turns', () => {
  const box = new Builder();
  const vain = (number: number): Uint8Array => encodeTransaction(registrations.vain(number));
  const entries = new Uint8Array(bulkEntriesMax * bulkEntryBytes);
  for (let number = 0; number < 60; number++) {
    if (number % 10 === 0) box.bring('west', vain(number));
    const { transaction } = registerBulk(ledger, 'south', `large ${number}`, [owner]);
    const body = { ...transaction.body, entries } as StudyRegisterBulk;
    const large = encodeTransaction(ledger.sign(body, ledger.box('south').transaction));
    assert.equal(box.bring('south', large), 'waiting');
    assert.ok(box.blocksUntil(large, 1) === 0);
  }
  box.fill((number) => vain(1000 + number));
  const registration = encodeTransaction(registrations.honest(1));
  assert.equal(box.bring('south', registration), 'waiting');
  assert.ok(box.blocksUntil(registration, 50) <= 4);
});

test('what an institution brought in vain does not stand before what it brings later', () => {
  const box = new Builder();
  for (let number = 0; number < 128; number++)
    assert.equal(box.bring('south', encodeTransaction(revocations.vain(number))), 'waiting');
  const revocation = encodeTransaction(revocations.honest(1));
  assert.equal(box.bring('south', revocation), 'waiting');
  assert.ok(box.blocksUntil(revocation, 50) <= 8);
});

test('a box shares out its own blocks: what others have built is no turn of anybody here', () => {
  const final = { head: { height: 1, time: genesisTime + 1000, digest: new Uint8Array(32) }, state: initial };
  const orderAfter = (isOwn: boolean): number[] => {
    const pool = new Mempool({ self: 'north', verify: verifySignature, isAwaited: () => false });
    const bring = (from: string, batch: string): Uint8Array => {
      const bytes = encodeTransaction(ledger.register(from, batch, [owner]).transaction);
      assert.equal(pool.add(from, bytes, final, 0).kind, 'waiting');
      return bytes;
    };
    const built = bring('west', 'built');
    const later = [bring('west', 'later'), bring('south', 'at last')];
    pool.afterFinal({ ids: [transactionId(built)], isOwn }, final, 0);
    return pool
      .candidates(new Set())
      .map((candidate) => later.findIndex((bytes) => equalBytes(bytes, candidate)));
  };
  assert.deepEqual(orderAfter(true), [1, 0]);
  assert.deepEqual(orderAfter(false), [0, 1]);
});

test('few transactions that bring keys wait for one institution: each costs much, right or wrong', () => {
  const consortium = new ConsortiumFixture(ledger);
  const final = { head: { height: 1, time: genesisTime + 1000, digest: new Uint8Array(32) }, state: initial };
  const pool = new Mempool({ self: 'north', verify: verifySignature, isAwaited: () => false });
  const keys = certifiedKeys(ledger.chain, 'west', 'west');
  const update = (number: number): Uint8Array => {
    const change = { validUntil: genesisTime + 86_400_000 + number };
    return encodeTransaction(consortium.update('west', 2, keys, ledger.box('west').transaction, change));
  };
  for (let number = 0; number < institutionKeyChangesMax; number++)
    assert.equal(pool.add('west', update(number), final, 0).kind, 'waiting');
  assert.equal(pool.add('west', update(1000), final, 0).kind, 'full');
  const { transaction } = ledger.register('west', 'other', [owner]);
  assert.equal(pool.add('west', encodeTransaction(transaction), final, 0).kind, 'waiting');
});

/** Of so much work that a block has room for few of them. */
const leaves = {
  'revocations of what was registered singly': undefined,
  'revocations of what was registered in bulk': leaf,
};

for (const [name, proof] of Object.entries(leaves)) {
  test(`a member that never ends with ${name}, and has a large registration waiting, holds nobody up`, () => {
    const pool = new Mempool({ self: 'north', verify: verifySignature, isAwaited: () => true });
    let state = initial;
    let head = genesisBlock(ledger.genesis).header;
    const final = (): FinalState => ({
      head: { height: head.height, time: head.time, digest: blockDigest(head) },
      state,
    });
    const bring = (from: string, transaction: Transaction): TransactionId => {
      const bytes = encodeTransaction(transaction);
      assert.equal(pool.add(from, bytes, final(), 0).kind, 'waiting');
      return transactionId(bytes);
    };
    const owners = (count: number, of: string): ReturnType<typeof signerOf>[] =>
      Array.from({ length: count }, (_, index) => signerOf(`${of} ${index % 8}`));
    const large = bring(
      'west',
      ledger.register('west', 'large', owners(registrationEntriesMax, 'west')).transaction,
    );
    const placedAt = new Map<TransactionId, number>();
    let upTo = 0;
    let waiting = 0;
    for (let block = 1; block <= 12; block++) {
      for (; waiting < 200; waiting++) {
        const body = ledger.revokeBody(study, { upTo: ++upTo });
        bring('west', ledger.sign({ ...body, ...(proof !== undefined && { leaf: proof }) }, owner));
      }
      const honest = bring(
        'south',
        ledger.register('south', `south ${block}`, owners(1, 'south')).transaction,
      );
      const built = buildBlock(state, head, {
        view: block,
        time: head.time + 500,
        proposer: 'north',
        candidates: pool.candidates(new Set()),
        verify: verifySignature,
      });
      const placed = built.block.transactions.map(transactionId);
      assert.ok(placed.includes(honest), `block ${block} has it`);
      for (const id of placed) placedAt.set(id, block);
      waiting -= placed.length - 1 - (placed.includes(large) ? 1 : 0);
      head = built.block.header;
      state = built.state;
      pool.built({ placed, refused: built.refused.map(({ transaction }) => transaction) }, final(), 0);
      pool.afterFinal({ ids: placed, isOwn: true }, final(), 0);
      assert.ok(waiting < 200, 'what owners take back goes on too');
    }
    assert.ok((placedAt.get(large) ?? Infinity) <= 3, 'and so does the large one');
  });
}
