/** Instance Availability Notification as SCU (PS3.4 annex R): the attributes of its N-CREATE (table R.3.2-1). */
import type { AvailabilityNotification } from '../src/ports.ts';
import type { DataSet } from './data-set.ts';
import { sequence, text } from './data-set-access.ts';
import { referencedSopSequenceTag, referenceTo } from './referenced-instances.ts';

export function availabilityDataSet({
  studyInstanceUid,
  series,
}: Omit<AvailabilityNotification, 'callingAeTitle'>): DataSet {
  return {
    // Referenced Performed Procedure Step Sequence: type 2, none is known.
    '00081111': sequence([]),
    '0020000D': text('UI', studyInstanceUid),
    '00081115': sequence(
      series.map(({ seriesInstanceUid, instances }) => ({
        '0020000E': text('UI', seriesInstanceUid),
        [referencedSopSequenceTag]: sequence(
          instances.map((instance) => ({
            ...referenceTo(instance),
            '00080056': text('CS', instance.availability),
            '00080054': text('AE', instance.retrieveAeTitle),
          })),
        ),
      })),
    ),
  };
}
