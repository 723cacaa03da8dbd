/** Transactions about studies and their bases as sources, owners and members make them, for a `LedgerFixture`. */
import { merklePath } from '../../firmware/src/encoding/merkle-tree.ts';
import { utf8 } from '../../firmware/src/encoding/bytes.ts';
import {
  basisId,
  bulkLeaves,
  encodeEntry,
  idBytes,
  reassignmentId,
  studyId,
} from '../../firmware/src/ledger/index.ts';
import type {
  AccessConfirm,
  AccessEmergency,
  AccessRefer,
  StudyErase,
  StudyFreeze,
  StudyId,
  StudyLeaf,
  StudyObject,
  StudyReassign,
  StudyReassignComplete,
  StudyRegisterBulk,
  StudyRescind,
  StudyTransfer,
  StudyUnfreeze,
  Transaction,
} from '../../firmware/src/ledger/types.ts';
import type { Signer } from '../../firmware/src/ports.ts';
import { bytesOf, genesisTime, type LedgerFixture } from './ledger.ts';

function base(ledger: LedgerFixture): { readonly chain: Uint8Array; readonly validUntil: number } {
  return { chain: ledger.chain, validUntil: genesisTime + 86_400_000 };
}

/** The same studies as `LedgerFixture.register`, in bulk. */
export function registerBulk(
  ledger: LedgerFixture,
  source: string,
  batch: string,
  owners: readonly Pick<Signer, 'publicKey'>[],
  change: Partial<StudyRegisterBulk> = {},
): {
  readonly transaction: Transaction;
  readonly ids: readonly StudyId[];
  readonly leaves: readonly StudyLeaf[];
} {
  const entries = owners.map((owner, index) =>
    encodeEntry({
      commitment: bytesOf(`commitment ${batch} ${index} 1`),
      ownerKey: owner.publicKey,
      tag: index % 256,
      noteHash: bytesOf(`note ${batch} ${index}`),
    }),
  );
  const body: StudyRegisterBulk = {
    ...base(ledger),
    type: 'study.registerBulk',
    source,
    batch: bytesOf(`batch ${batch}`).slice(0, 16),
    ephemeral: bytesOf(`ephemeral ${batch}`),
    entries: new Uint8Array(Buffer.concat(entries)),
    ...change,
  };
  const leaves = bulkLeaves(body.entries);
  return {
    transaction: ledger.sign(body, ledger.box(source).transaction),
    ids: leaves.map((_, index) => studyId(ledger.chain, source, body.batch, index)),
    leaves: leaves.map((entry, index) => ({
      source,
      batch: body.batch,
      index,
      entry,
      path: merklePath(leaves, index),
    })),
  };
}

type StatusAct = StudyFreeze | StudyUnfreeze | StudyRescind | StudyErase;

export function statusAct(
  ledger: LedgerFixture,
  type: StatusAct['type'],
  source: string,
  study: StudyId,
  actSeq: number,
  change: Partial<StatusAct> = {},
): Transaction {
  const body = { ...base(ledger), source, studyId: idBytes(study), actSeq, ...change, type } as StatusAct;
  return ledger.sign(body, ledger.box(source).transaction);
}

export function transferBody(
  ledger: LedgerFixture,
  study: StudyId,
  newOwner: Pick<Signer, 'publicKey'>,
  change: Partial<StudyTransfer> = {},
): StudyTransfer {
  return {
    ...base(ledger),
    type: 'study.transfer',
    studyId: idBytes(study),
    ownerEpoch: 0,
    version: 1,
    newOwnerKey: newOwner.publicKey,
    ephemeral: bytesOf(`transfer ephemeral ${study}`),
    tag: 11,
    noteHash: bytesOf(`transfer note ${study}`),
    ...change,
  };
}

export function reassignBody(
  ledger: LedgerFixture,
  source: string,
  study: StudyId,
  newOwner: Pick<Signer, 'publicKey'>,
  change: Partial<StudyReassign> = {},
): StudyReassign {
  return {
    ...base(ledger),
    type: 'study.reassign',
    source,
    studyId: idBytes(study),
    actSeq: 1,
    newOwnerKey: newOwner.publicKey,
    ephemeral: bytesOf(`reassign ephemeral ${study}`),
    tag: 12,
    noteHash: bytesOf(`reassign note ${study}`),
    attestations: bytesOf(`attestations ${study}`),
    ...change,
  };
}

export function objectBody(
  ledger: LedgerFixture,
  reassign: StudyReassign,
  by: StudyObject['by'],
  change: Partial<StudyObject> = {},
): StudyObject {
  return {
    ...base(ledger),
    type: 'study.object',
    studyId: reassign.studyId,
    reassignment: reassignmentId(reassign),
    by,
    ...change,
  };
}

export function completeBody(
  ledger: LedgerFixture,
  reassign: StudyReassign,
  change: Partial<StudyReassignComplete> = {},
): StudyReassignComplete {
  return {
    ...base(ledger),
    validUntil: genesisTime + 365 * 86_400_000,
    type: 'study.reassign.complete',
    source: reassign.source,
    studyId: reassign.studyId,
    actSeq: reassign.actSeq + 1,
    reassignment: reassignmentId(reassign),
    version: 1,
    noteHash: bytesOf('note for the new owner'),
    ...change,
  };
}

/** A referral with the terms of `LedgerFixture.grantBody`. */
export function referBody(
  ledger: LedgerFixture,
  source: string,
  study: StudyId,
  seq: number,
  grantee: Uint8Array,
  change: Partial<AccessRefer> = {},
): AccessRefer {
  return { ...ledger.grantBody(study, seq, grantee), source, ...change, type: 'access.refer' };
}

export function emergencyBody(
  ledger: LedgerFixture,
  institution: string,
  study: StudyId,
  grantee: Uint8Array,
  change: Partial<AccessEmergency> = {},
): AccessEmergency {
  return {
    ...base(ledger),
    type: 'access.emergency',
    institution,
    studyId: idBytes(study),
    granteeKey: grantee,
    ephemeral: bytesOf(`emergency ephemeral ${study}`),
    tag: 9,
    termsHash: bytesOf(`reason ${study}`),
    note: utf8('a sealed note'),
    ...change,
  };
}

export function confirmBody(
  ledger: LedgerFixture,
  emergency: AccessEmergency,
  change: Partial<AccessConfirm> = {},
): AccessConfirm {
  return {
    ...base(ledger),
    type: 'access.confirm',
    institution: emergency.institution,
    studyId: emergency.studyId,
    basisId: idBytes(basisId(emergency)),
    digest: bytesOf('second clinician'),
    ...change,
  };
}
