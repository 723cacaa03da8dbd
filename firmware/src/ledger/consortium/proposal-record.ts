/** A proposal with the votes on it, and the list of those that are kept. */
import { toHex } from '../../encoding/bytes.ts';
import type { CborValue } from '../../encoding/canonical-cbor.ts';
import { booleanField, bytesField, institutionIdField, listField, mapField, timeField } from '../fields.ts';
import { institutionsMax, listedProposalsMax } from '../limits.ts';
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
  /** In the order in which they voted; the proposer is the first. Each institution votes once. */
  readonly approvedBy: readonly string[];
  readonly rejectedBy: readonly string[];
  /** null while it is open, and for ever if it expired undecided. */
  readonly outcome: { readonly passed: boolean; readonly at: number } | null;
}

function idsField(value: CborValue, path: string): readonly string[] {
  return listField(value, path, 0, institutionsMax).map((id, index) =>
    institutionIdField(id, `${path}[${index}]`),
  );
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
    const map = mapField(value, 'proposal', [
      'proposer',
      'action',
      'proposedAt',
      'expiry',
      'approvedBy',
      'rejectedBy',
      'outcome',
    ]);
    return {
      proposer: institutionIdField(map.proposer, 'proposer'),
      action: readAction(map.action, 'action'),
      proposedAt: timeField(map.proposedAt, 'proposedAt'),
      expiry: timeField(map.expiry, 'expiry'),
      approvedBy: idsField(map.approvedBy, 'approvedBy'),
      rejectedBy: idsField(map.rejectedBy, 'rejectedBy'),
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
  /** False once it was decided; of one that expired, once the next was made. */
  readonly open: boolean;
}

/** In the order in which they were made. Those past their `expiry` leave, with their records, when the next is made. */
export const keptProposalsRecord = recordFormat<readonly KeptProposal[]>(
  (list) => list.map((entry) => ({ ...entry })),
  (value) =>
    listField(value, 'proposals', 0, listedProposalsMax).map((item, index) => {
      const path = `proposals[${index}]`;
      const entry = mapField(item, path, ['id', 'proposer', 'expiry', 'open']);
      return {
        id: bytesField(entry.id, `${path}.id`, 32),
        proposer: institutionIdField(entry.proposer, `${path}.proposer`),
        expiry: timeField(entry.expiry, `${path}.expiry`),
        open: booleanField(entry.open, `${path}.open`),
      };
    }),
);
