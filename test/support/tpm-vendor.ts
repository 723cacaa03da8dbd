/** A vendor of TPMs: a root, an authority below it, and the certificates of endorsement keys. DER everywhere. */
import 'reflect-metadata';
import type { webcrypto } from 'node:crypto';
import * as x509 from '@peculiar/x509';
import { sha256 } from '../../firmware/src/encoding/hash.ts';
import type { EndorsementKey } from '../../firmware/src/attestation/public-area.ts';
import { subjectPublicKeyInfo } from '../../firmware/src/attestation/web-key.ts';

const algorithms = {
  'P-384': { name: 'ECDSA', namedCurve: 'P-384', hash: 'SHA-384' },
  'RSA-2048': {
    name: 'RSASSA-PKCS1-v1_5',
    modulusLength: 2048,
    publicExponent: Uint8Array.of(1, 0, 1),
    hash: 'SHA-256',
  },
  'RSA-2048 SHA-1': {
    name: 'RSASSA-PKCS1-v1_5',
    modulusLength: 2048,
    publicExponent: Uint8Array.of(1, 0, 1),
    hash: 'SHA-1',
  },
} as const;

const endorsementUse = '2.23.133.8.1';
const yearMs = 365 * 86_400_000;

/** What a test makes otherwise than a vendor would. */
export interface VendorWish {
  readonly algorithm?: keyof typeof algorithms;
  /** Of all certificates, UTC milliseconds. */
  readonly from: number;
  /** Whether the authority below the root may issue. */
  readonly issues?: boolean;
  readonly rootName?: string;
  /** Authorities that may stand below the root; it does not say unless told. */
  readonly pathLength?: number;
  /** An extension of the authority below the root. */
  readonly extension?: x509.Extension;
}

export interface EndorsementWish {
  readonly until?: number;
  readonly from?: number;
  /** Purposes of the extended key usage; null: the certificate has none. */
  readonly use?: string | null;
  /** DER in the place of what WebCrypto writes of the key. */
  readonly keyInfo?: Uint8Array;
  readonly ca?: boolean;
  /** Alternative name of the subject; none unless told. */
  readonly names?: x509.JsonGeneralNames;
  readonly extension?: x509.Extension;
}

interface Party {
  readonly certificate: x509.X509Certificate;
  readonly keys: webcrypto.CryptoKeyPair;
}

const der = (certificate: x509.X509Certificate): Uint8Array => new Uint8Array(certificate.rawData);

export class TpmVendor {
  readonly #root: Party;
  readonly #authority: Party;
  readonly #wish: VendorWish;
  #serial = 16;

  private constructor(root: Party, authority: Party, wish: VendorWish) {
    this.#root = root;
    this.#authority = authority;
    this.#wish = wish;
  }

  static async make(wish: VendorWish): Promise<TpmVendor> {
    const algorithm = algorithms[wish.algorithm ?? 'P-384'];
    const generate = () => crypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
    const [rootKeys, keys] = [await generate(), await generate()];
    const common = { notBefore: new Date(wish.from), notAfter: new Date(wish.from + 20 * yearMs) };
    const extensions = (issues: boolean, pathLength?: number) => [
      new x509.BasicConstraintsExtension(issues, pathLength, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign, true),
    ];
    const name = `CN=${wish.rootName ?? 'Root of a TPM vendor'}`;
    const root = await x509.X509CertificateGenerator.createSelfSigned(
      {
        ...common,
        keys: rootKeys,
        name,
        serialNumber: '01',
        signingAlgorithm: algorithm,
        extensions: extensions(true, wish.pathLength),
      },
      crypto,
    );
    const authority = await x509.X509CertificateGenerator.create(
      {
        ...common,
        publicKey: keys.publicKey,
        signingKey: rootKeys.privateKey,
        subject: 'CN=Authority of a TPM vendor',
        issuer: root.subject,
        serialNumber: '02',
        signingAlgorithm: algorithm,
        extensions: [
          ...extensions(wish.issues ?? true),
          ...(wish.extension === undefined ? [] : [wish.extension]),
        ],
      },
      crypto,
    );
    return new TpmVendor({ certificate: root, keys: rootKeys }, { certificate: authority, keys }, wish);
  }

  /** As a consortium pins it. */
  get pin(): Uint8Array {
    return sha256(new Uint8Array(this.#root.certificate.publicKey.rawData));
  }

  /** From the authority up to the root. */
  get authorities(): readonly Uint8Array[] {
    return [der(this.#authority.certificate), der(this.#root.certificate)];
  }

  /** A certificate of this endorsement key, without a subject, as vendors make them. */
  async certify(
    key: EndorsementKey,
    { until, from, use, ca, keyInfo, names, extension }: EndorsementWish = {},
  ): Promise<Uint8Array> {
    this.#serial += 1;
    const certificate = await x509.X509CertificateGenerator.create(
      {
        publicKey: new x509.PublicKey(keyInfo ?? (await subjectPublicKeyInfo(key))),
        signingKey: this.#authority.keys.privateKey,
        subject: '',
        issuer: this.#authority.certificate.subject,
        serialNumber: this.#serial.toString(16),
        notBefore: new Date(from ?? this.#wish.from),
        notAfter: new Date(until ?? this.#wish.from + 10 * yearMs),
        signingAlgorithm: algorithms[this.#wish.algorithm ?? 'P-384'],
        extensions: [
          new x509.BasicConstraintsExtension(ca ?? false, undefined, true),
          ...(use === null ? [] : [new x509.ExtendedKeyUsageExtension([use ?? endorsementUse])]),
          ...(names === undefined ? [] : [new x509.SubjectAlternativeNameExtension(names, true)]),
          ...(extension === undefined ? [] : [extension]),
        ],
      },
      crypto,
    );
    return der(certificate);
  }
}
