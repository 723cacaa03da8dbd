import type { AvailabilityNotification } from '../ports.ts';
import type { KeptStudy } from '../studies/kept-study.ts';
import type { ObjectKept } from '../studies/manifest.ts';
import { instancesPerNotificationMax } from './limits.ts';

type Notification = Omit<AvailabilityNotification, 'callingAeTitle'>;

/** What a study's notifications say: where each of its instances can be retrieved (PS3.4, table R.3.2-1). */
export function* availabilityOf(study: KeptStudy, retrieveAeTitle: string): Generator<Notification> {
  const { studyInstanceUid } = study.created;
  // An object that was corrected, or sent twice, is one instance.
  const instances = [...new Map(study.objects.map((object) => [object.sopInstanceUid, object])).values()];
  for (let first = 0; first < instances.length; first += instancesPerNotificationMax) {
    const part = instances.slice(first, first + instancesPerNotificationMax);
    const bySeries = Map.groupBy(part, ({ header }) => header.seriesInstanceUid ?? '');
    const series = [...bySeries].map(([seriesInstanceUid, objects]) => ({
      seriesInstanceUid,
      instances: objects.map((object) => available(object, retrieveAeTitle)),
    }));
    yield { studyInstanceUid, series };
  }
}

function available(
  { sopClassUid, sopInstanceUid }: ObjectKept,
  retrieveAeTitle: string,
): Notification['series'][number]['instances'][number] {
  return { sopClassUid, sopInstanceUid, availability: 'ONLINE', retrieveAeTitle };
}
