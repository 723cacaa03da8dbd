/** Requests to a box over TLS with the one certificate that its ticket named; nothing is sent before it was seen. */
import { createHash } from 'node:crypto';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { isIP } from 'node:net';
import { connect, type TLSSocket } from 'node:tls';
import { AppError } from '../../firmware/src/errors.ts';
import type {
  BoxAnswer,
  BoxEndpoint,
  BoxRequest,
  RequestBounds,
  WalletTransport,
} from '../../firmware/wallet/wallet-ports.ts';

export class HttpsTransport implements WalletTransport {
  async request(box: BoxEndpoint, request: BoxRequest, bounds: RequestBounds): Promise<BoxAnswer> {
    const signal = AbortSignal.timeout(bounds.timeoutMs);
    try {
      const socket = await connectPinned(box, signal);
      try {
        return await exchange(socket, box, request, bounds.answerBytesMax, signal);
      } finally {
        socket.destroy();
      }
    } catch (cause) {
      if (cause instanceof AppError) throw cause;
      throw new AppError('PEER_UNREACHABLE', `${box.origin} cannot be reached: ${describe(cause)}.`, {
        cause,
      });
    }
  }
}

/** The system's word for what went wrong (ECONNREFUSED …). */
function describe(cause: unknown): string {
  if (cause instanceof Error && 'code' in cause && typeof cause.code === 'string') return cause.code;
  return cause instanceof Error ? cause.name : 'unknown';
}

async function connectPinned(box: BoxEndpoint, signal: AbortSignal): Promise<TLSSocket> {
  const { hostname, port } = new URL(box.origin);
  const host = hostname.replace(/^\[|\]$/g, '');
  const socket = connect({
    host,
    port: port === '' ? 443 : Number(port),
    ...(isIP(host) === 0 ? { servername: host } : {}),
    minVersion: 'TLSv1.2',
    // A box signs its own certificate: no authority could tell more than the hash that reception showed.
    rejectUnauthorized: false,
  });
  const abort = () => socket.destroy(new AppError('PEER_UNREACHABLE', `${box.origin} does not answer.`));
  signal.addEventListener('abort', abort, { once: true });
  try {
    await new Promise<void>((resolve, reject) => {
      socket.once('secureConnect', resolve);
      socket.once('error', reject);
    });
  } catch (cause) {
    socket.destroy();
    throw cause;
  } finally {
    signal.removeEventListener('abort', abort);
  }
  const { raw } = socket.getPeerCertificate();
  const sha256 = createHash('sha256').update(raw).digest('hex');
  if (sha256 !== box.certificateSha256) {
    socket.destroy();
    throw new AppError('PEER_MISBEHAVED', `${box.origin} shows another certificate than its ticket names.`);
  }
  return socket;
}

function exchange(
  socket: TLSSocket,
  box: BoxEndpoint,
  { method, path, body }: BoxRequest,
  answerBytesMax: number,
  signal: AbortSignal,
): Promise<BoxAnswer> {
  return new Promise((resolve, reject) => {
    const payload = body === undefined ? undefined : Buffer.from(JSON.stringify(body));
    const request = httpRequest(
      {
        createConnection: () => socket,
        method,
        path,
        signal,
        headers: {
          host: new URL(box.origin).host,
          accept: 'application/json',
          connection: 'close',
          ...(payload && { 'content-type': 'application/json', 'content-length': payload.length }),
        },
      },
      (response) => {
        readJson(response, box, answerBytesMax).then(
          (decoded) => resolve({ status: response.statusCode ?? 0, body: decoded }),
          reject,
        );
      },
    );
    request.once('error', reject);
    request.end(payload);
  });
}

async function readJson(response: IncomingMessage, box: BoxEndpoint, bytesMax: number): Promise<unknown> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > bytesMax) {
      throw new AppError('PEER_MISBEHAVED', `The answer of ${box.origin} is too long.`);
    }
    chunks.push(chunk);
  }
  try {
    return JSON.parse(Buffer.concat(chunks).toString('utf8'));
  } catch (cause) {
    throw new AppError('PEER_MISBEHAVED', `The answer of ${box.origin} is not JSON.`, { cause });
  }
}
