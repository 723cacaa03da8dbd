/** The TPM's own memory (part 2, section 13): public areas of the indexes that Hilum defines, and their Names. */
import { concatBytes, u16, u32 } from '../../src/encoding/bytes.ts';
import { sha256 } from '../../src/encoding/hash.ts';
import { algorithm, approvalBytes, counterBytes, nvAttribute, nvIndex, nvType } from './constants.ts';
import { sized, unsized } from './structures.ts';

const noPolicy = new Uint8Array(0);

/**
 * Whoever holds the owner's authorization may write, and nobody else; everybody may read, with the index's own empty
 * authorization value, since a policy is evaluated before anything was unsealed. Outside dictionary-attack protection:
 * nothing is there to guess.
 */
const ownersIndex = nvAttribute.ownerWrite | nvAttribute.authRead | nvAttribute.noDa;

/** TPM2B_NV_PUBLIC (13.6) as the index has it once it was written: so it goes into its Name. */
function nvPublic(index: number, attributes: number, bytes: number): Uint8Array {
  return sized(
    concatBytes(
      u32(index),
      u16(algorithm.sha256),
      u32(attributes | nvAttribute.written),
      sized(noPolicy),
      u16(bytes),
    ),
  );
}

/** Byte of the attributes in a TPM2B_NV_PUBLIC: after length, index and hash algorithm. */
const attributesAt = 2 + 4 + 2;

/** The same area as TPM2_NV_DefineSpace takes it: nothing was written yet (part 3, 31.3.1). */
export function unwritten(area: Uint8Array): Uint8Array {
  const defined = area.slice();
  const view = new DataView(defined.buffer);
  view.setUint32(attributesAt, view.getUint32(attributesAt) & ~nvAttribute.written);
  return defined;
}

/** The Name of an index (part 1, section 16). Its value is no part of it. */
export function nvNameOf(area: Uint8Array): Uint8Array {
  return concatBytes(u16(algorithm.sha256), sha256(unsized(area)));
}

/** Number of the index in its TPM2B_NV_PUBLIC. */
export function nvIndexOf(area: Uint8Array): number {
  return new DataView(area.buffer, area.byteOffset, area.length).getUint32(2);
}

/** A TPM begins a counter above every counter that it ever had (part 3, 31.8): compare differences only. */
const counter = (index: number): Uint8Array =>
  nvPublic(index, (nvType.counter << nvAttribute.typeShift) | ownersIndex, counterBytes);

export const startCounter = counter(nvIndex.starts);
export const firmwareCounter = counter(nvIndex.firmware);
export const erasureCounter = counter(nvIndex.erasures);
export const keysFileCounter = counter(nvIndex.keysFiles);

/** Holds the digest of the approved firmware, with its hash algorithm; written as a whole or not at all. */
export const approvalIndex = nvPublic(
  nvIndex.approval,
  (nvType.ordinary << nvAttribute.typeShift) | ownersIndex | nvAttribute.writeAll,
  approvalBytes,
);
