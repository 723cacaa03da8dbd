/** What members propose, with the votes so far; an administrator votes for the hospital. */
import { useContext } from 'preact/hooks';
import type { ActionView, ConsortiumView, ProposalView } from '../../src/http/consortium-contract.ts';
import { api } from './api.ts';
import { Ago, BoxTime } from './box-time.tsx';
import { CandidateCheck } from './candidate-check.tsx';
import { ConfirmButton } from './confirm-button.tsx';
import { formatCount, formatDay, formatSpan } from './format.ts';
import { Panel } from './panel.tsx';
import { Problem } from './problem.tsx';
import { useAct } from './use-act.ts';

interface ConsortiumPanelProps {
  readonly consortium: ConsortiumView;
  readonly administrates: boolean;
  /** What is shown may have changed. */
  readonly onActed: () => void;
}

export function ConsortiumPanel({ consortium, administrates, onActed }: ConsortiumPanelProps) {
  const { proposals } = consortium;
  const open = proposals.filter(({ state }) => state === 'open').length;
  return (
    <Panel id="proposals" title="Proposals" note={open === 0 ? '' : `${formatCount(open)} open`}>
      {proposals.length === 0 ? (
        <p class="empty">
          <strong>Nothing is proposed.</strong> Members admit and remove hospitals, choose who validates and
          set the parameters by vote.
        </p>
      ) : (
        <ul class="acts">
          {proposals.map((proposal) => (
            <ProposalRow
              key={proposal.id}
              proposal={proposal}
              administrates={administrates}
              onActed={onActed}
            />
          ))}
        </ul>
      )}
    </Panel>
  );
}

const stateWords = {
  open: { word: 'Open', look: 'notice' },
  passed: { word: 'Passed', look: 'good' },
  failed: { word: 'Failed', look: 'bad' },
  expired: { word: 'Ran out', look: '' },
} as const satisfies Record<ProposalView['state'], { word: string; look: string }>;

interface ProposalRowProps {
  readonly proposal: ProposalView;
  readonly administrates: boolean;
  readonly onActed: () => void;
}

function ProposalRow({ proposal, administrates, onActed }: ProposalRowProps) {
  const act = useAct();
  const now = useContext(BoxTime);
  const { id, action, state, approvedBy, rejectedBy, acts, provedUntil } = proposal;
  const isProved = action.kind !== 'admit' || (provedUntil !== null && provedUntil > now);
  const title = titleOf(action);
  const vote = (approve: boolean) =>
    act.run(async () => {
      await api.vote(id, approve);
      onActed();
    });
  const { word, look } = stateWords[state];
  return (
    <li>
      <span class={state === 'passed' ? 'sign good' : 'sign'} aria-hidden="true">
        {state === 'passed' ? '✓' : state === 'open' ? '?' : '–'}
      </span>
      <div class="act-text">
        <p class="chips">
          <strong>{title}</strong>
          <span class={`badge ${look}`}>{word}</span>
        </p>
        <ActionDetail action={action} />
        {administrates && state === 'open' && action.kind === 'admit' && (
          <CandidateCheck proposal={id} name={action.institution.name} onAsked={onActed} />
        )}
        <p class="muted small">
          Proposed by {proposal.proposerName} <Ago at={proposal.proposedAt} />
        </p>
        <p class="small">
          {votesOf(approvedBy, 'for')}
          {votesOf(rejectedBy, 'against')}
        </p>
        {acts.map(({ kind, account, at }) => (
          <p class="muted small" key={`${kind} ${account}`}>
            {actWords[kind]} here by {account} <Ago at={at} />
          </p>
        ))}
        <Problem refusal={act.refusal} />
      </div>
      <div class="act-state">
        <Votes proposal={proposal} />
        {administrates && proposal.mayVote && (
          <div class="buttons">
            {isProved ? (
              <ConfirmButton verb="Approve" subject={title} busy={act.busy} onConfirm={() => vote(true)} />
            ) : (
              <span class="second">To approve it, first have its box prove itself.</span>
            )}
            <ConfirmButton verb="Reject" subject={title} busy={act.busy} onConfirm={() => vote(false)} />
          </div>
        )}
      </div>
    </li>
  );
}

const actWords = { proposed: 'Proposed', approved: 'Approved', rejected: 'Rejected' } as const;

function votesOf(names: readonly string[], side: string) {
  return names.length === 0 ? null : (
    <span class="second">
      {formatCount(names.length)} {side}: {names.join(', ')}
    </span>
  );
}

function Votes({ proposal }: { readonly proposal: ProposalView }) {
  const now = useContext(BoxTime);
  const { approvedBy, members, quorum, state, expiry, decidedAt } = proposal;
  return (
    <span class="second">
      {formatCount(approvedBy.length)} of {formatCount(quorum)} votes that it needs
      <meter
        aria-label="Votes for it, of those that it needs"
        min={0}
        max={quorum}
        value={Math.min(quorum, approvedBy.length)}
      />
      <span class="second">
        {formatCount(members)} members
        {state === 'open' && `; ${formatSpan(expiry - now)} left`}
        {decidedAt !== null && `; decided ${formatDay(decidedAt)}`}
      </span>
    </span>
  );
}

export function titleOf(action: ActionView): string {
  switch (action.kind) {
    case 'admit':
      return `Admit ${action.institution.name}`;
    case 'remove':
      return `Remove ${action.name}`;
    case 'validators':
      return 'Change who validates';
    case 'parameters':
      return 'Change the parameters';
    case 'vendor':
      return 'Change the vendor’s keys';
  }
}

function ActionDetail({ action }: { readonly action: ActionView }) {
  switch (action.kind) {
    case 'admit': {
      const { id, https, identity, keysValidUntil, root } = action.institution;
      return (
        <p class="small">
          <code>{id}</code>
          {action.validator ? ', to validate from the next epoch on' : ', without a vote on blocks'}
          <span class="second">
            Its box at {https}, keys until {formatDay(keysValidUntil)}, offline root {rootWords(root)}
          </span>
          <span class="second">
            Compare by telephone: identity key <code class="fingerprint">{identity}</code>
          </span>
          <QuorumKeys of="offline root" keys={root.keys} />
        </p>
      );
    }
    case 'remove':
      return (
        <p class="small">
          <code>{action.institution}</code> signs, fetches and validates nothing from then on.
        </p>
      );
    case 'validators':
      return (
        <p class="small">
          From the next epoch on.
          {action.add.length > 0 && <span class="second">To begin: {action.add.join(', ')}</span>}
          {action.remove.length > 0 && <span class="second">To end: {action.remove.join(', ')}</span>}
        </p>
      );
    case 'parameters':
      return (
        <ul class="small plain">
          {action.changes.length === 0 && <li>As they are.</li>}
          {action.changes.map(({ name, before, after }) => (
            <li key={name}>
              <code>{name}</code> {before} → <strong>{after}</strong>
            </li>
          ))}
        </ul>
      );
    case 'vendor':
      return (
        <p class="small">
          Releases are then signed by {rootWords(action.vendor)}.
          <QuorumKeys of="vendor" keys={action.vendor.keys} />
        </p>
      );
  }
}

function QuorumKeys({ of, keys }: { readonly of: string; readonly keys: readonly string[] }) {
  return keys.map((key, at) => (
    <span key={key} class="second">
      Key {formatCount(at + 1)} of the {of} <code class="fingerprint">{key}</code>
    </span>
  ));
}

/** "2 of 3 keys". */
export function rootWords({
  keys,
  threshold,
}: {
  readonly keys: readonly string[];
  readonly threshold: number;
}) {
  return keys.length === 0 ? 'none' : `${threshold} of ${keys.length} keys`;
}
