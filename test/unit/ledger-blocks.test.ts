import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import fc from 'fast-check';
import { fromHex, toHex } from '../../firmware/src/encoding/bytes.ts';
import {
  decodeCanonical,
  encodeCanonical,
  type CborValue,
} from '../../firmware/src/encoding/canonical-cbor.ts';
import {
  blockDigest,
  buildBlock,
  decodeBlock,
  decodeHeader,
  encodeBlock,
  encodeHeader,
  encodeTransaction,
  executeBlock,
  genesisBlock,
  basisId,
  idBytes,
  stateEntries,
  transactionsRoot,
} from '../../firmware/src/ledger/index.ts';
import { registrationEntriesMax } from '../../firmware/src/ledger/limits.ts';
import type {
  Block,
  BlockHeader,
  LedgerState,
  StudyId,
  StudyRegisterBulk,
  Transaction,
} from '../../firmware/src/ledger/types.ts';
import { registerBulk } from '../fakes/ledger-studies.ts';
import { bytesOf, genesisTime, LedgerFixture, signerOf, verifySignature } from '../fakes/ledger.ts';
import { tellLedgerStory } from '../support/ledger-story.ts';
import { vectorValueOf, type VectorValue } from '../support/vector-value.ts';

const golden = (
  JSON.parse(readFileSync(new URL('../vectors/block.json', import.meta.url), 'utf8')) as {
    readonly blocks: readonly {
      readonly name: string;
      readonly value: VectorValue;
      readonly encoded: string;
      readonly digest: string;
    }[];
  }
).blocks;

const story = tellLedgerStory();

for (const [index, vector] of golden.entries()) {
  test(`golden vector: ${vector.name}`, () => {
    const block = story.blocks[index] as Block;
    assert.equal(toHex(encodeBlock(block)), vector.encoded);
    assert.equal(toHex(blockDigest(block.header)), vector.digest);
    assert.deepEqual(vectorValueOf(vector.encoded), vector.value);
    assert.deepEqual(decodeBlock(fromHex(vector.encoded)), { kind: 'block', block });
    assert.deepEqual(decodeHeader(encodeHeader(block.header)), { kind: 'header', header: block.header });
  });
}

const ledger = new LedgerFixture();
const genesis = genesisBlock(ledger.genesis).header;
const owner = signerOf('owner');
const grantee = signerOf('grantee');
const source = ledger.box('north').transaction;
const registration = ledger.register('north', 'batch', [owner]);
const [study] = registration.ids as readonly [StudyId];
const amendments = [2, 3, 4, 5].map((version) => ledger.amend('north', study, version));
const grant = ledger.grantBody(study, 1, grantee.publicKey);
const granting = ledger.sign(grant, owner);
const revoking = ledger.sign(ledger.revokeBody(study, { basisId: idBytes(basisId(grant)) }), owner);

function build(
  candidates: readonly (Transaction | Uint8Array)[],
  state: LedgerState = ledger.initial,
  parent: BlockHeader = genesis,
) {
  return buildBlock(state, parent, {
    view: parent.view + 1,
    time: parent.time + 60_000,
    proposer: 'south',
    candidates: candidates.map((item) => (item instanceof Uint8Array ? item : encodeTransaction(item))),
    verify: verifySignature,
  });
}

function execute(block: Block, state: LedgerState = ledger.initial, parent: BlockHeader = genesis) {
  return executeBlock(state, parent, block, { verify: verifySignature });
}

const built = build([registration.transaction, ...amendments.slice(0, 1), granting]);

test('what one box builds, another executes to the same state', () => {
  const result = execute(built.block);
  assert.ok(result.kind === 'valid');
  assert.deepEqual(result.state.root, built.state.root);
  assert.deepEqual(result.transactions, built.transactions);
  assert.deepEqual(built.transactions, [registration.transaction, amendments[0], granting]);
  assert.deepEqual(built.refused, []);
  assert.deepEqual(built.postponed, []);
});

test('a block without transactions is valid: the heartbeat', () => {
  const beat = build([]);
  assert.equal(beat.block.transactions.length, 0);
  const { history, ...entries } = Object.fromEntries(stateEntries(beat.state));
  const { history: before, ...same } = Object.fromEntries(stateEntries(ledger.initial));
  assert.deepEqual(entries, same);
  assert.notDeepEqual(history, before);
  assert.equal(execute(beat.block).kind, 'valid');
});

test('candidates that overtook each other end in one block', () => {
  const candidates = [granting, ...[...amendments].slice(0, 2).reverse(), registration.transaction];
  const mixed = build(candidates);
  assert.equal(mixed.transactions.length, 4);
  assert.deepEqual(mixed.refused, []);
  assert.equal(execute(mixed.block).kind, 'valid');
});

test('a candidate that misses something is named as one to keep', () => {
  const early = build([granting]);
  assert.deepEqual(early.refused, [
    { transaction: encodeTransaction(granting), reason: 'unknown-study', later: true },
  ]);
});

test('a candidate that can never apply is named as such, and left out', () => {
  const forged = { body: granting.body, signatures: [new Uint8Array(64)] };
  const noise = Uint8Array.of(1, 2, 3);
  const mixed = build([noise, registration.transaction, registration.transaction, forged]);
  assert.deepEqual(mixed.transactions, [registration.transaction]);
  assert.deepEqual(
    mixed.refused.map(({ reason, later }) => ({ reason, later })),
    [
      { reason: 'not-canonical', later: false },
      { reason: 'bad-signature', later: false },
    ],
  );
});

test('revocations go first: the grant and the open beside them do not apply', () => {
  const registered = build([registration.transaction]);
  const beside = build([granting, revoking], registered.state, registered.block.header);
  assert.deepEqual(beside.transactions, [revoking]);
  assert.equal(beside.refused[0]?.reason, 'revoked');

  const granted = build([granting], registered.state, registered.block.header);
  const head = bytesOf('commitment batch 0 1');
  const opening = ledger.sign(ledger.openBody('north', grant, 1, head), grantee, source);
  const late = build([opening, revoking], granted.state, granted.block.header);
  assert.deepEqual(late.transactions, [revoking]);
  assert.equal(late.refused[0]?.reason, 'revoked');
});

/** As large as may be, about 18 kB: 56 of them fill a block. */
function largeRegistration(batch: number): Uint8Array {
  const entries = Array.from({ length: registrationEntriesMax }, (_, tag) => ({
    commitment: bytesOf('commitment'),
    ownerKey: owner.publicKey,
    tag,
    noteHash: bytesOf('note'),
  }));
  return encodeTransaction(ledger.register('north', `large ${batch}`, [], { entries }).transaction);
}

test('what is refused takes no room of a block: more than fill it are tried', () => {
  // Their signatures are refused, so that 10,000 keys need not be checked.
  const tooMany = Array.from({ length: 80 }, (_, batch) => largeRegistration(batch));
  const [large] = tooMany as [Uint8Array];
  let tried = 0;
  const some = buildBlock(ledger.initial, genesis, {
    view: 1,
    time: genesisTime + 1,
    proposer: 'south',
    candidates: tooMany,
    verify: () => {
      tried++;
      return false;
    },
  });
  assert.equal(tried, 80);
  assert.equal(some.postponed.length, 0);
  const perBlock = Math.floor(1048576 / large.length);
  assert.ok(perBlock >= 40 && perBlock < 80);
});

test('transactions beyond the bytes of a block are postponed', () => {
  const { body } = registerBulk(ledger, 'north', 'bulk', [owner]).transaction;
  const small = Array.from({ length: 14 }, (_, index) => {
    const entries = new Uint8Array(97 * (1024 - index));
    const large = { ...body, batch: bytesOf(`bulk ${index}`).slice(0, 16), entries };
    return encodeTransaction({ body: large as StudyRegisterBulk, signatures: [new Uint8Array(64)] });
  });
  const registered = build([registration.transaction]);
  const full = buildBlock(registered.state, registered.block.header, {
    view: 2,
    time: genesisTime + 120_000,
    proposer: 'south',
    candidates: small,
    verify: () => true,
  });
  const bytes = full.block.transactions.reduce((sum, transaction) => sum + transaction.length, 0);
  assert.ok(bytes <= 1048576 && bytes > 1048576 - 102400);
  assert.ok(full.postponed.length > 0);
  assert.deepEqual(full.postponed, small.slice(full.block.transactions.length));
  assert.ok(decodeBlock(encodeBlock(full.block)).kind === 'block');
  assert.equal(
    executeBlock(registered.state, registered.block.header, full.block, { verify: () => true }).kind,
    'valid',
  );
});

function changed(change: Partial<BlockHeader>, transactions = built.block.transactions): Block {
  return { header: { ...built.block.header, ...change }, transactions };
}

const others = [encodeTransaction(registration.transaction)];

const invalid: readonly (readonly [string, Block, string])[] = [
  ['another chain', changed({ chain: bytesOf('chain') }), 'wrong-chain'],
  ['a height left out', changed({ height: 2 }), 'wrong-height'],
  ['the height of its parent', changed({ height: 0 }), 'wrong-height'],
  ['another parent', changed({ parent: bytesOf('parent') }), 'wrong-parent'],
  ['another view of its parent', changed({ parentView: 1 }), 'wrong-parent'],
  ['the view of its parent', changed({ view: 0 }), 'wrong-view'],
  ['the epoch that has not begun', changed({ epoch: 1 }), 'wrong-epoch'],
  ['the time of its parent', changed({ time: genesis.time }), 'wrong-time'],
  ['a proposer that is no validator', changed({ proposer: 'nowhere' }), 'unknown-proposer'],
  ['other transactions than its header says', changed({}, others), 'wrong-transactions-root'],
  ['another history than its parents', changed({ historyRoot: bytesOf('history') }), 'wrong-history-root'],
  ['another state than results', changed({ stateRoot: ledger.initial.root }), 'wrong-state-root'],
  [
    'a transaction that does not apply',
    changed({ transactionsRoot: transactionsRoot([...others, ...others]) }, [...others, ...others]),
    'transaction-refused',
  ],
  [
    'a transaction that is none',
    changed({ transactionsRoot: transactionsRoot([Uint8Array.of(1)]) }, [Uint8Array.of(1)]),
    'transaction-refused',
  ],
  [
    'too many transactions',
    changed(
      {},
      Array.from({ length: 513 }, () => Uint8Array.of(1)),
    ),
    'too-large',
  ],
  [
    'too many bytes',
    changed(
      {},
      Array.from({ length: 17 }, () => new Uint8Array(65536)),
    ),
    'too-large',
  ],
];

for (const [name, block, reason] of invalid) {
  test(`a block with ${name} is invalid`, () => {
    const result = execute(block);
    assert.ok(result.kind === 'invalid');
    assert.equal(result.reason, reason);
  });
}

test('a block whose signature another verifier would take is judged by ours', () => {
  assert.equal(executeBlock(ledger.initial, genesis, built.block, { verify: () => false }).kind, 'invalid');
});

function fieldsOf(block: Block): { header: Record<string, CborValue>; transactions: CborValue } {
  return decodeCanonical(encodeBlock(block)) as {
    header: Record<string, CborValue>;
    transactions: CborValue;
  };
}

const wrongHeaders: readonly (readonly [string, CborValue])[] = [
  ['chain', new Uint8Array(31)],
  ['epoch', -1],
  ['height', '1'],
  ['view', null],
  ['parent', new Uint8Array(0)],
  ['parentView', -1],
  ['time', 'now'],
  ['proposer', ''],
  ['proposer', 'South'],
  ['transactionsRoot', new Uint8Array(33)],
  ['historyRoot', new Uint8Array(31)],
  ['stateRoot', 'root'],
];

test('a header with a field missing, unknown or malformed is refused', () => {
  const { header, transactions } = fieldsOf(built.block);
  for (const [field, value] of wrongHeaders) {
    const encoded = encodeCanonical({ header: { ...header, [field]: value }, transactions });
    const result = decodeBlock(encoded);
    assert.ok(result.kind === 'refused', field);
    assert.ok(result.detail.startsWith(`header.${field}`), result.detail);
    const rest = Object.fromEntries(Object.entries(header).filter(([name]) => name !== field));
    assert.equal(decodeBlock(encodeCanonical({ header: rest, transactions })).kind, 'refused');
  }
  assert.equal(
    decodeBlock(encodeCanonical({ header: { ...header, more: 1 }, transactions })).kind,
    'refused',
  );
});

test('block 0 has no proposer', () => {
  const { header, transactions } = fieldsOf(genesisBlock(ledger.genesis));
  assert.equal(decodeBlock(encodeCanonical({ header, transactions })).kind, 'block');
  const proposed = { header: { ...header, proposer: 'south' }, transactions };
  assert.equal(decodeBlock(encodeCanonical(proposed)).kind, 'refused');
});

test('transactions beyond the limits are refused at decoding', () => {
  const { header } = fieldsOf(built.block);
  for (const transactions of [
    Array.from({ length: 513 }, () => Uint8Array.of(1)),
    Array.from({ length: 17 }, () => new Uint8Array(65000)),
    [new Uint8Array(102401)],
    [new Uint8Array(0)],
    ['text'],
    {},
  ]) {
    assert.equal(decodeBlock(encodeCanonical({ header, transactions })).kind, 'refused');
  }
  assert.deepEqual(decodeBlock(new Uint8Array(1114113)), {
    kind: 'refused',
    reason: 'too-large',
    detail: '1114113 bytes, 1114112 allowed',
  });
});

test('the largest block fits its byte limit', () => {
  const transactions = Array.from({ length: 512 }, () => new Uint8Array(2048));
  const header = { ...built.block.header, proposer: 'a'.repeat(32), time: Number.MAX_SAFE_INTEGER };
  const encoded = encodeBlock({ header, transactions });
  assert.equal(decodeBlock(encoded).kind, 'block');
});

test('no bytes but the canonical ones decode to a block', () => {
  const bytes = encodeBlock(built.block);
  fc.assert(
    fc.property(fc.nat(), fc.integer({ min: 0, max: 255 }), (position, byte) => {
      const other = bytes.slice();
      other[position % other.length] = byte;
      const result = decodeBlock(other);
      if (result.kind === 'block') assert.deepEqual(encodeBlock(result.block), other);
    }),
  );
});
