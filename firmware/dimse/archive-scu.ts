/** What an archive is asked as SCU of Study Root Query/Retrieve (PS3.4 annex C), one association for each question. */
import type { ArchivedInstance, ArchivedStudy, ArchiveScu } from '../src/ports.ts';
import { AppError } from '../src/errors.ts';
import { type Association, endingWell, openAssociation, type RetrieveProgress } from './association.ts';
import type { AssociationLimits, AssociationOptions } from './association-options.ts';
import type { DataElement, DataSet } from './data-set.ts';
import { text, textOf } from './data-set-access.ts';
import { moveResponseMsMax } from './limits.ts';
import { status, statusText } from './status.ts';
import { explicitVrLittleEndian, implicitVrLittleEndian } from './uids.ts';

const studyRootFind = '1.2.840.10008.5.1.4.1.2.2.1';
const studyRootMove = '1.2.840.10008.5.1.4.1.2.2.2';

export type ArchivePeer = Pick<
  AssociationOptions,
  'host' | 'port' | 'callingAeTitle' | 'calledAeTitle' | 'clock' | 'tls'
>;

/**
 * @param peer read anew for each association: certificates change while the box runs.
 * @param moveDestination AE title of our SCP, as the archive knows it: where a C-MOVE sends.
 */
export function archiveScu(peer: ArchivePeer, moveDestination: string): ArchiveScu {
  const asked = async <Result>(
    sopClassUid: string,
    signal: AbortSignal,
    ask: (association: Association) => Promise<Result>,
    limits: Partial<AssociationLimits> = {},
  ): Promise<Result> => {
    const transferSyntaxes = [explicitVrLittleEndian, implicitVrLittleEndian];
    const contexts = [{ abstractSyntax: sopClassUid, transferSyntaxes }];
    const association = await openAssociation({ ...peer, contexts, signal, limits });
    return endingWell(association, () => ask(association));
  };
  const list = (identifier: DataSet, signal: AbortSignal): Promise<DataSet[]> =>
    asked(studyRootFind, signal, async (association) => {
      const found: DataSet[] = [];
      for await (const match of association.find(studyRootFind, identifier, signal)) found.push(match);
      return found;
    });
  return {
    aeTitle: peer.calledAeTitle,
    async *studiesOf(day, signal) {
      for (const match of await list(studyIdentifier({ '00080020': text('DA', day) }), signal)) {
        const study = archivedStudy(match);
        if (study !== undefined) yield study;
      }
    },
    study: async (studyInstanceUid, signal) => {
      const identifier = studyIdentifier({ '0020000D': text('UI', studyInstanceUid) });
      const [match] = await list(identifier, signal);
      return match && archivedStudy(match);
    },
    instancesOf: async (studyInstanceUid, signal) => {
      const instances: ArchivedInstance[] = [];
      for (const series of await list(seriesIdentifier(studyInstanceUid), signal)) {
        const seriesInstanceUid = textOf(series, '0020000E') ?? '';
        const modality = textOf(series, '00080060') ?? '';
        for (const image of await list(imageIdentifier(studyInstanceUid, seriesInstanceUid), signal)) {
          const sopClassUid = textOf(image, '00080016') ?? '';
          const sopInstanceUid = textOf(image, '00080018') ?? '';
          instances.push({ seriesInstanceUid, modality, sopClassUid, sopInstanceUid });
        }
      }
      return instances;
    },
    move: (studyInstanceUid, signal, heard) => {
      const identifier = { '00080052': text('CS', 'STUDY'), '0020000D': text('UI', studyInstanceUid) };
      const ask = async (association: Association): ReturnType<ArchiveScu['move']> => {
        let last: RetrieveProgress | undefined;
        const progress = association.move(studyRootMove, moveDestination, identifier, signal);
        for await (const response of progress) {
          last = response;
          heard?.();
        }
        return movedBy(peer.calledAeTitle, last);
      };
      return asked(studyRootMove, signal, ask, { responseMsMax: moveResponseMsMax });
    },
  };
}

/** What a C-MOVE sent, unless it failed as a whole: then its counts say nothing (PS3.4 table C.4-2). */
function movedBy(
  aeTitle: string,
  last: RetrieveProgress | undefined,
): { readonly completed: number; readonly failed: number } {
  if (last === undefined)
    throw new AppError('DELIVERY_FAILED', `DICOM peer ${aeTitle}: answered C-MOVE with nothing`);
  const { completed, failed, comment } = last;
  if (last.status === status.success || last.status === status.subOperationsIncomplete)
    return { completed, failed };
  const said = comment === undefined ? '' : `, ${comment}`;
  throw new AppError(
    'DELIVERY_FAILED',
    `DICOM peer ${aeTitle}: answered C-MOVE with status ${statusText(last.status)}${said}`,
  );
}

/** A key without a value asks for the attribute. */
const wanted = (vr: string): DataElement => text(vr);

function studyIdentifier(keys: DataSet): DataSet {
  return {
    '00080020': wanted('DA'),
    '00080052': text('CS', 'STUDY'),
    '00081030': wanted('LO'),
    '00100010': wanted('PN'),
    '00100020': wanted('LO'),
    '00100021': wanted('LO'),
    '00100030': wanted('DA'),
    '00100040': wanted('CS'),
    '0020000D': wanted('UI'),
    ...keys,
  };
}

function seriesIdentifier(studyInstanceUid: string): DataSet {
  return {
    '00080052': text('CS', 'SERIES'),
    '00080060': wanted('CS'),
    '0020000D': text('UI', studyInstanceUid),
    '0020000E': wanted('UI'),
  };
}

function imageIdentifier(studyInstanceUid: string, seriesInstanceUid: string): DataSet {
  return {
    '00080016': wanted('UI'),
    '00080018': wanted('UI'),
    '00080052': text('CS', 'IMAGE'),
    '0020000D': text('UI', studyInstanceUid),
    '0020000E': text('UI', seriesInstanceUid),
  };
}

/** Undefined without a UID, by which alone it could be asked for. */
function archivedStudy(match: DataSet): ArchivedStudy | undefined {
  const studyInstanceUid = textOf(match, '0020000D');
  if (studyInstanceUid === undefined) return undefined;
  const of = (tag: string): string => textOf(match, tag) ?? '';
  return {
    studyInstanceUid,
    patientId: of('00100020'),
    issuer: of('00100021'),
    name: of('00100010'),
    birthDate: of('00100030'),
    sex: of('00100040'),
    date: of('00080020'),
    description: of('00081030'),
  };
}
