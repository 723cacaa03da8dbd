/**
 * What one epoch hands to the next (docs/formats.md, "Handover"): the block that closed it, final by a quorum of its
 * voting keys; the record of the next epoch, proved under that block's state root; and a quorum of the validators' TPM
 * identity keys over both. Voting keys are erased at the epoch's end, identity keys never leave their TPMs: whoever
 * gets hold of the one kind cannot make a history for light clients without the other.
 */
import { certificateFromCbor, certificateToCbor } from '../consensus/signatures.ts';
import { validatorsMax } from '../consensus/limits.ts';
import type { Certificate } from '../consensus/types.ts';
import { concatBytes, lengthPrefixed, u64 } from '../encoding/bytes.ts';
import type { CborValue } from '../encoding/canonical-cbor.ts';
import { decodeCanonical, encodeCanonical } from '../encoding/canonical-cbor.ts';
import { isBytes, isCount, isList, mapWith } from '../encoding/cbor-fields.ts';
import { domainPrefix } from '../encoding/hash.ts';
import { decodeHeader, decodeStateProof, encodeHeader, encodeStateProof } from '../ledger/index.ts';
import type { BlockHeader, StateProof } from '../ledger/types.ts';
import { handoverBytesMax, handoverItemsMax } from './limits.ts';

export interface Handover {
  /** Of the block that closed the epoch. */
  readonly header: BlockHeader;
  /** Makes it final: by the voting keys of its epoch. */
  readonly certificate: Certificate;
  /** Of the record of the next epoch, under the header's state root. */
  readonly proof: StateProof;
  /** In ascending order of validator: ECDSA P-256 with SHA-256 over `handoverMessage`, 64 bytes r ‖ s, s low. */
  readonly signatures: readonly IdentitySignature[];
}

export interface IdentitySignature {
  /** Index in the list of the epoch that ends. */
  readonly validator: number;
  readonly signature: Uint8Array;
}

/**
 * What the identity keys sign: domainPrefix('handover') ‖ chain (32) ‖ u64 epoch that ends ‖ digest of the block that
 * closed it (32) ‖ lp(canonical record of the next epoch).
 */
export function handoverMessage(
  chain: Uint8Array,
  epoch: number,
  digest: Uint8Array,
  nextEpoch: Uint8Array,
): Uint8Array {
  return concatBytes(domainPrefix('handover'), chain, u64(epoch), digest, lengthPrefixed(nextEpoch));
}

/** Canonical CBOR. */
export function encodeHandover({ header, certificate, proof, signatures }: Handover): Uint8Array {
  return encodeCanonical({
    header: encodeHeader(header),
    certificate: certificateToCbor(certificate),
    proof: encodeStateProof(proof),
    signatures: signatures.map(({ validator, signature }) => [validator, signature]),
  });
}

/** @throws RangeError if the bytes are not the canonical form of a handover. Whether it holds is for `verifyHandover`. */
export function decodeHandover(bytes: Uint8Array): Handover {
  if (bytes.length > handoverBytesMax) throw new RangeError(`a handover of ${bytes.length} bytes`);
  const map = mapWith(decodeCanonical(bytes, handoverItemsMax), [
    'header',
    'certificate',
    'proof',
    'signatures',
  ]);
  if (map === undefined) throw new RangeError('a handover is a map of four');
  const header = decodeHeader(bytesOf(map['header'], 'header'));
  if (header.kind === 'refused') throw new RangeError(`header: ${header.reason}`);
  const proof = decodeStateProof(bytesOf(map['proof'], 'proof'));
  if (proof.kind === 'refused') throw new RangeError(`proof: ${proof.reason}`);
  return {
    header: header.header,
    certificate: certificateFromCbor(map['certificate'] ?? null),
    proof: proof.proof,
    signatures: readSignatures(map['signatures']),
  };
}

/** Ascending, so that none counts twice. */
function readSignatures(value: CborValue | undefined): IdentitySignature[] {
  if (!isList(value) || value.length > validatorsMax) throw new RangeError('signatures are a bounded list');
  let last = -1;
  return value.map((item) => {
    const [validator, signature, ...rest] = isList(item) ? item : [];
    if (!isCount(validator, validatorsMax - 1) || !isBytes(signature, 64) || rest.length > 0)
      throw new RangeError('an identity signature is an index and 64 bytes');
    if (validator <= last) throw new RangeError('validators of a handover do not ascend');
    last = validator;
    return { validator, signature };
  });
}

function bytesOf(value: CborValue | undefined, name: string): Uint8Array {
  if (!(value instanceof Uint8Array)) throw new RangeError(`${name} is not bytes`);
  return value;
}
