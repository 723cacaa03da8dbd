/**
 * What modalities ask besides keeping: storage commitment and procedure steps, composed of the DICOM room's services and
 * the workflow room.
 */
import {
  procedureStepService,
  relayProcedureStep,
  reportCommitment,
  storageCommitmentService,
  type DimseService,
} from '../../dimse/index.ts';
import type { AccessList } from '../access/access-list.ts';
import { AppError } from '../errors.ts';
import type { StudySteps } from '../ingest/registrar.ts';
import type { ReportCommitment, Service } from '../ports.ts';
import { ProcedureSteps } from '../workflow/procedure-steps.ts';
import { RelayQueue } from '../workflow/relay-queue.ts';
import { StorageCommitments } from '../workflow/storage-commitments.ts';
import { callBackOf } from './dicom-tls.ts';
import type { Foundation } from './foundation.ts';

type Sources = Pick<
  Foundation,
  'config' | 'index' | 'clock' | 'logger' | 'health' | 'catalogue' | 'quarantine' | 'certificates'
>;

export interface Workflow {
  readonly steps: StudySteps;
  readonly services: readonly DimseService[];
  /** What has not reached its receiver yet: results of storage commitments, messages of procedure steps. */
  waiting(): { readonly commitments: number; readonly procedureSteps: number };
  /** Once the studies are open: what is held is known from then on. */
  start(start: (service: Service) => Promise<void>): Promise<void>;
}

/** Before the studies are opened: the registrar asks for procedure steps from its start on. */
export async function openWorkflow(
  foundation: Sources,
  access: Pick<AccessList, 'reachedAt'>,
): Promise<Workflow> {
  const { index, clock, health, catalogue, quarantine } = foundation;
  const logger = foundation.logger.child({ room: 'workflow' });
  const relay = relayQueue(foundation);
  const steps = new ProcedureSteps({ store: index, relay, clock, logger });
  await steps.load();
  const commitments = new StorageCommitments({
    store: index,
    // What waits in quarantine may be what the modality means by this UID: it keeps its copy.
    sopClassOf: (uid) => (quarantine.holds(uid) ? undefined : catalogue.sopClassOf(uid)),
    report: reporter(foundation, access),
    clock,
    logger,
    health,
  });
  return {
    steps: {
      ofStudy: (study) =>
        steps.ofStudy({
          studyInstanceUid: study.created.studyInstanceUid,
          instanceCount: study.instanceCount,
          holds: (uid) => study.instances(uid).length > 0,
        }),
      onChange: (listener) => steps.onChange(listener),
    },
    services: [
      storageCommitmentService((request) => commitments.accept(request)),
      procedureStepService((message) => steps.take(message)),
    ],
    waiting: () => ({ commitments: commitments.waiting, procedureSteps: relay?.size ?? 0 }),
    start: async (start) => {
      if (relay !== undefined) await start(relay);
      await start(commitments);
    },
  };
}

/** To where the access list says that the requestor is reached: its association may be long over. */
function reporter({ clock, certificates }: Sources, access: Pick<AccessList, 'reachedAt'>): ReportCommitment {
  return async ({ callingAeTitle, calledAeTitle }, result, signal) => {
    const reachedAt = access.reachedAt(callingAeTitle);
    if (reachedAt === undefined)
      throw new AppError(
        'COMMITMENT_UNDELIVERED',
        `The access list does not say where ${callingAeTitle} is reached.`,
      );
    // We call as we were called.
    const aeTitles = { callingAeTitle: calledAeTitle, calledAeTitle: callingAeTitle };
    const peer = callBackOf(reachedAt, certificates);
    await reportCommitment({ ...peer, ...aeTitles, clock, signal }, result);
  };
}

function relayQueue(sources: Sources): RelayQueue | undefined {
  const { config, certificates, index, clock, logger, health } = sources;
  const { procedureSteps, dicom } = config;
  if (procedureSteps === undefined) return undefined;
  const { aeTitle } = procedureSteps;
  const aeTitles = { callingAeTitle: dicom.aeTitle, calledAeTitle: aeTitle };
  return new RelayQueue({
    destination: aeTitle,
    send: async (message, signal) => {
      const peer = callBackOf(procedureSteps, certificates);
      return relayProcedureStep({ ...peer, ...aeTitles, clock, signal }, message);
    },
    store: index,
    clock,
    logger: logger.child({ room: 'workflow' }),
    health,
  });
}
