import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import fc from 'fast-check';
import { fromHex, toHex } from '../../firmware/src/encoding/bytes.ts';
import {
  decodeCanonical,
  encodeCanonical,
  type CborValue,
} from '../../firmware/src/encoding/canonical-cbor.ts';
import { merkleRoot } from '../../firmware/src/encoding/merkle-tree.ts';
import {
  basisId,
  bulkLeaves,
  decodeTransaction,
  encodeTransaction,
  openId,
  proposalId,
  reassignmentId,
  signerCount,
  signingMessage,
  studyId,
  transactionId,
  transactionTypeNames,
} from '../../firmware/src/ledger/index.ts';
import { registrationEntriesMax } from '../../firmware/src/ledger/limits.ts';
import type { Transaction, TransactionBody } from '../../firmware/src/ledger/types.ts';
import { tellLedgerStory } from '../support/ledger-story.ts';
import { vectorValueOf, type VectorValue } from '../support/vector-value.ts';

interface TransactionVector {
  readonly name: string;
  readonly value: VectorValue;
  readonly encoded: string;
  readonly id: string;
  readonly signingMessage: string;
  readonly studyIds?: readonly string[];
  readonly root?: string;
  readonly basisId?: string;
  readonly reassignmentId?: string;
  readonly openId?: string;
  readonly proposalId?: string;
}

const vectors = (
  JSON.parse(readFileSync(new URL('../vectors/transaction.json', import.meta.url), 'utf8')) as {
    readonly transactions: readonly TransactionVector[];
  }
).transactions;

const story = tellLedgerStory();

function decoded(bytes: Uint8Array): Transaction {
  const result = decodeTransaction(bytes);
  if (result.kind === 'refused') throw new Error(`${result.reason}: ${result.detail}`);
  return result.transaction;
}

for (const [index, vector] of vectors.entries()) {
  test(`golden vector: ${vector.name}`, () => {
    const made = story.transactions[index];
    assert.equal(made?.name, vector.name);
    assert.equal(toHex(encodeTransaction(made.transaction)), vector.encoded);
    assert.deepEqual(vectorValueOf(vector.encoded), vector.value);
    const transaction = decoded(fromHex(vector.encoded));
    assert.deepEqual(transaction, made.transaction);
    assert.equal(toHex(encodeTransaction(transaction)), vector.encoded);
    assert.equal(transactionId(fromHex(vector.encoded)), vector.id);
    const { body } = transaction;
    assert.equal(toHex(signingMessage(body)), vector.signingMessage);
    if (body.type === 'study.register') {
      const ids = body.entries.map((_, entry) => studyId(body.chain, body.source, body.batch, entry));
      assert.deepEqual(ids, vector.studyIds);
    }
    if (body.type === 'institution.propose') assert.equal(proposalId(body), vector.proposalId);
    if (body.type === 'study.registerBulk') {
      const leaves = bulkLeaves(body.entries);
      const ids = leaves.map((_, entry) => studyId(body.chain, body.source, body.batch, entry));
      assert.deepEqual(ids, vector.studyIds);
      assert.equal(toHex(merkleRoot(leaves)), vector.root);
    }
    if (body.type === 'access.grant' || body.type === 'access.refer' || body.type === 'access.emergency') {
      assert.equal(basisId(body), vector.basisId);
    }
    if (body.type === 'study.reassign') assert.equal(toHex(reassignmentId(body)), vector.reassignmentId);
    if (body.type === 'access.open') assert.equal(openId(body), vector.openId);
  });
}

test('there is a vector for every type', () => {
  assert.equal(vectors.length, story.transactions.length);
  const types = new Set(vectors.map(({ encoded }) => decoded(fromHex(encoded)).body.type));
  assert.deepEqual(types, new Set(transactionTypeNames));
});

test('an independent program agrees with the vectors of the ledger', () => {
  const script = new URL('../vectors/check_ledger.py', import.meta.url).pathname;
  assert.match(execFileSync('/usr/bin/python3', [script], { encoding: 'utf8' }), /, 0 failures\n$/);
});

/** A plain object, as decoding gives it. */
function record<T>(model: { readonly [K in keyof T]: fc.Arbitrary<T[K]> }): fc.Arbitrary<T> {
  return fc.record<T>(model, { noNullPrototype: true });
}

const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });
const counter = fc.maxSafeNat();
const positive = fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER });
const institution = fc.stringMatching(/^[a-z0-9-]{1,32}$/);
const base = { chain: bytes(32), validUntil: counter };

const someBody: fc.Arbitrary<TransactionBody> = fc.oneof(
  record({
    ...base,
    type: fc.constant('study.register' as const),
    source: institution,
    batch: bytes(16),
    ephemeral: bytes(32),
    entries: fc.array(
      record({
        commitment: bytes(32),
        ownerKey: bytes(32),
        tag: fc.integer({ min: 0, max: 255 }),
        noteHash: bytes(32),
      }),
      { minLength: 1, maxLength: 4 },
    ),
  }),
  record({
    ...base,
    type: fc.constant('study.amend' as const),
    source: institution,
    studyId: bytes(32),
    version: fc.integer({ min: 2, max: Number.MAX_SAFE_INTEGER }),
    commitment: bytes(32),
    noteHash: bytes(32),
    closed: fc.boolean(),
  }),
  record({
    ...base,
    type: fc.constant('access.grant' as const),
    studyId: bytes(32),
    ownerEpoch: counter,
    seq: positive,
    granteeKey: bytes(32),
    ephemeral: bytes(32),
    tag: fc.integer({ min: 0, max: 255 }),
    termsHash: bytes(32),
    notBefore: counter,
    expiry: counter,
    maxOpens: fc.integer({ min: 1, max: 1000 }),
    amendments: fc.boolean(),
    note: fc.uint8Array({ minLength: 1, maxLength: 2048, size: 'max' }),
  }).filter(({ notBefore, expiry }) => notBefore < expiry),
  record({
    ...base,
    type: fc.constant('access.revoke' as const),
    studyId: bytes(32),
    ownerEpoch: counter,
    target: fc.oneof(record({ basisId: bytes(32) }), record({ upTo: positive })),
  }),
  record({
    ...base,
    type: fc.constant('access.open' as const),
    source: institution,
    studyId: bytes(32),
    basisId: bytes(32),
    openNo: fc.integer({ min: 1, max: 1000 }),
    head: bytes(32),
  }),
  record({
    ...base,
    type: fc.constant('access.close' as const),
    source: institution,
    studyId: bytes(32),
    openId: bytes(32),
    digest: bytes(32),
    sizeBucket: fc.integer({ min: 0, max: 63 }),
  }),
);

const someLeaf = record({
  source: institution,
  batch: bytes(16),
  index: fc.integer({ min: 0, max: 1023 }),
  entry: bytes(97),
  path: fc.array(bytes(32), { maxLength: 10 }),
});

const act = { ...base, source: institution, studyId: bytes(32), actSeq: positive };
const oneTimeKey = { ephemeral: bytes(32), tag: fc.integer({ min: 0, max: 255 }) };

/** Types that came with registration in bulk, of which most may bring a leaf. */
const someLaterBody: fc.Arbitrary<TransactionBody> = fc.oneof(
  record({
    ...base,
    type: fc.constant('study.registerBulk' as const),
    source: institution,
    batch: bytes(16),
    ephemeral: bytes(32),
    entries: fc.integer({ min: 1, max: 4 }).chain((count) => bytes(97 * count)),
  }),
  record({ ...act, type: fc.constantFrom('study.freeze' as const, 'study.erase' as const), leaf: someLeaf }),
  record({ ...act, type: fc.constantFrom('study.unfreeze' as const, 'study.rescind' as const) }),
  record({
    ...base,
    ...oneTimeKey,
    type: fc.constant('study.transfer' as const),
    studyId: bytes(32),
    ownerEpoch: counter,
    version: positive,
    newOwnerKey: bytes(32),
    noteHash: bytes(32),
    leaf: someLeaf,
  }),
  record({
    ...act,
    ...oneTimeKey,
    type: fc.constant('study.reassign' as const),
    newOwnerKey: bytes(32),
    noteHash: bytes(32),
    attestations: bytes(32),
  }),
  record({
    ...act,
    type: fc.constant('study.reassign.complete' as const),
    reassignment: bytes(32),
    version: positive,
    noteHash: bytes(32),
  }),
  record({
    ...base,
    type: fc.constant('study.object' as const),
    studyId: bytes(32),
    reassignment: bytes(32),
    by: fc.constantFrom('owner' as const, 'new-owner' as const),
  }),
  record({
    ...base,
    ...oneTimeKey,
    type: fc.constant('access.emergency' as const),
    institution,
    studyId: bytes(32),
    granteeKey: bytes(32),
    termsHash: bytes(32),
    note: fc.uint8Array({ minLength: 1, maxLength: 2048 }),
    leaf: someLeaf,
  }),
  record({
    ...base,
    type: fc.constant('access.confirm' as const),
    institution,
    studyId: bytes(32),
    basisId: bytes(32),
    digest: bytes(32),
  }),
);

const someTransaction = fc.oneof(someBody, someLaterBody).chain((body) =>
  record({
    body: fc.constant(body),
    signatures: fc.array(bytes(64), {
      minLength: signerCount(body),
      maxLength: signerCount(body),
    }),
  }),
);

test('every well-formed transaction decodes to itself', () => {
  fc.assert(
    fc.property(someTransaction, (transaction) => {
      assert.deepEqual(decoded(encodeTransaction(transaction)), transaction);
    }),
  );
});

test('no bytes but the canonical ones decode to a transaction', () => {
  fc.assert(
    fc.property(
      someTransaction,
      fc.nat(),
      fc.integer({ min: 0, max: 255 }),
      (transaction, position, byte) => {
        const changed = encodeTransaction(transaction).slice();
        changed[position % changed.length] = byte;
        const result = decodeTransaction(changed);
        if (result.kind === 'refused') return;
        assert.deepEqual(encodeTransaction(result.transaction), changed);
      },
    ),
    { numRuns: 300 },
  );
});

test('any bytes are refused or decoded, never thrown at', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (noise) => {
      assert.equal(decodeTransaction(noise).kind, 'refused');
    }),
  );
});

type Fields = Record<string, CborValue>;

/** The fields of a vector's transaction, free to change. */
function fieldsOf(name: string): { body: Fields; signatures: CborValue[] } {
  const vector = vectors.find((candidate) => candidate.name === name);
  assert.ok(vector !== undefined);
  const value = decodeCanonical(fromHex(vector.encoded)) as {
    readonly body: Fields;
    readonly signatures: CborValue[];
  };
  return { body: { ...value.body }, signatures: [...value.signatures] };
}

const registration = 'registration of two studies';
const amendment = 'amendment that closes a study';
const grant = 'grant with amendments';
const revocation = 'revocation of one grant';
const open = 'open';
const close = 'close';
const bulk = 'registration of three studies in bulk';
const leaf = 'grant that opens a study up';
const referral = 'referral';
const emergency = 'emergency';
const confirmation = 'confirmation of an emergency';
const transfer = 'transfer';
const freeze = 'unfreeze';
const reassignment = 'reassignment';
const objection = 'objection';
const completion = 'completion of a reassignment';

const b = (length: number): Uint8Array => new Uint8Array(length);
const longNote = b(2049);
const entry = { commitment: b(32), ownerKey: b(32), tag: 0, noteHash: b(32) };

const leafValue = { batch: b(16), entry: b(97), index: 0, path: [], source: 'north' };

// Each breaks one rule of form; the detail must name the field.
const wrong: readonly (readonly [of: string, field: string, value: CborValue])[] = [
  [registration, 'type', 'study.forget'],
  [registration, 'type', 'toString'],
  [registration, 'type', 7],
  [registration, 'chain', b(31)],
  [registration, 'chain', 'chain'],
  [registration, 'validUntil', -1],
  [registration, 'validUntil', '1'],
  [registration, 'source', ''],
  [registration, 'source', 'North'],
  [registration, 'source', 'a'.repeat(33)],
  [registration, 'source', 'north\n'],
  [registration, 'batch', b(15)],
  [registration, 'ephemeral', b(33)],
  [registration, 'entries', []],
  [registration, 'entries', {}],
  [registration, 'entries', Array.from({ length: 257 }, () => entry)],
  [registration, 'entries', [{ ...entry, tag: 256 }]],
  [registration, 'entries', [{ ...entry, tag: -1 }]],
  [registration, 'entries', [{ ...entry, ownerKey: b(33) }]],
  [registration, 'entries', [{ ...entry, commitment: null }]],
  [registration, 'entries', [{ ...entry, noteHash: b(0) }]],
  [registration, 'entries', [{ ...entry, more: 1 }]],
  [amendment, 'version', 1],
  [amendment, 'closed', 1],
  [amendment, 'commitment', b(64)],
  [grant, 'seq', 0],
  [grant, 'ownerEpoch', -1],
  [grant, 'granteeKey', b(31)],
  [grant, 'tag', 256],
  [grant, 'termsHash', b(33)],
  [grant, 'notBefore', Number.MAX_SAFE_INTEGER],
  [grant, 'expiry', 0],
  [grant, 'maxOpens', 0],
  [grant, 'maxOpens', 1001],
  [grant, 'amendments', null],
  [grant, 'note', b(0)],
  [grant, 'note', longNote],
  [revocation, 'target', {}],
  [revocation, 'target', { upTo: 0 }],
  [revocation, 'target', { upTo: 1, basisId: b(32) }],
  [revocation, 'target', { basisId: b(31) }],
  [revocation, 'target', [b(32)]],
  [revocation, 'target', null],
  [open, 'openNo', 0],
  [open, 'basisId', b(16)],
  [open, 'head', b(0)],
  [close, 'openId', b(31)],
  [close, 'digest', b(31)],
  [close, 'sizeBucket', 64],
  [close, 'sizeBucket', -1],
  [bulk, 'entries', []],
  [bulk, 'entries', b(96)],
  [bulk, 'entries', b(98)],
  [bulk, 'entries', b(1025 * 97)],
  [bulk, 'batch', b(17)],
  [leaf, 'leaf', null],
  [leaf, 'leaf', {}],
  ...(
    [
      ['index', 1024],
      ['index', -1],
      ['entry', b(96)],
      ['batch', b(15)],
      ['source', 'North'],
      ['path', Array.from({ length: 11 }, () => b(32))],
      ['path', [b(31)]],
      ['more', 0],
    ] as const
  ).map(([field, value]) => [leaf, 'leaf', { ...leafValue, [field]: value }] as const),
  [referral, 'source', null],
  [referral, 'seq', 0],
  [emergency, 'institution', ''],
  [emergency, 'note', longNote],
  [emergency, 'granteeKey', b(33)],
  [confirmation, 'digest', b(31)],
  [confirmation, 'basisId', b(33)],
  [transfer, 'version', 0],
  [transfer, 'newOwnerKey', b(31)],
  [transfer, 'tag', -1],
  [freeze, 'actSeq', 0],
  [freeze, 'studyId', b(31)],
  [reassignment, 'attestations', b(31)],
  [reassignment, 'newOwnerKey', null],
  [objection, 'by', 'source'],
  [objection, 'reassignment', b(31)],
  [completion, 'version', 0],
  [completion, 'noteHash', b(31)],
];

for (const [of, field, value] of wrong) {
  const shown = JSON.stringify(value).slice(0, 40);
  test(`refuses a ${of} with ${field} ${shown}`, () => {
    const fields = fieldsOf(of);
    fields.body[field] = value;
    const result = decodeTransaction(encodeCanonical(fields));
    assert.ok(result.kind === 'refused');
    assert.equal(result.reason, 'wrong-shape');
    if (field !== 'notBefore') assert.ok(result.detail.startsWith(field), result.detail);
  });
}

test('a missing or an unknown field is refused, in every type', () => {
  for (const { name } of vectors) {
    const whole = fieldsOf(name);
    // A leaf may be missing: its study then needs a record already.
    for (const field of Object.keys(whole.body).filter((key) => key !== 'leaf')) {
      const rest = Object.fromEntries(Object.entries(whole.body).filter(([key]) => key !== field));
      assert.equal(
        decodeTransaction(encodeCanonical({ ...whole, body: rest })).kind,
        'refused',
        `${name}: ${field}`,
      );
    }
    const more = { ...whole, body: { ...whole.body, more: 0 } };
    assert.equal(decodeTransaction(encodeCanonical(more)).kind, 'refused', name);
    assert.equal(decodeTransaction(encodeCanonical({ ...whole, more: 0 })).kind, 'refused', name);
  }
});

test('too few, too many or short signatures are refused', () => {
  for (const { name } of vectors) {
    const { body, signatures } = fieldsOf(name);
    for (const changed of [
      signatures.slice(1),
      [...signatures, b(64)],
      signatures.map(() => b(63)),
      signatures.map(() => 'signature'),
    ]) {
      assert.equal(decodeTransaction(encodeCanonical({ body, signatures: changed })).kind, 'refused', name);
    }
  }
});

test('a transaction beyond the size limit is refused before it is read', () => {
  const result = decodeTransaction(new Uint8Array(102401));
  assert.ok(result.kind === 'refused');
  assert.equal(result.reason, 'too-large');
});

test('the largest registration fits', () => {
  const { body, signatures } = fieldsOf(registration);
  const largest = encodeCanonical({
    body: {
      ...body,
      source: 'a'.repeat(32),
      entries: Array.from({ length: registrationEntriesMax }, () => ({ ...entry, tag: 255 })),
    },
    signatures,
  });
  assert.equal(decodeTransaction(largest).kind, 'transaction');
});
