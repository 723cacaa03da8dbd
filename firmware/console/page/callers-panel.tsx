/** Who may associate with the box: from where, for what, and when it last did. */
import { useState } from 'preact/hooks';
import type { AccessView, CallerBody, CallerView } from '../../src/http/dicom-contract.ts';
import { api } from './api.ts';
import { Ago } from './box-time.tsx';
import { CallerForm } from './caller-form.tsx';
import { ConfirmButton } from './confirm-button.tsx';
import { EchoButton } from './echo-button.tsx';
import { formatCount } from './format.ts';
import { Panel } from './panel.tsx';
import { Permissions, permissionWords } from './permissions.tsx';
import { Problem } from './problem.tsx';
import { useAct } from './use-act.ts';

interface CallersPanelProps {
  readonly access: AccessView;
  readonly administrates: boolean;
}

export function CallersPanel({ access: { callers, callersCount }, administrates }: CallersPanelProps) {
  return (
    <Panel id="callers" title="Admitted callers" note={noteOf(callers.length, callersCount)}>
      {callers.length === 0 ? (
        <p class="empty">
          <strong>Nobody is admitted yet.</strong> Name the modalities of the department here or in the
          configuration file; until then every association is refused.
        </p>
      ) : (
        <ul class="acts">
          {callers.map((caller) => (
            <CallerRow key={caller.id} caller={caller} administrates={administrates} />
          ))}
        </ul>
      )}
      {administrates && <NewCaller />}
    </Panel>
  );
}

function noteOf(shown: number, count: number): string {
  return shown === count ? formatCount(count) : `${formatCount(shown)} of ${formatCount(count)} shown`;
}

function CallerRow({
  caller,
  administrates,
}: {
  readonly caller: CallerView;
  readonly administrates: boolean;
}) {
  const [changing, setChanging] = useState(false);
  const act = useAct();
  const { id, callingAeTitle, admitted, seen } = caller;
  return (
    <li>
      <span class={seen === null ? 'sign' : 'sign good'} aria-hidden="true">
        {seen === null ? '–' : '✓'}
      </span>
      <div class="act-text">
        <p class="chips">
          <strong>{callingAeTitle}</strong>
          <Permissions may={caller.may} />
          {caller.mayCorrect && (
            <span class="badge notice" title="Its objects may correct attributes of what is kept">
              Corrects
            </span>
          )}
        </p>
        {seen !== null && seen.lacked.length > 0 && (
          <p class="bad-text">
            It asked for what it may not: {seen.lacked.map((name) => permissionWords[name]).join(', ')}.
          </p>
        )}
        <p class="muted small">{placeOf(caller)}</p>
        <p class="muted small">
          {admitted === null ? (
            'From the configuration file'
          ) : (
            <>
              Admitted by {admitted.by} <Ago at={admitted.at} />
            </>
          )}
        </p>
        <Problem refusal={act.refusal} />
      </div>
      <div class="act-state">
        <span class="second">
          {seen === null ? (
            'Not seen since the box was started'
          ) : (
            <>
              <Ago at={seen.at} />, {formatCount(seen.count)}{' '}
              {seen.count === 1 ? 'association' : 'associations'}
            </>
          )}
        </span>
        {administrates && (
          <div class="buttons">
            {caller.reachedAt !== null && (
              <EchoButton subject={callingAeTitle} echo={() => api.echoCaller(id)} />
            )}
            {admitted !== null && (
              <button
                type="button"
                class="quiet"
                aria-expanded={changing}
                aria-label={`Change … ${callingAeTitle}`}
                onClick={() => setChanging(!changing)}
              >
                Change …
              </button>
            )}
            {admitted !== null && (
              <ConfirmButton
                verb="Remove"
                subject={callingAeTitle}
                busy={act.busy}
                onConfirm={() => act.run(() => api.removeCaller(id))}
              />
            )}
          </div>
        )}
      </div>
      {changing && (
        <div class="act-more">
          <CallerForm
            scope={id}
            caller={caller}
            verb="Change"
            send={async (changed) => {
              await api.replaceCaller(id, changed);
              setChanging(false);
            }}
            onCancel={() => setChanging(false)}
          />
        </div>
      )}
    </li>
  );
}

function placeOf({ addresses, certificates, calledAeTitles, reachedAt }: CallerView): string {
  const parts = [addresses.length === 0 ? 'From any address' : `From ${addresses.join(', ')}`];
  if (certificates.length === 1) parts.push('with its certificate');
  if (certificates.length > 1) parts.push(`with one of ${certificates.length} certificates`);
  if (calledAeTitles.length > 0) parts.push(`calling ${calledAeTitles.join(' or ')}`);
  if (reachedAt !== null)
    parts.push(`reached at ${reachedAt.host}:${reachedAt.port}${reachedAt.tls ? ' over TLS' : ''}`);
  return parts.join(', ');
}

const newCaller: CallerBody = {
  callingAeTitle: '',
  addresses: [],
  certificates: [],
  calledAeTitles: [],
  may: ['store'],
  mayCorrect: false,
  reachedAt: null,
};

function NewCaller() {
  const [admitted, setAdmitted] = useState(0);
  return (
    <details>
      <summary>Admit a caller</summary>
      {/* A new key is a new form: empty again after each that was admitted. */}
      <CallerForm
        key={admitted}
        scope="new-caller"
        caller={newCaller}
        verb="Admit"
        send={async (caller) => {
          await api.admitCaller(caller);
          setAdmitted(admitted + 1);
        }}
      />
    </details>
  );
}
