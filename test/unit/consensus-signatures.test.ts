import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import fc from 'fast-check';
import { fromHex, toHex } from '../../firmware/src/encoding/bytes.ts';
import { encodeCanonical } from '../../firmware/src/encoding/canonical-cbor.ts';
import {
  certificateToCbor,
  decodeCertificate,
  decodeVote,
  encodeCertificate,
  encodeVote,
  noDigest,
  verifyCertificate,
  verifyVote,
  voteMessage,
  voteToCbor,
} from '../../firmware/src/consensus/signatures.ts';
import type { Certificate, Vote, VoteContent, VoteKind } from '../../firmware/src/consensus/types.ts';
import { bytesOf, signerOf, verifySignature } from '../fakes/ledger.ts';

const chain = bytesOf('chain');
const signers = ['a', 'b', 'c', 'd'].map((name) => signerOf(`${name} voting`));
const keys = signers.map(({ publicKey }) => publicKey);

function signed(content: VoteContent, validator: number): Vote {
  const signer = signers[validator];
  assert.ok(signer !== undefined);
  return { ...content, validator, signature: signer.sign(voteMessage(chain, content)) };
}

function certified(content: VoteContent, validators: readonly number[]): Certificate {
  const signatures = validators.map((validator) => ({
    validator,
    signature: signed(content, validator).signature,
  }));
  return { ...content, signatures };
}

const content: VoteContent = { kind: 'finalize', epoch: 3, view: 1234567, digest: bytesOf('block') };

interface Vector {
  readonly chain: string;
  readonly digest: string;
  readonly epoch: number;
  readonly view: number;
  readonly messages: Record<VoteKind, string>;
  readonly vote: string;
  readonly certificate: string;
}

test('messages, votes and certificates have the bytes of the golden vector', async () => {
  const vector = JSON.parse(
    await readFile(new URL('../vectors/vote.json', import.meta.url), 'utf8'),
  ) as Vector;
  assert.equal(toHex(chain), vector.chain);
  for (const kind of ['notarize', 'nullify', 'finalize'] as const) {
    const digest = kind === 'nullify' ? noDigest : content.digest;
    assert.equal(toHex(voteMessage(chain, { ...content, kind, digest })), vector.messages[kind]);
  }
  assert.equal(toHex(encodeVote(signed(content, 2))), vector.vote);
  assert.equal(toHex(encodeCertificate(certified(content, [0, 1, 3]))), vector.certificate);
  assert.deepEqual(decodeVote(fromHex(vector.vote)), signed(content, 2));
  assert.deepEqual(decodeCertificate(fromHex(vector.certificate)), certified(content, [0, 1, 3]));
});

test('a vote counts for exactly what it says', () => {
  const vote = signed(content, 2);
  assert.ok(verifyVote(chain, keys, vote, verifySignature));
  const others: readonly Vote[] = [
    { ...vote, kind: 'notarize' },
    { ...vote, epoch: 4 },
    { ...vote, view: 1234568 },
    { ...vote, digest: bytesOf('other') },
    { ...vote, validator: 1 },
    { ...vote, validator: 4 },
  ];
  for (const other of others) assert.ok(!verifyVote(chain, keys, other, verifySignature));
  assert.ok(!verifyVote(bytesOf('other chain'), keys, vote, verifySignature));
});

test('a certificate needs n−f different validators of the list', () => {
  const verify = (certificate: Certificate, list = keys) =>
    verifyCertificate(chain, list, certificate, verifySignature);
  assert.ok(verify(certified(content, [0, 1, 3])));
  assert.ok(verify(certified(content, [0, 1, 2, 3])));
  assert.ok(!verify(certified(content, [0, 1])));
  assert.ok(!verify(certified(content, [0, 1, 1])));
  assert.ok(!verify(certified(content, [3, 1, 0])));
  assert.ok(!verify({ ...certified(content, [0, 1, 3]), view: 1 }));
  assert.ok(!verify({ ...content, signatures: [] }));
  assert.ok(!verify({ ...content, signatures: [] }, []), 'an empty list proves nothing');
  const [first, ...rest] = certified(content, [0, 1, 3]).signatures;
  assert.ok(first !== undefined);
  assert.ok(!verify({ ...content, signatures: [{ validator: -1, signature: first.signature }, ...rest] }));
  assert.ok(!verify({ ...content, signatures: [...rest, { validator: 4, signature: first.signature }] }));
});

test('nothing but signatures makes a quorum (cardano-ibc #707)', () => {
  const [first, second, third] = certified(content, [0, 1, 3]).signatures;
  assert.ok(first !== undefined && second !== undefined && third !== undefined);
  const none = new Uint8Array(64);
  const forgeries: readonly Certificate['signatures'][] = [
    [],
    // There is no weight to be negative; what could count backwards here is the index.
    [-3, -2, -1].map((validator) => ({ validator, signature: none })),
    [0, 1, 2].map((validator) => ({ validator, signature: none })),
    [first, second, { ...second, validator: 1.5 }],
    [first, { ...second, validator: NaN }, third],
    [first, second, { validator: 2, signature: none }],
    [first, second, { validator: 2, signature: third.signature }],
  ];
  for (const signatures of forgeries) {
    assert.ok(!verifyCertificate(chain, keys, { ...content, signatures }, verifySignature));
  }
  for (const size of [1, 2, 3, 4, 5, 6, 7, 20, 100]) {
    const list = Array.from({ length: size }, (_, index) => signerOf(`${index} voting`).publicKey);
    assert.ok(!verifyCertificate(chain, list, { ...content, signatures: [] }, verifySignature));
  }
});

test('a certificate says nothing of time, and who signed does not change what it proves (CSA-2026-001)', () => {
  // Block time stands in the header, under the digest: no choice of votes can move it.
  const proofs = [
    [0, 1, 2],
    [0, 1, 3],
    [0, 2, 3],
    [1, 2, 3],
    [0, 1, 2, 3],
  ].map((validators) => certified(content, validators));
  const message = toHex(voteMessage(chain, content));
  for (const proof of proofs) {
    assert.ok(verifyCertificate(chain, keys, proof, verifySignature));
    assert.equal(toHex(voteMessage(chain, proof)), message);
    assert.deepEqual(Object.keys(proof).sort(), ['digest', 'epoch', 'kind', 'signatures', 'view']);
  }
  // A signature counts for the index under which it stands, never for another one's.
  const [first, second, ...rest] = certified(content, [0, 1, 2, 3]).signatures;
  assert.ok(first !== undefined && second !== undefined);
  const swapped = [
    { ...first, signature: second.signature },
    { ...second, signature: first.signature },
    ...rest,
  ];
  assert.ok(!verifyCertificate(chain, keys, { ...content, signatures: swapped }, verifySignature));
});

const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });
const arbitraryContent = fc
  .record({
    kind: fc.constantFrom<VoteKind>('notarize', 'nullify', 'finalize'),
    epoch: fc.maxSafeNat(),
    view: fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
    digest: bytes(32),
  })
  .map((value) => (value.kind === 'nullify' ? { ...value, digest: noDigest } : value));
const arbitraryVote = fc
  .tuple(arbitraryContent, fc.nat(511), bytes(64))
  .map(([value, validator, signature]): Vote => ({ ...value, validator, signature }));
const arbitraryCertificate = fc
  .tuple(arbitraryContent, fc.uniqueArray(fc.nat(511), { minLength: 1, maxLength: 20 }), bytes(64))
  .map(([value, validators, signature]): Certificate => {
    const signatures = validators.sort((a, b) => a - b).map((validator) => ({ validator, signature }));
    return { ...value, signatures };
  });

test('what was encoded is decoded, and nothing but that form', () => {
  fc.assert(fc.property(arbitraryVote, (vote) => assert.deepEqual(decodeVote(encodeVote(vote)), vote)));
  fc.assert(
    fc.property(arbitraryCertificate, (certificate) =>
      assert.deepEqual(decodeCertificate(encodeCertificate(certificate)), certificate),
    ),
  );
  fc.assert(
    fc.property(arbitraryVote, fc.nat(), fc.integer({ min: 1, max: 255 }), (vote, place, flip) => {
      const changed = encodeVote(vote);
      const at = place % changed.length;
      changed[at] = (changed[at] ?? 0) ^ flip;
      try {
        assert.equal(toHex(encodeVote(decodeVote(changed))), toHex(changed));
      } catch (error) {
        assert.ok(error instanceof RangeError, String(error));
      }
    }),
  );
});

test('values that are no votes and certificates are refused', () => {
  const vote = voteToCbor(signed(content, 2)) as Record<string, never>;
  const certificate = certificateToCbor(certified(content, [0, 1, 3])) as Record<string, never>;
  const pair = [0, new Uint8Array(64)];
  const wrongVotes = [
    { ...vote, kind: 0 },
    { ...vote, kind: 4 },
    { ...vote, kind: 2 },
    { ...vote, view: 0 },
    { ...vote, view: -1 },
    { ...vote, epoch: -1 },
    { ...vote, validator: 512 },
    { ...vote, digest: new Uint8Array(31) },
    { ...vote, signature: new Uint8Array(63) },
    { ...vote, more: 1 },
    { kind: 1 },
    [],
    null,
  ];
  for (const value of wrongVotes) assert.throws(() => decodeVote(encodeCanonical(value)), RangeError);
  const wrongCertificates = [
    { ...certificate, signatures: [] },
    { ...certificate, signatures: [pair, pair] },
    { ...certificate, signatures: [[1, new Uint8Array(64)], pair] },
    { ...certificate, signatures: [[0]] },
    { ...certificate, signatures: [0] },
    { ...certificate, signatures: {} },
  ];
  for (const value of wrongCertificates)
    assert.throws(() => decodeCertificate(encodeCanonical(value)), RangeError);
});
