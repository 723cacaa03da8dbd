/** Why the ledger refuses: a closed set of short words, the same on every box. They name rules, never people. */

const decodeReasonList = [
  /** Longer than its format allows. */
  'too-large',
  /** Not the one canonical CBOR encoding of anything. */
  'not-canonical',
  /** Canonical, but not a value of this format; `detail` names the field. */
  'wrong-shape',
] as const;

const ruleReasonList = [
  /** Made for another chain. */
  'wrong-chain',
  /** Block time lies after `validUntil`. */
  'expired',
  /** A proposal that could be brought again when nobody can vote on it any more: it would be kept for so long. */
  'valid-too-long',
  'unknown-institution',
  /** The certificate of the institution's keys has run out in block time. */
  'institution-keys-expired',
  'study-exists',
  'unknown-study',
  /** The institution is not the study's source. */
  'not-the-source',
  'version-stale',
  'version-gap',
  /** The leaf that should open the study up is none of its batch. */
  'wrong-leaf',
  /** The source's acts on a study are numbered without a gap. */
  'act-stale',
  'act-gap',
  /** What the study's status forbids. */
  'study-frozen',
  'study-rescinded',
  'study-erased',
  'not-frozen',
  'reassignment-pending',
  'unknown-reassignment',
  /** The reassignment may still be objected to. */
  'time-to-object',
  /** The keys are not certified by the identity key that stands beside them. */
  'bad-certificate',
  /** A key did not sign that it belongs to this institution, on this chain. */
  'bad-possession',
  /** A key that serves another purpose or another institution, or did for this one before it was removed. */
  'key-in-use',
  /** Another identity key than the institution's: only its offline root replaces that. */
  'wrong-identity',
  /** Another account than the institution's: only its offline root replaces that. */
  'wrong-account',
  'institution-exists',
  'too-many-institutions',
  'last-institution',
  'already-a-validator',
  'not-a-validator',
  'last-validator',
  'too-many-validators',
  'proposal-exists',
  'too-many-proposals',
  'unknown-proposal',
  /** Decided, or its time has passed. */
  'proposal-closed',
  'already-voted',
  /** Not begun, or so long ago that its validators' keys are not kept. */
  'unknown-epoch',
  /** Votes that an honest validator may sign both, or that it did not sign. */
  'no-evidence',
  'already-reported',
  'release-exists',
  'unknown-release',
  'already-accepted',
  /** The format is active already, or its height is set. */
  'format-stale',
  'already-signalled',
  /** A one-time key that is no point of the prime-order subgroup of edwards25519 in its canonical encoding. */
  'bad-key',
  /** Made under an owner before, or under one to come. */
  'owner-epoch-stale',
  'owner-epoch-gap',
  'seq-stale',
  'seq-gap',
  'basis-expired',
  'basis-not-yet-valid',
  'revoked',
  'already-revoked',
  'unknown-basis',
  'basis-exists',
  /** The basis is none that its owner could take back. */
  'not-revocable',
  /** More of one study than are kept; `limits.ts` has the numbers. */
  'too-many-bases',
  'too-many-revocations',
  /** Of one member and one study within the time for which an emergency lasts; or with their opens, of one in one epoch. */
  'too-many-emergencies',
  /** Of one source in one epoch. */
  'too-many-registrations',
  /** Referrals, opens and first uses of one source in one epoch; or grants of its studies, beyond the first of each. */
  'too-many-accesses',
  'no-emergency',
  /** Another institution declared the emergency. */
  'not-the-grantee',
  'already-confirmed',
  /** No second clinician confirmed the emergency in time. */
  'emergency-unconfirmed',
  /** The basis or open is one of another study. */
  'wrong-study',
  'open-no-stale',
  'open-no-gap',
  'opens-exhausted',
  /** The open names another commitment than the one that its basis covers. */
  'wrong-head',
  'unknown-open',
  'already-closed',
  'bad-signature',
] as const;

export type DecodeReason = (typeof decodeReasonList)[number];
export type RuleReason = (typeof ruleReasonList)[number];
export type RefusalReason = DecodeReason | RuleReason;

export const refusalReasons: readonly RefusalReason[] = [...decodeReasonList, ...ruleReasonList];

/** A transaction, block or record that is not of its format. `detail` names the field, for the log of a developer. */
export interface DecodeRefusal {
  readonly kind: 'refused';
  readonly reason: DecodeReason;
  readonly detail: string;
}

const later: ReadonlySet<RefusalReason> = new Set<RefusalReason>([
  'unknown-study',
  'unknown-basis',
  'unknown-open',
  'unknown-reassignment',
  'unknown-proposal',
  'unknown-release',
  'version-gap',
  'act-gap',
  'owner-epoch-gap',
  // A source may take doubts back, an owner a claim.
  'study-frozen',
  'reassignment-pending',
  'time-to-object',
  'seq-gap',
  'open-no-gap',
  'basis-not-yet-valid',
  'too-many-emergencies',
  'too-many-registrations',
  'too-many-accesses',
  // Block time comes nearer to it.
  'valid-too-long',
]);

/**
 * True if the same transaction may apply to a later state by the course of things: what it builds on may still be on its
 * way, or its time come. Any other refusal is taken for the last word. For most it is, since versions, sequence numbers,
 * revocations and block time only ever grow. Some could be lifted by what people decide: a removal (`already-voted`,
 * `already-accepted`, `already-signalled`, `institution-exists`, `key-in-use`, `already-a-validator`,
 * `too-many-institutions`, `too-many-validators`), an admission (`unknown-institution`, `not-a-validator`), new keys
 * (`bad-signature`, `institution-keys-expired`), decided proposals (`too-many-proposals`). None of them is waited for:
 * whoever still wants it then brings it anew, and is told now. What was taken for settled can apply then, so nobody may
 * conclude from such a refusal that these bytes never will.
 */
export function mayApplyLater(reason: RefusalReason): boolean {
  return later.has(reason);
}
