/** The certificate, key and authorities of DICOM over TLS, read from the administrator's files and judged before use. */
import { createHash, createPrivateKey, X509Certificate } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { createSecureContext, type SecureContextOptions } from 'node:tls';
import { contextOptions } from '../../dimse/index.ts';
import { AppError } from '../errors.ts';
import { certificateFileBytesMax } from './limits.ts';

/** PEM files. */
export interface CertificateFiles {
  /** The box's own certificate first, then its chain. */
  readonly certificateFile: string;
  /** Without a passphrase. */
  readonly keyFile: string;
  /** Authorities whose certificates peers may show. */
  readonly caFiles: readonly string[];
}

/** A set that was found good. The texts are PEM. */
export interface CertificateSet {
  readonly certificate: string;
  readonly key: string;
  readonly ca: readonly string[];
  /** Common name of the own certificate; the whole subject where it has none. */
  readonly subject: string;
  /** End of the own certificate, UTC milliseconds. */
  readonly validUntil: number;
  /** What ends first of each file. */
  readonly ends: readonly { readonly file: string; readonly at: number }[];
  /** Of all files as they were read: equal as long as none has changed. */
  readonly digest: string;
}

/**
 * Good for use now: the pair fits, nothing of the own chain has expired, at least one authority has not, and OpenSSL
 * takes it. @throws AppError CERTIFICATE_INVALID naming the file and what is wrong with it.
 */
export async function readCertificateSet(files: CertificateFiles, now: number): Promise<CertificateSet> {
  const { certificateFile, keyFile, caFiles } = files;
  const certificate = await readText(certificateFile);
  const key = await readText(keyFile);
  const ca = await Promise.all(caFiles.map(readText));
  const chain = certificatesIn(certificateFile, certificate);
  const authorities = caFiles.map((file, index) => certificatesIn(file, ca[index] ?? ''));
  for (const link of chain) assertValid(certificateFile, link, now);
  assertFits(certificateFile, chain[0], keyFile, key);
  if (!authorities.flat().some((authority) => isValid(authority, now)))
    throw invalid(caFiles.join(', '), 'no authority in it is valid now');
  assertUsable(certificateFile, contextOptions({ certificate, key, ca }));
  const [own] = chain;
  return {
    certificate,
    key,
    ca,
    subject: commonNameOf(own),
    validUntil: own.validToDate.getTime(),
    ends: [
      { file: certificateFile, at: firstEnd(chain) },
      ...caFiles.map((file, index) => ({ file, at: firstEnd(authorities[index] ?? []) })),
    ],
    digest: createHash('sha256')
      .update(JSON.stringify([certificate, key, ca]))
      .digest('hex'),
  };
}

const invalid = (file: string, what: string, cause?: unknown): AppError =>
  new AppError('CERTIFICATE_INVALID', `${file}: ${what}.`, { cause });

async function readText(file: string): Promise<string> {
  try {
    const { size } = await stat(file);
    if (size > certificateFileBytesMax) throw new RangeError(`larger than ${certificateFileBytesMax} bytes`);
    return await readFile(file, 'utf8');
  } catch (cause) {
    throw invalid(
      file,
      `it cannot be read (${cause instanceof Error ? cause.message : String(cause)})`,
      cause,
    );
  }
}

const pemCertificate = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

function certificatesIn(file: string, text: string): [X509Certificate, ...X509Certificate[]] {
  try {
    const [first, ...others] = text.match(pemCertificate) ?? [];
    if (first === undefined) throw new RangeError('no PEM certificate in it');
    return [new X509Certificate(first), ...others.map((pem) => new X509Certificate(pem))];
  } catch (cause) {
    throw invalid(file, 'it holds no certificate in PEM, or a damaged one', cause);
  }
}

function isValid({ validFromDate, validToDate }: X509Certificate, now: number): boolean {
  return validFromDate.getTime() <= now && now < validToDate.getTime();
}

function assertValid(file: string, certificate: X509Certificate, now: number): void {
  if (isValid(certificate, now)) return;
  const { validFromDate, validToDate } = certificate;
  const [what, at] =
    validFromDate.getTime() > now ? ['is not valid before', validFromDate] : ['expired', validToDate];
  throw invalid(file, `the certificate ${commonNameOf(certificate)} ${what} ${at.toISOString()}`);
}

function assertFits(file: string, own: X509Certificate, keyFile: string, key: string): void {
  let fits: boolean;
  try {
    fits = own.checkPrivateKey(createPrivateKey(key));
  } catch (cause) {
    throw invalid(keyFile, 'it holds no private key in PEM without a passphrase', cause);
  }
  if (!fits) throw invalid(keyFile, `its key is not that of the certificate in ${file}`);
}

/** With the very options with which it will be used. */
function assertUsable(file: string, options: SecureContextOptions): void {
  try {
    createSecureContext(options);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw invalid(file, `it cannot be used for TLS (${why})`, cause);
  }
}

function commonNameOf({ subject }: X509Certificate): string {
  return /^CN=(.+)$/m.exec(subject)?.[1] ?? subject.replaceAll('\n', ', ');
}

function firstEnd(certificates: readonly X509Certificate[]): number {
  return Math.min(...certificates.map(({ validToDate }) => validToDate.getTime()));
}
