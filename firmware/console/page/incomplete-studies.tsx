/** Studies of which the archive gave less than it had listed, until an administrator accepts them as they are. */
import type { IncompleteView, SidecarView } from '../../src/http/dicom-contract.ts';
import { api } from './api.ts';
import { Ago } from './box-time.tsx';
import { ConfirmButton } from './confirm-button.tsx';
import { formatCount, formatDicomDate, formatPersonName } from './format.ts';
import { Problem } from './problem.tsx';
import { useAct } from './use-act.ts';

interface IncompleteStudiesProps {
  readonly sidecar: SidecarView;
  readonly administrates: boolean;
}

export function IncompleteStudies({ sidecar, administrates }: IncompleteStudiesProps) {
  const { incomplete, incompleteCount } = sidecar;
  if (incompleteCount === 0) return null;
  return (
    <>
      <h3>
        Incomplete studies
        {incompleteCount > incomplete.length &&
          `, ${formatCount(incomplete.length)} of ${formatCount(incompleteCount)} shown`}
      </h3>
      <ul class="acts">
        {incomplete.map((study) => (
          <IncompleteRow key={study.studyRef} study={study} administrates={administrates} />
        ))}
      </ul>
    </>
  );
}

interface IncompleteRowProps {
  readonly study: IncompleteView;
  readonly administrates: boolean;
}

function IncompleteRow({ study, administrates }: IncompleteRowProps) {
  const act = useAct();
  const { studyRef, patientName, patientId, studyDate, description, objects, missing, at } = study;
  const name = formatPersonName(patientName);
  return (
    <li>
      <span class="sign bad" aria-hidden="true">
        !
      </span>
      <div class="act-text">
        <p class="chips">
          <strong>{name}</strong>
          <span class="muted">{patientId}</span>
          {description} {formatDicomDate(studyDate)}
        </p>
        <p class="bad-text">
          {formatCount(missing)} of {formatCount(objects + missing)} objects were listed by the archive and
          not given.
        </p>
        <Problem refusal={act.refusal} />
      </div>
      <div class="act-state">
        <span class="second">
          <Ago at={at} />
        </span>
        {administrates && (
          <div class="buttons">
            <ConfirmButton
              verb="Accept"
              subject={`the study of ${name} as it is`}
              busy={act.busy}
              onConfirm={() => act.run(() => api.acceptIncomplete(studyRef))}
            />
          </div>
        )}
      </div>
    </li>
  );
}
