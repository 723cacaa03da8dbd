/** C-ECHO at a button: whether a peer is there, knows the box, and how quickly it answers. */
import { useState } from 'preact/hooks';
import type { EchoAnswer } from '../../src/http/dicom-contract.ts';
import { toRefusal } from './problem.tsx';

interface EchoButtonProps {
  /** AE title of the peer. */
  readonly subject: string;
  readonly echo: () => Promise<EchoAnswer>;
}

type State = EchoAnswer | { readonly kind: 'idle' } | { readonly kind: 'asking' };

export function EchoButton({ subject, echo }: EchoButtonProps) {
  const [state, setState] = useState<State>({ kind: 'idle' });
  const ask = () => {
    setState({ kind: 'asking' });
    echo().then(setState, (error: unknown) => setState({ kind: 'failed', reason: toRefusal(error).message }));
  };
  return (
    <span class="echo">
      <button
        type="button"
        class="quiet"
        disabled={state.kind === 'asking'}
        aria-label={`C-ECHO to ${subject}`}
        onClick={ask}
      >
        C-ECHO
      </button>
      <span class="second" role="status">
        <EchoState state={state} />
      </span>
    </span>
  );
}

function EchoState({ state }: { readonly state: State }) {
  switch (state.kind) {
    case 'idle':
      return null;
    case 'asking':
      return <>Asking …</>;
    case 'answered':
      return <span class="good-text">✓ answered in {state.ms} ms</span>;
    case 'failed':
      return <span class="bad-text">✗ {state.reason}</span>;
  }
}
