/** Who belongs to the consortium, how long their keys hold, and the keys of this box. */
import { useContext } from 'preact/hooks';
import type { ConsortiumView, MemberView } from '../../src/http/consortium-contract.ts';
import { api } from './api.ts';
import { BoxTime } from './box-time.tsx';
import { ConfirmButton } from './confirm-button.tsx';
import { rootWords } from './consortium-panel.tsx';
import { formatCount, formatDay } from './format.ts';
import { Panel } from './panel.tsx';
import { Problem } from './problem.tsx';
import { useAct } from './use-act.ts';

interface MembersPanelProps {
  readonly consortium: ConsortiumView;
  readonly administrates: boolean;
  readonly onActed: () => void;
}

export function MembersPanel({ consortium, administrates, onActed }: MembersPanelProps) {
  const { members, chain, ownKeys } = consortium;
  return (
    <Panel id="members" title="Members" note={formatCount(members.length)}>
      <ul class="peers">
        {members.map((member) => (
          <Member key={member.id} member={member} />
        ))}
      </ul>
      {ownKeys !== null && <OwnKeys ownKeys={ownKeys} administrates={administrates} onActed={onActed} />}
      <p class="muted small">
        Ledger <code class="fingerprint">{chain}</code>
      </p>
    </Panel>
  );
}

/** Two months: as long before the alarm of the box. */
const soonMs = 60 * 86_400_000;

function Member({ member }: { readonly member: MemberView }) {
  const now = useContext(BoxTime);
  const { id, name, keysValidUntil, root, version } = member;
  const ends = keysValidUntil - now < soonMs;
  return (
    <li>
      <span class="peer-name">
        {name}
        {member.isSelf && <span class="muted"> (this box)</span>}
        <span class="second">
          <code>{id}</code>, record {formatCount(version)}; offline root: {rootWords(root)}
        </span>
      </span>
      <span>
        {validatesWords(member)}
        <span class={ends ? 'second bad-text' : 'second'}>
          keys {now < keysValidUntil ? 'until' : 'expired'} {formatDay(keysValidUntil)}
        </span>
      </span>
    </li>
  );
}

function validatesWords({ validator, validatorNext }: MemberView): string {
  if (validator) return validatorNext ? 'validates' : 'validates until the epoch ends';
  return validatorNext ? 'validates from the next epoch on' : 'does not validate';
}

interface OwnKeysProps {
  readonly ownKeys: NonNullable<ConsortiumView['ownKeys']>;
  readonly administrates: boolean;
  readonly onActed: () => void;
}

function OwnKeys({ ownKeys, administrates, onActed }: OwnKeysProps) {
  const act = useAct();
  const rotate = () =>
    act.run(async () => {
      await api.rotateKeys();
      onActed();
    });
  return (
    <>
      <h3>Keys of this box</h3>
      <p class="small">
        For transactions and connections since {formatDay(ownKeys.since)}; replaced by themselves on{' '}
        {formatDay(ownKeys.dueAt)}, valid until {formatDay(ownKeys.validUntil)}. The voting key changes with
        every epoch.
      </p>
      <Problem refusal={act.refusal} />
      {administrates && (
        <div class="buttons">
          <ConfirmButton verb="Rotate" subject="the keys now" busy={act.busy} onConfirm={rotate} />
        </div>
      )}
    </>
  );
}
