/** Query/Retrieve, composed: the hospital's workstations find and pull what the box holds, member or not. */
import { QueryRetrieveScp, type DimseService } from '../../dimse/index.ts';
import { ThreadTranscoder } from '../../dimse/transcoding/thread-transcoder.ts';
import { coercionOf } from '../forwarding/coercion.ts';
import type { PatientCoercion, Service } from '../ports.ts';
import { HeldArchive } from '../query/archive.ts';
import { keptDataSet } from '../studies/kept-data-set.ts';
import type { KeptStudy } from '../studies/kept-study.ts';
import { moveDestinationsOf, reconcileWith } from './destinations.ts';
import type { Foundation } from './foundation.ts';
import type { Membership } from './membership.ts';

type Sources = Pick<Foundation, 'config' | 'catalogue' | 'clock' | 'logger' | 'certificates'>;

/** Fetched studies are found and sent under the patient ID under which they are delivered. */
export async function openQuery(
  foundation: Sources,
  membership: Pick<Membership, 'localPatientOf'> | undefined,
  start: (service: Service) => Promise<void>,
): Promise<readonly DimseService[]> {
  const { config, catalogue, clock, logger } = foundation;
  const coercion = (study: KeptStudy): PatientCoercion | undefined => {
    const { origin } = study.created;
    const local = origin.kind === 'fetched' ? membership?.localPatientOf(origin.studyId) : undefined;
    return coercionOf(study, local, clock.now());
  };
  const reconcile = reconcileWith(`Hilum ${config.institution.id}`);
  // Not the one of forwarding: a workstation does not wait for an archive's backlog, nor the other way round.
  const transcoder = new ThreadTranscoder(clock);
  await start(transcoder);
  const archive = new HeldArchive({
    catalogue,
    deliveredAs: coercion,
    dataSetOf: (study, object) => {
      const coerced = coercion(study);
      const kept = keptDataSet(study, object);
      return coerced === undefined ? kept : reconcile(kept, object.transferSyntaxUid, coerced);
    },
    transcoder,
  });
  const destinations = moveDestinationsOf(foundation);
  const scp = new QueryRetrieveScp({
    archive,
    destinationOf: (aeTitle) => destinations.get(aeTitle),
    logger: logger.child({ room: 'query' }),
  });
  await start(scp);
  return scp.services;
}
