/** DIMSE statuses that this room gives by itself (PS3.7 annex C, PS3.4 table B.2-1). Others come from the error table. */
export const status = {
  success: 0x0000,
  invalidAttributeValue: 0x0106,
  processingFailure: 0x0110,
  duplicateSopInstance: 0x0111,
  noSuchSopInstance: 0x0112,
  invalidArgumentValue: 0x0115,
  invalidSopInstance: 0x0117,
  missingAttribute: 0x0120,
  sopClassNotSupported: 0x0122,
  noSuchAction: 0x0123,
  notAuthorized: 0x0124,
  unrecognizedOperation: 0x0211,
  resourceLimitation: 0x0213,
  outOfResources: 0xa700,
  /** C-MOVE and C-GET (PS3.4 tables C.4-2, C.4-3): more matches than can be counted. */
  matchesRefused: 0xa701,
  /** Sub-operations cannot be performed. */
  subOperationsRefused: 0xa702,
  moveDestinationUnknown: 0xa801,
  /** Identifier does not match SOP class. */
  identifierMismatch: 0xa900,
  /** Sub-operations complete, one or more failures or warnings. */
  subOperationsIncomplete: 0xb000,
  cannotUnderstand: 0xc000,
  cancelled: 0xfe00,
  pending: 0xff00,
  /** One or more optional keys were not supported (PS3.4 table C.4-1). */
  pendingWithUnsupportedKeys: 0xff01,
} as const;

/** Success, and the warnings with which an object is stored all the same (PS3.4 B.2.3: B000, B006, B007). */
export function isStored(code: number): boolean {
  return code === status.success || (code & 0xf000) === 0xb000;
}

/** More responses follow: FF00, and FF01 where an optional key was not supported (PS3.4 table C.4-1). */
export function isPending(code: number): boolean {
  return code === status.pending || code === status.pendingWithUnsupportedKeys;
}

/** A status as the standard writes it: 0xA700. */
export function statusText(code: number): string {
  return `0x${code.toString(16).toUpperCase().padStart(4, '0')}`;
}
