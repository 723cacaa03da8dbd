/**
 * The keys file: what a box needs besides its TPM to get its keys back. JSON, byte strings in hexadecimal. Nothing in it
 * is secret without that TPM in that state.
 */
import { open, readFile, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { Type, type Static } from 'typebox';
import { Check } from 'typebox/value';
import { fromHex, toHex } from '../../src/encoding/bytes.ts';
import { encodeCanonical, type CborValue } from '../../src/encoding/canonical-cbor.ts';
import { sha256 } from '../../src/encoding/hash.ts';
import { AppError } from '../../src/errors.ts';
import { heldKeysMax, keysFileBytesMax } from '../limits.ts';
import { endorsementKinds, type EndorsementKind } from '../wire/endorsement.ts';
import type { PcrPolicy } from '../wire/policy.ts';
import type { ObjectBlob } from '../wire/structures.ts';

/** Everything of which a box has one, by name. */
export const secretNames = ['boxKey', 'accountSeed'] as const;
export type SecretName = (typeof secretNames)[number];

/** Everything of which a box has several, one after the other, by name: each is the seed of an Ed25519 key. */
export const seedNames = ['voting', 'transaction', 'transport'] as const;
export type SeedName = (typeof seedNames)[number];

export interface StoredKeys {
  /** Whose keys these are: a data folder that is copied to another institution's box is refused. */
  readonly institutionId: string;
  /** Name of the storage root key of the TPM that made them. */
  readonly rootName: Uint8Array;
  /** What the PCRs held, to tell which one changed. */
  readonly policy: PcrPolicy;
  readonly identity: ObjectBlob;
  /** The attestation key, and the endorsement key that vouches for it: with the identity key one record. */
  readonly attestation: ObjectBlob;
  readonly endorsement: StoredEndorsement;
  readonly sealed: Readonly<Record<SecretName, ObjectBlob>>;
  /** Oldest first: others take their places. */
  readonly seeds: Readonly<Record<SeedName, readonly ObjectBlob[]>>;
}

export interface StoredEndorsement {
  readonly kind: EndorsementKind;
  /** Of the key. */
  readonly name: Uint8Array;
  /** SHA-256 of its certificate. */
  readonly certificateDigest: Uint8Array;
}

const format = 'hilum device keys';
const version = 3;

const strict = { additionalProperties: false };
const Hex = Type.String({ pattern: '^([0-9a-f]{2})+$' });
const Blob = Type.Object({ publicArea: Hex, privateArea: Hex }, strict);
const Blobs = Type.Array(Blob, { maxItems: heldKeysMax });
const Content = Type.Object(
  {
    institutionId: Type.String({ minLength: 1 }),
    rootName: Hex,
    policy: Type.Object(
      {
        registers: Type.Array(Type.Integer({ minimum: 0, maximum: 23 }), { minItems: 1, maxItems: 24 }),
        values: Type.Array(Hex, { minItems: 1, maxItems: 24 }),
      },
      strict,
    ),
    identity: Blob,
    attestation: Blob,
    endorsement: Type.Object(
      {
        kind: Type.Enum([...endorsementKinds]),
        name: Hex,
        certificateDigest: Hex,
      },
      strict,
    ),
    sealed: Type.Object({ boxKey: Blob, accountSeed: Blob }, strict),
    seeds: Type.Object({ voting: Blobs, transaction: Blobs, transport: Blobs }, strict),
  },
  strict,
);
const Header = Type.Object({ format: Type.Literal(format), version: Type.Integer({ minimum: 1 }) });
const File = Type.Object(
  {
    format: Type.Literal(format),
    version: Type.Literal(version),
    /** SHA-256 of the canonical CBOR of `content`: tells a damaged file from a foreign TPM. */
    checksum: Hex,
    content: Content,
  },
  strict,
);

type Content = Static<typeof Content>;

function checksumOf(content: Content): string {
  return toHex(sha256(encodeCanonical(content satisfies CborValue)));
}

const storedBlob = ({ publicArea, privateArea }: ObjectBlob): Static<typeof Blob> => ({
  publicArea: toHex(publicArea),
  privateArea: toHex(privateArea),
});

const loadedBlob = ({ publicArea, privateArea }: Static<typeof Blob>): ObjectBlob => ({
  publicArea: fromHex(publicArea),
  privateArea: fromHex(privateArea),
});

function bySecret<From, To>(
  values: Readonly<Record<SecretName, From>>,
  convert: (value: From) => To,
): Record<SecretName, To> {
  return {
    boxKey: convert(values.boxKey),
    accountSeed: convert(values.accountSeed),
  };
}

function bySeed<From, To>(
  values: Readonly<Record<SeedName, readonly From[]>>,
  convert: (value: From) => To,
): Record<SeedName, To[]> {
  return {
    voting: values.voting.map(convert),
    transaction: values.transaction.map(convert),
    transport: values.transport.map(convert),
  };
}

export function encodeKeysFile(keys: StoredKeys): string {
  const content: Content = {
    institutionId: keys.institutionId,
    rootName: toHex(keys.rootName),
    policy: { registers: [...keys.policy.registers], values: keys.policy.values.map(toHex) },
    identity: storedBlob(keys.identity),
    attestation: storedBlob(keys.attestation),
    endorsement: {
      kind: keys.endorsement.kind,
      name: toHex(keys.endorsement.name),
      certificateDigest: toHex(keys.endorsement.certificateDigest),
    },
    sealed: bySecret(keys.sealed, storedBlob),
    seeds: bySeed(keys.seeds, storedBlob),
  };
  return `${JSON.stringify({ format, version, checksum: checksumOf(content), content }, undefined, 2)}\n`;
}

/** @throws AppError STORE_CORRUPT naming the file. */
export function decodeKeysFile(text: string, file: string): StoredKeys {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new AppError('STORE_CORRUPT', `${file} is not JSON`, { cause });
  }
  if (Check(Header, value) && value.version > version) {
    throw new AppError('STORE_CORRUPT', `${file} was written by a newer firmware (version ${value.version})`);
  }
  if (!Check(File, value)) throw new AppError('STORE_CORRUPT', `${file} is not a keys file`);
  const { content } = value;
  if (checksumOf(content) !== value.checksum) throw new AppError('STORE_CORRUPT', `${file} is damaged`);
  return {
    institutionId: content.institutionId,
    rootName: fromHex(content.rootName),
    policy: { registers: content.policy.registers, values: content.policy.values.map(fromHex) },
    identity: loadedBlob(content.identity),
    attestation: loadedBlob(content.attestation),
    endorsement: {
      kind: content.endorsement.kind,
      name: fromHex(content.endorsement.name),
      certificateDigest: fromHex(content.endorsement.certificateDigest),
    },
    sealed: bySecret(content.sealed, loadedBlob),
    seeds: bySeed(content.seeds, loadedBlob),
  };
}

/** @returns undefined if there is no such file. @throws AppError STORE_CORRUPT or STORE_FAILED. */
export async function readKeysFile(file: string): Promise<StoredKeys | undefined> {
  let bytes: Buffer;
  try {
    bytes = await readFile(file);
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw new AppError('STORE_FAILED', `cannot read ${file}`, { cause });
  }
  if (bytes.length > keysFileBytesMax) {
    throw new AppError('STORE_CORRUPT', `${file} is longer than ${keysFileBytesMax} bytes`);
  }
  return decodeKeysFile(bytes.toString('utf8'), file);
}

/** On disk as a whole or not at all: the content is synced before it gets its name, the name before this resolves. */
export async function writeKeysFile(file: string, keys: StoredKeys): Promise<void> {
  const draft = `${file}.tmp`;
  try {
    await rm(draft, { force: true }); // of a power cut
    const handle = await open(draft, 'wx', 0o600);
    try {
      await handle.writeFile(encodeKeysFile(keys));
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(draft, file);
    const folder = await open(dirname(file), 'r');
    try {
      await folder.sync();
    } finally {
      await folder.close();
    }
  } catch (cause) {
    throw new AppError('STORE_FAILED', `cannot write ${file}`, { cause });
  }
}
