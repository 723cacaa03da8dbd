/** What a block may cost those who check it, whoever fills it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  buildBlock,
  decodeTransaction,
  encodeTransaction,
  executeBlock,
  genesisBlock,
  proposalId,
  transactionWork,
  transactionsRoot,
} from '../../firmware/src/ledger/index.ts';
import { refusalWork } from '../../firmware/src/ledger/block-work.ts';
import {
  blockKeyChangesMax,
  blockTransactionsMax,
  blockWorkMax,
  listedProposalsMax,
  registrationEntriesMax,
  validatorsMax,
} from '../../firmware/src/ledger/limits.ts';
import type { Block, StudyId, StudyLeaf } from '../../firmware/src/ledger/types.ts';
import { firstWorkMax } from '../../firmware/src/validator/limits.ts';
import { boxOf, bytesOf, genesisTime, LedgerFixture, signerOf, verifySignature } from '../fakes/ledger.ts';
import { candidate, certifiedKeys, ConsortiumFixture } from '../fakes/ledger-consortium.ts';
import { registerBulk } from '../fakes/ledger-studies.ts';
import { applied, refusal } from '../support/ledger-outcome.ts';
import { tellLedgerStory } from '../support/ledger-story.ts';

const ledger = new LedgerFixture();
const consortium = new ConsortiumFixture(ledger);
const genesis = genesisBlock(ledger.genesis).header;
const { transaction: own } = boxOf('west');
const registration = encodeTransaction(ledger.register('south', 'one', [signerOf('owner')]).transaction);

/** One renewal after the other of the same institution, each with keys of its own. */
const renewals = Array.from({ length: blockKeyChangesMax + 2 }, (_, index) =>
  encodeTransaction(
    consortium.update(
      'west',
      index + 2,
      certifiedKeys(ledger.chain, 'west', `renewal ${index}`, { signers: { transaction: own } }),
      own,
    ),
  ),
);

function build(candidates: readonly Uint8Array[]) {
  const place = { view: 1, time: genesisTime + 1000, proposer: 'north' };
  return buildBlock(ledger.initial, genesis, { ...place, candidates, verify: verifySignature });
}

test('an institution that renews its keys over and over fills no block, and holds nothing else up', () => {
  const built = build([...renewals, registration]);
  assert.deepEqual(built.block.transactions, [...renewals.slice(0, blockKeyChangesMax), registration]);
  assert.deepEqual(built.postponed, renewals.slice(blockKeyChangesMax));
  assert.deepEqual(built.refused, []);
  const executed = executeBlock(ledger.initial, genesis, built.block, { verify: verifySignature });
  assert.equal(executed.kind, 'valid');
});

test('key changes that are refused count like those that apply: each costs as much', () => {
  const wrong = Array.from({ length: blockKeyChangesMax + 2 }, (_, index) => {
    const keys = certifiedKeys(ledger.chain, 'west', `wrong ${index}`, {
      signers: { transaction: own },
      certificate: new Uint8Array(64),
    });
    return encodeTransaction(consortium.update('west', 2, keys, own));
  });
  const built = build([...wrong, registration]);
  assert.equal(built.refused.length, blockKeyChangesMax);
  assert.deepEqual(built.postponed, wrong.slice(blockKeyChangesMax));
  assert.deepEqual(built.block.transactions, [registration]);
});

test('a leader that puts more of them into its block gets no vote for it', () => {
  const { block } = build(renewals);
  const transactions = renewals.slice(0, blockKeyChangesMax + 1);
  const header = { ...block.header, transactionsRoot: transactionsRoot(transactions) };
  const overfull: Block = { header, transactions };
  const executed = executeBlock(ledger.initial, genesis, overfull, { verify: verifySignature });
  assert.equal(executed.kind === 'invalid' && executed.reason, 'too-large');
});

/** Registrations of as many studies as may be each, one by one: each with a key that nobody has met before. */
function registrations(count: number): Uint8Array[] {
  return Array.from({ length: count }, (_, batch) => {
    const owners = Array.from({ length: registrationEntriesMax }, (_owner, index) =>
      signerOf(`owner ${index % 8}`),
    );
    return encodeTransaction(ledger.register('south', `many ${batch}`, owners).transaction);
  });
}

test('what does not apply costs its leader no more than a block: the rest waits, untried', () => {
  // The last of its keys is of small order, which is found out when all others were judged.
  const smallOrder = { ...signerOf('owner'), publicKey: new Uint8Array(32) };
  const dear = Array.from({ length: 30 }, (_, batch) => {
    const owners = [
      ...Array.from({ length: registrationEntriesMax - 1 }, () => signerOf('owner')),
      smallOrder,
    ];
    return encodeTransaction(ledger.register('south', `dear ${batch}`, owners).transaction);
  });
  const built = build([...dear, registration]);
  assert.deepEqual(
    built.refused.map(({ reason }) => reason),
    ['bad-key', 'bad-key', 'bad-key'],
  );
  assert.deepEqual(built.postponed, [...dear.slice(3), registration]);
});

test('what is refused before anything dear was judged keeps nobody out', () => {
  const forged = registrations(30).map((bytes) => {
    const decoded = decodeTransaction(bytes);
    assert.ok(decoded.kind === 'transaction');
    return encodeTransaction({ body: decoded.transaction.body, signatures: [new Uint8Array(64)] });
  });
  const built = build([...forged, registration]);
  assert.equal(built.refused.length, 30);
  assert.deepEqual(built.block.transactions, [registration]);
});

test('a refusal is charged what it took: all, the signatures, or a look', () => {
  const { body } = ledger.register('south', 'one', [signerOf('owner'), signerOf('other')]).transaction;
  assert.equal(refusalWork(body, 'bad-key'), transactionWork(body));
  assert.equal(refusalWork(body, 'bad-signature'), 2 + 2);
  assert.equal(refusalWork(body, 'study-exists'), 2);
  assert.equal(refusalWork(body, 'too-many-registrations'), 1);
  const { ids } = ledger.register('south', 'two', [signerOf('owner')]);
  const revocation = ledger.revokeBody(ids[0] as StudyId, { basisId: bytesOf('referral') });
  assert.equal(refusalWork(revocation, 'unknown-study'), 1);
  assert.equal(refusalWork(revocation, 'unknown-basis'), 1 + 2 * 2);
});

test('candidates that miss something hold nothing up, as many as may come', () => {
  const { ids } = ledger.register('south', 'on its way', [signerOf('owner')]);
  const waiting = Array.from({ length: blockTransactionsMax }, (_, version) =>
    encodeTransaction(ledger.amend('south', ids[0] as StudyId, version + 2)),
  );
  const built = build([...waiting, registration]);
  assert.deepEqual(built.block.transactions, [registration]);
  assert.ok(built.refused.every(({ later }) => later));
});

function workOf(block: Block): number {
  return block.transactions
    .map((bytes) => decodeTransaction(bytes))
    .reduce(
      (sum, decoded) => sum + (decoded.kind === 'refused' ? 0 : transactionWork(decoded.transaction.body)),
      0,
    );
}

test('a block holds no more work than a slow box does in half a view: thirty of the largest registrations take fifteen blocks', () => {
  const many = registrations(30);
  const built = build(many);
  assert.deepEqual(built.block.transactions, many.slice(0, 2));
  assert.deepEqual(built.postponed, many.slice(2));
  assert.ok(workOf(built.block) <= blockWorkMax);
  assert.equal(executeBlock(ledger.initial, genesis, built.block, { verify: verifySignature }).kind, 'valid');
});

test('a leader that puts more work into its block gets no vote for it, and the work is not done', () => {
  const { block } = build([]);
  const transactions = registrations(3);
  const header = { ...block.header, transactionsRoot: transactionsRoot(transactions) };
  let checks = 0;
  const executed = executeBlock(
    ledger.initial,
    genesis,
    { header, transactions },
    {
      verify: (...signed) => {
        checks++;
        return verifySignature(...signed);
      },
    },
  );
  assert.equal(executed.kind === 'invalid' && executed.reason, 'too-large');
  assert.equal(checks, 2, 'two registrations were checked');
});

test('every transaction finds room behind the revocations of a block, and none is for nothing', () => {
  const story = tellLedgerStory().transactions.map(({ name, transaction }) => ({
    name,
    body: transaction.body,
  }));
  const owners = Array.from({ length: registrationEntriesMax }, () => signerOf('owner'));
  const largest = [
    { name: 'the largest registration', body: ledger.register('south', 'one', owners).transaction.body },
    {
      name: 'the largest change of validators',
      body: consortium.proposeBody('north', {
        kind: 'validators',
        add: Array.from({ length: validatorsMax }, (_, index) => `added-${index}`),
        remove: Array.from({ length: validatorsMax }, (_, index) => `removed-${index}`),
      }),
    },
  ];
  for (const { name, body } of [...story, ...largest]) {
    const work = transactionWork(body);
    assert.ok(work >= 7 && work <= blockWorkMax - firstWorkMax, `${name}: ${work}`);
  }
});

test('what a transaction brings to check, it pays for', () => {
  const grantee = signerOf('grantee').publicKey;
  const { ids } = ledger.register('south', 'one', [signerOf('owner')]);
  const plain = ledger.grantBody(ids[0] as StudyId, 1, grantee);
  const bulk = registerBulk(ledger, 'south', 'bulk', [signerOf('one'), signerOf('two')]);
  assert.equal(transactionWork(plain), 2 + 4 + 15);
  assert.equal(transactionWork({ ...plain, leaf: bulk.leaves[0] as StudyLeaf }), 2 + 8 + 25);
  assert.equal(transactionWork(bulk.transaction.body), 2 + 10 + 1);
  const admission = {
    kind: 'admit',
    institution: candidate(ledger.chain, 'fifth'),
    validator: true,
  } as const;
  const proposals = listedProposalsMax / 20;
  const proposal = consortium.proposeBody('north', admission);
  assert.equal(transactionWork(proposal), 2 + 6 + 25 + 4 * 7 + 65 + 20 + proposals);
  assert.equal(transactionWork(consortium.vote('south', proposal, false).body), 2 + 5 * 3);
  assert.equal(transactionWork(consortium.vote('south', proposal).body), 2 + 25 + 5 * 9 + proposals);
  assert.equal(transactionWork(consortium.accept('south', '1.0.0').body), 2 + 5 * 3);
});

test('a proposal is decoded once, however often somebody votes on it', () => {
  const proposal = consortium.proposeBody('north', { kind: 'remove', id: 'west' });
  const state = applied(ledger.initial, consortium.propose('north', proposal.action));
  const record = state.proposal(proposalId(proposal));
  assert.equal(refusal(state, consortium.vote('north', proposal)), 'already-voted');
  assert.ok(record !== undefined && state.proposal(proposalId(proposal)) === record);
});
