/** Something that a person asks the box to do, and what came of it. */
import { useState } from 'preact/hooks';
import { toRefusal, type Refusal } from './problem.tsx';

export interface Acting {
  readonly busy: boolean;
  readonly refusal: Refusal | null;
  readonly run: (act: () => Promise<unknown>) => void;
}

export function useAct(): Acting {
  const [busy, setBusy] = useState(false);
  const [refusal, setRefusal] = useState<Refusal | null>(null);
  const run = (act: () => Promise<unknown>) => {
    if (busy) return;
    setBusy(true);
    setRefusal(null);
    act()
      .catch((error: unknown) => setRefusal(toRefusal(error)))
      .finally(() => setBusy(false));
  };
  return { busy, refusal, run };
}
