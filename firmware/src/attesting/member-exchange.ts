/** Attestation between members: over the authenticated network, where each asker is who he says. */
import { answerBytesMax } from '../attestation/limits.ts';
import type { AskCandidate } from '../attestation/verify.ts';
import { AppError } from '../errors.ts';
import type { InstitutionId, Network, Unsubscribe } from '../ports.ts';
import type { AttestationAnswerer } from './answerer.ts';
import { attestationRequestMsMax } from './limits.ts';

/** Body and answer: docs/formats.md, "Attestation". */
const attestationProtocol = '/hilum/attestation/1';

/** Answers members until it is unsubscribed. */
export function answerMembers(network: Network, answerer: AttestationAnswerer): Unsubscribe {
  return network.handle(attestationProtocol, async (member, body) => {
    const answer = await answerer.answer({ member }, body);
    if (answer === undefined) throw new AppError('PEER_MISBEHAVED', `${member} asked for no attestation`);
    return answer;
  });
}

/** Carries requests to one member. It rejects with PEER_UNREACHABLE, PEER_MISBEHAVED, or the signal's reason. */
export function askMember(network: Network, member: InstitutionId, signal: AbortSignal): AskCandidate {
  return (request) =>
    network.request(member, attestationProtocol, request, {
      timeoutMs: attestationRequestMsMax,
      signal,
      answerBytesMax,
    });
}
