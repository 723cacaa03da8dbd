/**
 * The keys file: what a box needs besides its TPM to get its keys back. JSON, byte strings in hexadecimal. Nothing in it
 * is secret without that TPM in that state. Nor can anybody but approved firmware alter it (ADR 0040): what the approval
 * index of the TPM does not itself tell is under a MAC.
 */
import { Type, type Static } from 'typebox';
import { Check } from 'typebox/value';
import { fromHex, toHex, utf8 } from '../../src/encoding/bytes.ts';
import { encodeCanonical, type CborValue } from '../../src/encoding/canonical-cbor.ts';
import { sha256 } from '../../src/encoding/hash.ts';
import { AppError } from '../../src/errors.ts';
import type { SignedAttestation } from '../../src/ports.ts';
import { heldKeysMax, keysFileBytesMax } from '../limits.ts';
import { endorsementKinds, type EndorsementKind } from '../wire/endorsement.ts';
import type { ObjectBlob } from '../wire/structures.ts';
import { boundRegisters, type Approval, type Rescue } from './device-policy.ts';
import { readSmallFile, replaceFile } from './small-file.ts';

/** Everything of which a box has several, one after the other, by name: each is the seed of an Ed25519 key. */
export const seedNames = ['voting', 'transaction', 'transport'] as const;
export type SeedName = (typeof seedNames)[number];

export interface StoredKeys {
  /** Whose keys these are: a data folder that is copied to another institution's box is refused. */
  readonly institutionId: string;
  /** Name of the storage root key of the TPM that made them. */
  readonly rootName: Uint8Array;
  /** The firmware that may open the keys, as the approval index of the TPM holds it. */
  readonly approval: Approval;
  /** What the TPM is just being told to approve. */
  readonly approving?: Approval;
  readonly rescue?: Rescue;
  /** To which the recovery file is sealed, X25519, 32 bytes. */
  readonly recoveryKey: Uint8Array;
  /** Goes up when the TPM is taken and with each erasure of a key; a file in which it is below the keys-file counter of the TPM is an old one. */
  readonly generation: number;
  /** What the TPM's count of starts was when the keys were made. */
  readonly firstStart: number;
  readonly boxKey: StoredBoxKey;
  /** The one that is just taking its place: keys are being wrapped under it. */
  readonly nextBoxKey?: StoredBoxKey;
  readonly accountSeed: ObjectBlob;
  /** Sealed authorization values of the TPM's owner and lock-out hierarchy. */
  readonly authorizations: ObjectBlob;
  readonly identity: ObjectBlob;
  /** The attestation key, and the endorsement key that vouches for it: with the identity key one record. */
  readonly attestation: ObjectBlob;
  readonly endorsement: StoredEndorsement;
  readonly origin: StoredOrigin;
  /** Oldest first: others take their places. */
  readonly seeds: Readonly<Record<SeedName, readonly ObjectBlob[]>>;
  /** Of `authenticatedBytes`, made by the broker under the owner's authorization, 32 bytes. */
  readonly mac: Uint8Array;
}

/** Keys before the broker has authenticated them. */
export type UnauthenticatedKeys = Omit<StoredKeys, 'mac'>;

export interface StoredBoxKey {
  readonly blob: ObjectBlob;
  /** The erasure counter's value beyond which it is dead. */
  readonly erasuresMax: number;
}

export interface StoredEndorsement {
  readonly kind: EndorsementKind;
  /** Of the key. */
  readonly name: Uint8Array;
  /** SHA-256 of its certificate. */
  readonly certificateDigest: Uint8Array;
}

/** What the TPM said of the making of these keys, for others to judge. */
export interface StoredOrigin {
  /** Of the bound registers when the identity key was made, in their order, 32 bytes each. */
  readonly values: readonly Uint8Array[];
  /** TPMS_CREATION_DATA of the identity key. */
  readonly creation: Uint8Array;
  /** The attestation key over it (TPM2_CertifyCreation). */
  readonly certified: SignedAttestation;
  /**
   * The attestation key over `originStatement` (TPM2_Quote), made once the TPM was taken, by the very process that made the
   * keys. Without it the keys count for nothing: somebody may have opened them before the TPM had an owner.
   */
  readonly taken?: SignedAttestation;
}

const format = 'hilum device keys';
const version = 5;

const strict = { additionalProperties: false };
const Hex = Type.String({ pattern: '^([0-9a-f]{2})+$' });
const Digest = Type.String({ pattern: '^[0-9a-f]{64}$' });
const Signature = Type.String({ pattern: '^[0-9a-f]{128}$' });
const Blob = Type.Object({ publicArea: Hex, privateArea: Hex }, strict);
const Values = Type.Array(Digest, { minItems: boundRegisters.length, maxItems: boundRegisters.length });
const Firmware = Type.Object(
  {
    values: Values,
    countMax: Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER }),
  },
  strict,
);
/** The running firmware, and the next one. */
const StoredApproval = Type.Array(Firmware, { minItems: 1, maxItems: 2 });
const BoxKey = Type.Object(
  { blob: Blob, erasuresMax: Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER }) },
  strict,
);
const Blobs = Type.Array(Blob, { maxItems: heldKeysMax });
const Signed = Type.Object({ attested: Hex, signature: Signature }, strict);
const Content = Type.Object(
  {
    institutionId: Type.String({ minLength: 1 }),
    rootName: Hex,
    approval: StoredApproval,
    approving: Type.Optional(StoredApproval),
    rescue: Type.Optional(Type.Object({ key: Hex, lock: Blob }, strict)),
    recoveryKey: Hex,
    generation: Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER }),
    firstStart: Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER }),
    authorizations: Blob,
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
    origin: Type.Object(
      { values: Values, creation: Hex, certified: Signed, taken: Type.Optional(Signed) },
      strict,
    ),
    boxKey: BoxKey,
    nextBoxKey: Type.Optional(BoxKey),
    accountSeed: Blob,
    seeds: Type.Object({ voting: Blobs, transaction: Blobs, transport: Blobs }, strict),
  },
  strict,
);
const Header = Type.Object({ format: Type.Literal(format), version: Type.Integer({ minimum: 1 }) });
const File = Type.Object(
  {
    format: Type.Literal(format),
    version: Type.Literal(version),
    /** SHA-256 of the canonical CBOR of `{ content, mac }`: tells a damaged file from a foreign TPM. */
    checksum: Hex,
    mac: Digest,
    content: Content,
  },
  strict,
);

type Content = Static<typeof Content>;

function checksumOf(content: Content, mac: string): string {
  return toHex(sha256(encodeCanonical({ content, mac } satisfies CborValue)));
}

const storedBlob = ({ publicArea, privateArea }: ObjectBlob): Static<typeof Blob> => ({
  publicArea: toHex(publicArea),
  privateArea: toHex(privateArea),
});

const loadedBlob = ({ publicArea, privateArea }: Static<typeof Blob>): ObjectBlob => ({
  publicArea: fromHex(publicArea),
  privateArea: fromHex(privateArea),
});

const storedSigned = ({ attested, signature }: SignedAttestation): Static<typeof Signed> => ({
  attested: toHex(attested),
  signature: toHex(signature),
});

const loadedSigned = ({ attested, signature }: Static<typeof Signed>): SignedAttestation => ({
  attested: fromHex(attested),
  signature: fromHex(signature),
});

const storedOrigin = ({ values, creation, certified, taken }: StoredOrigin): Content['origin'] => ({
  values: values.map(toHex),
  creation: toHex(creation),
  certified: storedSigned(certified),
  ...(taken && { taken: storedSigned(taken) }),
});

const loadedOrigin = ({ values, creation, certified, taken }: Content['origin']): StoredOrigin => ({
  values: values.map(fromHex),
  creation: fromHex(creation),
  certified: loadedSigned(certified),
  ...(taken && { taken: loadedSigned(taken) }),
});

const storedApproval = (approval: Approval): Static<typeof StoredApproval> =>
  approval.map(({ values, countMax }) => ({ values: values.map(toHex), countMax }));

function loadedApproval(stored: Static<typeof StoredApproval>): Approval {
  const [first, second] = stored.map(({ values, countMax }) => ({ values: values.map(fromHex), countMax }));
  if (first === undefined) throw new RangeError('an approval names a firmware');
  return second === undefined ? [first] : [first, second];
}

const storedBoxKey = ({ blob, erasuresMax }: StoredBoxKey): Static<typeof BoxKey> => ({
  blob: storedBlob(blob),
  erasuresMax,
});

const loadedBoxKey = ({ blob, erasuresMax }: Static<typeof BoxKey>): StoredBoxKey => ({
  blob: loadedBlob(blob),
  erasuresMax,
});

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

/**
 * What the MAC is over: canonical CBOR of `content` without `approval` and `approving`. Those are compared with what the
 * TPM holds, and the rescue has to change them before it can open the authorization.
 */
export function authenticatedBytes(keys: UnauthenticatedKeys): Uint8Array {
  const { approval: _, approving: __, ...content } = contentOf(keys);
  return encodeCanonical(content satisfies CborValue);
}

function contentOf(keys: UnauthenticatedKeys): Content {
  return {
    institutionId: keys.institutionId,
    rootName: toHex(keys.rootName),
    approval: storedApproval(keys.approval),
    ...(keys.approving && { approving: storedApproval(keys.approving) }),
    ...(keys.rescue && { rescue: { key: toHex(keys.rescue.key), lock: storedBlob(keys.rescue.lock) } }),
    recoveryKey: toHex(keys.recoveryKey),
    generation: keys.generation,
    firstStart: keys.firstStart,
    authorizations: storedBlob(keys.authorizations),
    identity: storedBlob(keys.identity),
    attestation: storedBlob(keys.attestation),
    endorsement: {
      kind: keys.endorsement.kind,
      name: toHex(keys.endorsement.name),
      certificateDigest: toHex(keys.endorsement.certificateDigest),
    },
    origin: storedOrigin(keys.origin),
    boxKey: storedBoxKey(keys.boxKey),
    ...(keys.nextBoxKey && { nextBoxKey: storedBoxKey(keys.nextBoxKey) }),
    accountSeed: storedBlob(keys.accountSeed),
    seeds: bySeed(keys.seeds, storedBlob),
  };
}

export function encodeKeysFile(keys: StoredKeys): string {
  const content = contentOf(keys);
  const mac = toHex(keys.mac);
  const file = { format, version, checksum: checksumOf(content, mac), mac, content };
  return `${JSON.stringify(file, undefined, 2)}\n`;
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
  if (checksumOf(content, value.mac) !== value.checksum)
    throw new AppError('STORE_CORRUPT', `${file} is damaged`);
  return {
    institutionId: content.institutionId,
    rootName: fromHex(content.rootName),
    approval: loadedApproval(content.approval),
    ...(content.approving && { approving: loadedApproval(content.approving) }),
    ...(content.rescue && {
      rescue: { key: fromHex(content.rescue.key), lock: loadedBlob(content.rescue.lock) },
    }),
    recoveryKey: fromHex(content.recoveryKey),
    generation: content.generation,
    firstStart: content.firstStart,
    authorizations: loadedBlob(content.authorizations),
    identity: loadedBlob(content.identity),
    attestation: loadedBlob(content.attestation),
    endorsement: {
      kind: content.endorsement.kind,
      name: fromHex(content.endorsement.name),
      certificateDigest: fromHex(content.endorsement.certificateDigest),
    },
    origin: loadedOrigin(content.origin),
    boxKey: loadedBoxKey(content.boxKey),
    ...(content.nextBoxKey && { nextBoxKey: loadedBoxKey(content.nextBoxKey) }),
    accountSeed: loadedBlob(content.accountSeed),
    seeds: bySeed(content.seeds, loadedBlob),
    mac: fromHex(value.mac),
  };
}

/** @returns undefined if there is no such file. @throws AppError STORE_CORRUPT or STORE_FAILED. */
export async function readKeysFile(file: string): Promise<StoredKeys | undefined> {
  const bytes = await readSmallFile(file, keysFileBytesMax);
  return bytes && decodeKeysFile(Buffer.from(bytes).toString('utf8'), file);
}

/** On disk as a whole or not at all. @throws AppError STORE_FAILED. */
export function writeKeysFile(file: string, keys: StoredKeys): Promise<void> {
  return replaceFile(file, utf8(encodeKeysFile(keys)));
}
