/** The ledger's state: decoded records over the state tree, as immutable snapshots. */
import { basisHolds, basisRefusal } from './access/basis.ts';
import { basisRecord } from './access/basis-record.ts';
import { openNumberRecord, openRecord } from './access/open-record.ts';
import { epochRecord } from './consortium/epoch-record.ts';
import { guiltRecord, guiltyRecord, type GuiltRecord, type Guilty } from './consortium/guilt-record.ts';
import { idListRecord } from './consortium/id-list-record.ts';
import { institutionRecord } from './consortium/institution-record.ts';
import { keyQuorumRecord } from './consortium/key-quorum.ts';
import { idsIn, membersRecord, seatOf, type MembersRecord } from './consortium/members-record.ts';
import { parametersRecord } from './consortium/parameters.ts';
import { noSeats } from './consortium/seats.ts';
import { votesRecord, type VotesRecord } from './consortium/votes-record.ts';
import type { MerkleFrontier } from '../encoding/merkle-frontier.ts';
import { historyRecord } from './history-record.ts';
import {
  keptProposalsRecord,
  openProposalsRecord,
  proposalRecord,
  toProposalId,
  type KeptProposal,
  type ProposalId,
  type ProposalRecord,
} from './consortium/proposal-record.ts';
import { formatAt } from './formats/formats.ts';
import { formatsRecord, type FormatsRecord } from './formats/formats-record.ts';
import {
  releaseRecord,
  releasesRecord,
  type ReleasesRecord,
  type ReleaseDigest,
  type ReleaseRecord,
} from './releases/release-record.ts';
import {
  acceptancesRecord,
  noAcceptances,
  signatureOf,
  type AcceptancesRecord,
} from './releases/acceptances-record.ts';
import {
  formerOriginsRecord,
  noFormerOrigins,
  type FormerOriginsRecord,
} from './releases/former-origins-record.ts';
import type { RecordFormat } from './record-format.ts';
import { stateKeys } from './state-keys.ts';
import { StateTree } from './state-tree.ts';
import { batchRecord } from './studies/batch-record.ts';
import { namedStudy } from './studies/leaf.ts';
import { studyRecord } from './studies/study-record.ts';
import { studyId, toStudyId } from './ids.ts';
import type {
  BlockHeader,
  ChainId,
  EpochRecord,
  BasisId,
  BasisReason,
  BasisRecord,
  BatchRecord,
  InstitutionRecord,
  KeyQuorum,
  LedgerState,
  OpenId,
  OpenRecord,
  Parameters,
  StateChange,
  StateProof,
  StudyId,
  StudyLeaf,
  StudyRecord,
  Voters,
} from './types.ts';

/**
 * What is in the state was written by these formats, under a root that was checked: bytes that do not decode are a
 * bug or damaged memory, so this throws a plain Error.
 */
function decodeOwn<T>(format: RecordFormat<T>, key: string, bytes: Uint8Array): T {
  const decoded = format.decode(bytes);
  if (decoded.kind === 'refused')
    throw new Error(`state ${key} is damaged: ${decoded.reason}, ${decoded.detail}`);
  return decoded.value;
}

/**
 * Decoded records of the consortium, by their bytes: they are read for every transaction and change seldom. Bytes in the
 * state are never changed, and each key has one format.
 */
const decoded = new WeakMap<Uint8Array, unknown>();

export class LedgerSnapshot implements LedgerState {
  readonly chain: ChainId;
  readonly #tree: StateTree;

  constructor(chain: ChainId, tree: StateTree) {
    this.chain = chain;
    this.#tree = tree;
  }

  get root(): Uint8Array {
    return this.#tree.root;
  }

  institution(id: string): InstitutionRecord | undefined {
    return this.#consortium(institutionRecord, stateKeys.institution(id));
  }

  institutions(): readonly InstitutionRecord[] {
    return this.members().ids.map((id) => this.#standing(institutionRecord, stateKeys.institution(id)));
  }

  /** Who only counts them reads no record of theirs. */
  members(): MembersRecord {
    return this.#standing(membersRecord, stateKeys.institutions);
  }

  epoch(): EpochRecord {
    return this.#standing(epochRecord, stateKeys.epoch);
  }

  epochOf(number: number): EpochRecord | undefined {
    const current = this.epoch();
    return number === current.number ? current : this.#consortium(epochRecord, stateKeys.pastEpoch(number));
  }

  closesEpoch({ epoch, time }: Pick<BlockHeader, 'epoch' | 'time'>): boolean {
    const { number, startTime } = this.epoch();
    return epoch < number || (epoch === number && time >= startTime + this.parameters().epochMs);
  }

  validators(): readonly string[] {
    return this.epoch().validators.map(({ id }) => id);
  }

  nextValidators(): readonly string[] {
    return this.#standing(idListRecord, stateKeys.nextValidators);
  }

  parameters(): Parameters {
    return this.#standing(parametersRecord, stateKeys.parameters);
  }

  history(): MerkleFrontier {
    const history = this.get(historyRecord, stateKeys.history);
    if (history === undefined) throw new Error(`state has no ${stateKeys.history}`);
    return history;
  }

  vendor(): KeyQuorum {
    return this.#standing(keyQuorumRecord, stateKeys.vendor);
  }

  departed(id: string): InstitutionRecord | undefined {
    return this.get(institutionRecord, stateKeys.departed(id));
  }

  /** Decoded once: each vote on it reads it again. */
  proposal(id: ProposalId): ProposalRecord | undefined {
    return this.#consortium(proposalRecord, stateKeys.proposal(id));
  }

  /** Of a proposal that stands. Decoded once: a removal counts those on all open proposals. */
  votes(id: ProposalId): VotesRecord {
    return this.#standing(votesRecord, stateKeys.votes(id));
  }

  voters(id: ProposalId): Voters {
    const { approving, rejecting } = this.votes(id);
    const members = this.members();
    return { approvedBy: idsIn(members, approving), rejectedBy: idsIn(members, rejecting) };
  }

  /** Open ones and those that were decided lately, oldest first. */
  keptProposals(): readonly KeptProposal[] {
    return this.#standing(keptProposalsRecord, stateKeys.proposals);
  }

  /** Ids of those that are not decided, oldest first. */
  openProposals(): readonly Uint8Array[] {
    return this.#standing(openProposalsRecord, stateKeys.openProposals);
  }

  proposals(): readonly { readonly id: ProposalId; readonly proposal: ProposalRecord }[] {
    return this.openProposals().map((bytes) => {
      const id = toProposalId(bytes);
      const proposal = this.proposal(id);
      if (proposal === undefined) throw new Error(`proposal ${id} is listed but missing`);
      return { id, proposal };
    });
  }

  guilt(epoch: number, institution: string): GuiltRecord | undefined {
    return this.get(guiltRecord, stateKeys.guilt(epoch, institution));
  }

  guilty(): readonly Guilty[] {
    return this.#standing(guiltyRecord, stateKeys.guilty);
  }

  release(digest: ReleaseDigest): ReleaseRecord | undefined {
    return this.get(releaseRecord, stateKeys.release(digest));
  }

  /** None of a release that does not stand. */
  acceptances(digest: ReleaseDigest): AcceptancesRecord {
    return this.get(acceptancesRecord, stateKeys.releaseAcceptances(digest)) ?? noAcceptances;
  }

  acceptedBy(digest: ReleaseDigest): readonly string[] {
    return idsIn(this.members(), this.release(digest)?.accepting ?? noSeats);
  }

  acceptanceOf(digest: ReleaseDigest, institution: string): Uint8Array | undefined {
    const members = this.members();
    const release = this.release(digest);
    if (release === undefined || !members.ids.includes(institution)) return undefined;
    const { signatures } = this.acceptances(digest);
    return signatureOf({ accepting: release.accepting, signatures }, seatOf(members, institution));
  }

  releases(): readonly Uint8Array[] {
    return this.releaseList().digests;
  }

  /** With the newest version that left the list. */
  releaseList(): ReleasesRecord {
    return this.#standing(releasesRecord, stateKeys.releases);
  }

  formerOrigins(): FormerOriginsRecord {
    return this.#consortium(formerOriginsRecord, stateKeys.formerOrigins) ?? noFormerOrigins;
  }

  formats(): FormatsRecord {
    return this.#standing(formatsRecord, stateKeys.formats);
  }

  formatAt(height: number): number {
    return formatAt(this.formats(), height);
  }

  study(id: StudyId): StudyRecord | undefined {
    return this.get(studyRecord, stateKeys.study(id));
  }

  basis(id: BasisId): BasisRecord | undefined {
    return this.get(basisRecord, stateKeys.basis(id));
  }

  studyOf(leaf: StudyLeaf): StudyRecord | undefined {
    const id = studyId(this.chain, leaf.source, leaf.batch, leaf.index);
    const study = namedStudy(this, id, leaf);
    return typeof study === 'string' ? undefined : study;
  }

  batch(source: string, batch: Uint8Array): BatchRecord | undefined {
    return this.get(batchRecord, stateKeys.batch(source, batch));
  }

  basisStands(id: BasisId): boolean {
    const basis = this.basis(id);
    const study = basis && this.study(toStudyId(basis.studyId));
    return (
      basis !== undefined && study !== undefined && basisHolds(basis, study, this.has(stateKeys.revoked(id)))
    );
  }

  basisRefusal(id: BasisId, time: number): BasisReason | 'unknown-basis' | undefined {
    const basis = this.basis(id);
    const study = basis && this.study(toStudyId(basis.studyId));
    if (basis === undefined || study === undefined) return 'unknown-basis';
    return basisRefusal(basis, study, this.has(stateKeys.revoked(id)), time);
  }

  open(studyId: StudyId, number: number): OpenRecord | undefined {
    return this.get(openRecord, stateKeys.open(studyId, number));
  }

  openById(id: OpenId): OpenRecord | undefined {
    const place = this.get(openNumberRecord, stateKeys.openNumber(id));
    return place && this.open(toStudyId(place.studyId), place.number);
  }

  prove(key: string): StateProof {
    return this.#tree.prove(key);
  }

  /** All entries, in the order of their key hashes: what `stateFromEntries` takes. */
  entries(): Iterable<readonly [key: string, value: Uint8Array]> {
    return this.#tree.entries();
  }

  changesTo(after: LedgerSnapshot): StateChange[] {
    return this.#tree.changesTo(after.#tree);
  }

  /** The record under the key, if there is one. */
  get<T>(format: RecordFormat<T>, key: string): T | undefined {
    const bytes = this.#tree.get(key);
    return bytes === undefined ? undefined : decodeOwn(format, key, bytes);
  }

  has(key: string): boolean {
    return this.#tree.get(key) !== undefined;
  }

  /** The state with this record under the key. */
  put<T>(format: RecordFormat<T>, key: string, record: T): LedgerSnapshot {
    return new LedgerSnapshot(this.chain, this.#tree.put(key, format.encode(record)));
  }

  /** The state without the key; the same state if it has none. */
  delete(key: string): LedgerSnapshot {
    const tree = this.#tree.delete(key);
    return tree === this.#tree ? this : new LedgerSnapshot(this.chain, tree);
  }

  #consortium<T>(format: RecordFormat<T>, key: string): T | undefined {
    const bytes = this.#tree.get(key);
    if (bytes === undefined) return undefined;
    const known = decoded.get(bytes) as T | undefined;
    if (known !== undefined) return known;
    const record = decodeOwn(format, key, bytes);
    decoded.set(bytes, record);
    return record;
  }

  /** A record that every state has, from block 0 on. */
  #standing<T>(format: RecordFormat<T>, key: string): T {
    const record = this.#consortium(format, key);
    if (record === undefined) throw new Error(`state has no ${key}`);
    return record;
  }
}

/** The snapshot behind the interface. States are made in this room alone, so any other is a programmer's error. */
export function asSnapshot(state: LedgerState): LedgerSnapshot {
  if (!(state instanceof LedgerSnapshot)) throw new TypeError('not a state of this ledger');
  return state;
}

/**
 * The state that holds exactly these entries, in any order. Its root says whether they are right: compare it with a
 * finalised header before use. @throws Error if an entry of the consortium is missing or
 * does not decode.
 */
export function stateFromEntries(
  chain: ChainId,
  entries: Iterable<readonly [key: string, value: Uint8Array]>,
): LedgerState {
  let tree = StateTree.empty;
  for (const [key, value] of entries) tree = tree.put(key, value);
  const state = new LedgerSnapshot(chain, tree);
  // Members and epoch are asked for at every turn: what is wrong with them is told here, not later.
  state.institutions();
  state.epoch();
  state.parameters();
  state.history();
  state.nextValidators();
  state.vendor();
  state.keptProposals();
  state.openProposals();
  state.guilty();
  state.releases();
  state.formats();
  return state;
}

/** Changed keys with their new values, in the order of their key hashes: what a store must write after a block. */
export function stateChanges(before: LedgerState, after: LedgerState): StateChange[] {
  return asSnapshot(before).changesTo(asSnapshot(after));
}

/** All entries of a state, in the order of their key hashes. */
export function stateEntries(state: LedgerState): Iterable<readonly [key: string, value: Uint8Array]> {
  return asSnapshot(state).entries();
}
