/** Bytes of snapshots, of what boxes ask each other of them, and of the headers that outlive their blocks. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import fc from 'fast-check';
import { fromHex, toHex } from '../../firmware/src/encoding/bytes.ts';
import { decodeCertificate } from '../../firmware/src/consensus/signatures.ts';
import { decodeBlock, type StateRange } from '../../firmware/src/ledger/index.ts';
import { decodeHeaderRecord, encodeHeaderRecord } from '../../firmware/src/validator/final-records.ts';
import {
  decodeRange,
  decodeSnapshotOffer,
  decodeSnapshotRequest,
  encodeRange,
  encodeSnapshotOffer,
  encodeSnapshotRequest,
} from '../../firmware/src/validator/snapshot-records.ts';

async function read<T>(name: string): Promise<T> {
  return JSON.parse(await readFile(new URL(`../vectors/${name}.json`, import.meta.url), 'utf8')) as T;
}

const vectors =
  await read<Record<'chunk' | 'newest' | 'record' | 'offer' | 'header' | 'closingHeader', string>>(
    'snapshot',
  );
const wal = await read<{ readonly block: string }>('wal');
const votes = await read<{ readonly certificate: string }>('vote');

const chunk: StateRange = {
  entries: [
    ['institution/north', Uint8Array.of(1, 2, 3)],
    ['epoch', new Uint8Array()],
  ],
  firstDepth: 3,
  lastDepth: 2,
  left: [1, 2, 3].map((byte) => new Uint8Array(32).fill(byte)),
  right: [4, 5].map((byte) => new Uint8Array(32).fill(byte)),
};

test('chunks, requests and offers have the bytes of the golden vectors', () => {
  assert.equal(toHex(encodeRange(chunk)), vectors.chunk);
  assert.deepEqual(decodeRange(fromHex(vectors.chunk)), chunk);
  const requests = { newest: { newest: null }, record: { epoch: 41, record: 7 } } as const;
  for (const name of ['newest', 'record'] as const) {
    assert.equal(toHex(encodeSnapshotRequest(requests[name])), vectors[name]);
    assert.deepEqual(decodeSnapshotRequest(fromHex(vectors[name])), requests[name]);
  }
  const offer = { epoch: 41, height: 345_678, records: 12 };
  assert.equal(toHex(encodeSnapshotOffer(offer)), vectors.offer);
  assert.deepEqual(decodeSnapshotOffer(fromHex(vectors.offer)), offer);
});

test('headers of dropped blocks have the bytes of the golden vectors', () => {
  const decoded = decodeBlock(fromHex(wal.block));
  assert.ok(decoded.kind === 'block');
  const { header } = decoded.block;
  const records = {
    header: { header, certificate: null },
    closingHeader: { header, certificate: decodeCertificate(fromHex(votes.certificate)) },
  };
  for (const name of ['header', 'closingHeader'] as const) {
    assert.equal(toHex(encodeHeaderRecord(records[name])), vectors[name]);
    assert.deepEqual(decodeHeaderRecord(fromHex(vectors[name])), records[name]);
  }
});

test('what is bent is refused with RangeError, or means what its bytes say', () => {
  const decoders = {
    chunk: (bytes: Uint8Array) => encodeRange(decodeRange(bytes)),
    newest: (bytes: Uint8Array) => encodeSnapshotRequest(decodeSnapshotRequest(bytes)),
    record: (bytes: Uint8Array) => encodeSnapshotRequest(decodeSnapshotRequest(bytes)),
    offer: (bytes: Uint8Array) => encodeSnapshotOffer(decodeSnapshotOffer(bytes)),
    closingHeader: (bytes: Uint8Array) => encodeHeaderRecord(decodeHeaderRecord(bytes)),
  };
  for (const [name, again] of Object.entries(decoders)) {
    const bytes = fromHex(vectors[name as keyof typeof decoders]);
    fc.assert(
      fc.property(
        fc.nat(bytes.length - 1),
        fc.integer({ min: 1, max: 255 }),
        fc.boolean(),
        (at, mask, isCut) => {
          const bent = isCut ? bytes.slice(0, at) : bytes.slice();
          if (!isCut) bent[at] = (bent[at] ?? 0) ^ mask;
          let encoded: Uint8Array;
          try {
            encoded = again(bent);
          } catch (error) {
            assert.ok(error instanceof RangeError);
            return;
          }
          assert.equal(toHex(encoded), toHex(bent));
        },
      ),
      { seed: 9, numRuns: 300 },
    );
  }
});
