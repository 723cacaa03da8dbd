/** ISO 646 text as the upper layer and command sets carry it: AE titles, UIDs, version names, comments. */
import { withoutPadding } from '../src/encoding/padding.ts';

/**
 * Without the trailing NULs and the leading and trailing spaces, which are padding (PS3.5 6.2). In one go: character by
 * character, a list of 60,000 UIDs would keep everybody else waiting for 0.15 s.
 */
export function decodeAscii(bytes: Uint8Array): string {
  return withoutPadding(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('latin1'));
}

/** Of one character; what is not ISO 646 becomes a question mark. */
export function asciiCode(text: string, index: number): number {
  const code = text.charCodeAt(index);
  return code < 0x80 ? code : 0x3f;
}

/** What is not ISO 646 becomes a question mark. */
export function encodeAscii(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length);
  for (let index = 0; index < text.length; index++) bytes[index] = asciiCode(text, index);
  return bytes;
}

/** 16 bytes, padded with spaces (PS3.8 9.3.2). @throws RangeError if the title is not 1 to 16 printable characters. */
export function encodeAeTitle(title: string): Uint8Array {
  if (!isAeTitle(title)) throw new RangeError(`"${title}" is not an AE title of 1 to 16 characters`);
  return encodeAscii(title.padEnd(16, ' '));
}

/** VR AE: 1 to 16 characters of the default repertoire without backslash and controls, not all spaces. */
export function isAeTitle(title: string): boolean {
  return /^[\x20-\x5b\x5d-\x7e]{1,16}$/.test(title) && title.trim() !== '';
}
