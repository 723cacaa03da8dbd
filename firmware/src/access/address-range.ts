/** Ranges of IP addresses as administrators write them: 10.1.2.3, 10.1.2.0/24, fd00:1::/48 (RFC 4632, RFC 4291 2.3). */
import { isIP } from 'node:net';

/** First bits of an IPv4 and of an IPv6 address. */
export interface PrefixBits {
  readonly ipv4: number;
  readonly ipv6: number;
}

interface Prefix {
  /** 4 bytes of an IPv4 address, 16 of an IPv6 address. */
  readonly bytes: readonly number[];
  readonly bits: number;
}

/** An address alone is a range of one. Undefined if it is none; bits after the prefix do not matter. */
function parse(text: string): Prefix | undefined {
  const [, address = '', prefix] = /^([0-9a-fA-F.:]+)(?:\/(0|[1-9][0-9]{0,2}))?$/.exec(text) ?? [];
  const bytes = bytesOf(address);
  if (bytes === undefined) return undefined;
  const bits = prefix === undefined ? bytes.length * 8 : Number(prefix);
  return bits > bytes.length * 8 ? undefined : { bytes, bits };
}

export function isAddressRange(text: string): boolean {
  return parse(text) !== undefined;
}

/** Several ranges as one; none holds nothing. */
export class AddressRanges {
  readonly #prefixes: readonly Prefix[];

  /** @throws RangeError naming what is no range. */
  constructor(ranges: readonly string[]) {
    this.#prefixes = ranges.map((text) => {
      const prefix = parse(text);
      if (prefix === undefined) throw new RangeError(`"${text}" is no address range`);
      return prefix;
    });
  }

  /** False for what is no address. IPv4 and IPv6 hold nothing of each other. */
  contains(address: string): boolean {
    const bytes = bytesOf(address);
    return bytes !== undefined && this.#prefixes.some((prefix) => agree(prefix, bytes));
  }
}

function agree({ bytes, bits }: Prefix, address: readonly number[]): boolean {
  if (bytes.length !== address.length) return false;
  return bytes.every((byte, index) => {
    const compared = Math.min(8, Math.max(0, bits - index * 8));
    return byte >> (8 - compared) === (address[index] ?? 0) >> (8 - compared);
  });
}

/** A name for the network that an address lies in, equal for all addresses that begin with the same whole bytes. */
export function networkOf(address: string, { ipv4, ipv6 }: PrefixBits): string {
  const bytes = bytesOf(address);
  if (bytes === undefined) return address;
  const bits = bytes.length === 4 ? ipv4 : ipv6;
  return `${bytes.length} ${bytes.slice(0, bits / 8).join('.')}`;
}

/** Without its zone. An IPv4 address that a socket shows as IPv6 (::ffff:10.1.2.3) is that IPv4 address. */
function bytesOf(address: string): readonly number[] | undefined {
  const [bare = ''] = address.split('%');
  switch (isIP(bare)) {
    case 4:
      return bare.split('.').map(Number);
    case 6: {
      const bytes = ipv6Bytes(bare);
      const isMapped = bytes.slice(0, 12).join('.') === '0.0.0.0.0.0.0.0.0.0.255.255';
      return isMapped ? bytes.slice(12) : bytes;
    }
    default:
      return undefined;
  }
}

function ipv6Bytes(address: string): readonly number[] {
  // The URL parser writes every form of an address in one: no leading zeros, at most one gap, no dots.
  const plain = new URL(`http://[${address}]/`).hostname.slice(1, -1);
  const [before = '', after] = plain.split('::');
  const groups = (text: string): number[] =>
    text === '' ? [] : text.split(':').map((group) => Number.parseInt(group, 16));
  const front = groups(before);
  const back = after === undefined ? [] : groups(after);
  const gap = new Array<number>(8 - front.length - back.length).fill(0);
  return [...front, ...gap, ...back].flatMap((group) => [group >> 8, group & 0xff]);
}
