/** What PROTOCOL.md asks of grants and receipts on the ledger: one winner, nothing early, nothing shown. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  basisId,
  buildBlock,
  encodeBlock,
  encodeTransaction,
  idBytes,
  signingMessage,
  stateEntries,
} from '../../firmware/src/ledger/index.ts';
import type { BlockHeader, LedgerState, StudyId, TransactionBody } from '../../firmware/src/ledger/types.ts';
import { deriveAccount } from '../../firmware/src/protocol/accounts.ts';
import { sealGrantNote, termsHash, type BasisWithoutNote } from '../../firmware/src/protocol/grant-note.ts';
import { grantKeyIndex } from '../../firmware/src/protocol/grants.ts';
import { registerOwner } from '../../firmware/src/protocol/owner-keys.ts';
import { bytesOf, genesisTime, LedgerFixture, signerOf, verifySignature } from '../fakes/ledger.ts';
import { referBody } from '../fakes/ledger-studies.ts';
import { applied } from '../support/ledger-outcome.ts';

const ledger = new LedgerFixture();
const owner = signerOf('owner');
const grantee = signerOf('grantee');
const source = ledger.box('north').transaction;
const registration = ledger.register('north', 'batch', [owner]);
const [study] = registration.ids as readonly [StudyId];
const registered = applied(ledger.initial, registration.transaction);
const head = bytesOf('commitment batch 0 1');

function build(state: LedgerState, parent: BlockHeader, candidates: readonly Uint8Array[]) {
  return buildBlock(state, parent, {
    view: parent.view + 1,
    time: parent.time + 60_000,
    proposer: 'south',
    candidates,
    verify: verifySignature,
  });
}

test('of 50 opens in parallel under a grant for one, one wins, over any blocks', () => {
  const grant = ledger.grantBody(study, 1, grantee.publicKey, { maxOpens: 1 });
  const granted = applied(registered, ledger.sign(grant, owner));
  const opens = Array.from({ length: 50 }, (_, index) =>
    ledger.openBody('north', grant, 1, head, { validUntil: genesisTime + 3_600_000 + index }),
  ).map((body) => encodeTransaction(ledger.sign(body, grantee, source)));
  let [state, parent] = [granted, ledger.genesisHeader];
  let won = 0;
  for (const candidates of [opens.slice(0, 20), opens.slice(20), opens]) {
    const built = build(state, parent, candidates);
    won += built.block.transactions.length;
    assert.ok(built.refused.every(({ later }) => !later));
    [state, parent] = [built.state, built.block.header];
  }
  assert.equal(won, 1);
  assert.equal(state.study(study)?.opens, 1);
  assert.equal(state.basis(basisId(grant))?.opens, 1);
});

test('a revocation that overtakes its grant wins, in the same block and before it', () => {
  const grant = ledger.grantBody(study, 1, grantee.publicKey);
  const granting = encodeTransaction(ledger.sign(grant, owner));
  for (const target of [{ basisId: idBytes(basisId(grant)) }, { upTo: 1 }]) {
    const revoking = encodeTransaction(ledger.sign(ledger.revokeBody(study, target), owner));
    const together = build(registered, ledger.genesisHeader, [granting, revoking]);
    assert.equal(together.state.basisStands(basisId(grant)), false);
    assert.deepEqual(
      together.refused.map(({ reason }) => reason),
      ['revoked'],
    );
    const first = build(registered, ledger.genesisHeader, [revoking]);
    const second = build(first.state, first.block.header, [granting]);
    assert.equal(second.block.transactions.length, 0);
  }
});

const accounts = {
  north: deriveAccount(bytesOf('seed north'), 'north'),
  south: deriveAccount(bytesOf('seed south'), 'south'),
};
const terms = {
  purpose: 'Canary purpose',
  person: 'Dr. Canary',
  patientAtGrantee: bytesOf('patient at grantee'),
  consent: bytesOf('consent'),
  salt: bytesOf('salt of the terms'),
};

/** A body as a wallet or a box makes it for the institution south. */
async function sealedFor<Body extends BasisWithoutNote>(
  body: Body,
): Promise<Body & { readonly note: Uint8Array }> {
  const { spend, view } = accounts.south;
  const recipient = { chain: ledger.chain, institution: 'south', spend: spend.publicKey, view };
  const key = registerOwner({ ...recipient, index: grantKeyIndex }, bytesOf(`r ${body.type}`));
  const unsealed = {
    ...body,
    granteeKey: key.ownerKey,
    ephemeral: key.ephemeral,
    tag: key.tag,
    termsHash: termsHash(terms),
  };
  const views = { source: accounts.north.view, grantee: view };
  return {
    ...unsealed,
    note: await sealGrantNote(unsealed, { source: 'north', grantee: 'south', terms }, views),
  };
}

test('the bytes of the ledger show neither grantee nor purpose, of a grant and of a referral', async () => {
  const { note: _unsealed, ...grant } = ledger.grantBody(study, 1, grantee.publicKey);
  const { note: _another, ...referral } = referBody(ledger, 'north', study, 1, grantee.publicKey);
  const bodies: TransactionBody[] = [await sealedFor(grant), await sealedFor(referral)];
  const signed = [
    ledger.sign(bodies[0] as TransactionBody, owner),
    ledger.sign(bodies[1] as TransactionBody, source),
  ];
  const { block, state } = build(registered, ledger.genesisHeader, signed.map(encodeTransaction));
  assert.equal(block.transactions.length, 2);
  const before = new Map(stateEntries(registered));
  const shown = Buffer.concat([
    encodeBlock({ ...block, header: { ...block.header, proposer: 'east' } }),
    ...[...stateEntries(state)]
      .filter(([key, value]) => before.get(key) !== value)
      .flatMap(([key, value]) => [Buffer.from(key), value]),
    ...bodies.map(signingMessage),
  ]);
  for (const secret of ['south', 'Canary', 'purpose']) assert.ok(!shown.includes(secret), secret);
  const { spend, view } = accounts.south;
  for (const [name, secret] of Object.entries({ ...terms, spend: spend.publicKey, view })) {
    if (secret instanceof Uint8Array) assert.ok(!shown.includes(Buffer.from(secret)), name);
  }
});
