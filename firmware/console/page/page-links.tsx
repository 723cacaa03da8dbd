/** The pages of the console for who runs the box, each with how much waits there. */
import type { Overview } from '../../src/http/contract.ts';
import { formatCount } from './format.ts';
import type { Page } from './use-page.ts';

interface PageLinksProps {
  readonly overview: Overview;
  readonly page: Page;
}

interface Waiting {
  readonly count: number;
  /** What waits, for who cannot see the number's place. */
  readonly words: string;
  readonly look: 'notice' | 'bad';
}

export function PageLinks({ overview, page }: PageLinksProps) {
  const { access, destinations, quarantine, consortium } = overview;
  const troubled = destinations.filter(({ state, setAsideObjects }) => {
    return state === 'failing' || setAsideObjects > 0;
  });
  return (
    <nav class="page-links" aria-label="Pages">
      <PageLink to="studies" title="Studies" page={page} />
      <PageLink
        to="callers"
        title="Callers"
        page={page}
        waiting={{ count: access.pending.length, words: 'wait to be admitted', look: 'notice' }}
      />
      <PageLink
        to="destinations"
        title="Destinations"
        page={page}
        waiting={{ count: troubled.length, words: 'in trouble', look: 'bad' }}
      />
      <PageLink
        to="quarantine"
        title="Quarantine"
        page={page}
        waiting={{ count: quarantine.count, words: 'held', look: 'bad' }}
      />
      {consortium !== null && (
        <PageLink
          to="consortium"
          title="Consortium"
          page={page}
          waiting={{ count: consortium.waiting, words: 'wait for a vote', look: 'notice' }}
        />
      )}
    </nav>
  );
}

interface PageLinkProps {
  readonly to: Page;
  readonly title: string;
  readonly page: Page;
  readonly waiting?: Waiting;
}

function PageLink({ to, title, page, waiting }: PageLinkProps) {
  return (
    <a href={`#${to}`} {...(to === page ? { 'aria-current': 'page' } : {})}>
      {title}
      {waiting !== undefined && waiting.count > 0 && (
        <span class={`badge ${waiting.look}`}>
          {formatCount(waiting.count)}
          <span class="unseen"> {waiting.words}</span>
        </span>
      )}
    </a>
  );
}
