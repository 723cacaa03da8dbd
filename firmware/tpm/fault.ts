import { AppError, type ErrorCode } from '../src/errors.ts';
import type { TpmHealth } from '../src/ports.ts';
import type { Failure } from './broker/messages.ts';
import { kindOf, TpmError, type ResponseKind } from './response-code.ts';

/** What each kind of response means for the person in front of the box. */
const codeOfKind: Record<ResponseKind, ErrorCode> = {
  policy: 'TPM_POLICY',
  'locked-out': 'TPM_LOCKED_OUT',
  integrity: 'STORE_CORRUPT',
  'no-value': 'TPM_FAILED',
  'no-transport': 'TPM_LIBRARY_MISSING',
  tampered: 'TPM_WRONG',
  connection: 'TPM_ABSENT',
  refused: 'TPM_FAILED',
  busy: 'TPM_FAILED',
};

const messageOfKind: Record<ResponseKind, string> = {
  policy: 'the TPM does not take what runs here for an approved firmware',
  'locked-out': 'the TPM is locked out after failed authorizations',
  integrity: 'a key blob was altered, or was not made by this TPM',
  'no-value': 'a counter of the TPM has no value',
  'no-transport': 'tpm2-tss has no library for this TCTI',
  tampered: 'an answer does not carry the key of the TPM: something stands between it and the box',
  connection: 'the TPM cannot be reached',
  refused: 'the TPM refused a command',
  busy: 'the TPM cannot take a command now',
};

/** The fault behind a failed operation. Its cause is the TpmError with code and decoded name. */
export function faultOf(failure: Failure): AppError {
  switch (failure.kind) {
    case 'fault':
      return new AppError(failure.code, failure.message);
    case 'bug':
      return new AppError('TPM_FAILED', `the TPM broker failed: ${failure.message}`);
    case 'response': {
      const cause = new TpmError(failure.command, failure.code);
      const kind = kindOf(failure.code, failure.command);
      return new AppError(codeOfKind[kind], `${messageOfKind[kind]} (${cause.message})`, { cause });
    }
  }
}

const healthOfCode = new Map<ErrorCode, TpmHealth>([
  ['TPM_ABSENT', 'absent'],
  ['TPM_LIBRARY_MISSING', 'absent'],
  ['TPM_SIMULATOR_MISSING', 'absent'],
  ['TPM_LOCKED_OUT', 'locked-out'],
  ['TPM_POLICY', 'policy-mismatch'],
  ['TPM_WRONG', 'wrong-tpm'],
]);

/** The state of the TPM that a fault shows. */
export function healthOf(fault: AppError): TpmHealth {
  return healthOfCode.get(fault.code) ?? 'wedged';
}
