/** What a control PDU costs while it comes a byte at a time: an unadmitted peer can send so. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { PduReader } from '../../firmware/dimse/pdu-reader.ts';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

const peers = 20;
const bytesOfEach = 60_000;

test('an A-ASSOCIATE-RQ in pieces of one byte costs its bytes, not an object for each', () => {
  const head = Uint8Array.of(1, 0, 0, 1, 0, 0);
  const one = Uint8Array.of(0);
  const readers = Array.from({ length: peers }, () => new PduReader(131_072));
  const begin = (reader: PduReader): void => {
    reader.push(head);
    assert.equal(reader.next(), undefined);
  };
  readers.forEach(begin);
  collect();
  const before = process.memoryUsage();
  for (const reader of readers) {
    for (let n = 0; n < bytesOfEach; n++) {
      reader.push(one);
      assert.equal(reader.next(), undefined);
      reader.detach();
    }
  }
  collect();
  const after = process.memoryUsage();
  const grown = after.heapUsed + after.arrayBuffers - before.heapUsed - before.arrayBuffers;
  // Twice the bytes at most, since the buffer doubles, and some for what the runtime keeps.
  assert(grown < 2 * peers * bytesOfEach + 2_000_000, `${grown} bytes`);
  assert(readers.every((reader) => reader.midPdu));
});
