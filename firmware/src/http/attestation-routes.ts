/**
 * Attestation for whoever asks (POST /attestation/v1): a candidate is asked before it is a member, so there is nobody to
 * log in. Bodies are canonical CBOR in both directions (docs/formats.md, "Attestation"). Who asks may slow down other
 * strangers, and nobody else: the TPM's time for them is rationed behind this.
 */
import { requestBytesMax } from '../attestation/limits.ts';
import { AppError } from '../errors.ts';
import type { App } from './app.ts';
import { attestationsPerMinuteMax, rateWindowMs } from './limits.ts';
import { addressGroup } from './login-throttle.ts';

export const attestationPath = '/attestation/v1';
export const cborType = 'application/cbor';

/** The answer to a stranger's request from this address; undefined for bytes that no verifier sends. */
export type AnswerStranger = (request: Uint8Array, address: string) => Promise<Uint8Array | undefined>;

export function addAttestationRoutes(app: App, answer: AnswerStranger): void {
  // Of this route alone: everything else takes JSON only.
  void app.register((scope, _options, done) => {
    scope.addContentTypeParser(
      cborType,
      { parseAs: 'buffer', bodyLimit: requestBytesMax },
      (_, body, parsed) => {
        parsed(null, body);
      },
    );
    scope.post(
      attestationPath,
      {
        bodyLimit: requestBytesMax,
        config: {
          access: 'public',
          anyOrigin: true,
          rateLimit: { max: attestationsPerMinuteMax, timeWindow: rateWindowMs },
        },
      },
      async (request, reply) => {
        const { body } = request;
        const address = addressGroup(request.ip);
        const told = body instanceof Uint8Array ? await answer(new Uint8Array(body), address) : undefined;
        if (told === undefined)
          throw new AppError('REQUEST_INVALID', 'this is no request for an attestation');
        return reply.type(cborType).send(Buffer.from(told));
      },
    );
    done();
  });
}
