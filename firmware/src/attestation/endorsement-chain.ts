/**
 * The chain of an endorsement key's certificate to a root that the consortium pins: RFC 5280, section 6.1, as far as
 * TPM vendors use it (TCG EK Credential Profile 2.5, section 3): no policies, no name constraints, no revocation lists.
 */
// @peculiar/x509 needs the metadata API to be in place when it is loaded.
import 'reflect-metadata';
import {
  BasicConstraintsExtension,
  ExtendedKeyUsageExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  Name,
  SubjectAlternativeNameExtension,
  X509Certificate,
} from '@peculiar/x509';
import { equalBytes } from '../encoding/bytes.ts';
import { sha256 } from '../encoding/hash.ts';
import { certificateBytesMax, certificatesMax } from './limits.ts';

/** What the consortium takes as roots. */
export interface EndorsementTrust {
  /** SHA-256 of the SubjectPublicKeyInfo of each root. */
  readonly roots: readonly Uint8Array[];
  /** The consortium is one of simulators: swtpm's own authorities count, whoever's they are. */
  readonly development: boolean;
}

export type ChainFailure =
  | 'malformed'
  | 'not-an-endorsement-certificate'
  | 'not-issued-by-the-next'
  | 'issuer-is-no-authority'
  | 'unknown-extension'
  | 'weak-signature'
  | 'bad-signature'
  | 'not-yet-valid'
  | 'expired'
  | 'unknown-root'
  | 'simulator';

export type ChainVerdict =
  | {
      readonly kind: 'trusted';
      /** DER of the SubjectPublicKeyInfo that the first certificate speaks of. */
      readonly subjectPublicKeyInfo: Uint8Array;
      /** True if it is a simulator's. */
      readonly development: boolean;
    }
  | {
      readonly kind: 'refused';
      readonly failure: ChainFailure;
      /** Which certificate, from 0 for the endorsement key's own. */
      readonly at: number;
    };

/** tcg-kp-EKCertificate (TCG EK Credential Profile 2.5, section 3.2.16). */
const endorsementUse = '2.23.133.8.1';

/** tcg-at-tpmManufacturer: every endorsement certificate names it (same profile, section 3.2.9). */
const manufacturerAttribute = '2.23.133.2.1';

/**
 * Critical extensions that are judged here, or that with no policy asked for say nothing (RFC 5280, section 4.2): basic
 * constraints, key usage, extended key usage, subject alternative name, certificate policies.
 */
const knownExtensions: readonly string[] = ['2.5.29.19', '2.5.29.15', '2.5.29.37', '2.5.29.17', '2.5.29.32'];

/** Names of the authorities that swtpm_localca makes. */
const simulatorAuthority = /^CN=swtpm-localca/;

const strongHashes: readonly string[] = ['SHA-256', 'SHA-384', 'SHA-512'];

const refused = (failure: ChainFailure, at: number) => ({ kind: 'refused', failure, at }) as const;

/** What a certificate says, as far as it matters here. */
interface Link {
  readonly certificate: X509Certificate;
  /** DER of the names. */
  readonly subject: Uint8Array;
  readonly issuer: Uint8Array;
  readonly subjectPublicKeyInfo: Uint8Array;
  /** UTC milliseconds. */
  readonly notBefore: number;
  readonly notAfter: number;
  /** Of the signature on it; `none` for algorithms that hash by themselves, which no vendor uses. */
  readonly hash: string;
  readonly isAuthority: boolean;
  /** Authorities that may stand between it and the endorsement key's. */
  readonly pathLengthMax: number;
  readonly isForEndorsement: boolean;
  /** Whether it asks for something that is not judged here (RFC 5280, section 4.2). */
  readonly hasUnknownExtension: boolean;
  readonly isSimulators: boolean;
}

/** Whether its alternative name is that of a TPM: a directory name with the manufacturer's attribute. */
function namesTpm(certificate: X509Certificate): boolean {
  const names = certificate.getExtension(SubjectAlternativeNameExtension)?.names.items ?? [];
  return names.some(
    ({ type, value }) => type === 'dn' && new Name(value).getField(manufacturerAttribute).length > 0,
  );
}

/** Some vendors state no purpose: then the name has to be a TPM's, lest any certificate below their roots would do. */
function isForEndorsement(certificate: X509Certificate): boolean {
  const uses = certificate.getExtension(ExtendedKeyUsageExtension);
  return uses === null ? namesTpm(certificate) : uses.usages.includes(endorsementUse);
}

function linkOf(certificate: X509Certificate): Link {
  const basic = certificate.getExtension(BasicConstraintsExtension);
  const keyUse = certificate.getExtension(KeyUsagesExtension);
  const { signatureAlgorithm, extensions } = certificate;
  return {
    certificate,
    subject: new Uint8Array(certificate.subjectName.toArrayBuffer()),
    issuer: new Uint8Array(certificate.issuerName.toArrayBuffer()),
    subjectPublicKeyInfo: new Uint8Array(certificate.publicKey.rawData),
    notBefore: certificate.notBefore.getTime(),
    notAfter: certificate.notAfter.getTime(),
    hash: 'hash' in signatureAlgorithm ? (signatureAlgorithm.hash as { name: string }).name : 'none',
    isAuthority: basic?.ca === true && (keyUse === null || (keyUse.usages & KeyUsageFlags.keyCertSign) !== 0),
    pathLengthMax: basic?.pathLength ?? certificatesMax,
    isForEndorsement: basic?.ca !== true && isForEndorsement(certificate),
    hasUnknownExtension: extensions.some(({ type, critical }) => critical && !knownExtensions.includes(type)),
    isSimulators: simulatorAuthority.test(certificate.issuer),
  };
}

/** The library takes bytes after a certificate, and none that is cut off. */
function isCertificate(der: Uint8Array): boolean {
  try {
    return new X509Certificate(new Uint8Array(der)).rawData.byteLength > 0;
  } catch (error) {
    if (error instanceof Error) return false;
    throw error;
  }
}

/**
 * The library throws errors of many kinds at bytes that are no certificate, some only when a field is read: any of them
 * says just that. With bytes after it a certificate would have another digest, and its TPM would stand for two members.
 */
function readLink(der: Uint8Array): Link | undefined {
  if (der.length > certificateBytesMax || isCertificate(der.subarray(0, -1))) return undefined;
  try {
    return linkOf(new X509Certificate(new Uint8Array(der)));
  } catch (error) {
    if (error instanceof Error) return undefined;
    throw error;
  }
}

/** WebCrypto rejects keys and signatures that it does not know; they then verify nothing. */
async function isSignedBy({ certificate }: Link, issuer: Link): Promise<boolean> {
  const { publicKey } = issuer.certificate;
  try {
    return await certificate.verify({ publicKey, signatureOnly: true }, crypto);
  } catch (error) {
    if (error instanceof Error) return false;
    throw error;
  }
}

async function failureOf(chain: readonly Link[], at: number, now: number): Promise<ChainFailure | undefined> {
  const link = chain[at] as Link;
  if (at === 0 && !link.isForEndorsement) return 'not-an-endorsement-certificate';
  if (at > 0 && (!link.isAuthority || link.pathLengthMax < at - 1)) return 'issuer-is-no-authority';
  if (now < link.notBefore) return 'not-yet-valid';
  if (now > link.notAfter) return 'expired';
  const issuer = chain[at + 1];
  // The last one is trusted by its key or not at all: what it says of itself proves nothing.
  if (issuer === undefined) return undefined;
  if (link.hasUnknownExtension) return 'unknown-extension';
  if (!equalBytes(link.issuer, issuer.subject)) return 'not-issued-by-the-next';
  if (!strongHashes.includes(link.hash)) return 'weak-signature';
  return (await isSignedBy(link, issuer)) ? undefined : 'bad-signature';
}

/**
 * @param certificates DER, the endorsement key's own first, each next one its issuer's, the root last.
 * @param now UTC milliseconds.
 */
export async function judgeChain(
  certificates: readonly Uint8Array[],
  trust: EndorsementTrust,
  now: number,
): Promise<ChainVerdict> {
  const chain: Link[] = [];
  for (const [at, der] of certificates.slice(0, certificatesMax).entries()) {
    const link = readLink(der);
    if (link === undefined) return refused('malformed', at);
    chain.push(link);
  }
  const [own] = chain;
  const root = chain.at(-1);
  if (own === undefined || root === undefined || chain.length < 2) return refused('unknown-root', 0);
  for (const at of chain.keys()) {
    const failure = await failureOf(chain, at, now);
    if (failure !== undefined) return refused(failure, at);
  }
  const development = chain.some(({ isSimulators }) => isSimulators);
  // Also where somebody pinned a simulator's authority by mistake.
  if (development && !trust.development) return refused('simulator', chain.length - 1);
  const rootKey = sha256(root.subjectPublicKeyInfo);
  if (!development && !trust.roots.some((pinned) => equalBytes(pinned, rootKey)))
    return refused('unknown-root', chain.length - 1);
  return { kind: 'trusted', subjectPublicKeyInfo: own.subjectPublicKeyInfo, development };
}
