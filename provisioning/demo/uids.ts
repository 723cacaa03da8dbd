import { randomBytes } from 'node:crypto';

/** A UID from a random UUID (PS3.5, B.2): 2.25. and the UUID as a decimal number. */
export function randomUid(): string {
  const uuid = randomBytes(16);
  uuid[6] = (uuid[6]! & 0x0f) | 0x40;
  uuid[8] = (uuid[8]! & 0x3f) | 0x80;
  return `2.25.${BigInt(`0x${uuid.toString('hex')}`)}`;
}
