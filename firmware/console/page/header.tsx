/** Whose box this is, whether what is shown is live, who is logged in. */
import type { AccountView, Overview } from '../../src/http/contract.ts';
import { formatClockTime } from './format.ts';

interface HeaderProps {
  readonly account: AccountView;
  readonly overview: Overview | null;
  readonly connected: boolean;
  readonly onLogout: () => void;
}

export function Header({ account, overview, connected, onLogout }: HeaderProps) {
  return (
    <header class="header">
      <div class="header-inner">
        <img src="/icon.svg" alt="Hilum" width="32" height="32" />
        <h1>{overview?.box.institution.name ?? 'Hilum'}</h1>
        {overview?.box.development === true && (
          <span
            class="badge notice"
            title="Keys are kept by a simulated TPM (swtpm), which protects nothing."
          >
            Development: software TPM
          </span>
        )}
        <p class="live" role="status">
          <span class={connected ? 'dot good' : 'dot bad'} aria-hidden="true" />
          {connected ? 'Live' : lostSince(overview)}
        </p>
        <p class="person">
          <strong>{account.name}</strong> <span class="muted role">{account.role}</span>
        </p>
        <button type="button" class="quiet" onClick={onLogout}>
          Log out
        </button>
      </div>
    </header>
  );
}

function lostSince(overview: Overview | null): string {
  return overview === null ? 'Connecting …' : `No connection; state of ${formatClockTime(overview.time)}`;
}
