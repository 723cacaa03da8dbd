/** The console: what is wrong first, then what came in and went out, then the box itself. */
import { useEffect } from 'preact/hooks';
import type { AccountView, Overview } from '../../src/http/contract.ts';
import { AccountsPanel } from './accounts-panel.tsx';
import { BoxPanel } from './box-panel.tsx';
import { BoxTime, useBoxTime } from './box-time.tsx';
import { CallersPanel } from './callers-panel.tsx';
import { ConsortiumPage } from './consortium-page.tsx';
import { DestinationsPanel } from './destinations-panel.tsx';
import { Header } from './header.tsx';
import { HealthPanel } from './health-panel.tsx';
import { LedgerPanel } from './ledger-panel.tsx';
import { useLiveOverview } from './live-overview.ts';
import { PageLinks } from './page-links.tsx';
import { PendingPanel } from './pending-panel.tsx';
import { Problem, type Refusal } from './problem.tsx';
import { QuarantinePanel } from './quarantine-panel.tsx';
import { SidecarPanel } from './sidecar-panel.tsx';
import { ReleasesPanel } from './releases-panel.tsx';
import { StudiesPanel } from './studies-panel.tsx';
import { usePage, type Page } from './use-page.ts';
import { usePresence } from './use-presence.ts';
import { WalletBinding } from './wallet-binding.tsx';

interface ConsoleProps {
  readonly account: AccountView;
  readonly refusal: Refusal | null;
  readonly onLogout: () => void;
  /** The session may have ended. */
  readonly onLookAgain: () => void;
}

export function Console({ account, refusal, onLogout, onLookAgain }: ConsoleProps) {
  const { overview, connected, clockOffsetMs } = useLiveOverview(onLookAgain);
  const now = useBoxTime(clockOffsetMs);
  usePresence(onLookAgain);
  useTitle(overview);
  const runsTheBox = account.role === 'administrator' || account.role === 'auditor';
  const address = usePage();
  const page = runsTheBox ? address : 'studies';
  return (
    <BoxTime.Provider value={now}>
      <Header account={account} overview={overview} connected={connected} onLogout={onLogout} />
      <main class="console">
        <Problem refusal={refusal} />
        {overview === null ? (
          <p class="waiting" role="status">
            Waiting for the box …
          </p>
        ) : (
          <>
            <HealthPanel items={overview.health} />
            {runsTheBox && <PageLinks overview={overview} page={page} />}
            <PageContent overview={overview} account={account} page={page} />
          </>
        )}
      </main>
    </BoxTime.Provider>
  );
}

interface PageContentProps {
  readonly overview: Overview;
  readonly account: AccountView;
  readonly page: Page;
}

function PageContent({ overview, account, page }: PageContentProps) {
  const administrates = account.role === 'administrator';
  switch (page) {
    case 'studies':
      return <StudiesPage overview={overview} account={account} />;
    case 'callers':
      return (
        <div class="column">
          <PendingPanel
            pending={overview.access.pending}
            aeTitles={overview.box.dicom.aeTitles}
            administrates={administrates}
          />
          <CallersPanel access={overview.access} administrates={administrates} />
        </div>
      );
    case 'destinations':
      return (
        <div class="column">
          <DestinationsPanel destinations={overview.destinations} administrates={administrates} />
          {overview.sidecar !== null && (
            <SidecarPanel sidecar={overview.sidecar} administrates={administrates} />
          )}
        </div>
      );
    case 'consortium':
      return overview.consortium === null ? null : (
        <ConsortiumPage revision={overview.consortium.revision} administrates={administrates} />
      );
    case 'quarantine':
      return (
        <div class="column">
          <QuarantinePanel quarantine={overview.quarantine} administrates={administrates} />
        </div>
      );
  }
}

function StudiesPage({ overview, account }: Omit<PageContentProps, 'page'>) {
  return (
    <div class="columns">
      <div class="column">
        {account.role === 'reception' && <WalletBinding />}
        <StudiesPanel studies={overview.studies} dicom={overview.box.dicom} />
        <ReleasesPanel releases={overview.releases} />
      </div>
      <div class="column side">
        <LedgerPanel ledger={overview.ledger} peers={overview.peers} />
        <BoxPanel box={overview.box} workflow={overview.workflow} />
        {(account.role === 'administrator' || account.role === 'auditor') && <AccountsPanel own={account} />}
      </div>
    </div>
  );
}

/** So that a tab in the background tells that something is wrong. */
function useTitle(overview: Overview | null): void {
  const problems = overview?.health.length ?? 0;
  const institution = overview?.box.institution.name;
  useEffect(() => {
    const place = institution === undefined ? 'Hilum' : `${institution} – Hilum`;
    document.title = problems === 0 ? place : `(${problems}) ${place}`;
  }, [problems, institution]);
}
