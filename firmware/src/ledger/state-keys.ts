/** Keys of the state. Ids are lower-case hexadecimal of 32 bytes, numbers decimal without leading zeros. */
import { toHex } from '../encoding/bytes.ts';
import type { ProposalId } from './consortium/proposal-record.ts';
import type { ReleaseDigest } from './releases/release-record.ts';
import type { BasisId, OpenId, StudyId } from './types.ts';

export const stateKeys = {
  institution: (id: string): string => `institution/${id}`,
  /** The last record of an institution that was removed. */
  departed: (id: string): string => `departed/${id}`,
  /** Which member has a key that no other may have; in lower-case hexadecimal. */
  keyHolder: (key: string): string => `key-holder/${key}`,
  /** Ids of all members, in order, with their seats. */
  institutions: 'institutions',
  /** Ids of the validators of the next epoch, as the votes so far want them, in the order of their index. */
  nextValidators: 'next-validators',
  /** The current epoch. */
  epoch: 'epoch',
  pastEpoch: (number: number): string => `epoch/${number}`,
  /** The blocks so far, but for the one whose state it is. */
  history: 'history',
  parameters: 'parameters',
  /** Parameters that take effect when the epoch closes; absent if none were voted. */
  nextParameters: 'next-parameters',
  /** What was named in `parameters` and accepted of releases before, for keys that were made then; absent if nothing. */
  formerOrigins: 'former-origins',
  /** Keys that sign releases. */
  vendor: 'vendor',
  proposal: (id: ProposalId): string => `proposal/${id}`,
  /** Who has voted on it. */
  votes: (proposal: ProposalId): string => `votes/${proposal}`,
  /** The open proposals, and those that were decided lately. */
  proposals: 'proposals',
  openProposals: 'open-proposals',
  /** Open proposals that a removal may have decided; absent if there are none. */
  recount: 'recount',
  /** That an institution's votes conflicted in an epoch. */
  guilt: (epoch: number, institution: string): string => `guilt/${epoch}/${institution}`,
  /** Where the last records of guilt stand. */
  guilty: 'guilty',
  release: (digest: ReleaseDigest): string => `release/${digest}`,
  /** Who has accepted it. */
  releaseAcceptances: (release: ReleaseDigest): string => `release-acceptances/${release}`,
  /** Digests of the last releases, and the newest version that is gone. */
  releases: 'releases',
  formats: 'formats',
  study: (id: StudyId): string => `study/${id}`,
  /** How many records an institution made the state keep in an epoch. */
  records: (institution: string): string => `records/${institution}`,
  /** A registration in bulk. */
  batch: (source: string, batch: Uint8Array): string => `batch/${source}/${toHex(batch)}`,
  /** A grant, a referral or an emergency. */
  basis: (id: BasisId): string => `basis/${id}`,
  /** Bases of a study are numbered from 1, in the order in which they became final. */
  studyBasis: (study: StudyId, number: number): string => `study-basis/${study}/${number}`,
  /** A basis that stood on the ledger when it was revoked. */
  revoked: (id: BasisId): string => `revoked/${id}`,
  /** How many emergencies a member declared of a study lately. */
  emergencies: (study: StudyId, institution: string): string => `emergencies/${study}/${institution}`,
  /** Opens of a study are numbered from 1. */
  open: (study: StudyId, number: number): string => `open/${study}/${number}`,
  openNumber: (id: OpenId): string => `open-number/${id}`,
} as const;
