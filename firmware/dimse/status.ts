/** DIMSE statuses that this room gives by itself (PS3.7 annex C, PS3.4 table B.2-1). Others come from the error table. */
export const status = {
  success: 0x0000,
  processingFailure: 0x0110,
  invalidSopInstance: 0x0117,
  sopClassNotSupported: 0x0122,
  unrecognizedOperation: 0x0211,
  cannotUnderstand: 0xc000,
} as const;

/** Success, and the warnings with which an object is stored all the same (PS3.4 B.2.3: B000, B006, B007). */
export function isStored(code: number): boolean {
  return code === status.success || (code & 0xf000) === 0xb000;
}

/** A status as the standard writes it: 0xA700. */
export function statusText(code: number): string {
  return `0x${code.toString(16).toUpperCase().padStart(4, '0')}`;
}
