/**
 * What a box proves of its TPM to others: the attestation key and what it signs, and the endorsement key by which the
 * vendor vouches for the chip. The answers are for others to verify; nothing is verified here.
 */
import { sha256 } from '../../../src/encoding/hash.ts';
import { AppError } from '../../../src/errors.ts';
import { esysHandle } from '../../esys/functions.ts';
import {
  endorsementCertificateBytesMax,
  endorsementChainBytesMax,
  endorsementChainLengthMax,
} from '../../limits.ts';
import { sessionAttribute, sessionType } from '../../wire/constants.ts';
import {
  chainIndices,
  endorsementKinds,
  endorsementRows,
  type EndorsementKind,
} from '../../wire/endorsement.ts';
import {
  ecdsaSha256,
  noCreationPcrs,
  noOutsideInfo,
  parseEcdsaSignature,
  pcrSelection,
  sensitiveCreate,
  sized,
  unsized,
  type ObjectBlob,
} from '../../wire/structures.ts';
import { attestationTemplate } from '../../wire/templates.ts';
import { certificatesIn } from '../certificates-in.ts';
import { create, type CreationRecord } from '../guarded.ts';
import { hasVendorIndex, readVendorIndex } from '../nv-content.ts';
import type { Tpm } from '../tpm.ts';
import type { Handlers } from './family.ts';

const { none, password, endorsement } = esysHandle;

/** TPM2B_DATA of a statement that is the same at each time. */
const noQualifyingData = sized(new Uint8Array(0));

/** What a restricted key signed. */
export interface SignedAttestation {
  /** TPMS_ATTEST (part 2, 10.12.8). */
  readonly attested: Uint8Array;
  /** ECDSA with SHA-256: r ‖ s as the TPM gave it. */
  readonly signature: Uint8Array;
}

/** The attestation key, with the Name of the storage root key under which it was made. */
export interface Attesting {
  readonly attestationKey: ObjectBlob;
  readonly rootName: Uint8Array;
}

export interface Endorsement {
  readonly kind: EndorsementKind;
  /** TPM2B_PUBLIC of the key, to which credentials are made. */
  readonly publicArea: Uint8Array;
  readonly name: Uint8Array;
  /** X.509, DER, as the vendor stored it. */
  readonly certificate: Uint8Array;
  /** Those between it and the vendor's root, where the TPM has them. */
  readonly chain: readonly Uint8Array[];
}

export interface AttestationOperations {
  createAttestationKey: { request: { readonly rootName: Uint8Array }; answer: ObjectBlob };
  /** The endorsement key of this kind, or the strongest for which the TPM has a certificate. */
  readEndorsement: { request: { readonly kind?: EndorsementKind }; answer: Endorsement };
  /** Says that this TPM made an object, with its Name and what it noted then (part 3, 18.3). */
  certifyCreation: {
    request: Attesting & { readonly object: ObjectBlob; readonly creation: CreationRecord };
    answer: SignedAttestation;
  };
  /** Says what these PCRs of the SHA-256 bank hold (part 3, 18.4). At most 64 bytes of nonce. */
  quote: {
    request: Attesting & { readonly nonce: Uint8Array; readonly registers: readonly number[] };
    answer: SignedAttestation;
  };
  /** Opens a credential that was made for this endorsement key and the attestation key's Name (part 3, 12.5). */
  activateCredential: {
    request: Attesting & {
      readonly kind: EndorsementKind;
      /** TPMS_ID_OBJECT: integrity and encrypted credential. */
      readonly credential: Uint8Array;
      /** The seed, encrypted to the endorsement key. */
      readonly encryptedSecret: Uint8Array;
    };
    answer: Uint8Array;
  };
}

/** Without the bytes with which some vendors fill the index up: they would be part of the certificate's digest. */
function certificateIn(stored: Uint8Array, kind: EndorsementKind): Uint8Array {
  const [certificate] = certificatesIn([stored]);
  if (certificate === undefined)
    throw new AppError('TPM_FAILED', `the endorsement certificate ${kind} of the TPM cannot be read`);
  return certificate;
}

export const attestationOperations: Handlers<AttestationOperations> = {
  createAttestationKey: (tpm, { rootName }) => create(tpm, rootName, attestationTemplate()),

  readEndorsement: async (tpm, request) => {
    const kind = request.kind ?? (await strongestKind(tpm));
    const stored = await readVendorIndex(
      tpm,
      endorsementRows[kind].certificateIndex,
      endorsementCertificateBytesMax,
    );
    if (!stored) throw new AppError('TPM_FAILED', `the TPM has no endorsement certificate ${kind}`);
    const certificate = certificateIn(stored, kind);
    const chain = await readChain(tpm);
    return withEndorsementKey(tpm, kind, async (handle, publicArea) => {
      const [name] = await tpm.call('TR_GetName', handle);
      return { kind, publicArea, name: unsized(name), certificate, chain };
    });
  },

  certifyCreation: async (tpm, { attestationKey, rootName, object, creation }) => {
    const root = await tpm.pinnedRoot(rootName);
    return tpm.withLoaded(root, attestationKey, (signing) =>
      tpm.withLoaded(root, object, async (certified) => {
        const [attested, signature] = await tpm.call(
          'CertifyCreation',
          ...([signing, certified, password, none, none] as const),
          noQualifyingData,
          sized(sha256(creation.data)),
          ecdsaSha256,
          creation.ticket,
        );
        return signed(attested, signature);
      }),
    );
  },

  quote: async (tpm, { attestationKey, rootName, nonce, registers }) => {
    const root = await tpm.pinnedRoot(rootName);
    return tpm.withKept(root, attestationKey, async (signing) => {
      const [attested, signature] = await tpm.call(
        'Quote',
        signing,
        password,
        none,
        none,
        sized(nonce),
        ecdsaSha256,
        pcrSelection(registers),
      );
      return signed(attested, signature);
    });
  },

  activateCredential: async (tpm, { attestationKey, rootName, kind, credential, encryptedSecret }) => {
    const root = await tpm.pinnedRoot(rootName);
    return tpm.withLoaded(root, attestationKey, (activated) =>
      withEndorsementKey(tpm, kind, (key) =>
        tpm.inSession(root, sessionType.hmac, sessionAttribute.encrypt, (encrypting) =>
          authorizedByEndorsement(tpm, kind, async (authorization) => {
            const [secret] = await tpm.call(
              'ActivateCredential',
              activated,
              key,
              password,
              authorization,
              encrypting,
              sized(credential),
              sized(encryptedSecret),
            );
            return unsized(secret);
          }),
        ),
      ),
    );
  },
};

function signed(attested: Uint8Array, signature: Uint8Array): SignedAttestation {
  return { attested: unsized(attested), signature: parseEcdsaSignature(signature) };
}

async function strongestKind(tpm: Tpm): Promise<EndorsementKind> {
  for (const kind of endorsementKinds) {
    if (await hasVendorIndex(tpm, endorsementRows[kind].certificateIndex)) return kind;
  }
  throw new AppError('TPM_FAILED', 'the TPM has no endorsement certificate');
}

/**
 * All authorities that the vendor stored, in one index or in several, where one may go on in the next (2.2.1.5.2 of the
 * profile).
 */
async function readChain(tpm: Tpm): Promise<readonly Uint8Array[]> {
  const indexes: Uint8Array[] = [];
  for (const index of await tpm.handles(chainIndices.first, endorsementChainLengthMax)) {
    const content =
      index <= chainIndices.last ? await readVendorIndex(tpm, index, endorsementChainBytesMax) : undefined;
    if (content) indexes.push(content);
  }
  return certificatesIn(indexes);
}

/** Derives the key, which the endorsement seed always yields again, and flushes it afterwards. */
async function withEndorsementKey<T>(
  tpm: Tpm,
  kind: EndorsementKind,
  body: (handle: number, publicArea: Uint8Array) => Promise<T>,
): Promise<T> {
  const [handle, publicArea] = await tpm.call(
    'CreatePrimary',
    endorsement,
    password,
    none,
    none,
    sensitiveCreate(),
    endorsementRows[kind].template,
    noOutsideInfo,
    noCreationPcrs,
  );
  return tpm.flushing(handle, () => body(handle, publicArea));
}

/** The authorization with which an endorsement key of this kind is used. */
async function authorizedByEndorsement<T>(
  tpm: Tpm,
  kind: EndorsementKind,
  body: (authorization: number) => Promise<T>,
): Promise<T> {
  if (endorsementRows[kind].usedBy === 'authorization') return body(password);
  // Unsalted: it carries no secret, and the hierarchy's authorization is empty (part 3, 23.4).
  return tpm.inPlainPolicySession(async (session) => {
    await tpm.call('PolicySecret', endorsement, session, password, none, none, null, null, null, 0);
    return body(session);
  });
}
