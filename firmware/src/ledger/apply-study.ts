/** Rules of study.register and study.amend. */
import { studyId, toStudyId } from './ids.ts';
import { isPrimeOrderKey } from './public-keys.ts';
import { signingInstitution, type Outcome, type RuleContext } from './rule.ts';
import type { LedgerSnapshot } from './state.ts';
import type { StudyAmend, StudyRegister } from './types.ts';

/** Signed by the source. All entries are registered, or none. */
export function registerStudies(state: LedgerSnapshot, body: StudyRegister, context: RuleContext): Outcome {
  const source = signingInstitution(state, body.source, context.time);
  if (typeof source === 'string') return source;
  const ids = body.entries.map((_, index) => studyId(body.chain, body.source, body.batch, index));
  if (ids.some((id) => state.study(id) !== undefined)) return 'study-exists';
  if (!context.signedBy(source.keys.transaction)) return 'bad-signature';
  let next = state;
  for (const [index, id] of ids.entries()) {
    const entry = body.entries[index] as StudyRegister['entries'][number];
    if (!isPrimeOrderKey(entry.ownerKey)) return 'bad-key';
    next = next.withStudy(id, {
      source: body.source,
      ownerKey: entry.ownerKey,
      ownerEpoch: 0,
      ephemeral: body.ephemeral,
      batchIndex: index,
      tag: entry.tag,
      commitment: entry.commitment,
      noteHash: entry.noteHash,
      version: 1,
      closed: false,
      registeredAt: context.time,
      amendedAt: context.time,
      grantSeq: 0,
      revokedUpTo: 0,
      opens: 0,
    });
  }
  return next;
}

/** Signed by the source, version by version. */
export function amendStudy(state: LedgerSnapshot, body: StudyAmend, context: RuleContext): Outcome {
  const source = signingInstitution(state, body.source, context.time);
  if (typeof source === 'string') return source;
  const id = toStudyId(body.studyId);
  const study = state.study(id);
  if (study === undefined) return 'unknown-study';
  if (study.source !== body.source) return 'not-the-source';
  if (body.version <= study.version) return 'version-stale';
  if (body.version > study.version + 1) return 'version-gap';
  if (!context.signedBy(source.keys.transaction)) return 'bad-signature';
  return state.withStudy(id, {
    ...study,
    commitment: body.commitment,
    noteHash: body.noteHash,
    version: body.version,
    closed: body.closed,
    amendedAt: context.time,
  });
}
