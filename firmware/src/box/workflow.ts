/** What modalities ask besides keeping: procedure steps, composed of the DICOM room's services and the workflow room. */
import { procedureStepService, type DimseService } from '../../dimse/index.ts';
import type { StudySteps } from '../ingest/registrar.ts';
import { ProcedureSteps } from '../workflow/procedure-steps.ts';
import type { Foundation } from './foundation.ts';

export interface Workflow {
  readonly steps: StudySteps;
  readonly services: readonly DimseService[];
}

/** Before the studies are opened: the registrar asks for procedure steps from its start on. */
export async function openWorkflow({ index, clock, logger }: Foundation): Promise<Workflow> {
  const room = logger.child({ room: 'workflow' });
  const steps = new ProcedureSteps({ store: index, relay: undefined, clock, logger: room });
  await steps.load();
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
    services: [procedureStepService((message) => steps.take(message))],
  };
}
