/** Forwarding, composed: the box sends to its destinations whether or not it is a member of a consortium. */
import { ThreadTranscoder } from '../../dimse/transcoding/thread-transcoder.ts';
import { Forwarding } from '../forwarding/forwarding.ts';
import type { StudySteps } from '../ingest/registrar.ts';
import { completionTime, type StudyTiming } from '../ingest/registration-plan.ts';
import type { Service } from '../ports.ts';
import type { LocalPatient } from '../studies/patient-identity.ts';
import type { KeptStudy } from '../studies/kept-study.ts';
import { destinationsOf, reconcileWith } from './destinations.ts';
import type { Foundation } from './foundation.ts';
import type { Undo } from './undo.ts';

/** Called once the catalogue is loaded, by whoever knows which patient an account belongs to. */
export type OpenForwarding = (
  patientOf: (account: Uint8Array) => LocalPatient | undefined,
) => Promise<Forwarding>;

export function forwardingOpener(
  foundation: Foundation,
  steps: StudySteps,
  undo: Undo,
  start: (service: Service) => Promise<void>,
): OpenForwarding {
  const { config, catalogue, index, clock, health, logger } = foundation;
  const destinations = destinationsOf(foundation);
  return async (patientOf) => {
    const transcoder = new ThreadTranscoder(clock);
    await start(transcoder);
    const forwarding = new Forwarding({
      destinations,
      catalogue,
      reconcile: reconcileWith(`Hilum ${config.institution.id}`),
      patientOf,
      transcoder,
      completeAt: (study) => completionOf(study, steps, config.study),
      retrieveAeTitle: config.dicom.aeTitle,
      store: index,
      clock,
      logger: logger.child({ room: 'forwarding' }),
      health,
    });
    await start(forwarding);
    undo.later(
      steps.onChange((studyInstanceUid) => {
        for (const study of catalogue.studiesUnder(studyInstanceUid)) forwarding.reconsider(study);
      }),
    );
    return forwarding;
  };
}

/** What was fetched is whole when it is enqueued; what modalities send is complete as for the ledger. */
function completionOf(study: KeptStudy, steps: StudySteps, timing: StudyTiming): number {
  const { openSince: firstObjectAt, lastObjectAt, created } = study;
  if (created.origin.kind === 'fetched') return lastObjectAt;
  const progress = { steps: steps.ofStudy(study), firstObjectAt, lastObjectAt, registered: undefined };
  return completionTime(progress, timing);
}
