/** Keys of the state. Ids are lower-case hexadecimal of 32 bytes, numbers decimal without leading zeros. */
import type { GrantId, OpenId, StudyId } from './types.ts';

export const stateKeys = {
  institution: (id: string): string => `institution/${id}`,
  /** Ids of all members, in order. */
  institutions: 'institutions',
  /** Ids of the validators of the next epoch, as the votes so far want them, in the order of their index. */
  nextValidators: 'next-validators',
  /** The current epoch. */
  epoch: 'epoch',
  pastEpoch: (number: number): string => `epoch/${number}`,
  parameters: 'parameters',
  /** Parameters that take effect when the epoch closes; absent if none were voted. */
  nextParameters: 'next-parameters',
  /** Keys that sign releases. */
  vendor: 'vendor',
  study: (id: StudyId): string => `study/${id}`,
  grant: (id: GrantId): string => `grant/${id}`,
  /** A grant that stood on the ledger when it was revoked. */
  revoked: (id: GrantId): string => `revoked/${id}`,
  /**
   * A grant that was revoked before it arrived. The study is part of the key: nobody but its own study's owner can
   * stop a grant that is still on its way, though everybody may have seen its id.
   */
  revokedAhead: (study: StudyId, id: GrantId): string => `revoked-ahead/${study}/${id}`,
  /** Opens of a study are numbered from 1. */
  open: (study: StudyId, number: number): string => `open/${study}/${number}`,
  openNumber: (id: OpenId): string => `open-number/${id}`,
} as const;
