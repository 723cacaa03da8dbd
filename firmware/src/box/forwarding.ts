/** Forwarding, composed: the box sends to its destinations whether or not it is a member of a consortium. */
import { ThreadTranscoder } from '../../dimse/transcoding/thread-transcoder.ts';
import { Forwarding } from '../forwarding/forwarding.ts';
import type { Service } from '../ports.ts';
import type { LocalPatient } from '../studies/patient-identity.ts';
import { destinationsOf, reconcileWith } from './destinations.ts';
import type { Foundation } from './foundation.ts';

/** Called once the catalogue is loaded, by whoever knows which patient an account belongs to. */
export type OpenForwarding = (
  patientOf: (account: Uint8Array) => LocalPatient | undefined,
) => Promise<Forwarding>;

export function forwardingOpener(
  foundation: Foundation,
  start: (service: Service) => Promise<void>,
): OpenForwarding {
  const { config, catalogue, index, clock, health, logger } = foundation;
  const destinations = destinationsOf(config, clock);
  return async (patientOf) => {
    const transcoder = new ThreadTranscoder(clock);
    await start(transcoder);
    const forwarding = new Forwarding({
      destinations,
      catalogue,
      reconcile: reconcileWith(`Hilum ${config.institution.id}`),
      patientOf,
      transcoder,
      store: index,
      clock,
      logger: logger.child({ room: 'forwarding' }),
      health,
    });
    await start(forwarding);
    return forwarding;
  };
}
