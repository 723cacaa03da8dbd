/** Whose fault it is that a box does not open a credential: the questioner's, or its own TPM's. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { unlessRefused } from '../../firmware/src/box/attesting-device.ts';
import { AppError } from '../../firmware/src/errors.ts';
import { faultOf } from '../../firmware/tpm/fault.ts';

/** The TPM answers with this code (TSS2_RC). */
function answered(code: number): Promise<Uint8Array> {
  return Promise.reject(faultOf({ kind: 'response', command: 'Esys_ActivateCredential', code }));
}

for (const [name, code] of [
  ['TPM_RC_INTEGRITY: it was made for other keys', 0x1df],
  ['TPM_RC_SIZE: it is none', 0x1d5],
] as const)
  test(`${name}: the questioner hears no more`, async () => {
    assert.equal(await unlessRefused(answered(code)), undefined);
  });

for (const [name, code] of [
  ['TCTI: the TPM is gone', 0x000a_000a],
  ['TPM_RC_RETRY: it has no time', 0x922],
  ['ESYS: the answer is not its own', 0x0007_001b],
] as const)
  test(`${name}: a fault of this box, whoever asked`, async () => {
    await assert.rejects(unlessRefused(answered(code)), AppError);
  });

test('what it opened is told', async () => {
  const secret = Uint8Array.of(1, 2, 3);
  assert.equal(await unlessRefused(Promise.resolve(secret)), secret);
});
