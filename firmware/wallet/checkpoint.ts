/**
 * Where a light client starts: a block that somebody whom the patient trusts vouches for, with which an epoch begins.
 * The QR code at a reception desk carries one; that of epoch 0 is the genesis document, which the chain's own id names.
 */
import { equalBytes } from '../src/encoding/bytes.ts';
import { hash } from '../src/encoding/hash.ts';
import { decodeHandover } from '../src/handover/handover.ts';
import {
  blockDigest,
  decodeGenesis,
  epochRecord,
  genesisState,
  stateKeys,
  verifyStateProof,
} from '../src/ledger/index.ts';
import type { EpochRecord } from '../src/ledger/types.ts';
import { genesisBytesMax } from './limits.ts';

export interface Checkpoint {
  readonly chain: Uint8Array;
  /** The epoch that begins after the block. */
  readonly epoch: number;
  /** Of the block: 0, or that of the block which closed the epoch before. */
  readonly height: number;
  /** Of the block. */
  readonly digest: Uint8Array;
}

/** The first epoch, or undefined if the bytes are not the genesis document with this digest. */
export function openGenesis(bytes: Uint8Array, chain: Uint8Array): EpochRecord | undefined {
  if (bytes.length > genesisBytesMax || !equalBytes(hash('genesis', bytes), chain)) return undefined;
  const decoded = decodeGenesis(bytes);
  return decoded.kind === 'refused' ? undefined : genesisState(decoded.genesis).epoch();
}

/**
 * The epoch of a checkpoint, from the handover of the epoch before: its block is the one that the checkpoint names, and
 * proves the record. Its signatures are not looked at, since the block is vouched for. Undefined if it is another.
 */
export function openCheckpoint(checkpoint: Checkpoint, handover: Uint8Array): EpochRecord | undefined {
  const decoded = readHandover(handover);
  if (decoded === undefined) return undefined;
  const { header, proof } = decoded;
  if (!equalBytes(blockDigest(header), checkpoint.digest)) return undefined;
  if (!equalBytes(header.chain, checkpoint.chain) || header.height !== checkpoint.height) return undefined;
  if (proof.key !== stateKeys.epoch || proof.value === null) return undefined;
  if (!verifyStateProof(header.stateRoot, proof)) return undefined;
  const record = epochRecord.decode(proof.value);
  if (record.kind === 'refused' || record.value.number !== checkpoint.epoch) return undefined;
  // A block in the midst of an epoch proves the record of an epoch that began before it.
  return record.value.startHeight === header.height + 1 ? record.value : undefined;
}

/** Undefined if the bytes are no handover. */
export function readHandover(bytes: Uint8Array): ReturnType<typeof decodeHandover> | undefined {
  try {
    return decodeHandover(bytes);
  } catch (cause) {
    if (cause instanceof RangeError) return undefined;
    throw cause;
  }
}
