/**
 * What a caller may be permitted to do, for the DICOM port, the access list, the configuration and the console alike.
 * C-ECHO is open to whoever may associate at all. Pure.
 */
export const permissions = [
  'store',
  'query',
  'retrieve',
  'commitment',
  'procedure-step',
  'availability',
] as const;
export type Permission = (typeof permissions)[number];
