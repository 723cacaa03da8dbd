/**
 * The recovery code of a box: 256 bits, never stored, shown once as two halves on paper. Each of two custodians of the
 * hospital keeps one; a half alone says nothing about the code.
 *
 * A half on paper is hexadecimal in groups of four, 40 bytes:
 * u8 number (1 or 2) ‖ pair (2) ‖ share (32) ‖ the first 5 bytes of SHA-256(domain ‖ all before);
 * share 1 is random, share 2 is share 1 XOR the code; `pair` is random and the same in both halves of one code.
 */
import { concatBytes, equalBytes, fromHex, toHex, u8 } from '../../src/encoding/bytes.ts';
import { hash } from '../../src/encoding/hash.ts';

export const recoveryCodeBytes = 32;
const pairBytes = 2;
/** One wrong half in 10^12 passes. */
const checksumBytes = 5;
const halfBytes = 1 + pairBytes + recoveryCodeBytes + checksumBytes;
const groupCharacters = 4;

/** As printed: twenty groups. */
export type RecoveryHalf = string;
export type RecoveryHalves = readonly [RecoveryHalf, RecoveryHalf];

export type RecoveryCodeRefusal =
  /** Characters that are missing, too many or no hexadecimal digits. */
  | { readonly kind: 'form'; readonly half: 1 | 2 }
  /** The checksum does not fit: a typing error. */
  | { readonly kind: 'checksum'; readonly half: 1 | 2 }
  /** The same half twice. */
  | { readonly kind: 'same half' }
  /** Halves of two different codes. */
  | { readonly kind: 'other pair' };

function xor(left: Uint8Array, right: Uint8Array): Uint8Array {
  return left.map((byte, index) => byte ^ (right[index] as number));
}

const checksumOf = (head: Uint8Array): Uint8Array => hash('recovery-half', head).slice(0, checksumBytes);

function print(number: 1 | 2, pair: Uint8Array, share: Uint8Array): RecoveryHalf {
  const head = concatBytes(u8(number), pair, share);
  const text = toHex(concatBytes(head, checksumOf(head)));
  const groups = text.match(new RegExp(`.{${groupCharacters}}`, 'g'));
  return (groups ?? []).join(' ');
}

/**
 * @param code 32 random bytes.
 * @param blind 34 random bytes, of this call only: the pair's mark and the first share.
 */
export function splitRecoveryCode(code: Uint8Array, blind: Uint8Array): RecoveryHalves {
  if (code.length !== recoveryCodeBytes)
    throw new RangeError(`a recovery code has ${recoveryCodeBytes} bytes`);
  if (blind.length !== pairBytes + recoveryCodeBytes) throw new RangeError('34 random bytes are needed');
  const pair = blind.slice(0, pairBytes);
  const share = blind.slice(pairBytes);
  return [print(1, pair, share), print(2, pair, xor(share, code))];
}

export const recoveryBlindBytes = pairBytes + recoveryCodeBytes;

interface ReadHalf {
  readonly number: number;
  readonly pair: Uint8Array;
  readonly share: Uint8Array;
}

/** Blanks, hyphens, line ends and capitals do not matter. */
function readHalf(text: string, half: 1 | 2): ReadHalf | RecoveryCodeRefusal {
  const digits = text.replace(/[\s-]/g, '').toLowerCase();
  if (digits.length !== 2 * halfBytes || !/^[0-9a-f]*$/.test(digits)) return { kind: 'form', half };
  const bytes = fromHex(digits);
  const head = bytes.slice(0, -checksumBytes);
  if (!equalBytes(checksumOf(head), bytes.slice(-checksumBytes))) return { kind: 'checksum', half };
  const number = head[0] as number;
  return { number, pair: head.slice(1, 1 + pairBytes), share: head.slice(1 + pairBytes) };
}

/** The code from both halves, in either order. */
export function joinRecoveryCode(
  first: string,
  second: string,
): { readonly kind: 'code'; readonly code: Uint8Array } | RecoveryCodeRefusal {
  const left = readHalf(first, 1);
  if ('kind' in left) return left;
  const right = readHalf(second, 2);
  if ('kind' in right) return right;
  if (!equalBytes(left.pair, right.pair)) return { kind: 'other pair' };
  if (left.number === right.number) return { kind: 'same half' };
  return { kind: 'code', code: xor(left.share, right.share) };
}
