/** Times of the box, shown as ages that stay right while the page is open. */
import { createContext } from 'preact';
import { useContext, useEffect, useState } from 'preact/hooks';
import { formatAge, formatMoment } from './format.ts';

/** The box's clock now, UTC milliseconds. */
export const BoxTime = createContext(0);

/** Ticks once a second. */
export function useBoxTime(clockOffsetMs: number): number {
  const [now, setNow] = useState(() => Date.now());
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), 1000);
    return () => clearInterval(timer);
  }, []);
  return now + clockOffsetMs;
}

/** "3 min ago"; the full date and time on pointing at it. */
export function Ago({ at }: { readonly at: number }) {
  const now = useContext(BoxTime);
  return (
    <time dateTime={new Date(at).toISOString()} title={formatMoment(at)}>
      {formatAge(now - at)}
    </time>
  );
}
