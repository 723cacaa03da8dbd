/** Which page of the console is shown: the address says it, so that it can be kept, shared and gone back from. */
import { useEffect, useState } from 'preact/hooks';

export const pages = ['studies', 'callers', 'destinations', 'quarantine', 'consortium'] as const;
export type Page = (typeof pages)[number];

function pageOfAddress(): Page {
  const name = location.hash.slice(1);
  return pages.find((page) => page === name) ?? 'studies';
}

export function usePage(): Page {
  const [page, setPage] = useState(pageOfAddress);
  useEffect(() => {
    const look = () => setPage(pageOfAddress());
    addEventListener('hashchange', look);
    return () => removeEventListener('hashchange', look);
  }, []);
  return page;
}
