/** This box: how modalities reach it, how it keeps its keys, how full it is. */
import type { Overview } from '../../src/http/contract.ts';
import type { DicomTlsView } from '../../src/http/dicom-contract.ts';
import { Ago } from './box-time.tsx';
import { formatBytes, formatCount, formatDay } from './format.ts';
import { Panel } from './panel.tsx';

const tpmWords = {
  ready: 'Ready',
  absent: 'Absent',
  'locked-out': 'Locked out',
  'policy-mismatch': 'Other firmware',
  wedged: 'Does not answer',
  'wrong-tpm': 'Not this box’s TPM',
} as const satisfies Record<Overview['box']['tpm'], string>;

interface BoxPanelProps {
  readonly box: Overview['box'];
  readonly workflow: Overview['workflow'];
}

export function BoxPanel({ box, workflow }: BoxPanelProps) {
  const { dicom, storage, tpm } = box;
  const total = storage.usedBytes + storage.freeBytes;
  return (
    <Panel id="box" title="This box">
      <dl class="facts">
        <dt>AE title</dt>
        <dd>
          {dicom.aeTitles.map((title) => (
            <code key={title}>{title} </code>
          ))}
        </dd>
        <dt>DICOM</dt>
        <dd>
          <code>
            {dicom.host}:{dicom.port}
          </code>
        </dd>
        {dicom.tls !== null && <DicomTls tls={dicom.tls} />}
        <dt>TPM</dt>
        <dd class={tpm === 'ready' ? '' : 'bad-text'}>
          {tpmWords[tpm]}
          {box.development && <span class="second">simulated (swtpm), for development</span>}
        </dd>
        <dt>Kept</dt>
        <dd>
          {formatCount(storage.studies)} {storage.studies === 1 ? 'study' : 'studies'},{' '}
          {formatCount(storage.objects)} objects
        </dd>
        <dt>Storage</dt>
        <dd>
          {formatBytes(storage.usedBytes)} used, {formatBytes(storage.freeBytes)} free
          <meter
            aria-label="Storage that is not free"
            min={0}
            max={Math.max(1, total)}
            high={Math.max(0, total - storage.alarmFreeBytes)}
            value={storage.usedBytes}
          />
          <span class="second">
            alarm below {formatBytes(storage.alarmFreeBytes)} free; nothing new below{' '}
            {formatBytes(storage.refuseFreeBytes)}
          </span>
        </dd>
        {workflow.commitments + workflow.procedureSteps > 0 && (
          <>
            <dt>On their way</dt>
            <dd>
              {workflow.commitments > 0 && (
                <span class="second">{countOf(workflow.commitments, 'commitment result')}</span>
              )}
              {workflow.procedureSteps > 0 && (
                <span class="second">{countOf(workflow.procedureSteps, 'procedure step message')}</span>
              )}
            </dd>
          </>
        )}
        <dt>Version</dt>
        <dd>
          {box.version}
          <span class="second">
            started <Ago at={box.startedAt} />
          </span>
        </dd>
      </dl>
    </Panel>
  );
}

const countOf = (count: number, what: string): string =>
  `${formatCount(count)} ${what}${count === 1 ? '' : 's'}`;

/** The port, and until when its certificate holds: a renewal that was taken into use shows here. */
function DicomTls({ tls }: { readonly tls: DicomTlsView }) {
  return (
    <>
      <dt>DICOM TLS</dt>
      <dd>
        <code>port {tls.port}</code>
        <span class="second">
          {tls.subject}, until {formatDay(tls.validUntil)}
        </span>
      </dd>
    </>
  );
}
