/** The hospital's archive, registered by reference: how far its past is known, and what is coming from it. */
import type { SidecarView } from '../../src/http/dicom-contract.ts';
import { Ago } from './box-time.tsx';
import { Figure } from './figure.tsx';
import { formatCount, formatDicomDate } from './format.ts';
import { IncompleteStudies } from './incomplete-studies.tsx';
import { Panel } from './panel.tsx';

const states = {
  running: { word: 'Reading its past', look: 'badge notice', sign: '…' },
  'held back': { word: 'Waits for its hours', look: 'badge notice', sign: '‖' },
  failing: { word: 'Failing', look: 'badge bad', sign: '!' },
  done: { word: 'Past is registered', look: 'badge good', sign: '✓' },
} as const;

interface SidecarPanelProps {
  readonly sidecar: SidecarView;
  readonly administrates: boolean;
}

export function SidecarPanel({ sidecar, administrates }: SidecarPanelProps) {
  const { archive, pulling, backfill } = sidecar;
  return (
    <Panel id="archive" title={`Archive ${archive}`}>
      {backfill === null ? (
        <p class="empty">Its past is not registered: the configuration names no days.</p>
      ) : (
        <Progress backfill={backfill} />
      )}
      <p>
        <strong>{formatCount(pulling)}</strong> {pulling === 1 ? 'study is' : 'studies are'} being pulled.
      </p>
      <IncompleteStudies sidecar={sidecar} administrates={administrates} />
    </Panel>
  );
}

function Progress({ backfill }: { readonly backfill: NonNullable<SidecarView['backfill']> }) {
  const { state, from, to, days, daysDone, found, registered, leftOut, begunAt, reason } = backfill;
  const { word, look, sign } = states[state];
  return (
    <>
      <div class="chips">
        <span class={look}>
          <span aria-hidden="true">{sign}</span> {word}
        </span>
        <span>
          {formatDicomDate(to)} back to {formatDicomDate(from)}
        </span>
        <span class="muted">
          begun <Ago at={begunAt} />
        </span>
      </div>
      <p>
        <label>
          {formatCount(daysDone)} of {formatCount(days)} days{' '}
          <progress value={daysDone} max={Math.max(1, days)} />
        </label>
      </p>
      {reason !== '' && <p class="bad-text">{reason}</p>}
      <dl class="figures three">
        <Figure term="Studies found" value={found} />
        <Figure term="Registered" value={registered} />
        <Figure term="Left out" value={leftOut} />
      </dl>
    </>
  );
}
