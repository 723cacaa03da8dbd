/** A proposal, and the list of those that are kept. The votes on it: votes-record.ts. */
import { toHex } from '../../encoding/bytes.ts';
import type { CborValue } from '../../encoding/canonical-cbor.ts';
import { booleanField, bytesField, institutionIdField, listField, mapField, timeField } from '../fields.ts';
import { listedProposalsMax } from '../limits.ts';
import { recordFormat } from '../record-format.ts';
import { actionValue, readAction, type ProposalAction } from './action.ts';

declare const brand: unique symbol;
/** Lower-case hexadecimal of H("proposal", canonical body). */
export type ProposalId = string & { readonly [brand]: 'ProposalId' };

/** @throws RangeError if these are not 32 bytes. */
export function toProposalId(bytes: Uint8Array): ProposalId {
  if (bytes.length !== 32) throw new RangeError(`an id has 32 bytes, not ${bytes.length}`);
  return toHex(bytes) as ProposalId;
}

export interface ProposalRecord {
  readonly proposer: string;
  readonly action: ProposalAction;
  readonly proposedAt: number;
  /** From this block time on nobody can vote on it. */
  readonly expiry: number;
  /** null while it is open, and for ever if it expired undecided. */
  readonly outcome: { readonly passed: boolean; readonly at: number } | null;
}

function readOutcome(value: CborValue): NonNullable<ProposalRecord['outcome']> {
  const map = mapField(value, 'outcome', ['passed', 'at']);
  return { passed: booleanField(map.passed, 'outcome.passed'), at: timeField(map.at, 'outcome.at') };
}

export const proposalRecord = recordFormat<ProposalRecord>(
  (record) => ({
    ...record,
    action: actionValue(record.action),
    outcome: record.outcome === null ? null : { ...record.outcome },
  }),
  (value) => {
    const map = mapField(value, 'proposal', ['proposer', 'action', 'proposedAt', 'expiry', 'outcome']);
    return {
      proposer: institutionIdField(map.proposer, 'proposer'),
      action: readAction(map.action, 'action'),
      proposedAt: timeField(map.proposedAt, 'proposedAt'),
      expiry: timeField(map.expiry, 'expiry'),
      outcome: map.outcome === null ? null : readOutcome(map.outcome),
    };
  },
);

/** An entry of the list of proposals: what is needed to bound them without reading each. */
export interface KeptProposal {
  readonly id: Uint8Array;
  readonly proposer: string;
  /** Block time up to which it is of use: from then on nobody votes on it, after it its transaction does not apply again. */
  readonly expiry: number;
}

/** In the order in which they were made. Those past their `expiry` leave, with their records, as further ones are made. */
export const keptProposalsRecord = recordFormat<readonly KeptProposal[]>(
  (list) => list.map((entry) => ({ ...entry })),
  (value) =>
    listField(value, 'proposals', 0, listedProposalsMax).map((item, index) => {
      const path = `proposals[${index}]`;
      const entry = mapField(item, path, ['id', 'proposer', 'expiry']);
      return {
        id: bytesField(entry.id, `${path}.id`, 32),
        proposer: institutionIdField(entry.proposer, `${path}.proposer`),
        expiry: timeField(entry.expiry, `${path}.expiry`),
      };
    }),
);

/**
 * Ids of those that are not decided, in the order in which they were made. Apart from the longer list, so that a vote that
 * decides reads and writes little. One that has expired leaves when the next is made.
 */
export const openProposalsRecord = recordFormat<readonly Uint8Array[]>(
  (ids) => ids,
  (value) =>
    listField(value, 'open', 0, listedProposalsMax).map((id, index) => bytesField(id, `open[${index}]`, 32)),
);
