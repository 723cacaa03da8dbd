/** Keys of the state. Ids are lower-case hexadecimal of 32 bytes, numbers decimal without leading zeros. */
import type { GrantId, OpenId, StudyId } from './types.ts';

export const stateKeys = {
  institution: (id: string): string => `institution/${id}`,
  /** Ids of the validating institutions, in the order of their index. */
  validators: 'validators',
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

export const institutionKeyPrefix = 'institution/';
