/** A light client goes from epoch to epoch by handovers alone, for 90 days, from a checkpoint; and back in history. */
import assert from 'node:assert/strict';
import test from 'node:test';
import { p256 } from '@noble/curves/nist.js';
import { encodeCertificate } from '../../firmware/src/consensus/signatures.ts';
import { encodeCanonical } from '../../firmware/src/encoding/canonical-cbor.ts';
import { merklePath } from '../../firmware/src/encoding/merkle-tree.ts';
import { encodeHandover, handoverMessage, type Handover } from '../../firmware/src/handover/handover.ts';
import {
  blockDigest,
  encodeGenesis,
  encodeHeader,
  epochRecord,
  genesisBlock,
  stateKeys,
} from '../../firmware/src/ledger/index.ts';
import type { BlockHeader, EpochRecord } from '../../firmware/src/ledger/types.ts';
import { verifyP256 } from '../../firmware/src/protocol/webcrypto-p256.ts';
import { openCheckpoint, openGenesis, type Checkpoint } from '../../firmware/wallet/checkpoint.ts';
import { LightClient, valuesAt, verifyOlder } from '../../firmware/wallet/light-client.ts';
import { headAheadMsMax, trustMsMax } from '../../firmware/wallet/limits.ts';
import { bytesOf, verifyIdentity } from '../fakes/ledger.ts';
import { WalletConsortium } from '../fakes/wallet-consortium.ts';

const dayMs = 86_400_000;

/** A consortium that has closed this many epochs, with its first record and all its handovers. */
function consortiumOf(epochs: number) {
  const consortium = new WalletConsortium();
  const { chain } = consortium;
  const first = openGenesis(encodeGenesis(consortium.genesis), chain);
  assert.ok(first);
  const handovers = Array.from({ length: epochs }, () => consortium.endEpoch());
  return { consortium, chain, first, handovers };
}

function evidenceOf({ header, certificate }: WalletConsortium) {
  return { header: encodeHeader(header), certificate: encodeCertificate(certificate) };
}

async function reasonOf(
  answer: Promise<{ readonly kind: string; readonly reason?: string }>,
): Promise<string> {
  const { kind, reason } = await answer;
  return reason ?? kind;
}

test('handovers lead to the head of a later epoch, each by both quorums of the epoch before', async () => {
  const { consortium, chain, first, handovers } = consortiumOf(3);
  consortium.heartbeat();
  const client = new LightClient(chain, first);
  const evidence = evidenceOf(consortium);
  assert.equal(await reasonOf(client.verifyHead(evidence, consortium.now)), 'later-epoch');
  for (const handover of handovers) {
    assert.equal(await reasonOf(client.follow(encodeHandover(handover), consortium.now)), 'followed');
  }
  assert.deepEqual(client.epoch, consortium.state.epoch());
  assert.equal(client.epoch.number, 3);
  assert.equal(await reasonOf(client.verifyHead(evidence, consortium.now)), 'head');
});

test('the last block of the epoch before is believed, one of an older epoch no more', async () => {
  const { consortium, chain, first, handovers } = consortiumOf(2);
  const [one, two] = handovers.map((handover) => ({
    header: encodeHeader(handover.header),
    certificate: encodeCertificate(handover.certificate),
  }));
  assert.ok(one && two);
  const client = new LightClient(chain, first);
  for (const handover of handovers) await client.follow(encodeHandover(handover), consortium.now);
  assert.equal(await reasonOf(client.verifyFinal(two, consortium.now)), 'final');
  assert.equal(await reasonOf(client.verifyFinal(one, consortium.now)), 'earlier-epoch');
});

test('a handover with one quorum of keys, of another epoch, or changed, is not followed', async () => {
  const { consortium, chain, first, handovers } = consortiumOf(2);
  const [handover, next] = handovers;
  assert.ok(handover && next);
  const { signatures, certificate } = handover;
  const message = handoverMessage(
    chain,
    0,
    blockDigest(handover.header),
    handover.proof.value ?? assert.fail(),
  );
  const stranger = { validator: 3, signature: p256.sign(message, bytesOf('identity of a stranger')) };
  const forged: readonly (readonly [string, Partial<Handover>])[] = [
    ['voting keys alone', { signatures: [] }],
    ['one identity too few', { signatures: signatures.slice(1) }],
    ['a stranger’s identity key', { signatures: [...signatures.slice(0, 2), stranger] }],
    ['identity keys alone', { certificate: { ...certificate, signatures: certificate.signatures.slice(1) } }],
    ['votes to notarize', { certificate: { ...certificate, kind: 'notarize' } }],
    ['another state', { header: { ...handover.header, stateRoot: bytesOf('forged') } }],
    ['another record', { proof: next.proof }],
  ];
  const client = new LightClient(chain, first);
  for (const [name, change] of forged) {
    const answer = client.follow(encodeHandover({ ...handover, ...change }), consortium.now);
    assert.equal(await reasonOf(answer), 'handover', name);
  }
  assert.equal(await reasonOf(client.follow(encodeHandover(next), consortium.now)), 'handover');
  assert.equal(await reasonOf(client.follow(new Uint8Array(9), consortium.now)), 'malformed');
  const other = new LightClient(bytesOf('other chain'), first);
  assert.equal(await reasonOf(other.follow(encodeHandover(handover), consortium.now)), 'other-chain');
  assert.deepEqual(client.epoch, first);
});

test('a set of the liar’s own choice is not followed, though it signed for itself', async () => {
  const { consortium, chain, first, handovers } = consortiumOf(1);
  const [handover] = handovers;
  assert.ok(handover);
  // The liar runs a consortium of its own under the same chain id, and hands over to it.
  const keys = ['a', 'b', 'c', 'd'].map((id) => bytesOf(`identity ${id}`));
  const own: EpochRecord = {
    ...consortium.state.epoch(),
    validators: keys.map((key, index) => ({
      id: `liar-${index}`,
      voting: consortium.fixture.box('north').voting.publicKey,
      identity: p256.getPublicKey(key, false),
    })),
  };
  const value = epochRecord.encode(own);
  const message = handoverMessage(chain, 0, blockDigest(handover.header), value);
  const signatures = keys.map((key, validator) => ({ validator, signature: p256.sign(message, key) }));
  const lie = { ...handover, proof: { ...handover.proof, value }, signatures };
  const client = new LightClient(chain, first);
  assert.equal(await reasonOf(client.follow(encodeHandover(lie), consortium.now)), 'handover');
});

test('a validator set is trusted for 90 days from its beginning, and not for a millisecond more', async () => {
  const { consortium, chain, first, handovers } = consortiumOf(1);
  const [handover] = handovers;
  assert.ok(handover);
  const evidence = {
    header: encodeHeader(handover.header),
    certificate: encodeCertificate(handover.certificate),
  };
  const last = first.startTime + trustMsMax;
  const client = new LightClient(chain, first);
  assert.equal(await reasonOf(client.verifyFinal(evidence, last)), 'final');
  assert.equal(await reasonOf(client.verifyFinal(evidence, last + 1)), 'trust-expired');
  assert.equal(await reasonOf(client.follow(encodeHandover(handover), last + 1)), 'trust-expired');
  assert.equal(await reasonOf(client.follow(encodeHandover(handover), last)), 'followed');
  // The new set began a day later.
  assert.equal(client.hasExpired(last + dayMs), false);
  assert.equal(client.hasExpired(consortium.state.epoch().startTime + trustMsMax + 1), true);
});

test('a handover from the future is not followed', async () => {
  const { chain, first, handovers } = consortiumOf(1);
  const [handover] = handovers;
  assert.ok(handover);
  const { time } = handover.header;
  const client = new LightClient(chain, first);
  assert.equal(await reasonOf(client.follow(encodeHandover(handover), time - headAheadMsMax - 1)), 'ahead');
  assert.equal(await reasonOf(client.follow(encodeHandover(handover), time - headAheadMsMax)), 'followed');
});

// cardano-ibc #707: a light client for which voting power could be negative, so that a header without a single
// signature passed the quorum. Here nobody has power: validators are counted, and an empty set proves nothing.
test('no header passes without signatures, whatever the set (cardano-ibc #707)', async () => {
  const { consortium, chain, first } = consortiumOf(0);
  const { header } = consortium;
  const unsigned = { ...consortium.certificate, signatures: [] };
  for (let count = 0; count <= 7; count++) {
    const validators = Array.from({ length: count }, () => first.validators[0] ?? assert.fail());
    const client = new LightClient(chain, { ...first, validators });
    const bare = { header: encodeHeader(header), certificate: encodeCertificate(unsigned) };
    assert.equal(await reasonOf(client.verifyHead(bare, consortium.now)), 'malformed');
    const handover = {
      header,
      certificate: unsigned,
      proof: consortium.state.prove(stateKeys.epoch),
      signatures: [],
    };
    assert.equal(await reasonOf(client.follow(encodeHandover(handover), consortium.now)), 'malformed');
  }
  // Signatures by nobody of the set do not count either.
  const nobody = new LightClient(chain, { ...first, validators: [] });
  assert.equal(await reasonOf(nobody.verifyHead(evidenceOf(consortium), consortium.now)), 'no-quorum');
  // A record cannot give anybody power, let alone a negative one, and cannot be empty.
  const [validator] = first.validators;
  assert.ok(validator);
  const record = (validators: readonly object[]) =>
    encodeCanonical({ ...first, validators: validators.map((item) => ({ ...item })) });
  assert.equal(epochRecord.decode(record([validator])).kind, 'decoded');
  assert.equal(epochRecord.decode(record([])).kind, 'refused');
  assert.equal(epochRecord.decode(record([{ ...validator, power: -1 }])).kind, 'refused');
  assert.equal(epochRecord.decode(encodeCanonical({ ...first, number: -1, validators: [] })).kind, 'refused');
});

test('a checkpoint opens with the handover whose block it names, and with no other', () => {
  const { consortium, chain, handovers } = consortiumOf(2);
  const [one, two] = handovers;
  assert.ok(one && two);
  const checkpoint: Checkpoint = {
    chain,
    epoch: 2,
    height: two.header.height,
    digest: blockDigest(two.header),
  };
  const open = (change: Partial<Checkpoint>, handover: Handover = two) =>
    openCheckpoint({ ...checkpoint, ...change }, encodeHandover(handover));
  assert.deepEqual(open({}), consortium.state.epoch());
  // The block is vouched for: nobody else has to sign it.
  assert.deepEqual(open({}, { ...two, signatures: [] }), consortium.state.epoch());
  assert.equal(open({ epoch: 1 }), undefined);
  assert.equal(open({ height: checkpoint.height + 1 }), undefined);
  assert.equal(open({ digest: bytesOf('other') }), undefined);
  assert.equal(open({ chain: bytesOf('other') }), undefined);
  assert.equal(open({}, one), undefined);
  assert.equal(open({}, { ...two, proof: one.proof }), undefined);
  assert.equal(openCheckpoint(checkpoint, new Uint8Array(3)), undefined);
});

test('a block in the midst of an epoch is no checkpoint', () => {
  const { consortium, chain } = consortiumOf(1);
  consortium.heartbeat();
  const { header, certificate } = consortium;
  const midway = { header, certificate, proof: consortium.state.prove(stateKeys.epoch), signatures: [] };
  const checkpoint = { chain, epoch: 1, height: header.height, digest: blockDigest(header) };
  assert.equal(openCheckpoint(checkpoint, encodeHandover(midway)), undefined);
});

test('what stood at an older height is proved from the head, over the ends of epochs', async () => {
  const consortium = new WalletConsortium();
  const headers: BlockHeader[] = [genesisBlock(consortium.genesis).header];
  const states = [consortium.state];
  headers.push(consortium.header);
  while (consortium.state.epoch().number < 2) {
    if (headers.length % 3 === 0) consortium.endEpoch();
    else consortium.heartbeat();
    headers.push(consortium.header);
    states.push(consortium.state);
  }
  consortium.heartbeat();
  const client = new LightClient(consortium.chain, consortium.state.epoch());
  const head = await client.verifyHead(evidenceOf(consortium), consortium.now);
  assert.ok(head.kind === 'head');
  const digests = headers.map(blockDigest);
  const [key] = [stateKeys.epoch];
  for (const [index, older] of headers.slice(1).entries()) {
    const path = merklePath(digests, older.height);
    const final = verifyOlder(head.header, encodeHeader(older), path);
    assert.ok(final.kind === 'final');
    const state = states[index];
    assert.ok(state);
    const proven = valuesAt(final.header, [key], [state.prove(key)]);
    assert.ok(proven.kind === 'proven');
    assert.equal(proven.header.height, older.height);
    const forged = encodeHeader({ ...older, stateRoot: bytesOf('forged') });
    assert.deepEqual(verifyOlder(head.header, forged, path), { kind: 'refused', reason: 'proof' });
    assert.deepEqual(verifyOlder(head.header, encodeHeader(older), path.slice(1)), {
      kind: 'refused',
      reason: 'proof',
    });
  }
  assert.deepEqual(verifyOlder(head.header, new Uint8Array(2), []), { kind: 'refused', reason: 'malformed' });
});

test('the platform’s P-256 says what node:crypto says, and refuses what is no key or signature', async () => {
  const secret = bytesOf('identity');
  const key = p256.getPublicKey(secret, false);
  const message = bytesOf('message');
  const signature = p256.sign(message, secret);
  assert.equal(await verifyP256(key, message, signature), true);
  assert.equal(verifyIdentity(key, message, signature), true);
  const flipped = signature.slice();
  flipped[10] = (flipped[10] as number) ^ 1;
  const offCurve = key.slice();
  offCurve[64] = (offCurve[64] as number) ^ 1;
  assert.equal(await verifyP256(key, message, flipped), false);
  assert.equal(await verifyP256(key, bytesOf('other'), signature), false);
  assert.equal(await verifyP256(offCurve, message, signature), false);
  assert.equal(await verifyP256(p256.getPublicKey(secret, true), message, signature), false);
  assert.equal(await verifyP256(key, message, signature.slice(1)), false);
  assert.equal(await verifyP256(key, message, new Uint8Array(64)), false);
});
