/**
 * What the ledger's bytes do not show (docs/threat-model.md): that two studies belong to one wallet, to whom a grant was
 * made, and why. What timing and counts show is no matter of bytes.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sha256 } from '../../firmware/src/encoding/hash.ts';
import { equalBytes, utf8 } from '../../firmware/src/encoding/bytes.ts';
import { decodeCanonical, type CborValue } from '../../firmware/src/encoding/canonical-cbor.ts';
import { encodeTransaction, stateEntries } from '../../firmware/src/ledger/index.ts';
import type { AccessGrant } from '../../firmware/src/ledger/types.ts';
import { deriveAccount, type Account } from '../../firmware/src/protocol/accounts.ts';
import { bytesOf } from '../fakes/ledger.ts';
import { WalletConsortium } from '../fakes/wallet-consortium.ts';
import { trailOf, type TrailOptions } from '../support/study-trail.ts';
import { setUpWallet } from '../support/wallet-set-up.ts';

const studies = 6;
/** Bytes that two studies may share by chance: of the pairs compared here, one in 10⁹ runs shares eight. */
const windowBytes = 8;

type Trail = readonly Uint8Array[];

/** The trails of studies, one after the other, in a consortium of their own. */
async function trailsOf(
  label: string,
  accountOf: (index: number) => Account,
  change: (account: Account) => Partial<TrailOptions> = () => ({}),
): Promise<readonly Trail[]> {
  const consortium = new WalletConsortium();
  const trails: Trail[] = [];
  for (let index = 0; index < studies; index++) {
    const account = accountOf(index);
    trails.push(await trailOf({ consortium, account, name: `${label} ${index}`, ...change(account) }));
  }
  return trails;
}

const wallet = deriveAccount(bytesOf('the wallet'), 'north');
const oneWallet = await trailsOf('one', () => wallet);
/** As many studies at the same times with the same choices, each of another wallet: what any two studies share. */
const control = await trailsOf('control', (index) => deriveAccount(bytesOf(`wallet ${index}`), 'north'));

/** The values of a trail by their places in it: numbers and texts as they are, byte strings whole. */
function leavesOf(trail: Trail): ReadonlyMap<string, CborValue> {
  const leaves = new Map<string, CborValue>();
  const walk = (value: CborValue, path: string): void => {
    if (typeof value !== 'object' || value === null || value instanceof Uint8Array) leaves.set(path, value);
    else for (const [name, item] of Object.entries(value)) walk(item, `${path}/${name}`);
  };
  for (const [part, bytes] of trail.entries()) walk(decodeCanonical(bytes), `${part}`);
  return leaves;
}

/**
 * What the study itself brought in: the byte strings in which it differs from the study of the control that was made at
 * the same time with the same choices. All else, but for tags, must be the same.
 */
function ownBytes(trail: Trail, twin: Trail): Uint8Array[] {
  const [leaves, others] = [leavesOf(trail), leavesOf(twin)];
  assert.deepEqual([...leaves.keys()], [...others.keys()]);
  const own: Uint8Array[] = [];
  for (const [path, value] of leaves) {
    const other = others.get(path);
    if (value instanceof Uint8Array && other instanceof Uint8Array) {
      assert.equal(value.length, other.length, path);
      if (!equalBytes(value, other)) own.push(value);
    } else if (!path.endsWith('/tag')) {
      assert.deepEqual(value, other, path);
    }
  }
  return own;
}

function windowsOf(pieces: Iterable<Uint8Array>): Set<string> {
  const windows = new Set<string>();
  for (const piece of pieces) {
    const text = Buffer.from(piece).toString('latin1');
    for (let at = 0; at + windowBytes <= text.length; at++) windows.add(text.slice(at, at + windowBytes));
  }
  return windows;
}

/** Windows that a study brought in and that stand in another of the list too. */
function links(trails: readonly Trail[], twins: readonly Trail[]): number {
  const all = trails.map(windowsOf);
  let found = 0;
  for (const [i, trail] of trails.entries()) {
    for (const window of windowsOf(ownBytes(trail, twins[i] as Trail))) {
      for (const [j, other] of all.entries()) if (i !== j && other.has(window)) found++;
    }
  }
  return found;
}

test('two studies of one wallet share no bytes beyond those that any two studies share', () => {
  assert.equal(oneWallet[0]?.length, control[0]?.length);
  assert.equal(links(oneWallet, control), 0);
  assert.equal(links(control, oneWallet), 0);
});

test('what is compared is nearly all that is not the same for everybody', () => {
  for (const [index, trail] of oneWallet.entries()) {
    const own = ownBytes(trail, control[index] as Trail).reduce((sum, bytes) => sum + bytes.length, 0);
    // Three notes of 689 bytes, some twenty signatures, and keys, hashes and ids in transactions and records.
    assert.ok(own > 4_000, `${own} bytes`);
  }
});

test('a wallet that showed eight bytes of itself would be found', async () => {
  const trace = (account: Account) => ({ badNoteHash: sha256(account.spend.publicKey) });
  const careless = await trailsOf('careless', () => wallet, trace);
  assert.ok(links(careless, control) > 0);
  const half = (account: Account) => ({
    badNoteHash: new Uint8Array([
      ...sha256(account.spend.publicKey).slice(0, 8),
      ...bytesOf('rest').slice(8),
    ]),
  });
  assert.ok(links(await trailsOf('half', () => wallet, half), control) > 0);
});

test('nothing that the wallet is known by outside of the ledger stands on it', () => {
  const known = [
    wallet.spend.publicKey,
    wallet.view,
    deriveAccount(bytesOf('the wallet'), 'south').spend.publicKey,
    utf8('Second opinion'),
    utf8('Treatment'),
    utf8('Thorax'),
  ];
  const ledger = Buffer.concat(oneWallet.flat());
  for (const bytes of known) assert.equal(ledger.indexOf(bytes), -1);
});

const random = ['granteeKey', 'ephemeral', 'tag', 'termsHash', 'note'] as const;

/** Two grants of one wallet that differ in everything the owner wants hidden, in twin consortia. */
async function grantTo(wish: {
  readonly grantee: string;
  readonly purpose: string;
  readonly person?: string;
}) {
  const { consortium, wallet: owner } = await setUpWallet('north', 'south');
  const study = await consortium.register('north', 'Thorax');
  assert.equal((await owner.grant({ study, days: 7, ...wish })).kind, 'granted');
  return { consortium, grant: consortium.lastGrant };
}

test('grants to different grantees for different purposes differ in random fields alone', async () => {
  // One of them to a hospital where the patient is bound, so that its note names the patient's account there.
  const south = await grantTo({ grantee: 'south', purpose: 'Second opinion' });
  const person = 'Dr. Elisabeth Beispiel-Mustermann, Orthopaedics';
  const east = await grantTo({ grantee: 'east', purpose: 'Surgery of the left hip in February', person });
  // The wallets are different, and so are their studies: those fields are compared above.
  const shape = ({ grant }: { readonly grant: AccessGrant }) => {
    const { studyId, ...rest } = grant;
    const shown = Object.entries(rest).map(([field, value]) =>
      (random as readonly string[]).includes(field)
        ? [field, value instanceof Uint8Array ? value.length : typeof value]
        : [field, value],
    );
    return { studyIdBytes: studyId.length, shown: Object.fromEntries(shown) as Record<string, unknown> };
  };
  assert.deepEqual(shape(south), shape(east));
  for (const field of random) assert.ok(field in south.grant, field);
  // A small tag is one byte shorter, whoever it is for.
  const bytes = ({ grant }: { readonly grant: AccessGrant }) =>
    encodeTransaction({ body: { ...grant, tag: 0 }, signatures: [new Uint8Array(64)] }).length;
  assert.equal(bytes(south), bytes(east));
});

test('neither a grant nor the records that it makes hold anything by which its grantee is known', async () => {
  const { consortium, grant } = await grantTo({
    grantee: 'east',
    purpose: 'Surgery',
    person: 'Dr. Beispiel',
  });
  const east = consortium.state.institution('east');
  assert.ok(east);
  const { keys, account } = east;
  const known = [
    ...[account.spend, account.view, keys.transaction, keys.transport, keys.voting, keys.identity],
    ...['east', 'Surgery', 'Beispiel'].map(utf8),
    consortium.account('east').spend.publicKey,
  ];
  const records = [...stateEntries(consortium.state)]
    .filter(([key]) => /^(study|basis|study-basis)\//.test(key))
    .flatMap(([key, value]) => [utf8(key), value]);
  const shown = Buffer.concat([encodeTransaction({ body: grant, signatures: [] }), ...records]);
  for (const bytes of known) assert.equal(shown.indexOf(bytes), -1);
});

test('grants of one wallet to one grantee share no more bytes than grants to different ones', async () => {
  const consortium = new WalletConsortium();
  const grants: Uint8Array[][] = [];
  for (let index = 0; index < 4; index++) {
    const [, , granted] = await trailOf({ consortium, account: wallet, name: `again ${index}` });
    assert.ok(granted);
    grants.push([granted]);
  }
  const twins = control.slice(0, 4).map((trail) => [trail[2] as Uint8Array]);
  assert.equal(links(grants, twins), 0);
});
