/** Callers that were refused: the new modality that cannot connect is found here, and admitted. */
import { useState } from 'preact/hooks';
import type { CallerBody, PendingCallerView, PermissionName } from '../../src/http/dicom-contract.ts';
import { api } from './api.ts';
import { Ago } from './box-time.tsx';
import { CallerForm } from './caller-form.tsx';
import { formatCount } from './format.ts';
import { Panel } from './panel.tsx';
import { Problem } from './problem.tsx';
import { sopClassNames } from './sop-class-names.ts';
import { useAct } from './use-act.ts';

interface PendingPanelProps {
  readonly pending: readonly PendingCallerView[];
  /** By which the box may be called. */
  readonly aeTitles: readonly string[];
  readonly administrates: boolean;
}

export function PendingPanel({ pending, aeTitles, administrates }: PendingPanelProps) {
  return (
    <Panel
      id="pending"
      title="Refused callers"
      {...(pending.length > 0 ? { note: `${formatCount(pending.length)} shown` } : {})}
    >
      {pending.length === 0 ? (
        <p class="empty">
          <strong>Nobody was refused.</strong> A modality that is not admitted yet appears here as soon as it
          tries: let it send a C-ECHO.
        </p>
      ) : (
        <ul class="acts">
          {pending.map((caller) => (
            <PendingRow key={caller.id} caller={caller} aeTitles={aeTitles} administrates={administrates} />
          ))}
        </ul>
      )}
    </Panel>
  );
}

interface PendingRowProps extends Omit<PendingPanelProps, 'pending'> {
  readonly caller: PendingCallerView;
}

function PendingRow({ caller, aeTitles, administrates }: PendingRowProps) {
  const [admitting, setAdmitting] = useState(false);
  const act = useAct();
  const { id, callingAeTitle, remoteAddress, sopClassUids } = caller;
  return (
    <li>
      <span class="sign notice" aria-hidden="true">
        ?
      </span>
      <div class="act-text">
        <p>
          <strong>{callingAeTitle === '' ? 'No AE title' : callingAeTitle}</strong>
          <span class="act-subject">
            from <code>{remoteAddress}</code>
          </span>
        </p>
        <p class="bad-text">{groundOf(caller, aeTitles)}</p>
        <p class="muted small">Wants: {sopClassNames(sopClassUids).join(', ')}</p>
        <Problem refusal={act.refusal} />
      </div>
      <div class="act-state">
        <span class="second">
          <Ago at={caller.lastAt} />
          {caller.count > 1 && `, ${formatCount(caller.count)} times`}
        </span>
        {administrates && (
          <div class="buttons">
            {caller.ground !== 'called-ae-title' && (
              <button
                type="button"
                class="primary"
                aria-expanded={admitting}
                aria-label={`Admit ${callingAeTitle}`}
                onClick={() => setAdmitting(!admitting)}
              >
                Admit …
              </button>
            )}
            <button
              type="button"
              class="quiet"
              disabled={act.busy}
              aria-label={`Dismiss ${callingAeTitle}`}
              onClick={() => act.run(() => api.dismissCaller(id))}
            >
              Dismiss
            </button>
          </div>
        )}
      </div>
      {admitting && (
        <div class="act-more">
          <CallerForm
            scope={id}
            caller={suggestionFor(caller)}
            verb="Admit"
            send={async (admitted) => {
              await api.admitCaller(admitted);
              setAdmitting(false);
            }}
            onCancel={() => setAdmitting(false)}
          />
        </div>
      )}
    </li>
  );
}

function groundOf({ ground, calledAeTitle, certificate }: PendingCallerView, own: readonly string[]): string {
  switch (ground) {
    case 'unknown':
      return 'Nobody has admitted this AE title.';
    case 'called-ae-title':
      return `It called ${calledAeTitle}; this box is ${own.join(' or ')}. Correct it at the modality.`;
    case 'address':
      return 'The AE title is admitted, but not from this address.';
    case 'certificate':
      return certificate === null
        ? 'The AE title is admitted over TLS only, with its certificate.'
        : 'The AE title is admitted, but not with this certificate.';
  }
}

const asks: readonly (readonly [classes: RegExp, may: PermissionName | null])[] = [
  [/^1\.2\.840\.10008\.1\.1$/, null],
  [/^1\.2\.840\.10008\.5\.1\.4\.1\.2\.[12]\.1$/, 'query'],
  [/^1\.2\.840\.10008\.5\.1\.4\.1\.2\.[12]\.[23]$/, 'retrieve'],
  [/^1\.2\.840\.10008\.1\.20\.1$/, 'commitment'],
  [/^1\.2\.840\.10008\.3\.1\.2\.3\.3$/, 'procedure-step'],
  [/^1\.2\.840\.10008\.5\.1\.4\.33$/, 'availability'],
  // Everything else that modalities propose, private classes too, is storage.
  [/^/, 'store'],
];

/** Where it came from, what it showed, and what it proposed to do; to send, where it only asked by C-ECHO. */
function suggestionFor({
  callingAeTitle,
  remoteAddress,
  certificate,
  sopClassUids,
}: PendingCallerView): CallerBody {
  const wanted = sopClassUids.flatMap((uid) => asks.find(([classes]) => classes.test(uid))?.[1] ?? []);
  return {
    callingAeTitle,
    addresses: [remoteAddress],
    certificates: certificate === null ? [] : [certificate.sha256],
    calledAeTitles: [],
    may: wanted.length === 0 ? ['store'] : [...new Set(wanted)],
    mayCorrect: false,
    reachedAt: null,
  };
}
