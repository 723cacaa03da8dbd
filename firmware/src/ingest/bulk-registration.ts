/**
 * Registers studies of which nothing more is to come for now (those by reference) many at a time: one signature, one
 * record in the ledger's state. Each study's manifest holds its owner key, the proof of its entry and its first version
 * before anything is sent, so that after a crash the same registration is made again from the manifests alone.
 */
import { concatBytes, equalBytes, toHex } from '../encoding/bytes.ts';
import { merklePaths } from '../encoding/merkle-tree.ts';
import { encodeEntry, encodeTransaction, signingMessage } from '../ledger/index.ts';
import type { StudyRegisterBulk } from '../ledger/types.ts';
import type { Clock, Ledger, Signer, Submitted } from '../ports.ts';
import { noteHash } from '../protocol/notes.ts';
import type { KeptStudy } from '../studies/kept-study.ts';
import { leafOf, studyIdOf } from '../studies/ledger-place.ts';
import type { OwnerDerived, VersionPlanned } from '../studies/manifest.ts';
import { commitmentTo } from '../studies/study-commitment.ts';
import { transactionValidMs } from './limits.ts';
import { composeVersion, deriveOwner, newBatch, type OwnerKeys } from './registration-records.ts';

export interface BulkRegistrationOptions extends OwnerKeys {
  readonly ledger: Ledger;
  readonly signer: Signer;
  readonly clock: Clock;
}

/** Studies that are registered together, and what became of it. */
export interface BulkOutcome {
  readonly studies: readonly KeptStudy[];
  readonly submitted: Submitted;
}

interface Entry {
  readonly study: KeptStudy;
  readonly owner: OwnerDerived;
  readonly version: VersionPlanned;
}

function encoded({ owner, version }: Entry): Uint8Array {
  const { ownerKey, tag } = owner;
  return encodeEntry({ commitment: version.commitment, ownerKey, tag, noteHash: noteHash(version.note) });
}

/** One registration in bulk of these studies, or several where some were planned together before. */
export async function registerInBulk(
  options: BulkRegistrationOptions,
  studies: readonly KeptStudy[],
  signal: AbortSignal,
): Promise<readonly BulkOutcome[]> {
  const { planned, unplanned } = plannedBefore(studies, options);
  const fresh = unplanned.length === 0 ? [] : [await plan(options, unplanned)];
  return Promise.all(
    [...planned, ...fresh].map(async (entries) => ({
      studies: entries.map(({ study }) => study),
      submitted: await submit(options, entries, signal),
    })),
  );
}

/** Whole registrations that the manifests hold already. Of one that is not whole nothing was ever sent. */
function plannedBefore(
  studies: readonly KeptStudy[],
  { institution }: BulkRegistrationOptions,
): { readonly planned: readonly (readonly Entry[])[]; readonly unplanned: readonly KeptStudy[] } {
  const batches = new Map<string, Entry[]>();
  for (const study of studies) {
    const { owner } = study;
    const version = study.plan(1, (commitment) =>
      equalBytes(commitment, commitmentTo(study, 0).commitment()),
    );
    if (owner === undefined || version === undefined || leafOf(study, institution) === undefined) continue;
    const key = toHex(owner.batch);
    batches.set(key, [...(batches.get(key) ?? []), { study, owner, version }]);
  }
  const planned = [...batches.values()]
    .filter((entries) => entries.length === entries[0]?.owner.bulk?.count)
    .map((entries) => entries.sort((a, b) => (a.owner.bulk?.index ?? 0) - (b.owner.bulk?.index ?? 0)));
  const whole = new Set(planned.flat().map(({ study }) => study));
  return { planned, unplanned: studies.filter((study) => !whole.has(study)) };
}

/** On disk when it resolves: in each manifest what its study needs, whatever becomes of the others. */
async function plan(
  options: BulkRegistrationOptions,
  studies: readonly KeptStudy[],
): Promise<readonly Entry[]> {
  const { chain, institution, clock } = options;
  const batch = newBatch();
  const at = clock.now();
  const count = studies.length;
  const entries = await Promise.all(
    studies.map(async (study, index): Promise<Entry> => {
      const owner = { ...deriveOwner(options, study, batch, index), bulk: { index, count, path: [] } };
      return { study, owner, version: await composeVersion(study, owner, 1, { closed: false, at }) };
    }),
  );
  batch.r.fill(0);
  const paths = merklePaths(entries.map(encoded));
  return Promise.all(
    entries.map(async ({ study, owner, version }, index) => {
      const proved = { ...owner, bulk: { index, count, path: paths[index] ?? [] } };
      await study.append(proved);
      await study.append(version);
      study.studyId = studyIdOf(study, chain, institution);
      return { study, owner: proved, version };
    }),
  );
}

function submit(
  { chain, institution, ledger, signer, clock }: BulkRegistrationOptions,
  entries: readonly Entry[],
  signal: AbortSignal,
): Promise<Submitted> {
  const [first] = entries;
  if (first === undefined) throw new RangeError('nothing to register');
  const body: StudyRegisterBulk = {
    type: 'study.registerBulk',
    chain,
    validUntil: clock.now() + transactionValidMs,
    source: institution,
    batch: first.owner.batch,
    ephemeral: first.owner.ephemeral,
    entries: concatBytes(...entries.map(encoded)),
  };
  const signatures = [signer.sign(signingMessage(body))];
  return ledger.submit(encodeTransaction({ body, signatures }), signal);
}
