/** What a Modality Performed Procedure Step says that this box acts on, and how its state may change: pure (PS3.4 F.7). */
import type { DataSet, ProcedureStepAnswer } from '../ports.ts';
import { stepStudiesMax } from './limits.ts';

export const stepStates = ['IN PROGRESS', 'COMPLETED', 'DISCONTINUED'] as const;
/** Performed Procedure Step Status (0040,0252). */
export type StepState = (typeof stepStates)[number];

export interface ProcedureStep {
  readonly sopInstanceUid: string;
  readonly callingAeTitle: string;
  readonly state: StepState;
  /** Study Instance UIDs of Scheduled Step Attributes Sequence (0040,0270). */
  readonly studies: readonly string[];
  /** SOP Instance UIDs of Performed Series Sequence (0040,0340): images and others. */
  readonly instances: readonly string[];
  /** Last change, UTC milliseconds. */
  readonly at: number;
}

const statusTag = '00400252';
const scheduledStepAttributesSequenceTag = '00400270';
const performedSeriesSequenceTag = '00400340';
const referencedImageSequenceTag = '00081140';
const referencedNonImageSequenceTag = '00400220';
const studyInstanceUidTag = '0020000D';
const referencedSopInstanceUidTag = '00081155';

/** The step that an N-CREATE makes, or why it makes none. */
export function createdStep(
  message: Pick<ProcedureStep, 'sopInstanceUid' | 'callingAeTitle' | 'at'> & { readonly dataSet: DataSet },
): ProcedureStep | ProcedureStepAnswer {
  const { sopInstanceUid, callingAeTitle, at, dataSet } = message;
  const state = textOf(dataSet, statusTag);
  if (state === undefined) return 'status missing';
  if (state !== 'IN PROGRESS') return 'status invalid';
  return {
    sopInstanceUid,
    callingAeTitle,
    state,
    studies: studiesOf(dataSet) ?? [],
    instances: instancesOf(dataSet) ?? [],
    at,
  };
}

/** The step after an N-SET, or why it stays as it was. What the message does not name stays. */
export function changedStep(
  step: ProcedureStep,
  { dataSet, at }: { readonly dataSet: DataSet; readonly at: number },
): ProcedureStep | ProcedureStepAnswer {
  if (hasEnded(step)) return 'ended';
  const state = textOf(dataSet, statusTag) ?? step.state;
  if (!isStepState(state)) return 'status invalid';
  return {
    ...step,
    state,
    studies: studiesOf(dataSet) ?? step.studies,
    instances: instancesOf(dataSet) ?? step.instances,
    at,
  };
}

export function hasEnded({ state }: Pick<ProcedureStep, 'state'>): boolean {
  return state !== 'IN PROGRESS';
}

function isStepState(text: string): text is StepState {
  return (stepStates as readonly string[]).includes(text);
}

/** Undefined if the data set does not speak of it. */
function studiesOf(dataSet: DataSet): readonly string[] | undefined {
  if (dataSet[scheduledStepAttributesSequenceTag] === undefined) return undefined;
  const uids = itemsOf(dataSet, scheduledStepAttributesSequenceTag).map((item) =>
    textOf(item, studyInstanceUidTag),
  );
  return [...new Set(uids.filter((uid) => uid !== undefined))].slice(0, stepStudiesMax);
}

/** Undefined if the data set does not speak of it. */
function instancesOf(dataSet: DataSet): readonly string[] | undefined {
  if (dataSet[performedSeriesSequenceTag] === undefined) return undefined;
  const uids = itemsOf(dataSet, performedSeriesSequenceTag)
    .flatMap((series) => [
      ...itemsOf(series, referencedImageSequenceTag),
      ...itemsOf(series, referencedNonImageSequenceTag),
    ])
    .map((reference) => textOf(reference, referencedSopInstanceUidTag));
  return [...new Set(uids.filter((uid) => uid !== undefined))];
}

function textOf(dataSet: DataSet, tag: string): string | undefined {
  const value = dataSet[tag]?.values[0];
  return typeof value === 'string' && value !== '' ? value : undefined;
}

function itemsOf(dataSet: DataSet, tag: string): readonly DataSet[] {
  return (dataSet[tag]?.values ?? []).filter((value) => typeof value !== 'string');
}
