/** Response codes of a TPM and of the libraries before it (TPM 2.0 part 2, section 6.6; TSS 2.0 overview, 2.4). */
import { baseNames, errorNames, formatOneNames, warningNames } from './wire/response-names.ts';

/** Who answered: the TPM, or a layer of tpm2-tss on the way to it. By bits 16 to 23 (TSS 2.0 overview, 2.4). */
const layerNames = [
  [0, 'tpm'],
  [6, 'fapi'],
  [7, 'esys'],
  [8, 'sys'],
  [9, 'mu'],
  [10, 'tcti'],
  [11, 'resource manager'],
  [12, 'resource manager'],
  [13, 'driver'],
] as const;
export type ResponseLayer = (typeof layerNames)[number][1] | 'unknown';
const layers = new Map<number, ResponseLayer>(layerNames);

export interface DecodedResponse {
  readonly layer: ResponseLayer;
  /** `TPM_RC_POLICY_FAIL`, `TSS2_BASE_RC_IO_ERROR`; undefined for a code that the specifications do not name. */
  readonly name: string | undefined;
  /** A warning is about now: the same command may succeed later. */
  readonly severity: 'success' | 'error' | 'warning';
  /** What of the command is at fault, counted from 1; without a number where the TPM does not say which. */
  readonly about:
    { readonly part: 'handle' | 'session' | 'parameter'; readonly number: number | undefined } | undefined;
}

/** Bit 7: the code has format one (part 2, 6.6.2). */
const formatOne = 0x80;
/** Bit 8: a format-zero code of TPM 2.0, not of TPM 1.2. */
const version2 = 0x100;
const vendorBit = 0x400;
/** The one code of TPM 1.2 that TPM 2.0 uses: to a command with a tag of the other version. */
const badTag = 0x1e;
const warningBit = 0x800;
const parameterBit = 0x40;
/** Bit 11 of a format-one code that is not about a parameter: about a session, not a handle. */
const sessionBit = 0x800;

const prefixed = (prefix: string, name: string | undefined): string | undefined =>
  name === undefined ? undefined : prefix + name;

const orUndefined = (number: number): number | undefined => (number === 0 ? undefined : number);

type TpmResponse = Omit<DecodedResponse, 'layer'>;

function decodeFormatOne(code: number): TpmResponse {
  const name = prefixed('TPM_RC_', formatOneNames.get(code & 0x3f));
  const severity = 'error';
  if ((code & parameterBit) !== 0) {
    return { name, severity, about: { part: 'parameter', number: orUndefined((code >>> 8) & 0xf) } };
  }
  const part = (code & sessionBit) !== 0 ? 'session' : 'handle';
  return { name, severity, about: { part, number: orUndefined((code >>> 8) & 0x7) } };
}

function decodeFormatZero(code: number): TpmResponse {
  if (code === badTag) return { name: 'TPM_RC_BAD_TAG', severity: 'error', about: undefined };
  const severity = (code & warningBit) !== 0 ? 'warning' : 'error';
  const known = (code & (version2 | vendorBit)) === version2;
  const names = severity === 'warning' ? warningNames : errorNames;
  return {
    name: known ? prefixed('TPM_RC_', names.get(code & 0x7f)) : undefined,
    severity,
    about: undefined,
  };
}

function decodeBase(code: number): TpmResponse {
  return { name: prefixed('TSS2_BASE_RC_', baseNames.get(code)), severity: 'error', about: undefined };
}

/** True of a TPM's own code, also where a resource manager passes it on in a layer of its own (11 in Linux). */
function fromTpm(layer: ResponseLayer, code: number): boolean {
  return layer === 'tpm' || (layer === 'resource manager' && (code & (formatOne | version2)) !== 0);
}

/** @param code TSS2_RC, 32 bits. */
export function decodeResponse(code: number): DecodedResponse {
  const layer = layers.get((code >>> 16) & 0xff) ?? 'unknown';
  const inLayer = code & 0xffff;
  if (code === 0) return { layer, name: 'TPM_RC_SUCCESS', severity: 'success', about: undefined };
  if (!fromTpm(layer, inLayer)) return { layer, ...decodeBase(inLayer) };
  if ((inLayer & formatOne) !== 0) return { layer, ...decodeFormatOne(inLayer) };
  return { layer, ...decodeFormatZero(inLayer) };
}

/** As a person reads it: `TPM_RC_POLICY_FAIL, session 1`. */
export function describeResponse(code: number): string {
  const { layer, name, about } = decodeResponse(code);
  const words = [layer === 'tpm' ? (name ?? 'unknown code') : `${layer}: ${name ?? 'unknown code'}`];
  if (about) words.push(about.number === undefined ? about.part : `${about.part} ${about.number}`);
  return words.join(', ');
}

/** A command that the TPM, or the library on the way to it, answered with something other than success. */
export class TpmError extends Error {
  override readonly name = 'TpmError';
  /** The function that failed: `Esys_Unseal`. */
  readonly command: string;
  /** TSS2_RC. */
  readonly code: number;

  constructor(command: string, code: number) {
    super(`${command}: ${describeResponse(code)} (0x${code.toString(16)})`);
    this.command = command;
    this.code = code;
  }
}

export type ResponseKind =
  /** A policy was not satisfied: PCRs or counters are not the ones of the policy. */
  | 'policy'
  /** Dictionary-attack lock-out. */
  | 'locked-out'
  /** A blob was altered, or belongs under another parent. */
  | 'integrity'
  /** An NV index that was defined has no value yet. */
  | 'no-value'
  /** tpm2-tss has no such transport. */
  | 'no-transport'
  /** The HMAC of a response is wrong: it does not come from the TPM to which the session was salted. */
  | 'tampered'
  /** The way to the TPM is cut; the context cannot be used any more. */
  | 'connection'
  /** The command, or an argument of it, is not one that the TPM takes: it did nothing. */
  | 'refused'
  /** A warning: the TPM has no room or no time, perhaps for what an earlier command left in it. */
  | 'busy';

const tpmKinds = new Map<string | undefined, ResponseKind>([
  ['TPM_RC_POLICY_FAIL', 'policy'],
  ['TPM_RC_PCR_CHANGED', 'policy'],
  ['TPM_RC_POLICY', 'policy'],
  ['TPM_RC_LOCKOUT', 'locked-out'],
  ['TPM_RC_INTEGRITY', 'integrity'],
  ['TPM_RC_NV_UNINITIALIZED', 'no-value'],
]);

/** These say TPM_RC_VALUE where what the session satisfied is none of what was approved (part 3, 23.6 and 23.22). */
const approvingCommands = ['Esys_PolicyOR', 'Esys_PolicyAuthorizeNV'];

/** @param command the function that failed, where it is known: `Esys_PolicyOR`. */
export function kindOf(code: number, command = ''): ResponseKind {
  const { layer, name, severity } = decodeResponse(code);
  if (name === 'TPM_RC_VALUE' && approvingCommands.includes(command)) return 'policy';
  if (fromTpm(layer, code & 0xffff)) return tpmKinds.get(name) ?? (severity === 'error' ? 'refused' : 'busy');
  // The loader found no library for the TCTI's name.
  if (layer === 'tcti' && name === 'TSS2_BASE_RC_NOT_SUPPORTED') return 'no-transport';
  if (layer === 'esys' && name === 'TSS2_BASE_RC_RSP_AUTH_FAILED') return 'tampered';
  // An argument of no such form: the command did not leave for the TPM.
  if (layer === 'mu') return 'refused';
  // Whatever else fails outside the TPM leaves the ESYS context in an unknown state (a TCTI failure wedges it: 0x70007).
  return 'connection';
}
