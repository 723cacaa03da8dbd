/** What of a registration stands in a study's manifest before it is sent: its owner key, and its version with the note. */
import { randomBytes } from 'node:crypto';
import { equalBytes } from '../encoding/bytes.ts';
import type { ChainId } from '../ledger/types.ts';
import type { InstitutionId } from '../ports.ts';
import { deriveAccount } from '../protocol/accounts.ts';
import { clipNoteText, sealStudyNote } from '../protocol/notes.ts';
import { registerOwner } from '../protocol/owner-keys.ts';
import type { KeptStudy } from '../studies/kept-study.ts';
import { batchIndexOf } from '../studies/ledger-place.ts';
import type { OwnerDerived, VersionPlanned } from '../studies/manifest.ts';
import type { LocalPatient } from '../studies/patient-identity.ts';
import { commitmentTo, objectsToCommit } from '../studies/study-commitment.ts';

export interface WalletAddress {
  readonly spend: Uint8Array;
  readonly view: Uint8Array;
}

export interface OwnerKeys {
  readonly chain: ChainId;
  readonly institution: InstitutionId;
  /** The wallet that reception bound to this patient; without one the box holds the study in custody. */
  readonly walletOf: (patient: LocalPatient) => WalletAddress | undefined;
}

/** What the studies of one registration share. `r` is erased after the last of them. */
export interface Batch {
  readonly id: Uint8Array;
  readonly r: Uint8Array;
}

export function newBatch(): Batch {
  return { id: randomBytes(16), r: randomBytes(32) };
}

/** The study's one-time owner key at this index of the batch. */
export function deriveOwner(
  { chain, institution, walletOf }: OwnerKeys,
  study: KeptStudy,
  { id, r }: Batch,
  index: number,
): OwnerDerived {
  const wallet = walletOf(study.created.patient);
  const custodySeed = wallet === undefined ? randomBytes(32) : new Uint8Array(0);
  const { spend, view } = wallet ?? custodyAddress(custodySeed, institution);
  const derived = registerOwner({ chain, institution, spend, view, index }, r);
  return { is: 'owner', batch: id, ...derived, account: spend, custodySeed };
}

function custodyAddress(seed: Uint8Array, institution: InstitutionId): WalletAddress {
  const account = deriveAccount(seed, institution);
  return { spend: account.spend.publicKey, view: account.view };
}

/** The study as it is now, as the next version. The note of a commitment is sealed once and then used again. */
export async function composeVersion(
  study: KeptStudy,
  owner: OwnerDerived,
  number: number,
  { closed, at }: { readonly closed: boolean; readonly at: number },
): Promise<VersionPlanned> {
  const objects = objectsToCommit(study);
  const committed = commitmentTo(study, objects);
  const commitment = committed.commitment();
  const sealed =
    owner === study.owner ? study.noteFor((earlier) => equalBytes(earlier, commitment)) : undefined;
  const reference = objects === 0 ? study.reference : undefined;
  const modalities =
    reference?.modalities ?? study.newest.map((object) => clipNoteText(object.header.modality ?? ''));
  const note =
    sealed ??
    (await sealStudyNote(owner.prk, batchIndexOf(owner), commitment, {
      salt: study.created.salt,
      kind: reference === undefined ? 'imaging-study' : 'imaging-study-by-reference',
      studyInstanceUid: study.created.studyInstanceUid,
      date: clipNoteText(study.created.date),
      modalities: [...new Set(modalities)].slice(0, 16),
      description: clipNoteText(study.created.description),
      instances: reference?.instances ?? committed.instances.length,
      bytes: reference === undefined ? committed.bytes : 0,
    }));
  return { is: 'version', version: number, objects, commitment, note, closed, at };
}
