/** Objects that are held back, and why: released into their study, or discarded, by an administrator. */
import type { QuarantinedView, QuarantineView } from '../../src/http/dicom-contract.ts';
import { api } from './api.ts';
import { Ago } from './box-time.tsx';
import { ConfirmButton } from './confirm-button.tsx';
import { formatBytes, formatCount, formatPersonName } from './format.ts';
import { Panel } from './panel.tsx';
import { Problem } from './problem.tsx';
import { useAct } from './use-act.ts';

interface QuarantinePanelProps {
  readonly quarantine: QuarantineView;
  readonly administrates: boolean;
}

export function QuarantinePanel({ quarantine, administrates }: QuarantinePanelProps) {
  const { count, bytes, objects } = quarantine;
  return (
    <Panel
      id="quarantine"
      title="Quarantine"
      {...(count > 0 ? { note: `${formatCount(count)} held, ${formatBytes(bytes)}` } : {})}
    >
      {count === 0 ? (
        <p class="empty">
          <strong>Nothing is held back.</strong> An object that contradicts what is kept, or that cannot be
          read, waits here for an administrator. It is not forwarded, found or shared before.
        </p>
      ) : (
        <ul class="acts">
          {objects.map((object) => (
            <QuarantinedRow key={object.id} object={object} administrates={administrates} />
          ))}
        </ul>
      )}
    </Panel>
  );
}

interface QuarantinedProps {
  readonly object: QuarantinedView;
  readonly administrates: boolean;
}

function QuarantinedRow({ object, administrates }: QuarantinedProps) {
  const act = useAct();
  const { id, patientName, patientId, modality, description, sopInstanceUid } = object;
  const subject = patientName === '' ? 'the object' : `the object of ${formatPersonName(patientName)}`;
  return (
    <li>
      <span class="sign bad" aria-hidden="true">
        !
      </span>
      <div class="act-text">
        <p class="chips">
          <strong>{patientName === '' ? 'Unreadable' : formatPersonName(patientName)}</strong>
          {patientId !== '' && <span class="muted">{patientId}</span>}
          {modality !== '' && <span class="badge modality">{modality}</span>}
          {description}
        </p>
        <p class="bad-text">{object.reason}</p>
        <p class="muted small">
          From {object.callingAeTitle}, {formatBytes(object.bytes)}
          {sopInstanceUid !== '' && `, ${sopInstanceUid}`}
        </p>
        <Problem refusal={act.refusal} />
      </div>
      <div class="act-state">
        <span class="second">
          <Ago at={object.at} />
        </span>
        {administrates && (
          <div class="buttons">
            {object.releasable && (
              <ConfirmButton
                verb="Release"
                subject={subject}
                busy={act.busy}
                onConfirm={() => act.run(() => api.releaseFromQuarantine(id))}
              />
            )}
            <ConfirmButton
              verb="Discard"
              subject={subject}
              busy={act.busy}
              onConfirm={() => act.run(() => api.discardFromQuarantine(id))}
            />
          </div>
        )}
      </div>
    </li>
  );
}
