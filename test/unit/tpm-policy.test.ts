/** Policy digests against golden vectors, and against the sums of part 3, section 23, worked out here once more. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { fromHex, toHex } from '../../firmware/src/encoding/bytes.ts';
import {
  approvalContent,
  devicePolicyDigest,
  deviceSteps,
  firmwareWith,
  type Approval,
  type ApprovedFirmware,
} from '../../firmware/tpm/keys/device-policy.ts';
import { approvalIndex, firmwareCounter, nvNameOf, unwritten } from '../../firmware/tpm/wire/nv.ts';
import { policyDigest, policyOrDigest, signedPolicyMessage } from '../../firmware/tpm/wire/policy.ts';
import { nameOf, sized } from '../../firmware/tpm/wire/structures.ts';
import { rescueKeyArea } from '../../firmware/tpm/wire/templates.ts';

const sha256 = (...parts: readonly string[]): string =>
  createHash('sha256')
    .update(Buffer.from(parts.join(''), 'hex'))
    .digest('hex');

const zeros = '00'.repeat(32);
const running: ApprovedFirmware = {
  values: [new Uint8Array(32).fill(7), new Uint8Array(32).fill(11)],
  countMax: 3,
};
const next: ApprovedFirmware = {
  values: [new Uint8Array(32).fill(7), new Uint8Array(32).fill(12)],
  countMax: 4,
};

interface Vectors {
  readonly counterName: string;
  readonly approvalName: string;
  readonly approvalOfOne: string;
  readonly approvalOfTwo: string;
  readonly deviceWithoutRescue: string;
  readonly deviceWithRescue: string;
}

const vectors = JSON.parse(
  await readFile(join(import.meta.dirname, '..', 'vectors', 'tpm-policy.json'), 'utf8'),
) as Vectors;

const rescue = {
  key: fromHex(`04${'01'.repeat(32)}${'02'.repeat(32)}`),
  lock: { publicArea: sized(fromHex('0008000b00000452000000100000')), privateArea: new Uint8Array(0) },
};

/** TPMS_NV_PUBLIC: index, hash algorithm, attributes, no policy, size. */
const counterName = `000b${sha256('0180684a000b', '22040012', '0000', '0008')}`;
const approvalName = `000b${sha256('0180684c000b', '22041002', '0000', '0022')}`;

test('the Names of counter and approval, as they are once they were written', () => {
  assert.equal(toHex(nvNameOf(firmwareCounter)), counterName);
  assert.equal(counterName, vectors.counterName);
  assert.equal(approvalName, vectors.approvalName);
  assert.equal(toHex(nvNameOf(approvalIndex)), approvalName);
  assert.equal(toHex(unwritten(approvalIndex)), '000e0180684c000b0204100200000022');
});

/** PolicyPCR over 7 and 11, then PolicyNV: counter at most `countMax`. */
function firmwareBranch({ values, countMax }: ApprovedFirmware): string {
  const pcrs = sha256(zeros, '0000017f', '00000001000b03800800', sha256(...values.map(toHex)));
  const args = sha256(countMax.toString(16).padStart(16, '0'), '0000', '0009');
  return sha256(pcrs, '00000149', args, counterName);
}
const or = (...branches: readonly string[]): string => sha256(zeros, '00000171', ...branches);
const approved = sha256(zeros, '00000192', approvalName);

test('the approval index holds the policy of one firmware, twice, or of two', () => {
  const [one, two] = [firmwareBranch(running), firmwareBranch(next)];
  assert.equal(toHex(approvalContent([running])), `000b${or(one, one)}`);
  assert.equal(toHex(approvalContent([running, next])), `000b${or(one, two)}`);
  assert.equal(toHex(approvalContent([running])), vectors.approvalOfOne);
  assert.equal(toHex(approvalContent([running, next])), vectors.approvalOfTwo);
});

test('the device policy is what is approved, or the offline key with the recovery code', () => {
  assert.equal(toHex(devicePolicyDigest(undefined)), or(approved, approved));
  const keyName = toHex(nameOf(rescueKeyArea(rescue.key)));
  const lockName = toHex(nameOf(rescue.lock.publicArea));
  const signed = sha256(sha256(zeros, '00000160', keyName));
  const both = sha256(sha256(signed, '00000151', lockName));
  assert.equal(toHex(devicePolicyDigest(rescue)), or(approved, both));
  assert.equal(toHex(devicePolicyDigest(undefined)), vectors.deviceWithoutRescue);
  assert.equal(toHex(devicePolicyDigest(rescue)), vectors.deviceWithRescue);
});

test('the steps of either firmware lead to the same device policy, whatever is approved with it', () => {
  const approvals: readonly Approval[] = [[running], [running, next], [next]];
  for (const approval of approvals) {
    for (const firmware of approval) {
      const steps = deviceSteps(firmware, approval, rescue);
      assert.deepEqual(policyDigest(steps), devicePolicyDigest(rescue));
      assert.equal(firmwareWith(approval, firmware.values), firmware);
    }
  }
  assert.equal(firmwareWith([running], next.values), undefined);
});

test('a policy has two to eight branches, and the offline key signs nonce and no expiration', () => {
  const branch = new Uint8Array(32);
  assert.throws(() => policyOrDigest([branch]), RangeError);
  assert.throws(() => policyOrDigest(Array.from({ length: 9 }, () => branch)), RangeError);
  assert.equal(toHex(signedPolicyMessage(fromHex('aabb'))), 'aabb00000000');
});
