/** Where the box forwards to: what waits, what was refused and why, and what can be done about it. */
import type { DestinationView, SetAsideView } from '../../src/http/dicom-contract.ts';
import { api } from './api.ts';
import { Ago } from './box-time.tsx';
import { ConfirmButton } from './confirm-button.tsx';
import { EchoButton } from './echo-button.tsx';
import { Figure } from './figure.tsx';
import { formatCount, formatPersonName } from './format.ts';
import { Panel } from './panel.tsx';
import { Problem } from './problem.tsx';
import { ResendSince } from './resend-since.tsx';
import { useAct } from './use-act.ts';

interface DestinationsPanelProps {
  readonly destinations: readonly DestinationView[];
  readonly administrates: boolean;
}

export function DestinationsPanel({ destinations, administrates }: DestinationsPanelProps) {
  if (destinations.length === 0) {
    return (
      <Panel id="destinations" title="Destinations">
        <p class="empty">
          <strong>The box forwards nothing.</strong> Name the PACS in the configuration file, and what
          modalities send goes on to it as soon as it is kept here.
        </p>
      </Panel>
    );
  }
  return (
    <>
      {destinations.map((destination) => (
        <DestinationPanel key={destination.name} destination={destination} administrates={administrates} />
      ))}
    </>
  );
}

const states = {
  ready: { word: 'Ready', look: 'badge good', sign: '✓' },
  'held-back': { word: 'Held back', look: 'badge notice', sign: '‖' },
  failing: { word: 'Failing', look: 'badge bad', sign: '!' },
} as const;

interface DestinationProps {
  readonly destination: DestinationView;
  readonly administrates: boolean;
}

function DestinationPanel({ destination, administrates }: DestinationProps) {
  const act = useAct();
  const { name, aeTitle, host, port, state, failing, setAside } = destination;
  const { word, look, sign } = states[state];
  return (
    <Panel id={`destination-${name}`} title={aeTitle}>
      <div class="chips">
        <span class={look}>
          <span aria-hidden="true">{sign}</span> {word}
        </span>
        <code>
          {host}:{port}
        </code>
        {administrates && <EchoButton subject={aeTitle} echo={() => api.echoDestination(name)} />}
      </div>
      {failing !== null && (
        <p class="bad-text">
          {failing.reason} <span class="muted">since</span> <Ago at={failing.since} />
        </p>
      )}
      <dl class="figures three">
        <Figure term="Objects waiting" value={destination.waitingObjects} />
        <Figure term="Studies waiting" value={destination.waitingStudies} />
        <Figure
          term="Objects refused"
          value={destination.setAsideObjects}
          bad={destination.setAsideObjects > 0}
        />
      </dl>
      <Problem refusal={act.refusal} />
      {setAside.length > 0 && (
        <ul class="acts">
          {setAside.map((aside) => (
            <SetAsideRow
              key={aside.studyRef + aside.reason}
              destination={name}
              aside={aside}
              administrates={administrates}
            />
          ))}
        </ul>
      )}
      {administrates && (
        <div class="buttons">
          {destination.setAsideObjects > 0 && (
            <button
              type="button"
              class="quiet"
              disabled={act.busy}
              onClick={() => act.run(() => api.resend(name, { what: 'set-aside' }))}
            >
              Send all refused objects again
            </button>
          )}
          <ResendSince destination={name} />
        </div>
      )}
    </Panel>
  );
}

interface SetAsideProps {
  readonly destination: string;
  readonly aside: SetAsideView;
  readonly administrates: boolean;
}

function SetAsideRow({ destination, aside, administrates }: SetAsideProps) {
  const act = useAct();
  const { studyRef, objects, reason } = aside;
  const subject = formatPersonName(aside.patientName);
  return (
    <li>
      <span class="sign bad" aria-hidden="true">
        !
      </span>
      <div class="act-text">
        <p>
          <strong>{subject}</strong>
          {aside.description !== '' && <span class="act-subject">{aside.description}</span>}
        </p>
        <p class="bad-text">{reason}</p>
        <Problem refusal={act.refusal} />
      </div>
      <div class="act-state">
        <span class="second">
          {formatCount(objects)} {objects === 1 ? 'object' : 'objects'}, <Ago at={aside.at} />
        </span>
        {administrates && (
          <div class="buttons">
            <button
              type="button"
              class="quiet"
              disabled={act.busy}
              aria-label={`Send again the study of ${subject}`}
              onClick={() => act.run(() => api.resend(destination, { what: 'set-aside', studyRef }))}
            >
              Send again
            </button>
            <ConfirmButton
              verb="Give up"
              subject={`the study of ${subject}`}
              busy={act.busy}
              onConfirm={() => act.run(() => api.giveUp(destination, studyRef))}
            />
          </div>
        )}
      </div>
    </li>
  );
}
