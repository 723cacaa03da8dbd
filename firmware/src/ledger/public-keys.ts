/**
 * Which public keys may own a study or receive a grant: points of edwards25519 of the prime order L. With any other
 * key, verifiers that multiply by the cofactor and those that do not may disagree about a signature, and then boxes and
 * light clients about the ledger.
 *
 * Multiplying by L would decide it, at more than a millisecond. Instead: on the birational curve
 * v² = u³ + Au² + u (RFC 7748, section 4.1) the group is Z8 × ZL, so a point has order 1 or L exactly if it is eight times another. It
 * is twice another, Q, exactly if u is a square (2-descent; (0, 0) is the only point of order 2); and Q is four times
 * another exactly if its Tate pairing with the point of order 4, T = (1, √(A+2)), is 1, that is, if
 * f(Q) = (v − √(A+2)·u)² / u is a fourth power. See Pornin, "Point-Halving and Subgroup Membership in Twisted Edwards
 * Curves", ePrint 2022/1164, and Koshelev, ePrint 2022/037. Tests compare it with noble's multiplication by L.
 */
import { toHex } from '../encoding/bytes.ts';
import { primeOrderKeysKeptMax } from './limits.ts';

/** Field prime, 2^255 − 19. */
const p = 2n ** 255n - 19n;
/** The curve's coefficient. */
const A = 486662n;

function reduce(a: bigint): bigint {
  const rest = a % p;
  return rest < 0n ? rest + p : rest;
}

function squareTimes(a: bigint, count: number): bigint {
  for (let i = 0; i < count; i++) a = (a * a) % p;
  return a;
}

/** a^((p − 5) / 8) = a^(2^252 − 3), by the usual chain: square roots and fourth powers build on it. */
function powerP58(a: bigint): bigint {
  const a2 = (((a * a) % p) * a) % p;
  const a4 = (squareTimes(a2, 2) * a2) % p;
  const a5 = (squareTimes(a4, 1) * a) % p;
  const a10 = (squareTimes(a5, 5) * a5) % p;
  const a20 = (squareTimes(a10, 10) * a10) % p;
  const a40 = (squareTimes(a20, 20) * a20) % p;
  const a80 = (squareTimes(a40, 40) * a40) % p;
  const a160 = (squareTimes(a80, 80) * a80) % p;
  const a240 = (squareTimes(a160, 80) * a80) % p;
  const a250 = (squareTimes(a240, 10) * a10) % p;
  return (squareTimes(a250, 2) * a) % p;
}

/** √−1 = 2^((p − 1) / 4), and (p − 1) / 4 = 2 · (p − 5) / 8 + 1. */
const rootOfMinusOne = (squareTimes(powerP58(2n), 1) * 2n) % p;

/** √(n/d), for d not 0, or null if there is none (RFC 8032, section 5.1.3, steps 2 and 3). */
function squareRootOfRatio(n: bigint, d: bigint): bigint | null {
  const d3 = (((d * d) % p) * d) % p;
  const d7 = (((d3 * d3) % p) * d) % p;
  const candidate = (((n * d3) % p) * powerP58((n * d7) % p)) % p;
  const square = (((candidate * candidate) % p) * d) % p;
  if (square === n) return candidate;
  return square === reduce(-n) ? (candidate * rootOfMinusOne) % p : null;
}

function squareRoot(a: bigint): bigint | null {
  return squareRootOfRatio(a, 1n);
}

function isFourthPower(a: bigint): boolean {
  return (squareTimes(powerP58(a), 1) * a) % p === 1n;
}

/** v of T, the point of order 4 with u = 1. */
const rootOfAPlus2 = squareRoot(A + 2n) as bigint;

/** √((A² − 4) / ±√−1): neither A² − 4 nor √−1 is a square, so their quotient is one. */
const rootOfProductOverI = squareRootOfRatio(A * A - 4n, rootOfMinusOne) as bigint;
const rootOfProductOverMinusI = squareRootOfRatio(A * A - 4n, p - rootOfMinusOne) as bigint;

/** True if the point of the curve with this Edwards y has order L; false too if there is no such point. */
function hasPrimeOrder(y: bigint): boolean {
  // y = 1 is the identity, y = −1 has order 2: both lie at the edge of the birational map u = (1 + y) / (1 − y).
  if (y === 1n || y === p - 1n) return false;
  const rootOfU = squareRootOfRatio(reduce(1n + y), reduce(1n - y));
  if (rootOfU === null) return false;
  const u = (rootOfU * rootOfU) % p;
  // v² / u must be a square, too, or u belongs to no point.
  const vOverRoot = squareRoot((u * u + A * u + 1n) % p);
  if (vOverRoot === null) return false;
  // Halving: for Q with 2Q = P, u_Q + 1/u_Q = 2(u ± vOverRoot) and u_Q − 1/u_Q = 2·√u·z, where z² is the former + A.
  // The product of both sums + A is A² − 4, which is no square, so exactly one of the two signs has a z.
  let half = reduce(u + vOverRoot);
  const square = (2n * half + A) % p;
  const power = powerP58(square);
  // A fourth root of 1: ±1 for a square, ±√−1 for another (RFC 8032, section 5.1.3).
  const unit = (((power * power) % p) * square) % p;
  let z = unit === 1n ? (power * square) % p : (((power * square) % p) * rootOfMinusOne) % p;
  if (unit !== 1n && unit !== p - 1n) {
    half = reduce(u - vOverRoot);
    // The other one is (A² − 4) / square, and square = unit / power².
    z = (power * (unit === rootOfMinusOne ? rootOfProductOverI : rootOfProductOverMinusI)) % p;
  }
  const halfU = reduce(half + rootOfU * z);
  // v_Q = ±u_Q·z, hence f(Q) = u_Q · (z − √(A+2))².
  const difference = z - rootOfAPlus2;
  return isFourthPower((halfU * reduce(difference * difference)) % p);
}

/**
 * Keys that were good, the latest last: a box judges a transaction when it comes, when a block is built of it and when
 * the block is executed, and this is the most expensive part of it. Bad ones are not remembered.
 */
const good = new Set<string>();

/**
 * True if these are the 32 bytes of the canonical encoding (RFC 8032, section 5.1.2) of a point of edwards25519 that
 * has the prime order L: not the identity, no small order, no torsion.
 */
export function isPrimeOrderKey(key: Uint8Array): boolean {
  if (key.length !== 32) return false;
  const name = toHex(key);
  if (good.has(name)) return true;
  if (!encodesPrimeOrderPoint(key)) return false;
  good.add(name);
  if (good.size > primeOrderKeysKeptMax) {
    // A set keeps the order of insertion: the first is the oldest.
    const [oldest] = good;
    if (oldest !== undefined) good.delete(oldest);
  }
  return true;
}

function encodesPrimeOrderPoint(key: Uint8Array): boolean {
  let encoded = 0n;
  for (let i = 31; i >= 0; i--) encoded = (encoded << 8n) | BigInt(key[i] as number);
  // The top bit is the sign of x: either sign is canonical, since x = 0 only where y = ±1, which has no order L.
  const y = encoded & (2n ** 255n - 1n);
  return y < p && hasPrimeOrder(y);
}
