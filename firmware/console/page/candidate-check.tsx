/** Asks a candidate's box to prove itself, and shows the verdict check by check before the vote. */
import { useState } from 'preact/hooks';
import type { AttestationAnswer } from '../../src/http/consortium-contract.ts';
import { api } from './api.ts';
import { Problem } from './problem.tsx';
import { useAct } from './use-act.ts';

interface CandidateCheckProps {
  /** Of the proposal to admit it. */
  readonly proposal: string;
  readonly name: string;
  /** Whether it may be approved may have changed. */
  readonly onAsked: () => void;
}

export function CandidateCheck({ proposal, name, onAsked }: CandidateCheckProps) {
  const [answer, setAnswer] = useState<AttestationAnswer | null>(null);
  const act = useAct();
  return (
    <div class="candidate-check">
      <button
        type="button"
        class="quiet"
        disabled={act.busy}
        aria-label={`Have its box prove itself: ${name}`}
        onClick={() =>
          act.run(async () => {
            setAnswer(await api.attestCandidate(proposal));
            onAsked();
          })
        }
      >
        {act.busy ? 'Asking …' : 'Have its box prove itself'}
      </button>
      <Problem refusal={act.refusal} />
      <div role="status">{answer !== null && <Verdict answer={answer} />}</div>
    </div>
  );
}

function Verdict({ answer }: { readonly answer: AttestationAnswer }) {
  if (answer.kind !== 'judged') return <p class="bad-text">{answer.reason}</p>;
  return (
    <>
      <p class={answer.passed ? 'good-text' : 'bad-text'}>
        {answer.passed
          ? 'Its box has proved what its record says.'
          : 'Its box has not proved what its record says.'}
        {answer.development && ' Its TPM is software: it protects nothing.'}
      </p>
      <ul class="small plain">
        {answer.checks.map(({ name, passed, finding }) => (
          <li key={name} class={passed ? '' : 'bad-text'}>
            <span aria-hidden="true">{passed ? '✓' : '✗'}</span>
            <span class="unseen">{passed ? 'passed' : 'failed'}</span> <code>{name}</code> {finding}
          </li>
        ))}
      </ul>
    </>
  );
}
