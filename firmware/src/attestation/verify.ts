/**
 * A verifier's two rounds over whatever carries bytes. Whatever comes back ends in a verdict; only the carrier's own
 * failures are thrown.
 */
import { beginAttempt } from './challenge.ts';
import type { Expectation } from './expectation.ts';
import { judgeClaim } from './judge-claim.ts';
import { judgeEvidence } from './judge-evidence.ts';
import {
  decodeAttestationAnswer,
  encodeAttestationRequest,
  type AttestationAnswer,
  type AttestationRefusal,
} from './messages.ts';
import { failed, verdictOf, type Verdict } from './verdict.ts';

/** Carries one request to the candidate and its answer back. */
export type AskCandidate = (request: Uint8Array) => Promise<Uint8Array>;

export type Attestation =
  | {
      readonly kind: 'judged';
      readonly verdict: Verdict;
      /** The record that the candidate showed, in canonical CBOR: to be believed if the verdict passed. */
      readonly record: Uint8Array | undefined;
    }
  /** The candidate says that it does not answer now, or not to this verifier. */
  | { readonly kind: 'refused'; readonly reason: AttestationRefusal['reason'] };

const nothingFound = {
  development: false,
  registers: undefined,
  resetCount: undefined,
  endorsementKey: undefined,
};

function refusalOf(answer: AttestationAnswer | undefined): Attestation | undefined {
  return answer?.type === 'refused' ? { kind: 'refused', reason: answer.reason } : undefined;
}

/**
 * @param random as `beginAttempt` takes it.
 * @throws what `ask` throws.
 */
export async function attest(
  expectation: Expectation,
  ask: AskCandidate,
  random: Uint8Array,
): Promise<Attestation> {
  const { candidate } = expectation;
  const claim = decodeAttestationAnswer(
    await ask(encodeAttestationRequest({ type: 'introduce', candidate })),
  );
  if (claim?.type !== 'claim') {
    const nonsense = failed('endorsement-chain', 'The box did not say which TPM it has.');
    return (
      refusalOf(claim) ?? { kind: 'judged', verdict: verdictOf([nonsense], nothingFound), record: undefined }
    );
  }
  const { checks, device } = await judgeClaim(claim, expectation);
  if (device === undefined)
    return { kind: 'judged', verdict: verdictOf(checks, nothingFound), record: undefined };
  const { development } = device;
  const attempt = await beginAttempt(device, expectation, random);
  const answer = decodeAttestationAnswer(await ask(encodeAttestationRequest(attempt.challenge)));
  if (answer?.type !== 'evidence') {
    const nonsense = failed('quote-signature', 'The box did not answer with a quote.');
    const verdict = verdictOf([...checks, nonsense], { ...nothingFound, development });
    return refusalOf(answer) ?? { kind: 'judged', verdict, record: undefined };
  }
  const { checks: found, ...proved } = judgeEvidence(answer, attempt, expectation);
  const verdict = verdictOf([...checks, ...found], { development, ...proved });
  return { kind: 'judged', verdict, record: answer.record };
}
