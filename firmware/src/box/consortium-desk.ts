/** The consortium on the console: its members and proposals as the ledger has them, and what this hospital does there. */
import { toHex } from '../encoding/bytes.ts';
import { sha256 } from '../encoding/hash.ts';
import { AppError } from '../errors.ts';
import type { Governance, KnownProposal } from '../governance/governance.ts';
import type { Attestation } from '../attestation/verify.ts';
import type {
  ActionView,
  AttestationAnswer,
  ConsortiumView,
  MemberView,
  ProposalView,
  ProposeBody,
} from '../http/consortium-contract.ts';
import type { Acted, ConsortiumDesk } from '../http/consortium-desk.ts';
import { candidateAttestationMsMax } from '../http/limits.ts';
import type { Overview } from '../http/contract.ts';
import { formatParameters, parseInstitution, parseParameters, quorumOf } from '../ledger/index.ts';
import type {
  Institution,
  InstitutionRecord,
  KeyQuorum,
  LedgerState,
  Parameters,
  ProposalAction,
  ProposalId,
} from '../ledger/types.ts';
import type { Clock, InstitutionId, Ledger, Service, Unsubscribe } from '../ports.ts';
import { CandidateVerdicts, withoutPass, type AttestCandidate } from './candidate-verdicts.ts';
import type { OpenRotation } from './rotation.ts';

export interface OpenConsortiumDesk extends ConsortiumDesk {
  /** For the overview. */
  notice(): NonNullable<Overview['consortium']>;
  onChange(listener: () => void): Unsubscribe;
}

export interface ConsortiumDeskOptions {
  readonly self: InstitutionId;
  readonly ledger: Ledger;
  readonly governance: Governance;
  readonly rotation: Pick<OpenRotation, 'view' | 'rotate'>;
  /** Over the candidate's HTTPS port. */
  readonly attest: AttestCandidate;
  readonly clock: Clock;
}

/** The desk of a member, or of one that is to become one. */
export async function openConsortiumDesk(
  { self, ledger, governance, rotation, attest, clock }: ConsortiumDeskOptions,
  start: (service: Service) => Promise<void>,
): Promise<OpenConsortiumDesk> {
  let revision = 0;
  const verdicts = new CandidateVerdicts(attest, clock);
  const candidateOf = (id: string): Institution | undefined => {
    const known = governance.proposals().find((proposal) => proposal.id === id);
    return known?.state === 'open' && known.proposal.action.kind === 'admit'
      ? known.proposal.action.institution
      : undefined;
  };
  const askCandidate = async (
    candidate: Institution,
    signal: AbortSignal,
  ): Promise<Attestation | undefined> => {
    try {
      return await verdicts.ask(candidate, signal);
    } catch (error) {
      if (!(error instanceof AppError) && !signal.aborted) throw error;
      return undefined;
    }
  };
  governance.onChange(() => revision++);
  await start(governance);
  return {
    notice: () => ({ waiting: governance.waiting(), revision }),
    onChange: (listener) => governance.onChange(listener),
    view: () => ({
      ...consortiumView(ledger.state(), self, governance.proposals(), verdicts),
      ownKeys: rotation.view(),
    }),
    propose: async (proposal, { account }) => {
      const read = actionOf(proposal);
      if (read.kind === 'refused') return read;
      const { action } = read;
      if (action.kind === 'admit') {
        // The proposal is this hospital's yes.
        const attested = await askCandidate(
          action.institution,
          AbortSignal.timeout(candidateAttestationMsMax),
        );
        if (verdicts.provedUntil(action.institution) === undefined)
          return { kind: 'refused', reason: notProposed(attested) };
      }
      return governance.propose(action, account);
    },
    vote: (id, approve, { account }) => {
      const candidate = approve ? candidateOf(id) : undefined;
      if (candidate !== undefined && verdicts.provedUntil(candidate) === undefined)
        return Promise.resolve({ kind: 'refused', reason: notProved });
      // The schema of the route holds the form of the id.
      return governance.vote(id as ProposalId, approve, account);
    },
    attestCandidate: async (id, signal) => {
      const candidate = candidateOf(id);
      return candidate === undefined ? undefined : attestationView(await askCandidate(candidate, signal));
    },
    rotateKeys: ({ account }) => rotation.rotate(account),
    bring: (document, { account }) => governance.bring(document, account),
  };
}

const noAnswer = 'The box of the candidate did not answer.';
const notProved =
  'Its box has not proved within the last quarter of an hour what its record says. Have its box prove itself, then approve.';

function notProposed(attestation: Attestation | undefined): string {
  const why = attestation === undefined ? noAnswer : withoutPass(attestation);
  return `Its box has to prove what this record says before it is proposed. ${why}`;
}

/** Of a box in no consortium. */
export function closedConsortiumDesk(): ConsortiumDesk {
  const closed = (): Promise<Acted> =>
    Promise.reject(new AppError('NOT_ADMITTED', 'This box is in no consortium yet.'));
  return {
    view: () => undefined,
    attestCandidate: () => Promise.resolve(undefined),
    propose: closed,
    vote: closed,
    rotateKeys: closed,
    bring: closed,
  };
}

function actionOf(
  proposal: ProposeBody,
): { readonly kind: 'action'; readonly action: ProposalAction } | Extract<Acted, { kind: 'refused' }> {
  switch (proposal.kind) {
    case 'admit': {
      const record = parseInstitution(proposal.record);
      if (record.kind === 'refused')
        return { kind: 'refused', reason: `This is no record of a hospital: ${record.reason}.` };
      const { institution } = record;
      return { kind: 'action', action: { kind: 'admit', institution, validator: proposal.validator } };
    }
    case 'remove':
      return { kind: 'action', action: { kind: 'remove', id: proposal.institution } };
    case 'validators': {
      const { add, remove } = proposal;
      if (add.length + remove.length === 0)
        return { kind: 'refused', reason: 'Nobody is named who is to begin or to end validating.' };
      return { kind: 'action', action: { kind: 'validators', add, remove } };
    }
    case 'parameters': {
      const read = parseParameters(proposal.parameters);
      if (read.kind === 'refused')
        return { kind: 'refused', reason: `These are no parameters: ${read.reason}.` };
      return { kind: 'action', action: { kind: 'parameters', parameters: read.parameters } };
    }
  }
}

function attestationView(attestation: Attestation | undefined): AttestationAnswer {
  if (attestation === undefined) return { kind: 'none', reason: noAnswer };
  if (attestation.kind === 'refused') return { kind: 'none', reason: withoutPass(attestation) };
  const { passed, development, checks } = attestation.verdict;
  return { kind: 'judged', passed, development, checks: checks.map((check) => ({ ...check })) };
}

function consortiumView(
  state: LedgerState,
  self: InstitutionId,
  proposals: readonly KnownProposal[],
  verdicts: CandidateVerdicts,
): Omit<ConsortiumView, 'ownKeys'> {
  const members = state.institutions();
  return {
    chain: toHex(state.chain),
    isMember: state.institution(self) !== undefined,
    members: members.map((member) => memberView(state, member, self)),
    proposals: proposals.map((known) => proposalView(state, self, known, verdicts)),
    parameters: formatParameters(state.parameters()),
  };
}

function quorumView({ keys, threshold }: KeyQuorum) {
  return { keys: keys.map(toHex), threshold };
}

function candidateView({ id, name, keys, endpoints, root }: Institution) {
  return {
    id,
    name,
    identity: toHex(sha256(keys.identity)),
    keysValidUntil: keys.expiry,
    https: endpoints.https,
    root: quorumView(root),
  };
}

function memberView(state: LedgerState, member: InstitutionRecord, self: InstitutionId): MemberView {
  return {
    ...candidateView(member),
    version: member.version,
    validator: state.validators().includes(member.id),
    validatorNext: state.nextValidators().includes(member.id),
    isSelf: member.id === self,
  };
}

/** Of a member, of one that was, or of one that never came to be. */
function nameOf(state: LedgerState, id: InstitutionId): string {
  return (state.institution(id) ?? state.departed(id))?.name ?? id;
}

function proposalView(
  state: LedgerState,
  self: InstitutionId,
  { id, proposal, state: standing, acts }: KnownProposal,
  verdicts: CandidateVerdicts,
): ProposalView {
  const { action, proposer, proposedAt, expiry, outcome } = proposal;
  const { approvedBy, rejectedBy } = state.voters(id);
  const members = state.institutions().length;
  const hasVoted = approvedBy.includes(self) || rejectedBy.includes(self);
  const isMember = state.institution(self) !== undefined;
  return {
    id,
    action: actionView(state, action),
    proposer,
    proposerName: nameOf(state, proposer),
    proposedAt,
    expiry,
    state: standing,
    decidedAt: outcome?.at ?? null,
    approvedBy: approvedBy.map((voter) => nameOf(state, voter)),
    rejectedBy: rejectedBy.map((voter) => nameOf(state, voter)),
    members,
    quorum: quorumOf(members),
    mayVote: standing === 'open' && isMember && !hasVoted,
    provedUntil: (action.kind === 'admit' && verdicts.provedUntil(action.institution)) || null,
    acts: acts.map((act) => ({ ...act })),
  };
}

function actionView(state: LedgerState, action: ProposalAction): ActionView {
  switch (action.kind) {
    case 'admit':
      return {
        kind: 'admit',
        institution: candidateView(action.institution),
        validator: action.validator,
      };
    case 'remove':
      return { kind: 'remove', institution: action.id, name: nameOf(state, action.id) };
    case 'validators':
      return {
        kind: 'validators',
        add: action.add.map((id) => nameOf(state, id)),
        remove: action.remove.map((id) => nameOf(state, id)),
      };
    case 'parameters':
      return { kind: 'parameters', changes: changesOf(state.parameters(), action.parameters) };
    case 'vendor': {
      return { kind: 'vendor', vendor: quorumView(action.vendor) };
    }
  }
}

/** What differs, by the names of the genesis document. */
function changesOf(before: Parameters, after: Parameters): { name: string; before: string; after: string }[] {
  const [now, then] = [before, after].map(
    (parameters) => JSON.parse(formatParameters(parameters)) as Readonly<Record<string, unknown>>,
  );
  const names = [...new Set([...Object.keys(now ?? {}), ...Object.keys(then ?? {})])];
  return names
    .map((name) => ({ name, before: JSON.stringify(now?.[name]), after: JSON.stringify(then?.[name]) }))
    .filter((change) => change.before !== change.after);
}
