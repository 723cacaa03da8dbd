/** The golden vectors of the protocol room, made by test/vectors/protocol-reference.py. */
import { readFile } from 'node:fs/promises';

export const vectorFolder = new URL('../vectors/', import.meta.url);

async function read(name: string): Promise<unknown> {
  return JSON.parse(await readFile(new URL(`${name}.json`, vectorFolder), 'utf8'));
}

export interface OwnerKeyCase {
  readonly seed: string;
  readonly institution: string;
  readonly index: number;
  readonly spend: string;
  readonly view: string;
  readonly viewKey: string;
  readonly ephemeral: string;
  readonly prk: string;
  readonly tag: number;
  readonly tweak: string;
  readonly ownerKey: string;
  readonly scalar: string;
  readonly message: string;
  readonly signature: string;
}

export interface OwnerKeyVectors {
  readonly chain: string;
  readonly r: string;
  readonly random: string;
  readonly cases: readonly OwnerKeyCase[];
}

export interface AddressVector {
  readonly seed: string;
  readonly institution: string;
  readonly chain: string;
  readonly nonce: string;
  readonly address: string;
  readonly mailboxMessage: string;
}

export interface NoteVector {
  readonly prk: string;
  readonly index: number;
  readonly commitment: string;
  readonly note: {
    readonly salt: string;
    readonly kind: 'imaging-study';
    readonly studyInstanceUid: string;
    readonly date: string;
    readonly modalities: readonly string[];
    readonly description: string;
    readonly instances: number;
    readonly bytes: number;
  };
  readonly noteKey: string;
  readonly ciphertext: string;
  readonly noteHash: string;
}

export interface CommitmentVector {
  readonly salt: string;
  readonly top: string;
  readonly instances: readonly {
    readonly number: number;
    readonly key: string;
    readonly length: number;
    readonly leaves: string;
    readonly hash: string;
  }[];
  readonly commitment: string;
  readonly manifest: string;
  readonly uids: readonly [string, string, string];
  readonly instancePrefix: string;
}

export interface GrantNoteVector {
  readonly sourceViewKey: string;
  readonly granteeViewKey: string;
  readonly granteeSeed: string;
  readonly granteeSpend: string;
  readonly tweak: string;
  readonly consentSalt: string;
  readonly consentStatement: string;
  readonly content: {
    readonly source: string;
    readonly grantee: string;
    readonly terms: {
      readonly purpose: string;
      readonly person: string;
      readonly patientAtGrantee: string;
      readonly consent: string;
      readonly salt: string;
    };
  };
  readonly body: Readonly<Record<string, string | number | boolean>>;
  readonly note: string;
}

export const ownerKeyVectors = async () => (await read('owner-keys')) as OwnerKeyVectors;
export const addressVector = async () => (await read('address')) as AddressVector;
export const noteVector = async () => (await read('notes')) as NoteVector;
export const commitmentVector = async () => (await read('commitment')) as CommitmentVector;
export const grantNoteVector = async () => (await read('grant-note')) as GrantNoteVector;

/** Bytes to tell apart: `first`, `first` + 1, … */
export function pattern(length: number, first: number): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => (first + i) % 256);
}
