/**
 * The origins (RFC 6454, section 6.2) under which this box's console is reached. A page from anywhere else must not act
 * in a person's name, and a foreign name that was pointed at the box (DNS rebinding) is no name of the box.
 */
import { isIPv6, type Socket } from 'node:net';

/** The origins that a request on this connection may name. */
export type OwnOrigins = (socket: Socket) => readonly string[];

/** @param named what the box was told; without it, the address that it listens on. */
export function ownOrigins(host: string, named?: readonly string[]): OwnOrigins {
  if (named !== undefined) {
    const origins = named.map((each) => new URL(each).origin);
    return () => origins;
  }
  return ({ localAddress, localPort }) => {
    // On every interface: what a client has just reached is an address of the box, and needs no name to be pointed there.
    const address = unspecified.test(host) ? (localAddress ?? '').replace(/^::ffff:(?=\d+\.)/, '') : host;
    const names = loopback.test(address) ? [address, 'localhost'] : [address];
    return names.map((name) => originOf(name, localPort ?? 0));
  };
}

const unspecified = /^(0\.0\.0\.0|::)$/;
const loopback = /^(127\.\d+\.\d+\.\d+|::1|localhost)$/;

function originOf(host: string, port: number): string {
  return new URL(`https://${isIPv6(host) ? `[${host}]` : host}:${port}`).origin;
}
