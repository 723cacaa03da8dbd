/** How far the ledger is, how old its last block, and which members are connected. */
import type { Overview, PeerView } from '../../src/http/contract.ts';
import { Ago } from './box-time.tsx';
import { formatBytes, formatCount } from './format.ts';
import { Panel } from './panel.tsx';

interface LedgerPanelProps {
  readonly ledger: Overview['ledger'];
  readonly peers: readonly PeerView[];
}

export function LedgerPanel({ ledger, peers }: LedgerPanelProps) {
  const connected = peers.filter((peer) => peer.connected).length;
  return (
    <Panel id="ledger" title="Ledger">
      <dl class="figures">
        <div>
          <dt>Height</dt>
          <dd class="large">{formatCount(ledger.height)}</dd>
        </div>
        <div>
          <dt>Last block</dt>
          <dd class={ledger.stale ? 'large bad-text' : 'large'}>
            <Ago at={ledger.lastBlockAt} />
          </dd>
        </div>
      </dl>
      {ledger.catchingUp !== null && <CatchingUp progress={ledger.catchingUp} />}
      {ledger.stale && <p class="bad-text">Nothing is released until there is a new block.</p>}
      <h3>
        Members <span class="muted">{`${connected} of ${peers.length} connected`}</span>
      </h3>
      {peers.length === 0 ? (
        <p class="muted">No other member is known yet.</p>
      ) : (
        <ul class="peers">
          {peers.map((peer) => (
            <Peer key={peer.institution} peer={peer} />
          ))}
        </ul>
      )}
      <p class="muted small">
        {ledger.bytes > 0 && `The ledger takes ${formatBytes(ledger.bytes)} on this disk. `}
        {ledger.validator ? 'This box votes, as one of ' : 'This box does not vote; '}
        {ledger.validator ? `${ledger.validators} validators.` : `there are ${ledger.validators} validators.`}
      </p>
    </Panel>
  );
}

function CatchingUp({ progress }: { readonly progress: NonNullable<Overview['ledger']['catchingUp']> }) {
  const { by, done, of, secondsLeft } = progress;
  const parts = by === 'blocks' ? 'blocks' : 'parts of a snapshot';
  return (
    <p>
      {`Catching up: ${formatCount(done)} of ${formatCount(of)} ${parts}`}
      {secondsLeft !== null && `, about ${formatCount(Math.max(1, Math.ceil(secondsLeft / 60)))} min left`}
      {'.'}
    </p>
  );
}

const attestedWords = {
  unknown: 'its TPM was not heard yet',
  passed: 'its TPM was heard',
  failed: 'its TPM did not attest',
  silent: 'its TPM was last heard',
  replaced: 'it has another box, whose TPM was not heard yet, since',
} as const;

function Attested({ attestation }: { readonly attestation: NonNullable<PeerView['attestation']> }) {
  const { result, heardAt, finding, development } = attestation;
  const isBad = result === 'failed' || result === 'silent';
  return (
    <span class={isBad ? 'second bad-text' : 'second'}>
      {attestedWords[result]} {result !== 'unknown' && <Ago at={heardAt} />}
      {result === 'failed' && finding !== null && `: ${finding}`}
      {development && ' (simulator)'}
    </span>
  );
}

function Peer({ peer }: { readonly peer: PeerView }) {
  return (
    <li>
      <span class={peer.connected ? 'dot good' : 'dot bad'} aria-hidden="true" />
      <span class="peer-name">
        {peer.name}
        {!peer.validator && <span class="second">does not vote</span>}
        {peer.attestation !== null && <Attested attestation={peer.attestation} />}
      </span>
      <span class={peer.connected ? 'muted' : 'bad-text'}>
        {peer.connected ? 'connected' : 'not connected'}
        {!peer.connected && peer.since !== null && (
          <span class="second">
            <Ago at={peer.since} />
          </span>
        )}
      </span>
    </li>
  );
}
