/** The overview as the box pushes it (server-sent events): no reload, no polling. */
import { useEffect, useState } from 'preact/hooks';
import type { Overview } from '../../src/http/contract.ts';

export interface Live {
  readonly overview: Overview | null;
  /** False while the connection to the box is lost: what is shown is old. */
  readonly connected: boolean;
  /** Box clock minus browser clock, so that ages do not depend on the browser's. */
  readonly clockOffsetMs: number;
}

const retryMs = 3000;

/** `onLost` is called when the box refuses the stream: the session may have ended. */
export function useLiveOverview(onLost: () => void): Live {
  const [live, setLive] = useState<Live>({ overview: null, connected: false, clockOffsetMs: 0 });
  useEffect(() => {
    let source: EventSource | undefined;
    let retry: ReturnType<typeof setTimeout> | undefined;
    const open = () => {
      source = new EventSource('/api/v1/events');
      source.addEventListener('overview', (event: MessageEvent<string>) => {
        const overview = JSON.parse(event.data) as Overview;
        setLive({ overview, connected: true, clockOffsetMs: overview.time - Date.now() });
      });
      source.addEventListener('error', () => {
        setLive((before) => ({ ...before, connected: false }));
        // After a lost connection the browser tries again by itself; after a refusal it does not.
        if (source?.readyState !== EventSource.CLOSED) return;
        onLost();
        retry = setTimeout(open, retryMs);
      });
    };
    open();
    return () => {
      source?.close();
      clearTimeout(retry);
    };
  }, [onLost]);
  return live;
}
