/** Who was given what, who was refused, and the true reason: it stands here and nowhere else. */
import type { ReleaseView } from '../../src/http/contract.ts';
import { Ago } from './box-time.tsx';
import { formatBytes, formatCount, formatPersonName } from './format.ts';
import { Panel } from './panel.tsx';
import { useArrivals } from './use-arrivals.ts';

export function ReleasesPanel({ releases }: { readonly releases: readonly ReleaseView[] }) {
  const arrivalOf = useArrivals(releases.map(({ id }) => id));
  return (
    <Panel
      id="releases"
      title="Releases and refusals"
      {...(releases.length > 0 ? { note: `${formatCount(releases.length)} shown` } : {})}
    >
      {releases.length === 0 ? (
        <p class="empty">
          <strong>Nothing was asked for yet.</strong> When another hospital asks this one for a study, or this
          one asks another, it stands here: to whom or from whom, when, and why it was released or refused.
        </p>
      ) : (
        <ul class="acts">
          {releases.map((release) => (
            <ReleaseRow key={release.id} release={release} look={arrivalOf(release.id)} />
          ))}
        </ul>
      )}
    </Panel>
  );
}

const outcomes = {
  running: { word: 'Running', look: 'badge busy' },
  released: { word: 'Released', look: 'badge good' },
  refused: { word: 'Refused', look: 'badge notice' },
  failed: { word: 'Failed', look: 'badge bad' },
} as const;

function ReleaseRow({ release, look }: { readonly release: ReleaseView; readonly look: string }) {
  const { outcome, direction, bytes, objects } = release;
  // What this box released, it received at the other side.
  const word = outcome === 'released' && direction === 'in' ? 'Received' : outcomes[outcome].word;
  return (
    <li class={look}>
      <span class="arrow" aria-hidden="true">
        {direction === 'out' ? '↗' : '↙'}
      </span>
      <div class="act-text">
        <p>
          <strong>
            {direction === 'out' ? 'To ' : 'From '}
            {release.institutionName}
          </strong>
          {subjectOf(release) !== '' && <span class="act-subject">{subjectOf(release)}</span>}
        </p>
        <p class="muted">{release.reason}</p>
      </div>
      <div class="act-state">
        <span class={outcomes[outcome].look}>{word}</span>
        <span class="second">
          {objects > 0 && `${formatCount(objects)} objects, ${formatBytes(bytes)}, `}
          <Ago at={release.at} />
        </span>
      </div>
    </li>
  );
}

function subjectOf({ patientName, studyDescription }: ReleaseView): string {
  const patient = patientName === null ? [] : [formatPersonName(patientName)];
  return [...patient, ...(studyDescription === null ? [] : [studyDescription])].join(' · ');
}
