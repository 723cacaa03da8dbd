import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { toHex } from '../../firmware/src/encoding/bytes.ts';
import { AppError } from '../../firmware/src/errors.ts';
import {
  chainId,
  encodeGenesis,
  formatGenesis,
  formatInstitution,
  genesisState,
  keyPurposes,
  keysMessage,
  noChain,
  parseGenesis,
  possessionMessage,
} from '../../firmware/src/ledger/index.ts';
import { genesisJsonBytesMax } from '../../firmware/src/ledger/limits.ts';
import { genesisTime, LedgerFixture, verifyIdentity, verifySignature } from '../fakes/ledger.ts';
import { candidate } from '../fakes/ledger-consortium.ts';
import { vectorValueOf, type VectorValue } from '../support/vector-value.ts';

const golden = JSON.parse(readFileSync(new URL('../vectors/genesis.json', import.meta.url), 'utf8')) as {
  readonly json: string;
  readonly value: VectorValue;
  readonly encoded: string;
  readonly chain: string;
  readonly stateRoot: string;
  readonly keysMessages: readonly {
    readonly institution: string;
    readonly message: string;
    readonly possession: Readonly<Record<string, string>>;
  }[];
};

const { genesis } = new LedgerFixture();
const verifiers = { verify: verifySignature, verifyIdentity };

test('golden vector: document, encoding, chain, state, certified messages', () => {
  assert.equal(formatGenesis(genesis), golden.json);
  assert.equal(toHex(encodeGenesis(genesis)), golden.encoded);
  assert.deepEqual(vectorValueOf(golden.encoded), golden.value);
  assert.equal(toHex(chainId(genesis)), golden.chain);
  assert.equal(toHex(genesisState(genesis).root), golden.stateRoot);
  const messages = genesis.institutions.map(({ id, keys }) => ({
    institution: id,
    message: toHex(keysMessage(id, keys)),
    possession: Object.fromEntries(
      keyPurposes.map((purpose) => [purpose, toHex(possessionMessage(noChain, id, purpose, keys))]),
    ),
  }));
  assert.deepEqual(messages, golden.keysMessages);
});

test('a document reads as it was written', () => {
  assert.deepEqual(parseGenesis(golden.json, verifiers), genesis);
});

test('what an institution hands in is its entry of the document', () => {
  const { institutions } = JSON.parse(golden.json) as { readonly institutions: readonly unknown[] };
  assert.deepEqual(
    genesis.institutions.map((institution) => JSON.parse(formatInstitution(institution)) as unknown),
    institutions,
  );
});

test('bytes that are a Buffer are written as hexadecimal, too', () => {
  const [first, ...others] = genesis.institutions;
  assert.ok(first !== undefined);
  const account = { spend: Buffer.from(first.account.spend), view: Buffer.from(first.account.view) };
  assert.equal(formatGenesis({ ...genesis, institutions: [{ ...first, account }, ...others] }), golden.json);
});

test('any change makes another chain', () => {
  const chains = new Set(
    [
      genesis,
      { ...genesis, name: 'Another consortium' },
      { ...genesis, time: genesis.time + 1 },
      { ...genesis, validators: [...genesis.validators].reverse() },
      { ...genesis, validators: genesis.validators.slice(1) },
      { ...genesis, institutions: genesis.institutions.slice(0, 3) },
      { ...genesis, parameters: { ...genesis.parameters, epochMs: genesis.parameters.epochMs + 1 } },
      { ...genesis, vendor: { keys: [], threshold: 0 } },
      { ...genesis, development: true },
    ].map((document) => toHex(chainId(document))),
  );
  assert.equal(chains.size, 9);
});

interface Document {
  name: unknown;
  time: unknown;
  validators: unknown[];
  institutions: {
    id: unknown;
    name: unknown;
    keys: Record<string, unknown>;
    account: Record<string, unknown>;
    endpoints: Record<string, unknown>;
    root: { keys: unknown[]; threshold: unknown };
    more?: unknown;
  }[];
  parameters: Record<string, unknown>;
  vendor: { keys: unknown[]; threshold: unknown };
  development: unknown;
}

type Institution = Document['institutions'][number];

function refused(change: (document: Document, first: Institution) => void, detail: RegExp): void {
  const document = JSON.parse(golden.json) as Document;
  const [first] = document.institutions;
  assert.ok(first !== undefined);
  change(document, first);
  assert.throws(
    () => parseGenesis(JSON.stringify(document), verifiers),
    (error) => error instanceof AppError && error.code === 'GENESIS_INVALID' && detail.test(error.message),
  );
}

function possessionOf({ keys }: Institution): Record<string, unknown> {
  return keys['possession'] as Record<string, unknown>;
}

function deviceIn({ keys }: Institution): Record<string, unknown> {
  return keys['device'] as Record<string, unknown>;
}

/** The proofs of the first institution for another chain than that of a genesis document. */
function proofsFor(chain: Uint8Array): Record<string, string> {
  const { possession } = candidate(chain, 'north').keys;
  return Object.fromEntries(keyPurposes.map((purpose) => [purpose, toHex(possession[purpose])]));
}

const torsion = 'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a';

// Each breaks one rule; the message must name the field or the institution.
const faults: readonly (readonly [string, (document: Document, first: Institution) => void, RegExp])[] = [
  ['an unknown field', (d) => Object.assign(d, { more: 1 }), /document: unknown field/],
  ['an unknown field of an institution', (_, i) => (i.more = 1), /institutions\[0\]: unknown field/],
  ['no name', (d) => (d.name = ''), /name/],
  ['a name with a line break', (_, i) => (i.name = 'a\nb'), /institutions\[0\]\.name/],
  ['half a surrogate in a name', (d) => (d.name = '\ud800'), /name/],
  ['a time with a fraction', (d) => (d.time = 0.5), /time/],
  ['a time as text', (d) => (d.time = '2026-01-01'), /time/],
  ['no validators', (d) => (d.validators = []), /validators/],
  ['a validator twice', (d) => d.validators.push('north'), /validators: north/],
  ['a validator that is no institution', (d) => d.validators.push('nowhere'), /validators: nowhere/],
  ['no institutions', (d) => (d.institutions = []), /institutions/],
  ['an institution twice', (d, i) => d.institutions.push(i), /institutions: north/],
  ['an id in capitals', (_, i) => (i.id = 'North'), /institutions\[0\]\.id/],
  ['a missing key', (_, i) => delete i.keys['voting'], /institutions\[0\]\.keys: voting/],
  ['a short key', (_, i) => (i.keys['voting'] = 'abcd'), /institutions\[0\]\.keys\.voting/],
  [
    'a key in capitals',
    (_, i) => (i.keys['voting'] = String(i.keys['voting']).toUpperCase()),
    /keys\.voting/,
  ],
  ['a key that is a number', (_, i) => (i.keys['voting'] = 7), /keys\.voting/],
  ['a key with torsion', (_, i) => (i.keys['transport'] = torsion), /north: transport/],
  ['a key that serves twice', (_, i) => (i.keys['voting'] = i.keys['transport']), /twice/],
  [
    'an identity key of another institution',
    (d, i) => (i.keys['identity'] = d.institutions[1]?.keys['identity']),
    /key: 04[0-9a-f]+ stands there twice/,
  ],
  ['a TPM of another institution', (d, i) => (i.keys['device'] = d.institutions[1]?.keys['device']), /twice/],
  [
    'an endorsement certificate of another institution',
    ({ institutions: [, other] }, i) =>
      (i.keys['device'] = {
        ...deviceIn(i),
        endorsement: other?.keys['device'] && deviceIn(other)['endorsement'],
      }),
    /twice/,
  ],
  ['an account key of small order', (_, i) => (i.account['spend'] = torsion), /north: account\.spend/],
  ['keys that expire at once', (_, i) => (i.keys['expiry'] = genesisTime), /north: keys expire/],
  [
    'another expiry than certified',
    (_, i) => (i.keys['expiry'] = genesisTime + 1),
    /north: its identity key/,
  ],
  ["another institution's certificate", (d, i) => (i.keys = { ...d.institutions[1]?.keys }), /twice/],
  [
    'a certificate that is all zero',
    (_, i) => (i.keys['certificate'] = '00'.repeat(64)),
    /north: its identity key/,
  ],
  [
    'a key that did not sign that it is the institution’s',
    (_, i) => (i.keys['possession'] = { ...possessionOf(i), voting: '00'.repeat(64) }),
    /north: one of its keys did not sign/,
  ],
  [
    'proofs of the same keys for a chain',
    (_, i) => (i.keys['possession'] = proofsFor(chainId(genesis))),
    /north: one of its keys did not sign/,
  ],
  [
    'a proof that is missing',
    (_, i) => (i.keys['possession'] = { voting: possessionOf(i)['voting'] }),
    /keys\.possession: transaction is missing/,
  ],
  [
    'an identity key in short form',
    (_, i) => (i.keys['identity'] = `02${'11'.repeat(32)}`),
    /keys\.identity/,
  ],
  ['no parameters', (d) => delete (d as Partial<Document>).parameters, /parameters/],
  ['a parameter that is missing', (d) => delete d.parameters['epochMs'], /parameters: epochMs/],
  ['an epoch of no time', (d) => (d.parameters['epochMs'] = 0), /parameters\.epochMs/],
  ['an epoch without end', (d) => (d.parameters['epochMs'] = 2 ** 40), /parameters\.epochMs/],
  ['a window of no time', (d) => (d.parameters['objectionMs'] = 999), /parameters\.objectionMs/],
  ['formats that change at once', (d) => (d.parameters['activationBlocks'] = 7), /activationBlocks/],
  [
    'boot authorities that are no digests',
    (d) => (d.parameters['bootAuthorities'] = ['00']),
    /bootAuthorities\[0\]/,
  ],
  ['roots that are no digests', (d) => (d.parameters['endorsementRoots'] = ['00']), /endorsementRoots\[0\]/],
  [
    'attestation without an end of waiting',
    (d) => (d.parameters['attestation'] = { everyMs: 2 ** 40, suspends: true }),
    /attestation\.everyMs/,
  ],
  ['no word on development', (d) => delete (d as Partial<Document>).development, /development/],
  ['a device without a name', (_, i) => (i.keys['device'] = { endorsement: '00' }), /device/],
  ['no vendor', (d) => delete (d as Partial<Document>).vendor, /vendor/],
  ['a vendor of whose keys none need sign', (d) => (d.vendor.threshold = 0), /vendor\.threshold/],
  [
    'a vendor of whose keys more must sign than there are',
    (d) => (d.vendor.threshold = 4),
    /vendor\.threshold/,
  ],
  ['a vendor with a key twice', (d) => (d.vendor.keys[1] = d.vendor.keys[0]), /vendor\.keys: one stands/],
  ['a vendor whose key has torsion', (d) => (d.vendor.keys[0] = torsion), /vendor: a key/],
  ['a root key with torsion', (_, i) => (i.root.keys[0] = torsion), /north: root/],
  ['a root key that is no hexadecimal', (_, i) => (i.root.keys[0] = 'key'), /root\.keys\[0\]/],
  ['a root of nobody with a threshold', (_, i) => (i.root = { keys: [], threshold: 1 }), /root\.threshold/],
  ['an endpoint that is too long', (_, i) => (i.endpoints['p2p'] = 'a'.repeat(301)), /endpoints\.p2p/],
];

for (const [name, change, detail] of faults) {
  test(`refuses ${name}`, () => {
    refused(change, detail);
  });
}

test('refuses what is no JSON, no document, nested without end, or too long', () => {
  for (const text of [
    '',
    '{',
    'null',
    '[]',
    '"genesis"',
    '['.repeat(5000) + ']'.repeat(5000),
    ' '.repeat(genesisJsonBytesMax + 1),
  ]) {
    assert.throws(
      () => parseGenesis(text, verifiers),
      (error) => error instanceof AppError && error.code === 'GENESIS_INVALID',
      text.slice(0, 20),
    );
  }
});
