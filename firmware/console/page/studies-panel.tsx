/** Studies that came in, newest first: whose, what, and how far each has got. */
import type { Overview, StudyView } from '../../src/http/contract.ts';
import { Ago } from './box-time.tsx';
import { CopyText } from './copy-text.tsx';
import { formatBytes, formatCount, formatDicomDate, formatPersonName } from './format.ts';
import { Panel } from './panel.tsx';
import { useArrivals } from './use-arrivals.ts';

interface StudiesPanelProps {
  readonly studies: readonly StudyView[];
  readonly dicom: Overview['box']['dicom'];
}

export function StudiesPanel({ studies, dicom }: StudiesPanelProps) {
  const arrivalOf = useArrivals(studies.map(({ studyInstanceUid }) => studyInstanceUid));
  return (
    <Panel id="studies" title="Studies received" {...(studies.length > 0 ? { note: noteOf(studies) } : {})}>
      {studies.length === 0 ? (
        <FirstStudy dicom={dicom} />
      ) : (
        <StudyTable studies={studies} arrivalOf={arrivalOf} />
      )}
    </Panel>
  );
}

function noteOf(studies: readonly StudyView[]): string {
  const receiving = studies.filter(({ state }) => state === 'receiving').length;
  const shown = `${formatCount(studies.length)} shown`;
  return receiving === 0 ? shown : `${shown}, ${receiving} arriving now`;
}

interface StudyTableProps {
  readonly studies: readonly StudyView[];
  readonly arrivalOf: (studyInstanceUid: string) => string;
}

/** The roles say again what the elements are: on a phone they are laid out as cards, and would lose it. */
function StudyTable({ studies, arrivalOf }: StudyTableProps) {
  return (
    <table role="table" class="rows">
      <thead role="rowgroup">
        <tr role="row">
          <th role="columnheader" scope="col" class="patient-column">
            Patient
          </th>
          <th role="columnheader" scope="col" class="study-column">
            Study
          </th>
          <th role="columnheader" scope="col">
            From
          </th>
          <th role="columnheader" scope="col" class="figure">
            Objects
          </th>
          <th role="columnheader" scope="col">
            State
          </th>
          <th role="columnheader" scope="col">
            Ledger
          </th>
        </tr>
      </thead>
      <tbody role="rowgroup">
        {studies.map((study) => (
          <StudyRow key={study.studyInstanceUid} study={study} look={arrivalOf(study.studyInstanceUid)} />
        ))}
      </tbody>
    </table>
  );
}

function StudyRow({ study, look }: { readonly study: StudyView; readonly look: string }) {
  return (
    <tr role="row" class={look}>
      <td role="cell" class="lead-cell">
        <strong>{formatPersonName(study.patientName)}</strong>
        <span class="second">{study.patientId}</span>
      </td>
      <td role="cell" data-label="Study">
        <span>
          <span class="badge modality">{study.modality === '' ? '?' : study.modality}</span>{' '}
          {study.description === '' ? 'No description' : study.description}
        </span>
        <span class="second">{formatDicomDate(study.studyDate)}</span>
      </td>
      <td role="cell" data-label="From">
        <Origin origin={study.origin} />
      </td>
      <td role="cell" data-label="Objects" class="figure">
        {formatCount(study.objects)}
        <span class="second">{formatBytes(study.bytes)}</span>
      </td>
      <td role="cell" data-label="State">
        <StudyState study={study} />
      </td>
      <td role="cell" data-label="Ledger">
        <LedgerState study={study} />
      </td>
    </tr>
  );
}

function Origin({ origin }: { readonly origin: StudyView['origin'] }) {
  switch (origin.kind) {
    case 'received':
      return (
        <>
          <code>{origin.aeTitle}</code>
          <span class="second">this hospital</span>
        </>
      );
    case 'referenced':
      return (
        <>
          <code>{origin.aeTitle}</code>
          <span class="second">{origin.pulled ? 'by reference, pulled' : 'by reference, in the PACS'}</span>
        </>
      );
    case 'fetched':
      return (
        <>
          {origin.name}
          <span class="second">with the patient’s grant</span>
        </>
      );
  }
}

function StudyState({ study }: { readonly study: StudyView }) {
  return (
    <>
      {study.state === 'receiving' ? (
        <span class="badge busy">
          <span class="dot pulse" aria-hidden="true" /> Receiving
        </span>
      ) : (
        <span class="badge good">Complete</span>
      )}
      <span class="second">
        <Ago at={study.updatedAt} />
      </span>
      {study.deliveries.map(({ aeTitle, state }) => (
        <span key={aeTitle} class={state === 'failed' ? 'second bad-text' : 'second'}>
          {deliveryWords[state]} {aeTitle}
        </span>
      ))}
    </>
  );
}

const deliveryWords = {
  waiting: 'Going to',
  delivered: 'Delivered to',
  failed: 'Not delivered to',
} as const;

function LedgerState({ study: { ledger, owner } }: { readonly study: StudyView }) {
  switch (ledger.kind) {
    case 'waiting':
      return <span class="badge">Waiting</span>;
    case 'refused':
      return (
        <>
          <span class="badge bad">Refused</span>
          <span class="second">{ledger.reason}</span>
        </>
      );
    case 'final':
      return (
        <>
          <span class="badge good">Final</span>
          <span class="second">
            <Ago at={ledger.at} />
            {!ledger.closed && ', growing'}
          </span>
          {owner !== 'elsewhere' && (
            <span class="second">{owner === 'wallet' ? 'patient’s wallet' : 'held for patient'}</span>
          )}
        </>
      );
  }
}

function FirstStudy({ dicom }: { readonly dicom: Overview['box']['dicom'] }) {
  const everywhere = dicom.host === '0.0.0.0' || dicom.host === '::';
  const host = everywhere ? location.hostname : dicom.host;
  return (
    <div class="empty">
      <p>
        <strong>No study has arrived yet.</strong> Point a modality or a PACS at AE title{' '}
        <code>{dicom.aeTitle}</code>, host <code>{host}</code>, port <code>{dicom.port}</code>, or send a
        folder with dcmtk:
      </p>
      <CopyText
        label="the command that sends a first study"
        text={`storescu -aec ${dicom.aeTitle} +sd +r ${host} ${dicom.port} FOLDER`}
      />
      <p class="muted">It appears here while it arrives, without a reload.</p>
    </div>
  );
}
