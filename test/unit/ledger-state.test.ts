import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { fromHex, toHex } from '../../firmware/src/encoding/bytes.ts';
import {
  decodeCanonical,
  encodeCanonical,
  type CborValue,
} from '../../firmware/src/encoding/canonical-cbor.ts';
import {
  acceptancesRecord,
  basisRecord,
  batchRecord,
  epochRecord,
  formatsRecord,
  guiltRecord,
  guiltyRecord,
  idListRecord,
  institutionRecord,
  membersRecord,
  historyRecord,
  keyQuorumRecord,
  openNumberRecord,
  keptProposalsRecord,
  openProposalsRecord,
  openRecord,
  parametersRecord,
  proposalRecord,
  releaseRecord,
  releasesRecord,
  revocationRecord,
  stateChanges,
  stateEntries,
  stateFromEntries,
  stateKeys,
  studyBasisRecord,
  studyRecord,
  votesRecord,
  verifyStateProof,
  type RecordFormat,
} from '../../firmware/src/ledger/index.ts';
import type { StudyId } from '../../firmware/src/ledger/types.ts';
import { emergencyCount } from '../../firmware/src/ledger/access/emergency-count.ts';
import { keyHolderRecord } from '../../firmware/src/ledger/consortium/key-holders.ts';
import { recountRecord } from '../../firmware/src/ledger/consortium/recount-record.ts';
import { recordsOfEpoch } from '../../firmware/src/ledger/records-of-epoch.ts';
import { genesisTime } from '../fakes/ledger.ts';
import { tellLedgerStory } from '../support/ledger-story.ts';
import { vectorValueOf, type VectorValue } from '../support/vector-value.ts';

const golden = JSON.parse(
  readFileSync(new URL('../vectors/state-tree-records.json', import.meta.url), 'utf8'),
) as {
  readonly records: readonly {
    readonly key: string;
    readonly value: VectorValue;
    readonly encoded: string;
  }[];
  readonly root: string;
};

const story = tellLedgerStory();
const [study] = story.studies as readonly [StudyId];

/** Decodes and encodes again; undefined if the bytes are refused. */
function roundTrip<T>(format: RecordFormat<T>, bytes: Uint8Array): Uint8Array | undefined {
  const decoded = format.decode(bytes);
  return decoded.kind === 'refused' ? undefined : format.encode(decoded.value);
}

const formats: Readonly<Record<string, (bytes: Uint8Array) => Uint8Array | undefined>> = {
  institution: (bytes) => roundTrip(institutionRecord, bytes),
  institutions: (bytes) => roundTrip(membersRecord, bytes),
  'next-validators': (bytes) => roundTrip(idListRecord, bytes),
  epoch: (bytes) => roundTrip(epochRecord, bytes),
  parameters: (bytes) => roundTrip(parametersRecord, bytes),
  history: (bytes) => roundTrip(historyRecord, bytes),
  vendor: (bytes) => roundTrip(keyQuorumRecord, bytes),
  departed: (bytes) => roundTrip(institutionRecord, bytes),
  'next-parameters': (bytes) => roundTrip(parametersRecord, bytes),
  proposal: (bytes) => roundTrip(proposalRecord, bytes),
  votes: (bytes) => roundTrip(votesRecord, bytes),
  proposals: (bytes) => roundTrip(keptProposalsRecord, bytes),
  'open-proposals': (bytes) => roundTrip(openProposalsRecord, bytes),
  guilt: (bytes) => roundTrip(guiltRecord, bytes),
  guilty: (bytes) => roundTrip(guiltyRecord, bytes),
  release: (bytes) => roundTrip(releaseRecord, bytes),
  releases: (bytes) => roundTrip(releasesRecord, bytes),
  'release-acceptances': (bytes) => roundTrip(acceptancesRecord, bytes),
  formats: (bytes) => roundTrip(formatsRecord, bytes),
  study: (bytes) => roundTrip(studyRecord, bytes),
  batch: (bytes) => roundTrip(batchRecord, bytes),
  basis: (bytes) => roundTrip(basisRecord, bytes),
  'study-basis': (bytes) => roundTrip(studyBasisRecord, bytes),
  revoked: (bytes) => roundTrip(revocationRecord, bytes),
  emergencies: (bytes) => roundTrip(emergencyCount, bytes),
  'key-holder': (bytes) => roundTrip(keyHolderRecord, bytes),
  recount: (bytes) => roundTrip(recountRecord, bytes),
  records: (bytes) => roundTrip(recordsOfEpoch, bytes),
  open: (bytes) => roundTrip(openRecord, bytes),
  'open-number': (bytes) => roundTrip(openNumberRecord, bytes),
};

function formatOf(key: string): (bytes: Uint8Array) => Uint8Array | undefined {
  const format = formats[key.split('/')[0] as string];
  assert.ok(format !== undefined, key);
  return format;
}

for (const { key, value, encoded } of golden.records) {
  test(`golden vector: ${key.slice(0, 40)}`, () => {
    assert.deepEqual(vectorValueOf(encoded), value);
    const again = formatOf(key)(fromHex(encoded));
    assert.ok(again !== undefined);
    assert.equal(toHex(again), encoded);
  });
}

test('the golden state is the one that the golden blocks make', () => {
  const entries = [...stateEntries(story.state)].map(([key, value]) => ({ key, encoded: toHex(value) }));
  entries.sort((a, b) => (a.key < b.key ? -1 : 1));
  assert.deepEqual(
    entries,
    golden.records.map(({ key, encoded }) => ({ key, encoded })),
  );
  assert.equal(toHex(story.state.root), golden.root);
});

test('the vectors hold every kind of record', () => {
  const kinds = new Set(golden.records.map(({ key }) => key.split('/')[0]));
  assert.deepEqual(kinds, new Set(Object.keys(formats)));
});

test('a record with a field more, less or of another kind is refused', () => {
  for (const { key, encoded } of golden.records) {
    const value = decodeCanonical(fromHex(encoded));
    const decode = formatOf(key);
    if (Array.isArray(value)) {
      // A consortium always has members and validators, and the list of what waits is absent when nothing does; others may be empty.
      const mayBeEmpty = !['next-validators', 'recount'].includes(key);
      assert.equal(decode(encodeCanonical([])) !== undefined, mayBeEmpty, key);
      assert.equal(decode(encodeCanonical(['Not an id'])), undefined, key);
      continue;
    }
    const map = value as Readonly<Record<string, CborValue>>;
    assert.equal(decode(encodeCanonical({ ...map, more: 1 })), undefined, key);
    for (const field of Object.keys(map)) {
      const rest = Object.fromEntries(Object.entries(map).filter(([name]) => name !== field));
      assert.equal(decode(encodeCanonical(rest)), undefined, `${key}: ${field}`);
      assert.equal(decode(encodeCanonical({ ...map, [field]: [1] })), undefined, `${key}: ${field}`);
    }
    assert.equal(decode(fromHex(encoded).subarray(0, -1)), undefined, key);
  }
});

test('a state made of its entries in any order is the same state', () => {
  const entries = [...stateEntries(story.state)];
  for (const order of [entries, [...entries].reverse()]) {
    const again = stateFromEntries(story.ledger.chain, order);
    assert.deepEqual(again.root, story.state.root);
    assert.deepEqual(again.study(study), story.state.study(study));
    assert.deepEqual(again.institutions(), story.state.institutions());
    assert.deepEqual(again.validators(), story.ledger.genesis.validators);
    assert.deepEqual(stateChanges(story.state, again), []);
  }
});

test('a state without what every state has, or with a damaged member, is not made', () => {
  const entries = [...stateEntries(story.state)];
  const { institutions, epoch, nextValidators, parameters, vendor } = stateKeys;
  const { proposals, guilty, releases, formats: formatList } = stateKeys;
  const standing = [institutions, epoch, nextValidators, parameters, vendor, proposals, guilty, releases];
  for (const missing of [...standing, formatList]) {
    const without = entries.filter(([key]) => key !== missing);
    assert.throws(() => stateFromEntries(story.ledger.chain, without), new RegExp(`no ${missing}`));
  }
  const damaged = entries.map(([key, value]) =>
    key === stateKeys.institution('north') ? ([key, value.subarray(1)] as const) : ([key, value] as const),
  );
  assert.throws(() => stateFromEntries(story.ledger.chain, damaged), /institution\/north/);
});

test('changes written to a copy of the entries give the later state', () => {
  const entries = new Map(stateEntries(story.ledger.initial));
  for (const { key, value } of stateChanges(story.ledger.initial, story.state)) {
    if (value === null) entries.delete(key);
    else entries.set(key, value);
  }
  assert.deepEqual(stateFromEntries(story.ledger.chain, entries).root, story.state.root);
});

test('members are found by id and listed in its order', () => {
  const { initial, genesis } = story.ledger;
  assert.deepEqual(
    initial.institutions().map(({ id }) => id),
    ['east', 'north', 'south', 'west'],
  );
  for (const institution of genesis.institutions)
    assert.deepEqual(initial.institution(institution.id), {
      ...institution,
      version: 1,
      deviceSince: genesisTime,
    });
  assert.equal(initial.institution('nowhere'), undefined);
  assert.deepEqual(initial.validators(), ['north', 'south', 'east', 'west']);
});

test('the count of opens in a proven study shows a list of receipts to be complete', () => {
  const { state } = story;
  const proof = state.prove(stateKeys.study(study));
  assert.equal(verifyStateProof(state.root, proof), true);
  const record = studyRecord.decode(proof.value as Uint8Array);
  assert.ok(record.kind === 'decoded');
  for (let number = 1; number <= record.value.opens; number++) {
    const receipt = state.prove(stateKeys.open(study, number));
    assert.equal(verifyStateProof(state.root, receipt), true);
    assert.notEqual(receipt.value, null);
  }
  // A server that leaves the last receipt out must claim its absence, or a smaller count: neither has a proof.
  const last = state.prove(stateKeys.open(study, record.value.opens));
  assert.equal(verifyStateProof(state.root, { ...last, value: null }), false);
  const smaller = studyRecord.encode({ ...record.value, opens: record.value.opens - 1 });
  assert.equal(verifyStateProof(state.root, { ...proof, value: smaller }), false);
});
