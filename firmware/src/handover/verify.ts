/** From one epoch to the next: used by boxes that take a snapshot and by light clients alike. */
import { verifyCertificate } from '../consensus/signatures.ts';
import { quorum } from '../consensus/types.ts';
import { equalBytes } from '../encoding/bytes.ts';
import {
  blockDigest,
  epochRecord,
  stateKeys,
  verifyStateProof,
  type VerifyIdentity,
} from '../ledger/index.ts';
import type { BlockHeader, EpochRecord } from '../ledger/types.ts';
import type { Handover } from './handover.ts';
import { handoverMessage } from './handover.ts';

type Verify = (publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array) => boolean;

export interface HandoverVerifiers {
  /** Ed25519. */
  readonly verify: Verify;
  readonly verifyIdentity: VerifyIdentity;
}

export type HandoverRefusal =
  'wrong-chain' | 'wrong-epoch' | 'not-final' | 'not-proved' | 'wrong-next-epoch' | 'too-few-identities';

export type VerifiedHandover =
  | { readonly kind: 'verified'; readonly next: EpochRecord; readonly digest: Uint8Array }
  | { readonly kind: 'refused'; readonly reason: HandoverRefusal };

/** `from`: the record of the epoch that ends, which the caller trusts. Both quorums are n−f of its validators. */
export function verifyHandover(
  chain: Uint8Array,
  from: EpochRecord,
  handover: Handover,
  verifiers: HandoverVerifiers,
): VerifiedHandover {
  const { header, certificate, proof } = handover;
  if (!equalBytes(header.chain, chain)) return refused('wrong-chain');
  if (header.epoch !== from.number || certificate.epoch !== from.number) return refused('wrong-epoch');
  const digest = blockDigest(header);
  const isOfBlock = certificate.kind === 'finalize' && equalBytes(certificate.digest, digest);
  const votingKeys = from.validators.map(({ voting }) => voting);
  // It may be final in a later view than its own: it is proposed again until it is.
  if (!isOfBlock || certificate.view < header.view) return refused('not-final');
  if (!verifyCertificate(chain, votingKeys, certificate, verifiers.verify)) return refused('not-final');
  if (proof.key !== stateKeys.epoch || proof.value === null || !verifyStateProof(header.stateRoot, proof))
    return refused('not-proved');
  const next = epochRecord.decode(proof.value);
  if (next.kind === 'refused' || !follows(next.value, from, header)) return refused('wrong-next-epoch');
  const message = handoverMessage(chain, from.number, digest, proof.value);
  if (!isIdentified(from, message, handover.signatures, verifiers.verifyIdentity))
    return refused('too-few-identities');
  return { kind: 'verified', next: next.value, digest };
}

function follows(next: EpochRecord, from: EpochRecord, header: BlockHeader): boolean {
  return (
    next.number === from.number + 1 &&
    next.startHeight === header.height + 1 &&
    next.startTime === header.time &&
    next.startHeight > from.startHeight
  );
}

/** True if at least n−f different validators of the list signed, and nobody else. */
function isIdentified(
  { validators }: EpochRecord,
  message: Uint8Array,
  signatures: Handover['signatures'],
  verifyIdentity: VerifyIdentity,
): boolean {
  if (validators.length === 0 || signatures.length < quorum(validators.length)) return false;
  let last = -1;
  for (const { validator, signature } of signatures) {
    const identity = validators[validator]?.identity;
    if (identity === undefined || validator <= last) return false;
    if (!verifyIdentity(identity, message, signature)) return false;
    last = validator;
  }
  return true;
}

function refused(reason: HandoverRefusal): VerifiedHandover {
  return { kind: 'refused', reason };
}
