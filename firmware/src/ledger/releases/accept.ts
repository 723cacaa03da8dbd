/** release.accept: an institution agrees that a release is installed. */
import { concatBytes } from '../../encoding/bytes.ts';
import { domainPrefix } from '../../encoding/hash.ts';
import { seatOf } from '../consortium/members-record.ts';
import { hasSeat } from '../consortium/seats.ts';
import { bytesField, institutionIdField } from '../fields.ts';
import { signingInstitution } from '../rule.ts';
import { stateKeys } from '../state-keys.ts';
import { readBody, type TransactionType } from '../transaction-type.ts';
import type { BodyBase, ChainId } from '../types.ts';
import { acceptancesRecord, withSignature } from './acceptances-record.ts';
import { withAcceptance } from './accepted.ts';
import { releaseRecord, toReleaseDigest } from './release-record.ts';

export interface ReleaseAccept extends BodyBase {
  readonly type: 'release.accept';
  readonly institution: string;
  readonly digest: Uint8Array;
}

/**
 * What the institution's transaction key signs: domain `release-accept` ‖ chain (32) ‖ digest (32). It is no part of any
 * transaction, so that the signature can travel inside the update: a broken ledger must not block its own repair.
 */
export function acceptanceMessage(chain: ChainId, digest: Uint8Array): Uint8Array {
  return concatBytes(domainPrefix('release-accept'), chain, digest);
}

/** Signed by the institution, detached. Accepted once n − f of the present members have. */
export const releaseAccept: TransactionType<ReleaseAccept> = {
  read(value) {
    const { map, base } = readBody(value, 'release.accept', ['institution', 'digest']);
    return {
      ...base,
      institution: institutionIdField(map.institution, 'institution'),
      digest: bytesField(map.digest, 'digest', 32),
    };
  },
  signers: () => 1,
  // The release, and the signatures of all who have accepted it.
  work: () => ({ records: 2 }),
  message: ({ chain, digest }) => acceptanceMessage(chain, digest),
  apply(state, body, context) {
    const institution = signingInstitution(state, body.institution, context.time);
    if (typeof institution === 'string') return institution;
    const digest = toReleaseDigest(body.digest);
    const release = state.release(digest);
    if (release === undefined) return 'unknown-release';
    const members = state.members();
    const seat = seatOf(members, institution.id);
    if (hasSeat(release.accepting, seat)) return 'already-accepted';
    const [signature] = context.signatures;
    if (signature === undefined || !context.signedBy(institution.keys.transaction)) return 'bad-signature';
    const { signatures } = state.acceptances(digest);
    const after = withSignature({ accepting: release.accepting, signatures }, members, seat, signature);
    const accepted = { ...release, accepting: after.accepting };
    return state
      .put(acceptancesRecord, stateKeys.releaseAcceptances(digest), { signatures: after.signatures })
      .put(releaseRecord, stateKeys.release(digest), withAcceptance(accepted, members, context.time));
  },
};
