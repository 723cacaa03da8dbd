/** institution.propose: a member proposes what all are to vote on. */
import { toHex } from '../../encoding/bytes.ts';
import type { CborValue } from '../../encoding/canonical-cbor.ts';
import { hash } from '../../encoding/hash.ts';
import { encodeBody } from '../body-encoding.ts';
import { institutionIdField } from '../fields.ts';
import {
  keptProposalsMax,
  keptProposalsOfInstitutionMax,
  listedProposalsMax,
  openProposalsMax,
  openProposalsOfInstitutionMax,
  proposalsDroppedAtOnceMax,
} from '../limits.ts';
import { signingInstitution } from '../rule.ts';
import { stateKeys } from '../state-keys.ts';
import type { LedgerSnapshot } from '../state.ts';
import { readBody, type TransactionType } from '../transaction-type.ts';
import type { BodyBase } from '../types.ts';
import { actionRefusal, actionWork } from './action-effect.ts';
import { readAction, type ProposalAction } from './action.ts';
import { withVotes } from './decision.ts';
import { seatOf } from './members-record.ts';
import {
  keptProposalsRecord,
  openProposalsRecord,
  proposalRecord,
  toProposalId,
  type KeptProposal,
  type ProposalId,
} from './proposal-record.ts';
import { noVotes, withVote } from './votes-record.ts';

export interface InstitutionPropose extends BodyBase {
  readonly type: 'institution.propose';
  readonly proposer: string;
  readonly action: ProposalAction;
}

/** H("proposal", canonical body): the same action proposed twice is two proposals if anything else differs. */
export function proposalId(body: InstitutionPropose): ProposalId {
  return toProposalId(proposalDigest(body));
}

function proposalDigest(body: InstitutionPropose): Uint8Array {
  return hash('proposal', encodeBody(body));
}

/** The lists of proposals as far as their time has not passed. */
interface Standing {
  readonly kept: readonly KeptProposal[];
  /** Those that can be voted on. */
  readonly open: readonly KeptProposal[];
}

function standingAt(state: LedgerSnapshot, time: number): Standing {
  const kept = state.keptProposals().filter(({ expiry }) => time <= expiry);
  const undecided = new Set(state.openProposals().map(toHex));
  return { kept, open: kept.filter(({ id, expiry }) => time < expiry && undecided.has(toHex(id))) };
}

/**
 * Room for one more of this institution, among those that are open and among all that are kept. Who has none finds it
 * whatever the others did: they shall not keep a member from proposing.
 */
function hasRoom({ kept, open }: Standing, institution: string): boolean {
  const isOwn = ({ proposer }: KeptProposal): boolean => proposer === institution;
  const own = kept.filter(isOwn).length;
  const ownOpen = open.filter(isOwn).length;
  return (
    kept.length < (own === 0 ? listedProposalsMax : keptProposalsMax) &&
    own < keptProposalsOfInstitutionMax &&
    (ownOpen === 0 || open.length < openProposalsMax) &&
    ownOpen < openProposalsOfInstitutionMax
  );
}

/** Those whose time has passed in every respect: as many as one proposal takes from the state. */
function pastAt(state: LedgerSnapshot, time: number): readonly KeptProposal[] {
  return state
    .keptProposals()
    .filter(({ expiry }) => time > expiry)
    .slice(0, proposalsDroppedAtOnceMax);
}

/** The state without the records of these. */
function withoutPast(state: LedgerSnapshot, past: readonly KeptProposal[]): LedgerSnapshot {
  return past
    .map(({ id }) => toProposalId(id))
    .reduce((rest, id) => rest.delete(stateKeys.proposal(id)).delete(stateKeys.votes(id)), state);
}

/** Signed by the proposer, whose approval it is at the same time. What cannot be done cannot be proposed. */
export const institutionPropose: TransactionType<InstitutionPropose> = {
  read(value: CborValue) {
    const { map, base } = readBody(value, 'institution.propose', ['proposer', 'action']);
    return {
      ...base,
      proposer: institutionIdField(map.proposer, 'proposer'),
      action: readAction(map.action, 'action'),
    };
  },
  signers: () => 1,
  // The proposal, the votes and two lists, the longer of which is read and written; and what it drops of the past.
  work: ({ action }) => {
    const judged = actionWork(action);
    return { ...judged, records: (judged.records ?? 0) + 4, entries: listedProposalsMax };
  },
  apply(state, body, context) {
    const proposer = signingInstitution(state, body.proposer, context.time);
    if (typeof proposer === 'string') return proposer;
    const expiry = context.time + state.parameters().proposalMs;
    if (body.validUntil > expiry) return 'valid-too-long';
    const id = proposalDigest(body);
    const key = stateKeys.proposal(toProposalId(id));
    if (state.has(key)) return 'proposal-exists';
    const standing = standingAt(state, context.time);
    if (!hasRoom(standing, body.proposer)) return 'too-many-proposals';
    const refusal = actionRefusal(state, body.action, context);
    if (refusal !== undefined) return refusal;
    if (!context.signedBy(proposer.keys.transaction)) return 'bad-signature';
    const proposal = {
      proposer: body.proposer,
      action: body.action,
      proposedAt: context.time,
      expiry,
      outcome: null,
    };
    const past = pastAt(state, context.time);
    const kept = state.keptProposals().filter((entry) => !past.includes(entry));
    const open = standing.open.map((entry) => entry.id);
    const proposed = withoutPast(state, past)
      .put(keptProposalsRecord, stateKeys.proposals, [...kept, { id, proposer: body.proposer, expiry }])
      .put(openProposalsRecord, stateKeys.openProposals, [...open, id])
      .put(proposalRecord, key, proposal);
    const vote = withVote(noVotes, seatOf(state.members(), body.proposer), true);
    return withVotes(proposed, id, proposal, vote, context);
  },
};
