/**
 * Judges what a box says of the ledger by certificates and proofs alone, trusting no single box: the header carries a
 * quorum of the validators' finalize votes, and each value a proof under the header's state root.
 * The validators are those of the genesis document.
 */
import { equalBytes, toHex } from '../src/encoding/bytes.ts';
import { decodeCertificate, verifyCertificate } from '../src/consensus/signatures.ts';
import type { Certificate } from '../src/consensus/types.ts';
import { blockDigest, decodeHeader, verifyStateProof } from '../src/ledger/index.ts';
import type { BlockHeader, StateProof } from '../src/ledger/types.ts';
import { verifyEd25519 } from '../src/protocol/webcrypto-ed25519.ts';
import type { GenesisCheckpoint } from './genesis-checkpoint.ts';
import { headAgeMsMax, headAheadMsMax } from './limits.ts';

export type EvidenceRefusal =
  /** Header or certificate is not of its format. */
  | 'malformed'
  | 'other-chain'
  /** No finalization of this very header. */
  | 'not-final'
  /** Too few valid votes of validators. */
  | 'no-quorum'
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

/** Values that were proved under one header, in the order of the keys asked for. */
export interface ProvenValues {
  readonly kind: 'proven';
  readonly header: BlockHeader;
  /** null: proved to be absent. */
  readonly values: readonly (Uint8Array | null)[];
}

export class LightClient {
  readonly #checkpoint: GenesisCheckpoint;

  constructor(checkpoint: GenesisCheckpoint) {
    this.#checkpoint = checkpoint;
  }

  /** `now`: the wallet's clock, UTC milliseconds. */
  async verifyHead(
    evidence: Evidence,
    now: number,
  ): Promise<{ readonly kind: 'head'; readonly header: BlockHeader } | Refused> {
    const decoded = decodeHeader(evidence.header);
    const certificate = readCertificate(evidence.certificate);
    if (decoded.kind === 'refused' || certificate === undefined) return refused('malformed');
    const { header } = decoded;
    if (!equalBytes(header.chain, this.#checkpoint.chain)) return refused('other-chain');
    if (!finalises(certificate, header)) return refused('not-final');
    if (!(await this.#hasQuorum(certificate))) return refused('no-quorum');
    if (header.time < now - headAgeMsMax) return refused('stale');
    if (header.time > now + headAheadMsMax) return refused('ahead');
    return { kind: 'head', header };
  }

  /** The values of these keys, if each proof holds for its key. */
  async verifyValues(
    evidence: Evidence,
    keys: readonly string[],
    proofs: readonly StateProof[],
    now: number,
  ): Promise<ProvenValues | Refused> {
    const head = await this.verifyHead(evidence, now);
    if (head.kind === 'refused') return head;
    if (proofs.length !== keys.length) return refused('proof');
    const holds = proofs.every(
      (proof, index) => proof.key === keys[index] && verifyStateProof(head.header.stateRoot, proof),
    );
    if (!holds) return refused('proof');
    return { kind: 'proven', header: head.header, values: proofs.map((proof) => proof.value) };
  }

  /**
   * The rule of certificates is synchronous, the platform's verification is not: the rule is asked once to name every
   * signature that it relies on, and then again with the platform's verdicts.
   */
  async #hasQuorum(certificate: Certificate): Promise<boolean> {
    const { chain, votingKeys } = this.#checkpoint;
    const verdicts = new Map<string, Promise<boolean>>();
    const nameOf = (...parts: readonly Uint8Array[]) => parts.map(toHex).join();
    const wellFormed = verifyCertificate(chain, votingKeys, certificate, (key, message, signature) => {
      verdicts.set(nameOf(key, message, signature), verifyEd25519(key, message, signature));
      return true;
    });
    const valid = new Set<string>();
    for (const [name, verdict] of verdicts) if (await verdict) valid.add(name);
    return (
      wellFormed &&
      verifyCertificate(chain, votingKeys, certificate, (key, message, signature) =>
        valid.has(nameOf(key, message, signature)),
      )
    );
  }
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

function finalises(certificate: Certificate, header: BlockHeader): boolean {
  return (
    certificate.kind === 'finalize' &&
    certificate.epoch === header.epoch &&
    certificate.view === header.view &&
    equalBytes(certificate.digest, blockDigest(header))
  );
}
