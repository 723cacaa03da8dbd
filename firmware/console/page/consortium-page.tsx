/** The consortium: fetched when the page is opened, and again whenever the box says that it has changed. */
import { useCallback, useEffect, useState } from 'preact/hooks';
import type { ConsortiumView } from '../../src/http/consortium-contract.ts';
import { api } from './api.ts';
import { ConsortiumPanel } from './consortium-panel.tsx';
import { MembersPanel } from './members-panel.tsx';
import { Problem, toRefusal, type Refusal } from './problem.tsx';
import { ProposePanel } from './propose-panel.tsx';

interface ConsortiumPageProps {
  /** Of the overview: another one means another answer. */
  readonly revision: number;
  readonly administrates: boolean;
}

export function ConsortiumPage({ revision, administrates }: ConsortiumPageProps) {
  const [consortium, setConsortium] = useState<ConsortiumView | null>(null);
  const [refusal, setRefusal] = useState<Refusal | null>(null);
  const look = useCallback(() => {
    api
      .consortium()
      .then((view) => {
        setConsortium(view);
        setRefusal(null);
      })
      .catch((error: unknown) => setRefusal(toRefusal(error)));
  }, []);
  useEffect(look, [look, revision]);
  if (consortium === null) return <Problem refusal={refusal} />;
  const shared = { consortium, administrates, onActed: look };
  return (
    <div class="columns">
      <div class="column">
        {refusal !== null && <Problem refusal={refusal} />}
        <ConsortiumPanel {...shared} />
        {administrates && consortium.isMember && <ProposePanel {...shared} />}
      </div>
      <div class="column side">
        <MembersPanel {...shared} />
      </div>
    </div>
  );
}
