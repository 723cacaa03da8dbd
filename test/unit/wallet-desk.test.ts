/** What a box tells a wallet: the notes of its own studies, as they are final, to whoever proves the account. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { verifyEd25519 } from '../../firmware/src/box/signatures.ts';
import { walletDesk } from '../../firmware/src/box/wallet-desk.ts';
import { equalBytes } from '../../firmware/src/encoding/bytes.ts';
import { Bindings } from '../../firmware/src/patients/bindings.ts';
import { challengeMsMax } from '../../firmware/src/patients/limits.ts';
import { deriveAccount, type Account } from '../../firmware/src/protocol/accounts.ts';
import { mailboxMessage } from '../../firmware/src/protocol/mailbox-proof.ts';
import { noteHash } from '../../firmware/src/protocol/notes.ts';
import { genesisBlock } from '../../firmware/src/ledger/index.ts';
import type { Ledger } from '../../firmware/src/ports.ts';
import { bytesOf } from '../fakes/ledger.ts';
import { MemoryStore } from '../support/memory-store.ts';
import { ReleaseWorld } from '../support/release-world.ts';
import { until } from '../support/until.ts';

function deskOf(world: ReleaseWorld, evidence?: Ledger['evidence']) {
  const { clock, ledger, genesis, catalogue } = world;
  if (evidence !== undefined) Object.assign(ledger, { evidence });
  const { chain } = world.fixture;
  const bindings = new Bindings({
    store: new MemoryStore(),
    institution: 'north',
    chain,
    verify: verifyEd25519,
    clock,
  });
  const desk = walletDesk({ institution: 'north', genesis, ledger, catalogue, bindings, clock });
  const prove = async (account: Account, nonce: Uint8Array, institution = 'north') => {
    const spend = account.spend.publicKey;
    const signature = await account.spend.sign(mailboxMessage({ chain, institution, spend, nonce }));
    return { spend, nonce, signature };
  };
  const read = async (account = world.wallet) => desk.mailbox(await prove(account, await desk.challenge()));
  return { desk, prove, read };
}

test('the owner reads the notes of the versions that are final, each the one whose hash the ledger holds', async () => {
  const world = new ReleaseWorld();
  const { read } = deskOf(world);
  const study = await world.registeredStudy('1.2.3', [randomBytes(10)]);
  await world.keep('1.2.3', 2, randomBytes(10));
  // A second plan is on disk and not on the ledger: its note is nobody's yet.
  world.ledger.before = () => new Promise(() => undefined);
  await world.registrar({ quietMs: 60_000, forcedMs: 3_600_000, amendMs: 0 }).start();
  await until(() => study.latestVersion?.objects === 2, 'the second plan');
  const answer = await read();
  assert.ok(answer.kind === 'entries' && answer.entries.length === 1);
  const record = world.record(study);
  assert.ok(record !== undefined && answer.entries[0] !== undefined);
  assert.ok(equalBytes(noteHash(answer.entries[0].note), record.noteHash));
});

test('a version that was planned twice: the note is that of the plan which the ledger took', async () => {
  const world = new ReleaseWorld();
  const { read } = deskOf(world);
  const study = await world.registeredStudy('1.2.3', [randomBytes(10)]);
  const plan = study.latestVersion;
  assert.ok(plan !== undefined);
  await study.append({ ...plan, commitment: randomBytes(32), note: randomBytes(528) });
  const answer = await read();
  assert.ok(answer.kind === 'entries');
  assert.deepEqual(answer.entries[0]?.note, plan.note);
});

test('another account finds an empty mailbox', async () => {
  const world = new ReleaseWorld();
  await world.registeredStudy('1.2.3', [randomBytes(10)]);
  const answer = await deskOf(world).read(deriveAccount(bytesOf('stranger'), 'north'));
  assert.deepEqual(answer, { kind: 'entries', entries: [] });
});

test('a proof serves once, in time, for this box and for its own account alone', async () => {
  const world = new ReleaseWorld();
  await world.registeredStudy('1.2.3', [randomBytes(10)]);
  const { desk, prove } = deskOf(world);
  const refused = { kind: 'refused' };
  const proof = await prove(world.wallet, await desk.challenge());
  assert.equal((await desk.mailbox(proof)).kind, 'entries');
  assert.deepEqual(await desk.mailbox(proof), refused, 'a second time');
  assert.deepEqual(
    await desk.mailbox(await prove(world.wallet, randomBytes(16))),
    refused,
    'a nonce of its own',
  );
  const elsewhere = await prove(world.wallet, await desk.challenge(), 'south');
  assert.deepEqual(await desk.mailbox(elsewhere), refused, 'made for another box');
  const stranger = deriveAccount(bytesOf('stranger'), 'north');
  const borrowed = {
    ...(await prove(stranger, await desk.challenge())),
    spend: world.wallet.spend.publicKey,
  };
  assert.deepEqual(await desk.mailbox(borrowed), refused, 'signed by somebody else');
  const late = await prove(world.wallet, await desk.challenge());
  world.clock.advance(challengeMsMax);
  assert.deepEqual(await desk.mailbox(late), refused, 'too late');
});

test('before the first final block a wallet is told so, and shown nothing that it cannot check', () => {
  const world = new ReleaseWorld();
  const { desk } = deskOf(world, () => ({
    block: genesisBlock(world.genesis),
    certificate: { kind: 'finalize', epoch: 0, view: 0, digest: new Uint8Array(32), signatures: [] },
  }));
  assert.throws(() => desk.head(), { code: 'LEDGER_STALE' });
  assert.throws(() => desk.proofs(['validators']), { code: 'LEDGER_STALE' });
});
