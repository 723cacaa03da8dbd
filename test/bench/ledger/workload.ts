/**
 * What hospitals, owners and grantees want on the ledger in a run, made and signed beforehand: registrations in bulk,
 * and for some of their studies a grant (which opens the study up from its batch), the receipt of an opening and a
 * revocation.
 */
import { merklePath } from '../../../firmware/src/encoding/merkle-tree.ts';
import {
  bulkLeaves,
  encodeEntry,
  encodeTransaction,
  studyId,
  transactionId,
} from '../../../firmware/src/ledger/index.ts';
import type { StudyRegisterBulk, TransactionId } from '../../../firmware/src/ledger/types.ts';
import { grantNoteBytes } from '../../../firmware/src/protocol/grant-note.ts';
import { bytesOf, genesisTime, numbered, signerOf, type LedgerFixture } from '../../fakes/ledger.ts';

export interface LoadOptions {
  /** Studies of one registration in bulk. */
  readonly batchStudies: number;
  readonly studiesPerSecond: number;
  /** Grants, receipts and revocations together, a third each. */
  readonly signedPerSecond: number;
  /** How long they come. */
  readonly ms: number;
}

export interface Load {
  readonly kind: 'bulk' | 'grant' | 'open' | 'revoke';
  readonly id: TransactionId;
  readonly bytes: Uint8Array;
  /** The box that submits it. */
  readonly box: string;
  /** When, in milliseconds from the start. */
  readonly dueMs: number;
  /** Studies that it registers. */
  readonly studies: number;
}

/** A grant comes so long after the registration of its study, and a receipt after its grant. */
const stepMs = 2000;
/** A revocation comes so long after the receipt, which it must not overtake: it goes before others. */
const revokeAfterMs = 4000;

/** From then on all kinds come at their full rates. */
export const fullLoadFromMs = 2 * stepMs + revokeAfterMs;

const entryOf = (batch: number, index: number, ownerKey: Uint8Array): Uint8Array =>
  encodeEntry({
    commitment: numbered(`bench commitment ${batch}`, index),
    ownerKey,
    tag: index % 256,
    noteHash: numbered(`bench note ${batch}`, index),
  });

/** In the order in which they are due. @throws Error if more is to be granted than is registered. */
export function workload(ledger: LedgerFixture, options: LoadOptions): Load[] {
  const { batchStudies, studiesPerSecond, signedPerSecond, ms } = options;
  const batchEveryMs = (1000 * batchStudies) / studiesPerSecond;
  const grantEveryMs = 3000 / signedPerSecond;
  const used = Math.ceil(batchEveryMs / grantEveryMs) + 1;
  if (used > batchStudies) throw new Error('more would be granted than is registered');
  const load: Load[] = [];
  const grants = Math.ceil((ms - stepMs) / grantEveryMs);
  for (let batch = 0; batch * batchEveryMs < ms; batch++) {
    const { id: source, transaction } = ledger.boxes[batch % ledger.boxes.length]!;
    const add = (kind: Load['kind'], dueMs: number, bytes: Uint8Array, studies = 0): void => {
      if (dueMs < ms) load.push({ kind, box: source, dueMs, bytes, studies, id: transactionId(bytes) });
    };
    // Nobody looks at the keys of studies that are not used: they need no private ones.
    const firstGrant = batch * used;
    const owners = Array.from({ length: Math.max(0, Math.min(used, grants - firstGrant)) }, (_, index) =>
      signerOf(`bench owner ${batch} ${index}`),
    );
    const entries = Array.from({ length: batchStudies }, (_, index) =>
      entryOf(batch, index, owners[index]?.publicKey ?? numbered(`unused ${batch}`, index)),
    );
    const body: StudyRegisterBulk = {
      type: 'study.registerBulk',
      chain: ledger.chain,
      validUntil: genesisTime + 86_400_000,
      source,
      batch: bytesOf(`bench batch ${batch}`).slice(0, 16),
      ephemeral: bytesOf(`bench ephemeral ${batch}`),
      entries: new Uint8Array(Buffer.concat(entries)),
    };
    add('bulk', batch * batchEveryMs, encodeTransaction(ledger.sign(body, transaction)), batchStudies);
    const leaves = bulkLeaves(body.entries);
    for (const [index, owner] of owners.entries()) {
      const study = studyId(ledger.chain, source, body.batch, index);
      const entry = leaves[index]!;
      const grantee = signerOf(`bench grantee ${batch} ${index}`);
      const grant = ledger.grantBody(study, 1, grantee.publicKey, {
        leaf: { source, batch: body.batch, index, entry, path: merklePath(leaves, index) },
        note: new Uint8Array(grantNoteBytes).fill(index % 256),
      });
      const open = ledger.openBody(source, grant, 1, entry.slice(0, 32));
      const revoke = ledger.revokeBody(study, { upTo: 1 });
      const grantMs = stepMs + (firstGrant + index) * grantEveryMs;
      add('grant', grantMs, encodeTransaction(ledger.sign(grant, owner)));
      add('open', grantMs + stepMs, encodeTransaction(ledger.sign(open, grantee, transaction)));
      add('revoke', grantMs + stepMs + revokeAfterMs, encodeTransaction(ledger.sign(revoke, owner)));
    }
  }
  return load.sort((a, b) => a.dueMs - b.dueMs);
}
