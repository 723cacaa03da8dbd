import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  decodeTransaction,
  encodeTransaction,
  transactionId,
  transactionWork,
} from '../../firmware/src/ledger/index.ts';
import { bulkEntryBytes } from '../../firmware/src/ledger/studies/leaf.ts';
import {
  blockTransactionBytesMax,
  blockTransactionsMax,
  blockWorkMax,
  bulkEntriesMax,
} from '../../firmware/src/ledger/limits.ts';
import type {
  TransactionId,
  CertifiedKeys,
  LedgerState,
  StudyId,
  StudyRegisterBulk,
  Transaction,
} from '../../firmware/src/ledger/types.ts';
import {
  firstWorkMax,
  forgedCountMs,
  forgedTransactionsMax,
  keyChangeForgivenMs,
  institutionFirstTransactionsMax,
  institutionTransactionsMax,
  readyRecheckMs,
  waitingMsMax,
} from '../../firmware/src/validator/limits.ts';
import { Mempool } from '../../firmware/src/validator/mempool.ts';
import { newlyKeyed } from '../../firmware/src/validator/newly-keyed.ts';
import { rememberVerified } from '../../firmware/src/validator/signature-cache.ts';
import { boxOf, bytesOf, genesisTime, LedgerFixture, signerOf, verifySignature } from '../fakes/ledger.ts';
import { certifiedKeys, ConsortiumFixture } from '../fakes/ledger-consortium.ts';
import { registerBulk } from '../fakes/ledger-studies.ts';
import { applied } from '../support/ledger-outcome.ts';

const ledger = new LedgerFixture();
const owner = signerOf('owner');
const registered = ledger.register('south', 'one', [owner]);
const study = registered.ids[0] as StudyId;
const head = { height: 4, time: genesisTime + 1000, digest: new Uint8Array(32) };
const final = { head, state: applied(ledger.initial, registered.transaction) };
const unknown = ledger.register('south', 'never', [owner]).ids[0] as StudyId;

/** An empty block. */
const none = { ids: [], isOwn: false };

function pool(isAwaited: (id: TransactionId) => boolean = () => false): Mempool {
  return new Mempool({ self: 'north', verify: verifySignature, isAwaited });
}

/** Waits for a study that never comes; costs no signature. */
function waitingAmendment(number: number): Uint8Array {
  const change = { validUntil: genesisTime + 86_400_000 + number };
  return encodeTransaction(ledger.amend('west', unknown, 2, change));
}

function waitingRevocation(number: number, of = 'owner'): Uint8Array {
  const change = { validUntil: genesisTime + 86_400_000 + number };
  return encodeTransaction(ledger.sign(ledger.revokeBody(unknown, { upTo: 1 }, change), signerOf(of)));
}

/** A tenth of a block's bytes. */
function largeRegistration(number: number): Uint8Array {
  const { transaction } = registerBulk(ledger, 'south', `large ${number}`, [owner]);
  const entries = new Uint8Array(bulkEntriesMax * bulkEntryBytes);
  return encodeTransaction(
    ledger.sign({ ...transaction.body, entries } as StudyRegisterBulk, ledger.box('south').transaction),
  );
}

function revocation(): Uint8Array {
  return encodeTransaction(ledger.sign(ledger.revokeBody(study, { upTo: 1 }), owner));
}

function kindOf(mempool: Mempool, from: string, bytes: Uint8Array, now = 0): string {
  return mempool.add(from, bytes, final, now).kind;
}

test('a source that takes back what never comes costs nobody a signature at each block', () => {
  let checks = 0;
  const verify = rememberVerified((...signed) => {
    checks++;
    return verifySignature(...signed);
  });
  const mempool = new Mempool({ self: 'north', verify, isAwaited: () => false });
  for (let number = 0; number < 16; number++) {
    const change = { validUntil: genesisTime + 86_400_000 + number };
    const body = ledger.revokeBody(study, { basisId: bytesOf(`never ${number}`) }, change);
    const bytes = encodeTransaction(ledger.sign(body, ledger.box('south').transaction));
    assert.equal(mempool.add('south', bytes, final, 0).kind, 'waiting');
  }
  checks = 0;
  mempool.afterFinal(none, final, 1);
  assert.equal(checks, 0);
});

test('a duplicate waits once, whoever brings it again', () => {
  const mempool = pool();
  const bytes = revocation();
  const id = transactionId(bytes);
  assert.deepEqual(mempool.add('south', bytes, final, 0), { kind: 'waiting', id, isNew: true });
  for (const from of ['south', 'west', 'north'])
    assert.deepEqual(mempool.add(from, bytes, final, 0), { kind: 'waiting', id, isNew: false });
  assert.equal(mempool.size, 1);
  assert.equal(mempool.candidates(new Set()).length, 1);
});

test('what is final is refused for ever when it is brought again', () => {
  let state: LedgerState = final.state;
  const grant = ledger.sign(ledger.grantBody(study, 1, signerOf('grantee').publicKey), owner);
  const story: readonly Transaction[] = [
    grant,
    ledger.amend('south', study, 2),
    ledger.sign(ledger.revokeBody(study, { upTo: 1 }), owner),
  ];
  for (const transaction of story) state = applied(state, transaction);
  const mempool = pool();
  for (const transaction of [registered.transaction, ...story]) {
    const admission = mempool.add('west', encodeTransaction(transaction), { head, state }, 0);
    assert.equal(admission.kind, 'refused', transaction.body.type);
  }
  assert.equal(mempool.size, 0);
});

test('a full share of one institution leaves room for the others, and for what owners take back', () => {
  const mempool = pool();
  for (let number = 0; number < institutionTransactionsMax; number++)
    assert.equal(kindOf(mempool, 'west', waitingAmendment(number)), 'waiting');
  assert.equal(kindOf(mempool, 'west', waitingAmendment(institutionTransactionsMax)), 'full');
  assert.equal(kindOf(mempool, 'south', waitingAmendment(institutionTransactionsMax)), 'waiting');
  // Of the same box: a source that floods cannot keep its own patients from taking a grant back.
  assert.equal(kindOf(mempool, 'west', revocation()), 'waiting');
});

test('revocations come first, in turns; a flood of them leaves half of the block to the rest', () => {
  const mempool = pool();
  const flood = ['west', 'east', 'upper', 'lower', 'middle'];
  for (const [index, from] of flood.entries()) {
    for (let number = 0; number < institutionFirstTransactionsMax; number++)
      kindOf(mempool, from, waitingRevocation(index * institutionFirstTransactionsMax + number));
  }
  for (let number = 0; number < 100; number++) kindOf(mempool, 'south', waitingAmendment(number));
  const wanted = revocation();
  kindOf(mempool, 'south', wanted);
  const candidates = mempool.candidates(new Set()).map(transactionId);
  assert.ok(candidates.indexOf(transactionId(wanted)) < flood.length + 1);
  assert.ok(candidates.indexOf(transactionId(waitingAmendment(99))) < firstWorkMax / 7 + 100);
  assert.ok(candidates.length <= blockTransactionsMax);
});

function workOf(transactions: readonly Uint8Array[]): number {
  return transactions.reduce((sum, bytes) => {
    const decoded = decodeTransaction(bytes);
    assert.ok(decoded.kind === 'transaction');
    return sum + transactionWork(decoded.transaction.body);
  }, 0);
}

test('a flood of revocations takes no byte and no work that others want from a full block', () => {
  const mempool = pool();
  for (const from of ['west', 'east', 'upper', 'lower']) {
    for (let number = 0; number < institutionFirstTransactionsMax; number++)
      kindOf(mempool, from, waitingRevocation(number, from));
  }
  for (let number = 0; number < 10; number++)
    assert.equal(kindOf(mempool, 'south', largeRegistration(number)), 'waiting');
  const candidates = mempool.candidates(new Set());
  const revocations = candidates.filter(({ length }) => length < 1000);
  assert.ok(workOf(revocations) > firstWorkMax - 7);
  assert.equal(candidates.length - revocations.length, 10);
  const bytes = candidates.reduce((sum, { length }) => sum + length, 0);
  assert.ok(bytes <= blockTransactionBytesMax && workOf(candidates) <= blockWorkMax);
  // Alone they may have the whole block.
  const alone = pool();
  for (const from of ['west', 'east', 'upper', 'lower']) {
    for (let number = 0; number < institutionFirstTransactionsMax; number++)
      kindOf(alone, from, waitingRevocation(number, from));
  }
  const all = alone.candidates(new Set());
  const [one] = all;
  assert.ok(one !== undefined && workOf(all) <= blockWorkMax && workOf(all) > blockWorkMax - workOf([one]));
});

test('after final blocks each institution has its turn to be judged anew', () => {
  const mempool = pool();
  for (let number = 0; number < institutionTransactionsMax; number++)
    kindOf(mempool, 'west', waitingAmendment(number));
  const own = ledger.register('south', 'two', [owner]);
  const amendment = encodeTransaction(ledger.amend('south', own.ids[0] ?? unknown, 2));
  kindOf(mempool, 'south', amendment);
  assert.equal(mempool.hasWork(new Set()), false);
  const state = applied(final.state, own.transaction);
  assert.deepEqual(
    mempool.afterFinal(
      { ids: [transactionId(encodeTransaction(own.transaction))], isOwn: true },
      { head, state },
      0,
    ),
    [],
  );
  assert.equal(mempool.hasWork(new Set()), true);
});

test('what a final block has overtaken is judged again when it is built in, and after a while anyhow', () => {
  const overtaken = { head, state: applied(final.state, ledger.amend('south', study, 2)) };
  const rival = encodeTransaction(ledger.amend('south', study, 2, { closed: true }));
  const id = transactionId(rival);
  const refused = [{ id, reason: 'version-stale' }];
  for (const ask of [
    (mempool: Mempool) => mempool.built({ placed: [], refused: [rival] }, overtaken, 1),
    (mempool: Mempool) => mempool.afterFinal(none, overtaken, readyRecheckMs),
  ]) {
    const mempool = pool();
    assert.equal(kindOf(mempool, 'south', rival), 'waiting');
    assert.deepEqual(mempool.afterFinal(none, overtaken, readyRecheckMs - 1), []);
    assert.equal(mempool.size, 1);
    assert.deepEqual(ask(mempool), refused);
    assert.equal(mempool.size, 0);
  }
});

test('what waits in vain for others is dropped after a while, unless somebody here waits for it', () => {
  const awaited = new Set([transactionId(waitingAmendment(2))]);
  const mempool = pool((id) => awaited.has(id));
  kindOf(mempool, 'west', waitingAmendment(1));
  kindOf(mempool, 'west', waitingAmendment(2));
  kindOf(mempool, 'north', waitingAmendment(2));
  mempool.afterFinal(none, final, waitingMsMax);
  assert.equal(mempool.size, 2);
  const dropped = mempool.afterFinal(none, final, waitingMsMax + 1);
  assert.deepEqual(
    dropped.map(({ id }) => id),
    [transactionId(waitingAmendment(1))],
  );
  assert.deepEqual(mempool.candidates(new Set()), [waitingAmendment(2)]);
  // Who submitted it has gone.
  awaited.clear();
  mempool.afterFinal(none, final, waitingMsMax + 2);
  assert.equal(mempool.size, 0);
});

test('who brings forged signatures is not listened to for a while, others are', () => {
  const mempool = pool();
  const forged = (number: number): Uint8Array => {
    const body = ledger.revokeBody(study, { upTo: 1 }, { validUntil: genesisTime + 86_400_000 + number });
    return encodeTransaction(ledger.sign(body, signerOf('somebody else')));
  };
  for (let number = 0; number < forgedTransactionsMax; number++)
    assert.deepEqual(mempool.add('west', forged(number), final, 0), {
      kind: 'refused',
      reason: 'bad-signature',
    });
  assert.deepEqual(mempool.add('west', revocation(), final, forgedCountMs - 1), {
    kind: 'refused',
    reason: 'too many forged signatures',
  });
  assert.equal(kindOf(mempool, 'south', revocation(), 1), 'waiting');
  assert.deepEqual(mempool.add('west', forged(0), final, forgedCountMs), {
    kind: 'refused',
    reason: 'bad-signature',
  });
});

/** Signed with a key that the institution does not have. */
function unfit(number: number, source = 'west'): Uint8Array {
  const { body } = ledger.register(source, `unfit ${number}`, [owner]).transaction;
  return encodeTransaction(ledger.sign(body, signerOf('a key of tomorrow')));
}

function fillWithUnfit(mempool: Mempool, now: number, source?: string): void {
  for (let number = 0; number < forgedTransactionsMax; number++)
    mempool.add('west', unfit(number, source), final, now);
  assert.equal(kindOf(mempool, 'west', revocation(), now), 'refused');
}

test('what did not fit the key before it changed is forgiven, and once more what is still under way', () => {
  const mempool = pool();
  fillWithUnfit(mempool, 0);
  mempool.keysChanged('west', 1);
  fillWithUnfit(mempool, 2);
  assert.equal(kindOf(mempool, 'west', revocation(), keyChangeForgivenMs), 'refused');
  assert.equal(kindOf(mempool, 'west', revocation(), keyChangeForgivenMs + 1), 'waiting');
  fillWithUnfit(mempool, keyChangeForgivenMs + 2);
  const refused = mempool.add('west', unfit(0), final, forgedCountMs + 1);
  assert.deepEqual(refused, { kind: 'refused', reason: 'too many forged signatures' });
});

test('only what was to fit that key is forgiven', () => {
  const others = pool();
  fillWithUnfit(others, 0, 'south');
  others.keysChanged('west', 1);
  assert.equal(kindOf(others, 'west', revocation(), keyChangeForgivenMs + 1), 'refused');
  others.keysChanged('south', keyChangeForgivenMs + 2);
  assert.equal(kindOf(others, 'west', revocation(), keyChangeForgivenMs + 2), 'waiting');
  const owners = pool();
  for (let number = 0; number < forgedTransactionsMax; number++) {
    const body = ledger.revokeBody(study, { upTo: 1 }, { validUntil: genesisTime + 86_400_000 + number });
    owners.add('west', encodeTransaction(ledger.sign(body, signerOf('somebody else'))), final, 0);
  }
  owners.keysChanged('west', 1);
  assert.equal(kindOf(owners, 'west', revocation(), 2), 'refused', 'an owner’s key does not change');
});

test('an update that leaves the transaction key changes nobody’s signatures', () => {
  const consortium = new ConsortiumFixture(ledger);
  const { transaction } = boxOf('west');
  const update = (keys: CertifiedKeys): Transaction => consortium.update('west', 2, keys, transaction);
  const same = update(certifiedKeys(ledger.chain, 'west', 'new', { signers: { transaction } }));
  const other = update(certifiedKeys(ledger.chain, 'west', 'new'));
  const { initial } = ledger;
  assert.deepEqual(newlyKeyed([same], initial, applied(initial, same)), []);
  assert.deepEqual(newlyKeyed([other, other], initial, applied(initial, other)), ['west']);
});

test('whoever changes its key with every block is not heard more', () => {
  const mempool = pool();
  let heard = 0;
  for (let now = 0; now < forgedCountMs; now += 1_000) {
    mempool.keysChanged('west', now);
    for (let number = 0; number < forgedTransactionsMax; number++) {
      const answer = mempool.add('west', unfit(number), final, now);
      if (answer.kind === 'refused' && answer.reason === 'bad-signature') heard++;
    }
  }
  assert.equal(heard, 2 * forgedTransactionsMax);
});

test('certificates and proofs of possession that are wrong count as forged: each costs more than a signature', () => {
  const { transaction } = boxOf('west');
  const { possession } = certifiedKeys(ledger.chain, 'south', 'wrong');
  for (const [wrong, reason] of [
    [{ certificate: new Uint8Array(64) }, 'bad-certificate'],
    [{ possession }, 'bad-possession'],
  ] as const) {
    const mempool = pool();
    const keys = certifiedKeys(ledger.chain, 'west', 'wrong', { signers: { transaction }, ...wrong });
    const update = (number: number): Uint8Array => {
      const change = { validUntil: genesisTime + 86_400_000 + number };
      return encodeTransaction(new ConsortiumFixture(ledger).update('west', 2, keys, transaction, change));
    };
    for (let number = 0; number < forgedTransactionsMax; number++)
      assert.deepEqual(mempool.add('west', update(number), final, 0), { kind: 'refused', reason });
    assert.deepEqual(mempool.add('west', update(forgedTransactionsMax), final, 0), {
      kind: 'refused',
      reason: 'too many forged signatures',
    });
  }
});
