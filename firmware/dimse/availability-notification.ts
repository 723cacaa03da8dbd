/** Instance Availability Notification as SCP (PS3.4 annex R): a PACS says what it holds and where it is retrieved. */
import type { AvailabilityNotification, OnAvailable } from '../src/ports.ts';
import { commandField } from './command.ts';
import type { DataSet } from './data-set.ts';
import { itemsOf, textOf } from './data-set-access.ts';
import { referencedInstance, referencedSopSequenceTag } from './referenced-instances.ts';
import type { DimseService, ServiceOperation, ServiceResponse } from './service.ts';
import { status } from './status.ts';
import { availabilitySopClass, isUid } from './uids.ts';

const studyInstanceUidTag = '0020000D';
const referencedSeriesSequenceTag = '00081115';
const seriesInstanceUidTag = '0020000E';
const instanceAvailabilityTag = '00080056';
const retrieveAeTitleTag = '00080054';

/** PS3.3 C.4.23.1.1. */
const availabilities: ReadonlySet<string> = new Set(['ONLINE', 'NEARLINE', 'OFFLINE', 'UNAVAILABLE']);

/** Takes notifications. They are kept by the handler before they are answered 0x0000. */
export function availabilityService(onAvailable: OnAvailable): DimseService {
  return {
    sopClasses: [availabilitySopClass],
    requestorRole: 'scu',
    permission: 'availability',
    perform: (operation) => perform(operation, onAvailable),
  };
}

async function perform(
  { command, dataSet, peer }: ServiceOperation,
  onAvailable: OnAvailable,
): Promise<ServiceResponse> {
  if (command.commandField !== commandField.createRequest) return { status: status.unrecognizedOperation };
  const read = dataSet === undefined ? 'no data set' : readNotification(dataSet);
  if (typeof read === 'string') return { status: status.missingAttribute, comment: read };
  await onAvailable({ callingAeTitle: peer.callingAeTitle, ...read });
  return { status: status.success };
}

/** What it says, or which required attribute (PS3.4 table R.3.2-1) it lacks. */
function readNotification(dataSet: DataSet): Omit<AvailabilityNotification, 'callingAeTitle'> | string {
  const studyInstanceUid = uidOf(dataSet, studyInstanceUidTag);
  if (studyInstanceUid === undefined) return 'Study Instance UID (0020,000D)';
  const series: AvailabilityNotification['series'][number][] = [];
  for (const item of itemsOf(dataSet, referencedSeriesSequenceTag)) {
    const seriesInstanceUid = uidOf(item, seriesInstanceUidTag);
    if (seriesInstanceUid === undefined) return 'Series Instance UID (0020,000E)';
    const instances = itemsOf(item, referencedSopSequenceTag).map(readInstance);
    if (instances.length === 0 || !instances.every((instance) => instance !== undefined))
      return 'Referenced SOP Sequence (0008,1199)';
    series.push({ seriesInstanceUid, instances });
  }
  return series.length === 0 ? 'Referenced Series Sequence (0008,1115)' : { studyInstanceUid, series };
}

function readInstance(
  item: DataSet,
): AvailabilityNotification['series'][number]['instances'][number] | undefined {
  const reference = referencedInstance(item);
  const availability = textOf(item, instanceAvailabilityTag);
  const retrieveAeTitle = textOf(item, retrieveAeTitleTag);
  if (reference === undefined || retrieveAeTitle === undefined) return undefined;
  if (availability === undefined || !availabilities.has(availability)) return undefined;
  return { ...reference, availability, retrieveAeTitle };
}

function uidOf(dataSet: DataSet, tag: string): string | undefined {
  const uid = textOf(dataSet, tag);
  return uid !== undefined && isUid(uid) ? uid : undefined;
}
