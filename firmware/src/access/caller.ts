/** A caller: who may associate with the box, from where, as whom it calls the box, and what it may do. */
import type { CborValue } from '../encoding/canonical-cbor.ts';
import { isList, mapWith } from '../encoding/cbor-fields.ts';
import { AddressRanges, isAddressRange } from './address-range.ts';
import {
  addressRangesMax,
  calledAeTitlesMax,
  callerCertificatesMax,
  commonNameCharactersMax,
} from './limits.ts';
import { permissions, type Permission } from './permissions.ts';

export interface Caller {
  readonly callingAeTitle: string;
  /** Address ranges it may come from; empty: from anywhere. */
  readonly addresses: readonly string[];
  /** SHA-256 in hexadecimal, or CN=common name; one of them must be shown over TLS. Empty: none is asked for. */
  readonly certificates: readonly string[];
  /** AE titles of the box by which it may call; empty: by each. */
  readonly calledAeTitles: readonly string[];
  readonly may: readonly Permission[];
  /** Its objects may correct attributes of those that are kept (ADT corrections, PACS exports). */
  readonly mayCorrect: boolean;
  /** Where it is reached, for storage commitment results and C-ECHO. */
  readonly reachedAt: ReachedAt | null;
}

export interface ReachedAt {
  readonly host: string;
  readonly port: number;
  /** Over TLS, with the certificates of the box. */
  readonly tls: boolean;
}

/** PS3.5 table 6.2-1, VR AE: at most 16 characters, no backslash, no controls, not only spaces. */
function isAeTitle(title: string): boolean {
  return /^[\x20-\x5b\x5d-\x7e]{1,16}$/.test(title) && title.trim() === title && title !== '';
}

function isCertificateRule(rule: string): boolean {
  return /^[0-9a-f]{64}$/.test(rule) || (/^CN=./.test(rule) && rule.length <= 3 + commonNameCharactersMax);
}

/** What is wrong with it, in words for who wrote it; undefined if nothing is. `own`: the AE titles of the box. */
export function faultOf(caller: Caller, own: readonly string[]): string | undefined {
  const { callingAeTitle, addresses, certificates, calledAeTitles, reachedAt } = caller;
  if (!isAeTitle(callingAeTitle)) return `"${callingAeTitle}" is no AE title`;
  const range = addresses.find((text) => !isAddressRange(text));
  if (range !== undefined) return `"${range}" is no address and no address range such as 10.1.2.0/24`;
  if (addresses.length > addressRangesMax) return `there are more than ${addressRangesMax} address ranges`;
  const certificate = certificates.find((rule) => !isCertificateRule(rule));
  if (certificate !== undefined)
    return `"${certificate}" is neither a SHA-256 in lower-case hexadecimal nor CN=name`;
  if (certificates.length > callerCertificatesMax)
    return `there are more than ${callerCertificatesMax} certificates`;
  if (calledAeTitles.length > calledAeTitlesMax)
    return `there are more than ${calledAeTitlesMax} called AE titles`;
  const called = calledAeTitles.find((title) => !own.includes(title));
  if (called !== undefined) return `"${called}" is no AE title of this box`;
  if (reachedAt !== null && !isReachedAt(reachedAt.host, reachedAt.port))
    return 'where it is reached needs a host and a port from 1 to 65535';
  return undefined;
}

function isReachedAt(host: string, port: number): boolean {
  return /^[^\s/]{1,253}$/.test(host) && Number.isInteger(port) && port >= 1 && port <= 65_535;
}

/** A certificate that was verified by the TLS connection that it came with. */
export interface ShownCertificate {
  /** Of its DER, in lower-case hexadecimal. */
  readonly sha256: string;
  readonly commonName?: string;
}

/** A caller with its address ranges ready to be asked. */
export class CallerRule {
  readonly caller: Caller;
  readonly #ranges: AddressRanges;

  constructor(caller: Caller) {
    this.caller = caller;
    this.#ranges = new AddressRanges(caller.addresses);
  }

  mayComeFrom(address: string): boolean {
    return this.caller.addresses.length === 0 || this.#ranges.contains(address);
  }

  mayCall(aeTitle: string): boolean {
    return this.caller.calledAeTitles.length === 0 || this.caller.calledAeTitles.includes(aeTitle);
  }

  mayShow(certificate: ShownCertificate | undefined): boolean {
    const { certificates } = this.caller;
    if (certificates.length === 0) return true;
    if (certificate === undefined) return false;
    const { sha256, commonName } = certificate;
    return (
      certificates.includes(sha256) || (commonName !== undefined && certificates.includes(`CN=${commonName}`))
    );
  }
}

const callerKeys = [
  'callingAeTitle',
  'addresses',
  'certificates',
  'calledAeTitles',
  'may',
  'mayCorrect',
  'reachedAt',
] as const;

export function callerToCbor(caller: Caller): CborValue {
  return { ...caller, reachedAt: caller.reachedAt === null ? null : { ...caller.reachedAt } };
}

/** The caller of a stored record, or undefined if it has another form. */
export function callerFromCbor(value: CborValue | undefined): Caller | undefined {
  const map = mapWith(value, callerKeys);
  if (map === undefined) return undefined;
  const { callingAeTitle, addresses, certificates, calledAeTitles, may, mayCorrect, reachedAt } = map;
  const reached = reachedAt === null ? null : reachedAtFromCbor(reachedAt);
  if (typeof callingAeTitle !== 'string' || typeof mayCorrect !== 'boolean' || reached === undefined)
    return undefined;
  if (!areTexts(addresses) || !areTexts(certificates) || !areTexts(calledAeTitles) || !arePermissions(may))
    return undefined;
  return { callingAeTitle, addresses, certificates, calledAeTitles, may, mayCorrect, reachedAt: reached };
}

function reachedAtFromCbor(value: CborValue | undefined): ReachedAt | undefined {
  const map = mapWith(value, ['host', 'port', 'tls']);
  if (map === undefined) return undefined;
  const { host, port, tls } = map;
  if (typeof host !== 'string' || typeof port !== 'number' || typeof tls !== 'boolean') return undefined;
  return { host, port, tls };
}

function areTexts(value: CborValue | undefined): value is readonly string[] {
  return isList(value) && value.every((item) => typeof item === 'string');
}

function arePermissions(value: CborValue | undefined): value is readonly Permission[] {
  return areTexts(value) && value.every((item) => (permissions as readonly string[]).includes(item));
}
