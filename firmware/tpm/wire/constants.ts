/** Numbers of the TPM 2.0 Library Specification, part 2 (Structures), revision 1.59. Names as there. */

/** TPM_ALG_ID, table 9. */
export const algorithm = {
  rsa: 0x0001,
  aes: 0x0006,
  keyedHash: 0x0008,
  sha256: 0x000b,
  sha384: 0x000c,
  null: 0x0010,
  ecdsa: 0x0018,
  ecc: 0x0023,
  cfb: 0x0043,
} as const;

/** TPM_ECC_CURVE, table 10. */
export const curve = { p256: 0x0003, p384: 0x0004 } as const;

/** TPMA_OBJECT, table 31. */
export const objectAttribute = {
  fixedTpm: 0x0000_0002,
  fixedParent: 0x0000_0010,
  sensitiveDataOrigin: 0x0000_0020,
  userWithAuth: 0x0000_0040,
  adminWithPolicy: 0x0000_0080,
  noDa: 0x0000_0400,
  restricted: 0x0001_0000,
  decrypt: 0x0002_0000,
  sign: 0x0004_0000,
} as const;

/** TPMA_NV, table 204. */
export const nvAttribute = {
  ownerWrite: 0x0000_0002,
  /** Bits 4 to 7 hold the type. */
  typeShift: 4,
  /** A write that is not of the whole index is refused. */
  writeAll: 0x0000_1000,
  authRead: 0x0004_0000,
  noDa: 0x0200_0000,
  written: 0x2000_0000,
  /** Only the platform's firmware or the maker of the TPM can set it (part 3, 31.3.1). */
  platformCreate: 0x4000_0000,
} as const;

/** TPM_NT, table 203. */
export const nvType = { ordinary: 0x0, counter: 0x1 } as const;

/** Handles 0x01800000 to 0x01bfffff are the owner's to give ("Registry of Reserved TPM 2.0 Handles", table 2). */
export const nvIndex = {
  starts: 0x0180_6849,
  firmware: 0x0180_684a,
  erasures: 0x0180_684b,
  approval: 0x0180_684c,
  keysFiles: 0x0180_684d,
} as const;

/** TPM_EO, table 19 of part 2: how TPM2_PolicyNV compares. */
export const nvComparison = { unsignedAtMost: 0x0009 } as const;

/** Bytes of a counter's value (part 3, 31.8). */
export const counterBytes = 8;

/** Bytes of an approved policy in an NV index: hash algorithm and digest (part 3, 23.22). */
export const approvalBytes = 34;

/** TPML_DIGEST of TPM2_PolicyOR (part 2, 10.9.5). */
export const policyBranchesMax = 8;

/** TPMA_SESSION, table 34. */
export const sessionAttribute = { continueSession: 0x01, decrypt: 0x20, encrypt: 0x40, audit: 0x80 } as const;

/** TPM_SE, table 21. */
export const sessionType = { hmac: 0x00, policy: 0x01 } as const;
export type SessionType = (typeof sessionType)[keyof typeof sessionType];

/** TPM_CC, table 12. */
export const commandCode = {
  hierarchyChangeAuth: 0x0000_0129,
  shutdown: 0x0000_0145,
  policyNv: 0x0000_0149,
  policySecret: 0x0000_0151,
  policySigned: 0x0000_0160,
  policyOr: 0x0000_0171,
  policyPcr: 0x0000_017f,
  pcrExtend: 0x0000_0182,
  policyAuthorizeNv: 0x0000_0192,
} as const;

/** TPM_CAP, table 22. */
export const capability = { handles: 0x0000_0001, tpmProperties: 0x0000_0006 } as const;

/** TPM_HC, table 29: the first handle of a range. */
export const handleRange = { loadedSession: 0x0200_0000, transient: 0x8000_0000 } as const;

/** TPM_PT, table 23, and TPMA_PERMANENT, table 38. */
export const property = { permanent: 0x0000_0200 } as const;
export const permanentAttribute = {
  ownerAuthSet: 0x0000_0001,
  endorsementAuthSet: 0x0000_0002,
  lockoutAuthSet: 0x0000_0004,
  disableClear: 0x0000_0100,
  inLockout: 0x0000_0200,
} as const;

/** TPM_ST, table 19. */
export const structureTag = { noSessions: 0x8001, sessions: 0x8002, hashCheck: 0x8024 } as const;

/** TPM_RH, table 28. */
export const reservedHandle = {
  owner: 0x4000_0001,
  null: 0x4000_0007,
  password: 0x4000_0009,
  platform: 0x4000_000c,
} as const;

/** TPM_SU, table 20. */
export const startupType = { clear: 0x0000 } as const;

/** Where the storage root key lies for all to use ("TCG TPM v2.0 Provisioning Guidance", 7.8). */
export const storageRootHandle = 0x8100_0001;

/** Bytes of a SHA-256 digest, the only hash that Hilum uses in a TPM. */
export const digestBytes = 32;
