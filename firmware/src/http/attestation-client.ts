/**
 * Asks a candidate to attest, over its HTTPS port. Its certificate is self-signed and is not looked at: who is on the
 * other end, the attestation itself proves, and what it proves is bound to this verifier and this candidate.
 */
import { request } from 'node:https';
import { answerBytesMax } from '../attestation/limits.ts';
import type { AskCandidate } from '../attestation/verify.ts';
import { AppError } from '../errors.ts';
import { attestationPath, cborType } from './attestation-routes.ts';
import { attestationAnswerMsMax } from './limits.ts';

function unreachable(origin: string, how: string, cause?: unknown): AppError {
  return new AppError('PEER_UNREACHABLE', `${origin} ${how}`, { cause });
}

/**
 * @param origin of the candidate's record, e.g. https://hilum.eastpark.example:4003.
 * The function that it returns rejects with AppError PEER_UNREACHABLE, PEER_MISBEHAVED (the answer is too long), or the
 * signal's reason.
 */
export function askOverHttps(origin: string, signal: AbortSignal): AskCandidate {
  return async (body) => {
    signal.throwIfAborted();
    const url = URL.canParse(attestationPath, origin) ? new URL(attestationPath, origin) : undefined;
    if (url?.protocol !== 'https:') throw unreachable(origin, 'is no HTTPS address');
    const { promise, resolve, reject } = Promise.withResolvers<Uint8Array>();
    const outgoing = request(url, {
      method: 'POST',
      agent: false,
      rejectUnauthorized: false,
      signal: AbortSignal.any([signal, AbortSignal.timeout(attestationAnswerMsMax)]),
      headers: { 'content-type': cborType, 'content-length': body.length },
    });
    outgoing.on('response', (incoming) => {
      const parts: Buffer[] = [];
      let length = 0;
      incoming.on('data', (part: Buffer) => {
        length += part.length;
        if (length > answerBytesMax) {
          outgoing.destroy(new AppError('PEER_MISBEHAVED', `${origin} answered with more than is allowed`));
          return;
        }
        parts.push(part);
      });
      incoming.on('error', reject);
      incoming.on('end', () => {
        if (incoming.statusCode === 200) resolve(new Uint8Array(Buffer.concat(parts)));
        else reject(unreachable(origin, `answered with status ${incoming.statusCode ?? 0}`));
      });
    });
    outgoing.on('error', reject);
    outgoing.end(body);
    try {
      return await promise;
    } catch (error) {
      signal.throwIfAborted();
      throw error instanceof AppError ? error : unreachable(origin, 'did not answer', error);
    }
  };
}
