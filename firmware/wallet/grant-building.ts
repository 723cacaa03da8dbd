/** Making the transactions by which an owner grants and revokes access. */
import { encodeTransaction, basisId, idBytes, signingMessage } from '../src/ledger/index.ts';
import type {
  AccessGrant,
  AccessRevoke,
  BasisId,
  Institution,
  StudyId,
  StudyLeaf,
} from '../src/ledger/types.ts';
import { saltBytes } from '../src/protocol/commitments.ts';
import type { ScalarSigner } from '../src/protocol/accounts.ts';
import { sealGrantNote, termsHash, type GrantTerms } from '../src/protocol/grant-note.ts';
import { grantKeyIndex } from '../src/protocol/grants.ts';
import { registerOwner } from '../src/protocol/owner-keys.ts';
import { transactionValidMs } from './limits.ts';
import type { OwnedStudy } from './owned-studies.ts';

export interface GrantWish {
  readonly chain: Uint8Array;
  readonly study: Extract<OwnedStudy, { kind: 'verified' }>;
  /** The ledger's records of both. */
  readonly source: Institution;
  readonly grantee: Institution;
  /** Block time of the head on which the grant is built, UTC milliseconds. */
  readonly now: number;
  readonly expiry: number;
  readonly maxOpens: number;
  readonly amendments: boolean;
  readonly purpose: string;
  readonly person: string | null;
  readonly patientAtGrantee: Uint8Array | null;
}

export interface SignedGrant {
  readonly id: BasisId;
  readonly body: AccessGrant;
  readonly terms: GrantTerms;
  readonly transaction: Uint8Array;
}

/** @throws RangeError if the terms exceed their limits or the grantee's account keys are refused. */
export async function buildGrant(wish: GrantWish): Promise<SignedGrant> {
  const { chain, study, source, grantee, purpose, person, patientAtGrantee } = wish;
  const r = crypto.getRandomValues(new Uint8Array(32));
  const key = registerOwner({ chain, institution: grantee.id, ...grantee.account, index: grantKeyIndex }, r);
  r.fill(0);
  const salt = crypto.getRandomValues(new Uint8Array(saltBytes));
  // Whoever holds the wallet signs: nobody consents in their place.
  const terms = { purpose, person, patientAtGrantee, consent: null, salt };
  const unsealed = {
    type: 'access.grant',
    chain,
    validUntil: wish.now + transactionValidMs,
    studyId: idBytes(study.studyId),
    ownerEpoch: study.record.ownerEpoch,
    seq: study.record.grantSeq + 1,
    granteeKey: key.ownerKey,
    ephemeral: key.ephemeral,
    tag: key.tag,
    termsHash: termsHash(terms),
    notBefore: wish.now,
    expiry: wish.expiry,
    maxOpens: wish.maxOpens,
    amendments: wish.amendments,
    ...(study.leaf && { leaf: study.leaf }),
  } as const;
  const note = await sealGrantNote(
    unsealed,
    { source: source.id, grantee: grantee.id, terms },
    { source: source.account.view, grantee: grantee.account.view },
  );
  const body: AccessGrant = { ...unsealed, note };
  const signature = await study.signer.sign(signingMessage(body));
  return {
    id: basisId(body),
    body,
    terms,
    transaction: encodeTransaction({ body, signatures: [signature] }),
  };
}

export interface RevocationWish {
  readonly chain: Uint8Array;
  readonly studyId: StudyId;
  readonly ownerEpoch: number;
  readonly signer: ScalarSigner;
  readonly now: number;
  readonly target: AccessRevoke['target'];
  readonly leaf: StudyLeaf | undefined;
}

/** The encoded, signed revocation. */
export async function buildRevocation(wish: RevocationWish): Promise<Uint8Array> {
  const body: AccessRevoke = {
    type: 'access.revoke',
    chain: wish.chain,
    validUntil: wish.now + transactionValidMs,
    studyId: idBytes(wish.studyId),
    ownerEpoch: wish.ownerEpoch,
    target: wish.target,
    ...(wish.leaf && { leaf: wish.leaf }),
  };
  return encodeTransaction({ body, signatures: [await wish.signer.sign(signingMessage(body))] });
}
