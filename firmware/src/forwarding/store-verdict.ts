/** What a status of a C-STORE-RSP (PS3.4, table B.2-1; PS3.7, annex C) means for the object that was sent. */
export type StoreVerdict = 'stored' | 'refused' | 'later';

/**
 * Refusals of the object itself, which would be repeated (PS3.7, C.5): invalid attribute value, duplicate, no such SOP
 * instance, invalid SOP instance, no such SOP class, class-instance conflict, missing attribute, missing attribute
 * value, SOP class not supported.
 */
const refusals: ReadonlySet<number> = new Set([
  0x0106, 0x0111, 0x0112, 0x0117, 0x0118, 0x0119, 0x0120, 0x0121, 0x0122,
]);

/**
 * Success and the warnings 0xBxxx: the object was stored. 0xA9xx and 0xCxxx speak of the object, like the refusals
 * above; everything else (0xA7xx: out of resources, 0x0124: not authorised) speaks of the peer, and may be over later.
 */
export function verdictOf(status: number): StoreVerdict {
  if (status === 0 || status >> 12 === 0xb) return 'stored';
  if (status >> 8 === 0xa9 || status >> 12 === 0xc || refusals.has(status)) return 'refused';
  return 'later';
}

/** A status as the standard writes it. */
export function statusText(status: number): string {
  return `0x${status.toString(16).toUpperCase().padStart(4, '0')}`;
}
