/** Tells what came while the page was open from what it opened with: only the former is worth a glance. */
import { useRef } from 'preact/hooks';

/** Returns the class of the row with this key. */
export function useArrivals(keys: readonly string[]): (key: string) => string {
  const atOpening = useRef<ReadonlySet<string>>(new Set(keys));
  return (key) => (atOpening.current.has(key) ? '' : 'arrives');
}
