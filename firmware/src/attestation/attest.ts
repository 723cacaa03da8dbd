/** What a TPM says and signs: TPMS_ATTEST (TPM 2.0 part 2, 10.12.8) of quotes and of objects that it made. */
import { p256 } from '@noble/curves/nist.js';
import { WireReader } from '../../tpm/wire/reader.ts';
import { signatureBytes } from './limits.ts';

/** TPM_GENERATED (6.2): a restricted key never signs bytes from outside that begin with it. */
const tpmGenerated = 0xff54_4347;

/** TPMS_CLOCK_INFO (10.11.1): clock, the two counts, safe; and firmwareVersion. */
const clockBytes = 8;
const safeBytes = 1;
const versionBytes = 8;

/** TPM_ST (table 19). */
const attestTag = { quote: 0x8018, creation: 0x801a } as const;

/**
 * How often the TPM was reset and resumed. In the clear only under keys of the endorsement hierarchy (part 1, 36.7): here
 * a number is added that is the key's, so that only two counts of one key can be compared.
 */
export interface ResetCount {
  /** Modulo 2³² each. */
  readonly resets: number;
  readonly resumes: number;
}

/** The TPM's clock and its own firmware version stand in an attest too: there is nothing in them to judge. */
interface AttestHead {
  /** What the caller of the TPM had signed along: a nonce. */
  readonly extraData: Uint8Array;
  readonly resetCount: ResetCount;
}

export interface Quote extends AttestHead {
  readonly kind: 'quote';
  /** TPML_PCR_SELECTION as the TPM wrote it. */
  readonly selection: Uint8Array;
  /** SHA-256 over the values of the selected registers. */
  readonly digest: Uint8Array;
}

/** TPMS_CREATION_INFO (10.12.7): the TPM knows again what it said of an object that it holds. */
export interface Certification extends AttestHead {
  readonly kind: 'creation';
  /** Name of the object. */
  readonly name: Uint8Array;
  /** SHA-256 of its TPMS_CREATION_DATA. */
  readonly creationHash: Uint8Array;
}

/** TPMS_CREATION_DATA (15.1), as far as there is something in it to judge. */
export interface Creation {
  /** TPML_PCR_SELECTION as the TPM wrote it. */
  readonly selection: Uint8Array;
  /** SHA-256 over what the selected registers held when the object was made. */
  readonly digest: Uint8Array;
}

function readHead(reader: WireReader): { readonly tag: number; readonly head: AttestHead } {
  if (reader.u32() !== tpmGenerated) throw new RangeError('no TPM wrote it');
  const tag = reader.u16();
  reader.sized(); // qualifiedSigner
  const extraData = reader.sized();
  reader.bytes(clockBytes);
  const resetCount = { resets: reader.u32(), resumes: reader.u32() };
  reader.bytes(safeBytes + versionBytes);
  return { tag, head: { extraData, resetCount } };
}

/** TPML_PCR_SELECTION, bytes and all. A TPM gives back what was asked for, so that it need not be understood. */
function readSelection(reader: WireReader, whole: Uint8Array): Uint8Array {
  const from = whole.length - reader.remaining;
  for (let left = reader.u32(); left > 0; left--) {
    reader.u16(); // hash
    reader.bytes(reader.u8()); // bit map
  }
  return whole.slice(from, whole.length - reader.remaining);
}

/** @throws RangeError if the bytes are no quote. */
export function readQuote(attest: Uint8Array): Quote {
  const reader = new WireReader(attest);
  const { tag, head } = readHead(reader);
  if (tag !== attestTag.quote) throw new RangeError('not a quote');
  const selection = readSelection(reader, attest);
  const digest = reader.sized();
  reader.end();
  return { kind: 'quote', ...head, selection, digest };
}

/** @throws RangeError if the bytes certify no creation of an object. */
export function readCertification(attest: Uint8Array): Certification {
  const reader = new WireReader(attest);
  const { tag, head } = readHead(reader);
  if (tag !== attestTag.creation) throw new RangeError('not the certification of a creation');
  const name = reader.sized();
  const creationHash = reader.sized();
  reader.end();
  return { kind: 'creation', ...head, name, creationHash };
}

/** @throws RangeError if the bytes are no creation data. */
export function readCreation(data: Uint8Array): Creation {
  const reader = new WireReader(data);
  const selection = readSelection(reader, data);
  const digest = reader.sized();
  reader.u8(); // locality
  reader.u16(); // parentNameAlg
  reader.sized(); // parentName
  reader.sized(); // parentQualifiedName
  reader.sized(); // outsideInfo
  reader.end();
  return { selection, digest };
}

/**
 * ECDSA P-256 with SHA-256 over the attest, by an uncompressed point (65 bytes). Both halves of s count: a TPM does not
 * normalise, and the signature is no name for anything.
 * @param signature r ‖ s, 64 bytes.
 */
export function isSignedBy(point: Uint8Array, attest: Uint8Array, signature: Uint8Array): boolean {
  if (signature.length !== signatureBytes || !p256.utils.isValidPublicKey(point, false)) return false;
  return p256.verify(signature, attest, point, { prehash: true, lowS: false, format: 'compact' });
}
