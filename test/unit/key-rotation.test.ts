/** Keys of a box that are replaced while it works, under the ledger's real rules: on schedule, by hand, over crashes. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { p256 } from '@noble/curves/nist.js';
import { ed25519 } from '@noble/curves/ed25519.js';
import { equalBytes, toHex } from '../../firmware/src/encoding/bytes.ts';
import { AppError } from '../../firmware/src/errors.ts';
import { encodeTransaction } from '../../firmware/src/ledger/index.ts';
import type { Signer, TransportKey } from '../../firmware/src/ports.ts';
import { currentFirst, currentSigner } from '../../firmware/src/rotation/current-key.ts';
import { KeyRotation } from '../../firmware/src/rotation/key-rotation.ts';
import { keysExpireSoonMs, rotationTickMs } from '../../firmware/src/rotation/limits.ts';
import { OwnLedger } from '../../firmware/src/rotation/own-ledger.ts';
import { FinalLedger } from '../fakes/final-ledger.ts';
import { MemoryHealthBoard } from '../fakes/health.ts';
import {
  bytesOf,
  genesisTime,
  keysExpiry,
  LedgerFixture,
  signerOf,
  verifySignature,
} from '../fakes/ledger.ts';
import { ConsortiumFixture } from '../fakes/ledger-consortium.ts';
import { MemoryHeldKeys } from '../fakes/voting-keys.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { RecordingLogger } from '../support/recording-logger.ts';
import { settle } from '../support/until.ts';

const dayMs = 86_400_000;
const everyMs = 90 * dayMs;

function transportKeyOf(label: string): TransportKey {
  const seed = bytesOf(label);
  return {
    seed,
    publicKey: ed25519.getPublicKey(seed),
    sign: (message) => ed25519.sign(message, seed),
  };
}

function world() {
  const fixture = new LedgerFixture();
  const clock = new ManualClock(genesisTime + 1_000);
  const ledger = new FinalLedger(fixture.genesis, clock);
  const identity = bytesOf('identity north');
  const keys = {
    transaction: new MemoryHeldKeys<Signer>('made transaction', signerOf, fixture.box('north').transaction),
    transport: new MemoryHeldKeys<TransportKey>(
      'made transport',
      transportKeyOf,
      transportKeyOf('north transport'),
    ),
    identityPublicKey: p256.getPublicKey(identity, false),
    signWithIdentity: (message: Uint8Array) => Promise.resolve(p256.sign(message, identity)),
  };
  const health = new MemoryHealthBoard();
  const peers = { settled: true };
  // The keys of the genesis document were certified a year before it.
  const open = (rotatedEveryMs = everyMs): KeyRotation =>
    new KeyRotation({
      self: 'north',
      ledger,
      keys,
      everyMs: rotatedEveryMs,
      hasSettled: () => peers.settled,
      clock,
      logger: new RecordingLogger(),
      health,
    });
  const record = () => {
    const own = ledger.state().institution('north');
    assert.ok(own);
    return own;
  };
  return { fixture, clock, ledger, keys, health, peers, open, record };
}

async function tick(clock: ManualClock): Promise<void> {
  clock.advance(rotationTickMs);
  await settle();
}

test('both keys are replaced at once: the ledger names the new ones, and the box works with them', async () => {
  const { clock, keys, open, record, ledger, peers } = world();
  const rotation = open();
  const signer = currentSigner({ held: keys.transaction, purpose: 'transaction', self: 'north', ledger });
  const before = record().keys;
  assert.deepEqual(signer.publicKey, before.transaction);
  peers.settled = false;
  const rotated = await rotation.rotate('n.admin');
  assert.deepEqual(rotated, { kind: 'rotated', height: 1 });
  const { keys: named, version } = record();
  assert.equal(version, 2);
  assert.ok(
    !equalBytes(named.transaction, before.transaction) && !equalBytes(named.transport, before.transport),
  );
  assert.deepEqual([named.voting, named.identity], [before.voting, before.identity]);
  assert.deepEqual(signer.publicKey, named.transaction);
  const transport = currentFirst({ held: keys.transport, purpose: 'transport', self: 'north', ledger });
  assert.deepEqual(
    transport.map(({ publicKey }) => toHex(publicKey)),
    [named.transport, before.transport].map(toHex),
    'the old one serves until the others know the new one',
  );
  assert.deepEqual(rotation.earlierKeys().map(toHex)[0], toHex(before.transaction));

  await rotation.start();
  await tick(clock);
  assert.equal(keys.transport.held().length, 2, 'nobody has met this box under its new key');
  peers.settled = true;
  await tick(clock);
  assert.deepEqual(keys.transport.held().map(toHex), [toHex(named.transport)]);
  assert.deepEqual(keys.transaction.held().map(toHex), [toHex(named.transaction)]);
  await rotation.stop();
});

test('keys are replaced at their age by themselves, and a forgotten expiry is an alarm', async () => {
  const { clock, health, ledger, open, record } = world();
  const rotation = open();
  await rotation.start();
  await settle();
  assert.equal(record().version, 2, 'a year is older than ninety days');
  const { version } = record();
  clock.advance((rotation.since() ?? 0) + everyMs - clock.now() + 1);
  await settle();
  await tick(clock);
  assert.equal(record().version, version + 1);
  assert.ok(record().keys.expiry > keysExpiry);

  ledger.before = () => Promise.resolve({ kind: 'refused', reason: 'too-many-proposals' });
  clock.advance(record().keys.expiry - keysExpireSoonMs - clock.now());
  await tick(clock);
  assert.deepEqual(
    health.list().map(({ code, subject }) => [code, subject]),
    [['KEYS_EXPIRE', 'north']],
  );
  ledger.before = () => undefined;
  clock.advance(3_600_000);
  await settle();
  await tick(clock);
  assert.deepEqual(health.list(), []);
  await rotation.stop();
});

test('after a crash in the midst of a rotation the same keys are named, and none is erased that may be', async () => {
  const { clock, keys, ledger, open, record } = world();
  const first = open();
  ledger.before = () => Promise.reject(new AppError('BUSY', 'the box is killed'));
  await assert.rejects(first.rotate('n.admin'), { code: 'BUSY' });
  const [, made] = keys.transaction.held();
  assert.ok(made);
  ledger.before = () => undefined;
  const second = open(1_000 * dayMs);
  await second.start();
  await tick(clock);
  assert.equal(keys.transaction.held().length, 2, 'a transaction that names it may wait at the others');
  await second.rotate('n.admin');
  assert.deepEqual(record().keys.transaction, made);
  await second.stop();
});

test('a rotation is repeated when the record changed under it, and refused when it cannot be', async () => {
  const { fixture, ledger, open, record } = world();
  const rotation = open();
  const make = new ConsortiumFixture(fixture);
  let overtaken = 0;
  ledger.before = () => {
    if (overtaken++ > 0) return undefined;
    const { keys, account, endpoints } = record();
    const other = make.update('north', 2, keys, fixture.box('north').transaction, { account, endpoints });
    assert.equal(ledger.finalise(encodeTransaction(other)).kind, 'final');
    return undefined;
  };
  assert.equal((await rotation.rotate('n.admin')).kind, 'rotated');
  assert.equal(record().version, 3);
  ledger.before = () => Promise.resolve({ kind: 'refused', reason: 'expired' });
  assert.deepEqual(await rotation.rotate('n.admin'), { kind: 'refused', reason: 'expired' });
});

test('what was signed before a rotation and comes after it is signed anew; a stranger’s is not', async () => {
  const { fixture, keys, ledger, open } = world();
  const rotation = open();
  const signer = currentSigner({ held: keys.transaction, purpose: 'transaction', self: 'north', ledger });
  let isNamed = true;
  const own = new OwnLedger({
    ledger,
    signer,
    earlierKeys: () => rotation.earlierKeys(),
    verify: verifySignature,
    isNamed: () => isNamed,
  });
  const { transaction, ids } = fixture.register('north', 'waiting', [signerOf('an owner')]);
  await rotation.rotate('n.admin');
  await keys.transaction.keepOnly([signer.publicKey]);
  assert.equal((await ledger.submit(encodeTransaction(transaction))).kind, 'refused');
  assert.equal((await own.submit(encodeTransaction(transaction))).kind, 'final');
  assert.ok(ids[0] && ledger.state().study(ids[0]));

  const forged = { ...fixture.register('north', 'forged', [signerOf('another')]).transaction };
  const wrong = { ...forged, signatures: [signerOf('somebody').sign(new Uint8Array(1))] };
  assert.deepEqual(await own.submit(encodeTransaction(wrong)), { kind: 'refused', reason: 'bad-signature' });
  isNamed = false;
  const sent = ledger.submitted.length;
  await assert.rejects(own.submit(encodeTransaction(forged)), { code: 'BOX_NOT_ON_LEDGER' });
  assert.equal(ledger.submitted.length, sent);
});
