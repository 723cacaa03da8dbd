/** This box: how modalities reach it, how it keeps its keys, how full it is. */
import type { Overview } from '../../src/http/contract.ts';
import { Ago } from './box-time.tsx';
import { formatBytes, formatCount } from './format.ts';
import { Panel } from './panel.tsx';

const tpmWords = {
  ready: 'Ready',
  absent: 'Absent',
  'locked-out': 'Locked out',
  'policy-mismatch': 'Other firmware',
  wedged: 'Does not answer',
  'wrong-tpm': 'Not this box’s TPM',
} as const satisfies Record<Overview['box']['tpm'], string>;

export function BoxPanel({ box }: { readonly box: Overview['box'] }) {
  const { dicom, storage, tpm } = box;
  const total = storage.usedBytes + storage.freeBytes;
  return (
    <Panel id="box" title="This box">
      <dl class="facts">
        <dt>AE title</dt>
        <dd>
          <code>{dicom.aeTitle}</code>
        </dd>
        <dt>DICOM</dt>
        <dd>
          <code>
            {dicom.host}:{dicom.port}
          </code>
        </dd>
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
            aria-label="Storage used"
            min={0}
            max={Math.max(1, total)}
            high={total * 0.9}
            value={storage.usedBytes}
          />
        </dd>
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
