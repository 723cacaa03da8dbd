/** The studies that a wallet owns at one source: its mailbox there, opened and compared with the ledger. */
import { equalBytes, fromHex, toHex } from '../src/encoding/bytes.ts';
import { batchRecord, openLeaf, stateKeys, studyRecord, toStudyId } from '../src/ledger/index.ts';
import type { StudyId, StudyLeaf, StudyRecord } from '../src/ledger/types.ts';
import type { Account, ScalarSigner } from '../src/protocol/accounts.ts';
import { mailboxMessage } from '../src/protocol/mailbox-proof.ts';
import { noteHash, openStudyNote, type StudyNote } from '../src/protocol/notes.ts';
import { recogniseOneTime, type RecognisedKey } from '../src/protocol/owner-keys.ts';
import type { BoxClient } from './box-client.ts';
import type { MailboxAnswer } from './http-contract.ts';
import type { LedgerReader } from './ledger-reader.ts';
import { readRecord } from './records.ts';

export type UnverifiedReason =
  /** The source gave a note for a study that the ledger does not know (yet). */
  | 'not-on-ledger'
  /** Another institution registered it. */
  | 'other-source'
  /** The owner key on the ledger is not this wallet's. */
  | 'not-yours'
  /** The ledger's hash is of another note: a study that grows right now, or a source that lies. */
  | 'note-differs'
  /** The hash holds, but the note does not open. */
  | 'note-unreadable';

export type OwnedStudy =
  | {
      readonly kind: 'verified';
      readonly studyId: StudyId;
      readonly source: string;
      readonly note: StudyNote;
      readonly record: StudyRecord;
      /** Of a study that was registered in bulk and not used yet: the first transaction about it brings it. */
      readonly leaf: StudyLeaf | undefined;
      /** The block under which this was proved. */
      readonly provedAt: { readonly height: number; readonly time: number };
      /** Signs as the study's owner. */
      readonly signer: ScalarSigner;
    }
  | {
      readonly kind: 'unverified';
      readonly studyId: StudyId;
      readonly source: string;
      readonly reason: UnverifiedReason;
    };

type MailboxEntry = MailboxAnswer['entries'][number];

/** The mailbox entries of an account. The proof is made for the box's fresh challenge. */
async function readMailbox(
  box: BoxClient,
  account: Account,
  chain: Uint8Array,
): Promise<readonly MailboxEntry[]> {
  const nonce = await box.challenge();
  const spend = account.spend.publicKey;
  const signature = await account.spend.sign(
    mailboxMessage({ chain, institution: account.institution, spend, nonce }),
  );
  const answer = await box.mailbox({
    spend: toHex(spend),
    nonce: toHex(nonce),
    signature: toHex(signature),
  });
  return answer.entries;
}

export interface MailboxReading {
  readonly box: BoxClient;
  readonly account: Account;
  readonly chain: Uint8Array;
  readonly ledger: LedgerReader;
}

/** @throws AppError if the box cannot be reached or cannot prove the ledger's records. */
export async function readOwnedStudies(reading: MailboxReading): Promise<readonly OwnedStudy[]> {
  const { box, account, chain, ledger } = reading;
  const entries = await readMailbox(box, account, chain);
  if (entries.length === 0) return [];
  const read = entries.map((entry) => ({ ...entry, leaf: leafIn(entry) }));
  const batches = new Set(read.flatMap(({ leaf }) => (leaf === undefined ? [] : [batchKey(leaf)])));
  const keys = [...read.map(({ studyId }) => stateKeys.study(idOf(studyId))), ...batches];
  const { header, values } = await ledger.read(keys, account.institution);
  const provedAt = { height: header.height, time: header.time };
  const batchOf = (leaf: StudyLeaf) =>
    readRecord(batchRecord, values[read.length + [...batches].indexOf(batchKey(leaf))]);
  return Promise.all(
    read.map(({ leaf, ...entry }, index) => {
      const record = readRecord(studyRecord, values[index]);
      const batch = record === undefined && leaf !== undefined ? batchOf(leaf) : undefined;
      if (leaf === undefined || batch === undefined)
        return judge(entry, record, undefined, { account, chain, provedAt });
      // That the study has no record of its own was proved, too: what the leaf says still stands.
      const opened = openLeaf(chain, idOf(entry.studyId), leaf, batch);
      const unused = typeof opened === 'string' ? undefined : opened;
      return judge(entry, unused, leaf, { account, chain, provedAt });
    }),
  );
}

function idOf(studyId: string): StudyId {
  return toStudyId(fromHex(studyId));
}

function batchKey({ source, batch }: StudyLeaf): string {
  return stateKeys.batch(source, batch);
}

function leafIn({ leaf }: MailboxEntry): StudyLeaf | undefined {
  if (leaf === null) return undefined;
  const { source, batch, index, entry, path } = leaf;
  return { source, batch: fromHex(batch), index, entry: fromHex(entry), path: path.map(fromHex) };
}

/** The means to act as a study's owner, from what the ledger says of its key; undefined if it is not this account's. */
export function recogniseStudy(
  account: Account,
  chain: Uint8Array,
  record: StudyRecord,
): RecognisedKey | undefined {
  const { ephemeral, batchIndex: index, tag, ownerKey } = record;
  return recogniseOneTime(account, { chain, ephemeral, index, tag, ownerKey });
}

interface Judging {
  readonly account: Account;
  readonly chain: Uint8Array;
  readonly provedAt: { readonly height: number; readonly time: number };
}

async function judge(
  entry: Omit<MailboxEntry, 'leaf'>,
  record: StudyRecord | undefined,
  leaf: StudyLeaf | undefined,
  { account, chain, provedAt }: Judging,
): Promise<OwnedStudy> {
  const studyId = toStudyId(fromHex(entry.studyId));
  const source = account.institution;
  const unverified = (reason: UnverifiedReason) => ({ kind: 'unverified', studyId, source, reason }) as const;
  if (record === undefined) return unverified('not-on-ledger');
  if (record.source !== source) return unverified('other-source');
  const recognised = recogniseStudy(account, chain, record);
  if (recognised === undefined) return unverified('not-yours');
  const ciphertext = fromHex(entry.note);
  if (!equalBytes(noteHash(ciphertext), record.noteHash)) return unverified('note-differs');
  const note = await openStudyNote(recognised.prk, record.batchIndex, record.commitment, ciphertext);
  if (note === undefined) return unverified('note-unreadable');
  return { kind: 'verified', studyId, source, note, record, leaf, provedAt, signer: recognised.signer };
}
