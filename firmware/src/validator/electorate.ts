/** Who votes in an epoch. */
import type { EpochRecord } from '../ledger/types.ts';
import type { InstitutionId } from '../ports.ts';

export interface Electorate {
  readonly epoch: number;
  /** In the order of their index. */
  readonly validators: readonly InstitutionId[];
  /** In the same order: a vote of the epoch counts by these alone, also after its institution has others. */
  readonly votingKeys: readonly Uint8Array[];
}

export function electorateOf({ number, validators }: EpochRecord): Electorate {
  return {
    epoch: number,
    validators: validators.map(({ id }) => id),
    votingKeys: validators.map(({ voting }) => voting),
  };
}
