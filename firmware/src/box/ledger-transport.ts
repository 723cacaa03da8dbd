/** Requests to the wallet service of other members' boxes, whose answers are proven: no certificate is asked for. */
import { Agent, request as httpsRequest } from 'node:https';
import type { IncomingMessage } from 'node:http';
import { AppError } from '../errors.ts';
import type {
  BoxAnswer,
  BoxEndpoint,
  BoxRequest,
  RequestBounds,
  WalletTransport,
} from '../../wallet/wallet-ports.ts';

export class LedgerTransport implements WalletTransport {
  /** Many handovers are asked for in a row. */
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 1, rejectUnauthorized: false });

  async request(
    { origin }: BoxEndpoint,
    { method, path }: BoxRequest,
    { timeoutMs, answerBytesMax }: RequestBounds,
  ): Promise<BoxAnswer> {
    const { promise, resolve, reject } = Promise.withResolvers<BoxAnswer>();
    const signal = AbortSignal.timeout(timeoutMs);
    const sent = httpsRequest(`${origin}${path}`, { method, agent: this.#agent, signal }, (response) => {
      readJson(response, origin, answerBytesMax).then(
        (body) => resolve({ status: response.statusCode ?? 0, body }),
        reject,
      );
    });
    sent.on('error', (cause) =>
      reject(new AppError('PEER_UNREACHABLE', `${origin} cannot be reached.`, { cause })),
    );
    sent.end();
    return promise;
  }

  close(): void {
    this.#agent.destroy();
  }
}

async function readJson(response: IncomingMessage, origin: string, bytesMax: number): Promise<unknown> {
  const parts: Buffer[] = [];
  let length = 0;
  try {
    for await (const part of response as AsyncIterable<Buffer>) {
      length += part.length;
      if (length > bytesMax) throw new AppError('PEER_MISBEHAVED', `The answer of ${origin} is too long.`);
      parts.push(part);
    }
    return JSON.parse(Buffer.concat(parts).toString('utf8'));
  } catch (cause) {
    if (cause instanceof AppError) throw cause;
    throw new AppError('PEER_MISBEHAVED', `The answer of ${origin} broke off, or is not JSON.`, { cause });
  }
}
