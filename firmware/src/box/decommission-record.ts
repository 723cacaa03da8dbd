/**
 * The printed record of a box that was put out of service: what it was, and that its keys are destroyed, signed by the
 * identity key before it dies. What the program saw afterwards stands below, for two people to sign by hand.
 */
import { fromHex, toHex, utf8 } from '../encoding/bytes.ts';
import { sha256 } from '../encoding/hash.ts';
import { AppError } from '../errors.ts';
import { verifyP256 } from './signatures.ts';

export interface DecommissionFacts {
  readonly institution: { readonly id: string; readonly name: string };
  /** UTC milliseconds. */
  readonly at: number;
  /** Uncompressed, 65 bytes. */
  readonly identityPublicKey: Uint8Array;
  readonly attestationName: Uint8Array;
  readonly endorsementDigest: Uint8Array;
  /** What the ledger says of the institution, as far as this box has it. */
  readonly standing: string;
  /** Files that are removed, with the SHA-256 of their bytes. */
  readonly files: readonly { readonly name: string; readonly digest: Uint8Array }[];
  readonly studies: number;
}

const title = 'HILUM: A BOX IS PUT OUT OF SERVICE';
const hospitalLabel = 'Hospital';
const identityLabel = 'Identity key (P-256)';
const endorsementLabel = 'Endorsement certificate (SHA-256)';
const doneLabel = 'Done';
const digestLabel = 'SHA-256 of the lines above';
const signatureLabel = 'Signature of the identity key over them (ECDSA P-256, SHA-256, r and s)';

/** What is signed: lines, each with its end. The title keeps it apart from all else that the key signs. */
export function recordBody(facts: DecommissionFacts): string {
  const { institution, files, studies } = facts;
  return [
    title,
    `${hospitalLabel}: ${institution.id}, ${institution.name}`,
    `Time: ${new Date(facts.at).toISOString()}`,
    `${identityLabel}: ${toHex(facts.identityPublicKey)}`,
    `Attestation key (Name): ${toHex(facts.attestationName)}`,
    `${endorsementLabel}: ${toHex(facts.endorsementDigest)}`,
    `Ledger: ${facts.standing}`,
    `Studies that nobody can read any more: ${studies}`,
    'Destroyed: everything that this TPM has sealed (TPM2_Clear), and these files:',
    ...files.map(({ name, digest }) => fileLine(name, digest)),
    '',
  ].join('\n');
}

/** With its digest and its signature, 64 bytes. */
export function signedRecord(body: string, signature: Uint8Array): string {
  return `${body}${digestLabel}: ${toHex(sha256(utf8(body)))}\n${signatureLabel}: ${toHex(signature)}\n`;
}

/** What was seen after the keys were destroyed; nothing is left that could sign it. */
export function completedRecord(record: string, at: number): string {
  return [
    `${record}`,
    `${doneLabel}: ${new Date(at).toISOString()}. The TPM no longer holds the storage root key; the files are removed.`,
    '',
    'Seen by: ______________________________   ______________________________',
    '',
  ].join('\n');
}

export interface CheckedRecord {
  /** Its line: id and name. */
  readonly hospital: string;
  /** Its id. */
  readonly institution: string;
  /** False if it was begun only: whether the keys were destroyed is not known. */
  readonly isDone: boolean;
  readonly endorsementDigest: Uint8Array;
  /** SHA-256 of the identity key that signed, hexadecimal: anybody signs a record with a key of his own. */
  readonly identityDigest: string;
  /** True if the record says that this file, with this SHA-256, is destroyed. */
  names(file: string, digest: Uint8Array): boolean;
}

/** A record whose digest and signature are right, by the key that it names itself. @throws AppError DOCUMENT_INVALID. */
export function checkRecord(text: string): CheckedRecord {
  const at = text.indexOf(`${digestLabel}: `);
  const body = text.slice(0, Math.max(0, at));
  const key = valueOf(body, identityLabel, 65);
  const digest = valueOf(text.slice(at), digestLabel, 32);
  const signature = valueOf(text.slice(at), signatureLabel, 64);
  const isRight =
    body.startsWith(`${title}\n`) &&
    toHex(sha256(utf8(body))) === toHex(digest) &&
    verifyP256(key, utf8(body), signature);
  if (!isRight) throw invalid();
  const lines = body.split('\n');
  return {
    hospital: lines[1] ?? '',
    institution: institutionOf(lines[1] ?? ''),
    isDone: text.slice(at).includes(`\n${doneLabel}: `),
    endorsementDigest: valueOf(body, endorsementLabel, 32),
    identityDigest: toHex(sha256(key)),
    names: (file, fileDigest) => lines.includes(fileLine(file, fileDigest)),
  };
}

/** The id in the line that names the hospital: ids have no comma. */
function institutionOf(line: string): string {
  const [, id = ''] = hospitalPattern.exec(line) ?? [];
  if (id === '') throw invalid();
  return id;
}

const hospitalPattern = new RegExp(`^${hospitalLabel}: ([a-z0-9-]{1,32}), `);

const fileLine = (name: string, digest: Uint8Array): string => `  ${name} ${toHex(digest)}`;

function valueOf(text: string, label: string, bytes: number): Uint8Array {
  const line = text.split('\n').find((candidate) => candidate.startsWith(`${label}: `));
  const hex = line?.slice(label.length + 2) ?? '';
  if (!/^[0-9a-f]+$/.test(hex) || hex.length !== 2 * bytes) throw invalid();
  return fromHex(hex);
}

function invalid(): AppError {
  return new AppError('DOCUMENT_INVALID', 'This is no record of a box, or it was changed.');
}
