/** The vendor's certificates in the TPM's memory: one index or several, filled up or not, one that goes on in the next. */
import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { concatBytes, toHex } from '../../firmware/src/encoding/bytes.ts';
import { certificatesIn } from '../../firmware/tpm/broker/certificates-in.ts';
import { TpmVendor } from '../support/tpm-vendor.ts';

let authority: Uint8Array;
let root: Uint8Array;
before(async () => {
  const vendor = await TpmVendor.make({ from: Date.UTC(2026, 0, 1) });
  [authority = new Uint8Array(0), root = new Uint8Array(0)] = vendor.authorities;
});

const filling = new Uint8Array(40).fill(0xff);
const zeros = new Uint8Array(40);

function assertBoth(...indexes: readonly Uint8Array[]): void {
  assert.deepEqual(certificatesIn(indexes).map(toHex), [authority, root].map(toHex));
}

test('certificates are found wherever the vendor begins and ends an index', () => {
  const [third, half] = [root.length / 3, root.length / 2];
  assertBoth(authority, root);
  assertBoth(concatBytes(authority, root));
  assertBoth(concatBytes(authority, root.subarray(0, half)), root.subarray(half));
  assertBoth(
    concatBytes(authority, root.subarray(0, third)),
    root.subarray(third, 2 * third),
    root.subarray(2 * third),
  );
});

test('what fills an index up hides neither what stands before it nor the next index', () => {
  assertBoth(concatBytes(authority, root, filling));
  assertBoth(concatBytes(authority, filling), concatBytes(root, filling));
  assertBoth(concatBytes(authority, zeros), concatBytes(root, zeros));
  assertBoth(zeros, authority, filling, root);
});

test('what is no certificate is left out, and so is one that nothing completes', () => {
  assert.deepEqual(certificatesIn([]), []);
  assert.deepEqual(certificatesIn([zeros, filling]), []);
  assert.deepEqual(certificatesIn([root.subarray(0, 200)]), []);
  assert.deepEqual(certificatesIn([root.subarray(1)]), []);
});
