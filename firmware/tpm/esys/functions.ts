/**
 * The functions of ESYS that are used, each with what it takes after the context and what it gives (TCG TSS 2.0 ESAPI,
 * version 1.0). A structure is named as in part 2 and travels as its wire bytes; `handle` is an ESYS_TR.
 */

/** Structures that the MU library turns from and into wire bytes. */
export type StructureName =
  | 'TPM2B_ATTEST'
  | 'TPM2B_DATA'
  | 'TPM2B_DIGEST'
  | 'TPM2B_CREATION_DATA'
  | 'TPM2B_ENCRYPTED_SECRET'
  | 'TPM2B_ID_OBJECT'
  | 'TPM2B_MAX_NV_BUFFER'
  | 'TPM2B_NAME'
  | 'TPM2B_NV_PUBLIC'
  | 'TPM2B_PRIVATE'
  | 'TPM2B_PUBLIC'
  | 'TPM2B_SENSITIVE'
  | 'TPM2B_SENSITIVE_CREATE'
  | 'TPM2B_SENSITIVE_DATA'
  | 'TPM2B_TIMEOUT'
  | 'TPML_DIGEST'
  | 'TPML_PCR_SELECTION'
  | 'TPMS_CAPABILITY_DATA'
  | 'TPMT_SIGNATURE'
  | 'TPMT_SIG_SCHEME'
  | 'TPMT_SYM_DEF'
  | 'TPMT_TK_AUTH'
  | 'TPMT_TK_CREATION'
  | 'TPMT_TK_HASHCHECK';

export type ScalarName = 'handle' | 'u8' | 'u16' | 'u32';
export type ParameterName = StructureName | ScalarName;

interface FunctionRow {
  readonly takes: readonly ParameterName[];
  readonly gives: readonly ParameterName[];
}

/** The three optional sessions that every command takes. */
const sessions = ['handle', 'handle', 'handle'] as const;

export const esysFunctions = {
  ActivateCredential: {
    takes: ['handle', 'handle', ...sessions, 'TPM2B_ID_OBJECT', 'TPM2B_ENCRYPTED_SECRET'],
    gives: ['TPM2B_DIGEST'],
  },
  CertifyCreation: {
    takes: [
      'handle',
      'handle',
      ...sessions,
      'TPM2B_DATA',
      'TPM2B_DIGEST',
      'TPMT_SIG_SCHEME',
      'TPMT_TK_CREATION',
    ],
    gives: ['TPM2B_ATTEST', 'TPMT_SIGNATURE'],
  },
  Clear: { takes: ['handle', ...sessions], gives: [] },
  Create: {
    takes: [
      'handle',
      ...sessions,
      'TPM2B_SENSITIVE_CREATE',
      'TPM2B_PUBLIC',
      'TPM2B_DATA',
      'TPML_PCR_SELECTION',
    ],
    gives: ['TPM2B_PRIVATE', 'TPM2B_PUBLIC', 'TPM2B_CREATION_DATA', 'TPM2B_DIGEST', 'TPMT_TK_CREATION'],
  },
  CreatePrimary: {
    takes: [
      'handle',
      ...sessions,
      'TPM2B_SENSITIVE_CREATE',
      'TPM2B_PUBLIC',
      'TPM2B_DATA',
      'TPML_PCR_SELECTION',
    ],
    gives: ['handle', 'TPM2B_PUBLIC', 'TPM2B_CREATION_DATA', 'TPM2B_DIGEST', 'TPMT_TK_CREATION'],
  },
  DictionaryAttackLockReset: { takes: ['handle', ...sessions], gives: [] },
  DictionaryAttackParameters: { takes: ['handle', ...sessions, 'u32', 'u32', 'u32'], gives: [] },
  EvictControl: { takes: ['handle', 'handle', ...sessions, 'u32'], gives: ['handle'] },
  FlushContext: { takes: ['handle'], gives: [] },
  GetCapability: { takes: [...sessions, 'u32', 'u32', 'u32'], gives: ['u8', 'TPMS_CAPABILITY_DATA'] },
  GetRandom: { takes: [...sessions, 'u16'], gives: ['TPM2B_DIGEST'] },
  HierarchyChangeAuth: { takes: ['handle', ...sessions, 'TPM2B_DIGEST'], gives: [] },
  Load: { takes: ['handle', ...sessions, 'TPM2B_PRIVATE', 'TPM2B_PUBLIC'], gives: ['handle'] },
  LoadExternal: { takes: [...sessions, 'TPM2B_SENSITIVE', 'TPM2B_PUBLIC', 'handle'], gives: ['handle'] },
  NV_DefineSpace: { takes: ['handle', ...sessions, 'TPM2B_DIGEST', 'TPM2B_NV_PUBLIC'], gives: ['handle'] },
  NV_Increment: { takes: ['handle', 'handle', ...sessions], gives: [] },
  NV_Read: { takes: ['handle', 'handle', ...sessions, 'u16', 'u16'], gives: ['TPM2B_MAX_NV_BUFFER'] },
  NV_ReadPublic: { takes: ['handle', ...sessions], gives: ['TPM2B_NV_PUBLIC', 'TPM2B_NAME'] },
  NV_UndefineSpace: { takes: ['handle', 'handle', ...sessions], gives: [] },
  NV_Write: { takes: ['handle', 'handle', ...sessions, 'TPM2B_MAX_NV_BUFFER', 'u16'], gives: [] },
  PCR_Read: {
    takes: [...sessions, 'TPML_PCR_SELECTION'],
    gives: ['u32', 'TPML_PCR_SELECTION', 'TPML_DIGEST'],
  },
  PolicyAuthorizeNV: { takes: ['handle', 'handle', 'handle', ...sessions], gives: [] },
  PolicyGetDigest: { takes: ['handle', ...sessions], gives: ['TPM2B_DIGEST'] },
  PolicyNV: {
    // TPM2B_OPERAND is a TPM2B_DIGEST (part 2, 10.4.6).
    takes: ['handle', 'handle', 'handle', ...sessions, 'TPM2B_DIGEST', 'u16', 'u16'],
    gives: [],
  },
  PolicyOR: { takes: ['handle', ...sessions, 'TPML_DIGEST'], gives: [] },
  PolicyPCR: { takes: ['handle', ...sessions, 'TPM2B_DIGEST', 'TPML_PCR_SELECTION'], gives: [] },
  PolicySecret: {
    // The expiration is an INT32; whoever needs one gives its two's complement.
    takes: ['handle', 'handle', ...sessions, 'TPM2B_DIGEST', 'TPM2B_DIGEST', 'TPM2B_DIGEST', 'u32'],
    gives: ['TPM2B_TIMEOUT', 'TPMT_TK_AUTH'],
  },
  PolicySigned: {
    takes: [
      'handle',
      'handle',
      ...sessions,
      'TPM2B_DIGEST',
      'TPM2B_DIGEST',
      'TPM2B_DIGEST',
      'u32',
      'TPMT_SIGNATURE',
    ],
    gives: ['TPM2B_TIMEOUT', 'TPMT_TK_AUTH'],
  },
  Quote: {
    takes: ['handle', ...sessions, 'TPM2B_DATA', 'TPMT_SIG_SCHEME', 'TPML_PCR_SELECTION'],
    gives: ['TPM2B_ATTEST', 'TPMT_SIGNATURE'],
  },
  SetPrimaryPolicy: { takes: ['handle', ...sessions, 'TPM2B_DIGEST', 'u16'], gives: [] },
  Shutdown: { takes: [...sessions, 'u16'], gives: [] },
  Sign: {
    takes: ['handle', ...sessions, 'TPM2B_DIGEST', 'TPMT_SIG_SCHEME', 'TPMT_TK_HASHCHECK'],
    gives: ['TPMT_SIGNATURE'],
  },
  StartAuthSession: {
    takes: ['handle', 'handle', ...sessions, 'TPM2B_DIGEST', 'u8', 'TPMT_SYM_DEF', 'u16'],
    gives: ['handle'],
  },
  TRSess_GetNonceTPM: { takes: ['handle'], gives: ['TPM2B_DIGEST'] },
  TRSess_SetAttributes: { takes: ['handle', 'u8', 'u8'], gives: [] },
  TR_GetName: { takes: ['handle'], gives: ['TPM2B_NAME'] },
  TR_FromTPMPublic: { takes: ['u32', ...sessions], gives: ['handle'] },
  TR_SetAuth: { takes: ['handle', 'TPM2B_DIGEST'], gives: [] },
  Unseal: { takes: ['handle', ...sessions], gives: ['TPM2B_SENSITIVE_DATA'] },
} as const satisfies Record<string, FunctionRow>;

export type EsysFunction = keyof typeof esysFunctions;

/** Those that ask ESYS alone and send no command: they cannot hang, and need no thread of their own. */
export const localFunctions: ReadonlySet<EsysFunction> = new Set([
  'TRSess_SetAttributes',
  'TR_GetName',
  'TR_SetAuth',
]);

type Argument<Name extends ParameterName> = Name extends ScalarName ? number : Uint8Array | null;
type Result<Name extends ParameterName> = Name extends ScalarName ? number : Uint8Array;

type ArgumentList<Names extends readonly ParameterName[]> = {
  readonly [Index in keyof Names]: Argument<Names[Index]>;
};
type ResultList<Names extends readonly ParameterName[]> = {
  -readonly [Index in keyof Names]: Result<Names[Index]>;
};

/** Arguments of a function: numbers, and wire bytes or null (a null pointer: the default). */
export type Arguments<Name extends EsysFunction> = ArgumentList<(typeof esysFunctions)[Name]['takes']>;

export type Results<Name extends EsysFunction> = ResultList<(typeof esysFunctions)[Name]['gives']>;

/** ESYS_TR of things that are always there (tss2_esys.h). */
export const esysHandle = {
  none: 0xfff,
  password: 0x0ff,
  owner: 0x101,
  nullHierarchy: 0x107,
  lockout: 0x10a,
  endorsement: 0x10b,
} as const;
