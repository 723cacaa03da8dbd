/** Response codes decoded as the specifications have them, and as the TCG's own tool reads them. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { AppError } from '../../firmware/src/errors.ts';
import { faultOf, healthOf } from '../../firmware/tpm/fault.ts';
import { decodeResponse, describeResponse, kindOf, TpmError } from '../../firmware/tpm/response-code.ts';
import {
  baseNames,
  errorNames,
  formatOneNames,
  warningNames,
} from '../../firmware/tpm/wire/response-names.ts';

const run = promisify(execFile);

/** Code, what we say of it, what tpm2_rc_decode (tpm2-tools with tpm2-tss 3.2.1 and 4.1.3) says of it. */
const table: readonly (readonly [code: number, ours: string, theirs: string])[] = [
  [0x000, 'TPM_RC_SUCCESS', 'tpm:success'],
  // Format one.
  [0x99d, 'TPM_RC_POLICY_FAIL, session 1', 'tpm:session(1):a policy check failed'],
  [0x9a2, 'TPM_RC_BAD_AUTH, session 1', 'tpm:session(1):authorization failure without DA implications'],
  [
    0x98e,
    'TPM_RC_AUTH_FAIL, session 1',
    'tpm:session(1):the authorization HMAC check failed and DA counter incremented',
  ],
  [0x1df, 'TPM_RC_INTEGRITY, parameter 1', 'tpm:parameter(1):integrity check failed'],
  [0x2db, 'TPM_RC_SIGNATURE, parameter 2', 'tpm:parameter(2):the signature is not valid'],
  [0x3e0, 'TPM_RC_TICKET, parameter 3', 'tpm:parameter(3):invalid ticket'],
  [
    0xfc4,
    'TPM_RC_VALUE, parameter 15',
    // The tool takes three bits of four (part 2, 6.6.2, table 14 has four).
    'tpm:parameter(7):value is out of range or is not correct for the context',
  ],
  [0x58b, 'TPM_RC_HANDLE, handle 5', 'tpm:handle(5):the handle is not correct for the use'],
  [0x084, 'TPM_RC_VALUE, handle', 'tpm:handle(unk):value is out of range or is not correct for the context'],
  [0x0bf, 'unknown code, handle', 'tpm:handle(unk):unknown error num: 0x3F'],
  // Format zero.
  [0x126, 'TPM_RC_POLICY', 'tpm:error(2.0): policy failure in math operation or an invalid authPolicy value'],
  [0x128, 'TPM_RC_PCR_CHANGED', 'tpm:error(2.0): PCR have changed since checked'],
  [
    0x14a,
    'TPM_RC_NV_UNINITIALIZED',
    'tpm:error(2.0): an NV Index is used before being initialized or the state saved by TPM2_ShutdownSTATE could not be restored',
  ],
  [
    0x921,
    'TPM_RC_LOCKOUT',
    'tpm:warn(2.0): authorizations for objects subject to DA protection are not allowed at this time because the TPM is in DA lockout mode',
  ],
  [0x922, 'TPM_RC_RETRY', 'tpm:warn(2.0): the TPM was not able to start the command'],
  [0x97d, 'unknown code', 'tpm:0x97D'],
  [0x500, 'unknown code', 'tpm:error(2.0): Vendor specific error: 0x0'],
  [0x01e, 'TPM_RC_BAD_TAG', 'tpm:error(1.2): unknown version 1.2 error code'],
  // The other layers.
  [0x7_0007, 'esys: TSS2_BASE_RC_BAD_SEQUENCE', 'esapi:Function called in the wrong order'],
  [0x7_001b, 'esys: TSS2_BASE_RC_RSP_AUTH_FAILED', 'esapi:Authorizing the TPM response failed'],
  [0x8_0001, 'sys: TSS2_BASE_RC_GENERAL_FAILURE', 'sys:Catch all for all errors not otherwise specified'],
  [0x9_0006, 'mu: TSS2_BASE_RC_INSUFFICIENT_BUFFER', "mu:A buffer isn't large enough"],
  [0xa_000a, 'tcti: TSS2_BASE_RC_IO_ERROR', 'tcti:IO failure'],
  [0xa_0015, 'tcti: TSS2_BASE_RC_NOT_SUPPORTED', 'tcti:Functionality not supported'],
  [
    0xb_0921,
    'resource manager: TPM_RC_LOCKOUT',
    'rmt:warn(2.0): authorizations for objects subject to DA protection are not allowed at this time because the TPM is in DA lockout mode',
  ],
];

test('codes are read as tpm2_rc_decode reads them, by the names of the specification', async () => {
  for (const [code, ours, theirs] of table) {
    assert.equal(describeResponse(code), ours);
    const { stdout } = await run('tpm2_rc_decode', [`0x${code.toString(16)}`]);
    assert.equal(stdout.trim(), theirs, ours);
  }
});

test('each named code is decoded with whatever handle, session or parameter it is about', () => {
  for (const [bits, name] of formatOneNames) {
    for (let number = 0; number < 16; number++) {
      const parameter = 0x80 | 0x40 | bits | (number << 8);
      assert.deepEqual(decodeResponse(parameter), {
        layer: 'tpm',
        name: `TPM_RC_${name}`,
        severity: 'error',
        about: { part: 'parameter', number: number === 0 ? undefined : number },
      });
      const other = 0x80 | bits | (number << 8);
      const inPart = number & 7;
      assert.deepEqual(decodeResponse(other).about, {
        part: number < 8 ? 'handle' : 'session',
        number: inPart === 0 ? undefined : inPart,
      });
    }
  }
  for (const [bits, name] of errorNames) assert.equal(describeResponse(0x100 | bits), `TPM_RC_${name}`);
  for (const [bits, name] of warningNames) {
    assert.equal(describeResponse(0x900 | bits), `TPM_RC_${name}`);
    assert.equal(decodeResponse(0x900 | bits).severity, 'warning');
  }
  for (const [bits, name] of baseNames)
    assert.equal(decodeResponse(0x7_0000 | bits).name, `TSS2_BASE_RC_${name}`);
  assert.equal(describeResponse(0xc_0009), 'resource manager: TSS2_BASE_RC_TRY_AGAIN');
  assert.deepEqual(
    [formatOneNames, errorNames, warningNames, baseNames].map((names) => new Set(names.values()).size),
    [formatOneNames.size, errorNames.size, warningNames.size, baseNames.size],
  );
});

test('every 32-bit code is decoded, and never in the name of another layer', () => {
  for (let layer = 0; layer < 256; layer++) {
    for (let low = 0; low < 0x1000; low += 7) {
      const { name, layer: whose } = decodeResponse(layer * 0x1_0000 + low);
      if (name?.startsWith('TPM_RC_')) assert.ok(whose === 'tpm' || whose === 'resource manager');
      if (name?.startsWith('TSS2_')) assert.notEqual(whose, 'tpm');
    }
  }
});

test('response codes by what they mean, whatever session or parameter they name', () => {
  const meant: Record<string, readonly number[]> = {
    policy: [0x99d, 0x9d, 0x126, 0x128, 0xb_099d],
    'locked-out': [0x921, 0xb_0921],
    integrity: [0x1df, 0x9df],
    'no-value': [0x14a],
    'no-transport': [0xa_0015],
    tampered: [0x7_001b],
    connection: [0xa_000a, 0x7_0007, 0xc_0009],
    refused: [0x1d, 0x101, 0x18b, 0x9_0006],
    busy: [0x902, 0xb_0902],
  };
  for (const [kind, codes] of Object.entries(meant)) {
    for (const code of codes) assert.equal(kindOf(code), kind, code.toString(16));
  }
});

test('each response is told with its command, name and code, and its state of the TPM', () => {
  const outcome = (code: number): string[] => {
    const fault = faultOf({ kind: 'response', command: 'Esys_X', code });
    assert.ok(fault.cause instanceof TpmError);
    assert.ok(fault.message.endsWith(`(Esys_X: ${describeResponse(code)} (0x${code.toString(16)}))`));
    return [fault.code, healthOf(fault)];
  };
  assert.deepEqual(outcome(0x99d), ['TPM_POLICY', 'policy-mismatch']);
  assert.deepEqual(outcome(0x921), ['TPM_LOCKED_OUT', 'locked-out']);
  assert.deepEqual(outcome(0x1df), ['STORE_CORRUPT', 'wedged']);
  assert.deepEqual(outcome(0x7_001b), ['TPM_WRONG', 'wrong-tpm']);
  assert.deepEqual(outcome(0xa_000a), ['TPM_ABSENT', 'absent']);
  assert.deepEqual(outcome(0xa_0015), ['TPM_LIBRARY_MISSING', 'absent']);
  assert.deepEqual(outcome(0x902), ['TPM_FAILED', 'wedged']);
  assert.equal(healthOf(new AppError('TPM_WRONG', 'x')), 'wrong-tpm');
  assert.equal(healthOf(new AppError('TPM_TIMEOUT', 'x')), 'wedged');
});
