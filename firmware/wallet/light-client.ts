/**
 * Judges what a box says of the ledger by certificates and proofs alone, trusting no single box: a header carries a
 * quorum of its epoch's finalize votes, each value a proof under the header's state root, an older header a path in the
 * newer one's history. The validators are those of a checkpoint (checkpoint.ts), and from epoch to epoch those that a
 * handover names under quorums of both kinds of keys of the epoch before.
 */
import { equalBytes } from '../src/encoding/bytes.ts';
import { decodeCertificate, verifyCertificate } from '../src/consensus/signatures.ts';
import type { Certificate } from '../src/consensus/types.ts';
import { verifyHandover } from '../src/handover/verify.ts';
import { blockDigest, decodeHeader, isInHistory, verifyStateProof } from '../src/ledger/index.ts';
import type { BlockHeader, EpochRecord, StateProof } from '../src/ledger/types.ts';
import { readHandover } from './checkpoint.ts';
import { headAgeMsMax, headAheadMsMax, trustMsMax } from './limits.ts';
import { withPlatformVerdicts } from './platform-verdicts.ts';

export type EvidenceRefusal =
  /** Header, certificate or handover is not of its format. */
  | 'malformed'
  | 'other-chain'
  /** Of an epoch after the one that is trusted: its handover is wanted first (`follow`). */
  | 'later-epoch'
  /** Of an epoch whose voting keys are erased since, or should be. */
  | 'earlier-epoch'
  /** The trusted epoch began more than `trustMsMax` ago: a new checkpoint is wanted. */
  | 'trust-expired'
  /** No finalization of this very header. */
  | 'not-final'
  /** Too few valid votes of validators. */
  | 'no-quorum'
  /** Not from the trusted epoch to the next, or without its two quorums. */
  | 'handover'
  /** Older than `headAgeMsMax`: the box is cut off, or withholds what is newer. */
  | 'stale'
  /** Further ahead of the wallet's clock than `headAheadMsMax`. */
  | 'ahead'
  /** A proof that does not hold under the header's state root, or is about another key. */
  | 'proof';

export type Refused = { readonly kind: 'refused'; readonly reason: EvidenceRefusal };

export interface Evidence {
  /** Canonical CBOR. */
  readonly header: Uint8Array;
  readonly certificate: Uint8Array;
}

declare const finalBrand: unique symbol;
/** A header that was shown to be final: nothing else is believed. */
export type FinalHeader = BlockHeader & { readonly [finalBrand]: true };

/** Values that were proved under one header, in the order of the keys asked for. */
export interface ProvenValues {
  readonly kind: 'proven';
  readonly header: FinalHeader;
  /** null: proved to be absent. */
  readonly values: readonly (Uint8Array | null)[];
}

export class LightClient {
  readonly #chain: Uint8Array;
  #trusted: EpochRecord;
  /** Of the epoch before, if it was followed from there: a box that is a little behind still shows its last blocks. */
  #before: EpochRecord | undefined;

  /** `trusted`: of a checkpoint, or the `epoch` of a light client before. */
  constructor(chain: Uint8Array, trusted: EpochRecord) {
    this.#chain = chain;
    this.#trusted = trusted;
  }

  /** The newest epoch whose validators are known. */
  get epoch(): EpochRecord {
    return this.#trusted;
  }

  /** True if the trusted epoch is too old to be believed at this time, UTC milliseconds. */
  hasExpired(now: number): boolean {
    return now > this.#trusted.startTime + trustMsMax;
  }

  /** Goes on to the next epoch. `handover`: encoded, of the trusted epoch. `now`: the wallet's clock, UTC milliseconds. */
  async follow(
    handover: Uint8Array,
    now: number,
  ): Promise<{ readonly kind: 'followed'; readonly epoch: EpochRecord } | Refused> {
    const decoded = readHandover(handover);
    if (decoded === undefined) return refused('malformed');
    if (!equalBytes(decoded.header.chain, this.#chain)) return refused('other-chain');
    if (this.hasExpired(now)) return refused('trust-expired');
    const from = this.#trusted;
    const verified = await withPlatformVerdicts((verifiers) =>
      verifyHandover(this.#chain, from, decoded, verifiers),
    );
    if (verified.kind === 'refused') return refused('handover');
    if (verified.next.startTime > now + headAheadMsMax) return refused('ahead');
    // Another call may have followed meanwhile.
    if (this.#trusted === from) {
      this.#before = from;
      this.#trusted = verified.next;
    }
    return { kind: 'followed', epoch: verified.next };
  }

  /** Whether the header is final: of the trusted epoch, or of the one before it that was followed. */
  async verifyFinal(
    evidence: Evidence,
    now: number,
  ): Promise<{ readonly kind: 'final'; readonly header: FinalHeader } | Refused> {
    const decoded = decodeHeader(evidence.header);
    const certificate = readCertificate(evidence.certificate);
    if (decoded.kind === 'refused' || certificate === undefined) return refused('malformed');
    const { header } = decoded;
    if (!equalBytes(header.chain, this.#chain)) return refused('other-chain');
    if (this.hasExpired(now)) return refused('trust-expired');
    if (header.epoch > this.#trusted.number) return refused('later-epoch');
    const epoch = [this.#trusted, this.#before].find((known) => known?.number === header.epoch);
    if (epoch === undefined) return refused('earlier-epoch');
    if (!finalises(certificate, header)) return refused('not-final');
    const votingKeys = epoch.validators.map(({ voting }) => voting);
    const hasQuorum = await withPlatformVerdicts(({ verify }) =>
      verifyCertificate(this.#chain, votingKeys, certificate, verify),
    );
    return hasQuorum ? { kind: 'final', header: header as FinalHeader } : refused('no-quorum');
  }

  /** `verifyFinal` of a header that is new enough to speak for the present. */
  async verifyHead(
    evidence: Evidence,
    now: number,
  ): Promise<{ readonly kind: 'head'; readonly header: FinalHeader } | Refused> {
    const final = await this.verifyFinal(evidence, now);
    if (final.kind === 'refused') return final;
    if (final.header.time < now - headAgeMsMax) return refused('stale');
    if (final.header.time > now + headAheadMsMax) return refused('ahead');
    return { kind: 'head', header: final.header };
  }

  /** The values of these keys, if each proof holds for its key under a head. */
  async verifyValues(
    evidence: Evidence,
    keys: readonly string[],
    proofs: readonly StateProof[],
    now: number,
  ): Promise<ProvenValues | Refused> {
    const head = await this.verifyHead(evidence, now);
    return head.kind === 'refused' ? head : valuesAt(head.header, keys, proofs);
  }
}

/** The values of these keys after the block of a header that is believed: now, or at the height of an older one. */
export function valuesAt(
  header: FinalHeader,
  keys: readonly string[],
  proofs: readonly StateProof[],
): ProvenValues | Refused {
  if (proofs.length !== keys.length) return refused('proof');
  const holds = proofs.every(
    (proof, index) => proof.key === keys[index] && verifyStateProof(header.stateRoot, proof),
  );
  if (!holds) return refused('proof');
  return { kind: 'proven', header, values: proofs.map((proof) => proof.value) };
}

/**
 * An older header, from however long ago: final since a newer one is that has it in its history. `path`: RFC 9162,
 * section 2.1.3.
 */
export function verifyOlder(
  newer: FinalHeader,
  older: Uint8Array,
  path: readonly Uint8Array[],
): { readonly kind: 'final'; readonly header: FinalHeader } | Refused {
  const decoded = decodeHeader(older);
  if (decoded.kind === 'refused') return refused('malformed');
  if (!isInHistory(newer, decoded.header, path)) return refused('proof');
  return { kind: 'final', header: decoded.header as FinalHeader };
}

function refused(reason: EvidenceRefusal): Refused {
  return { kind: 'refused', reason };
}

function readCertificate(bytes: Uint8Array): Certificate | undefined {
  try {
    return decodeCertificate(bytes);
  } catch (cause) {
    if (cause instanceof RangeError) return undefined;
    throw cause;
  }
}

/** A block that closes its epoch is proposed again until it is final: perhaps in a later view than its own. */
function finalises({ kind, epoch, view, digest }: Certificate, header: BlockHeader): boolean {
  return (
    kind === 'finalize' &&
    epoch === header.epoch &&
    view >= header.view &&
    equalBytes(digest, blockDigest(header))
  );
}
