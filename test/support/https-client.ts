/** A client of a box's HTTPS port that pins its certificate and keeps its cookie, as a browser does. */
import { createHash } from 'node:crypto';
import { Agent, request } from 'node:https';
import type { IncomingMessage } from 'node:http';
import type { TLSSocket } from 'node:tls';

export interface Answer {
  readonly status: number;
  readonly headers: IncomingMessage['headers'];
  readonly text: string;
  readonly json: unknown;
}

export interface Call {
  readonly body?: unknown;
  /** Sent as it is, instead of `body`. */
  readonly raw?: string;
  readonly headers?: Record<string, string>;
}

export class HttpsClient {
  readonly origin: string;
  readonly #certificateSha256: string;
  readonly #agent: Agent;
  cookie: string | undefined;

  constructor(port: number, certificateSha256: string) {
    this.origin = `https://127.0.0.1:${port}`;
    this.#certificateSha256 = certificateSha256;
    // Self-signed by design: the pin below is the check. A resumed TLS session would not show the certificate again.
    this.#agent = new Agent({ keepAlive: true, rejectUnauthorized: false, maxCachedSessions: 0 });
  }

  async call(method: string, path: string, call: Call = {}): Promise<Answer> {
    const response = await this.open(method, path, call);
    const chunks: Buffer[] = [];
    for await (const chunk of response) chunks.push(chunk as Buffer);
    const text = Buffer.concat(chunks).toString('utf8');
    const isJson = response.headers['content-type']?.startsWith('application/json') ?? false;
    return {
      status: response.statusCode ?? 0,
      headers: response.headers,
      text,
      json: isJson ? JSON.parse(text) : undefined,
    };
  }

  /** Resolves with the answer's head; its body is the caller's to read. */
  async open(method: string, path: string, { body, raw, headers = {} }: Call = {}): Promise<IncomingMessage> {
    const payload = raw ?? (body === undefined ? undefined : JSON.stringify(body));
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      const outgoing = request(
        `${this.origin}${path}`,
        {
          method,
          agent: this.#agent,
          headers: {
            ...(method === 'GET' ? {} : { origin: this.origin }),
            ...(payload === undefined
              ? {}
              : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(payload) }),
            ...(this.cookie === undefined ? {} : { cookie: this.cookie }),
            ...headers,
          },
        },
        resolve,
      );
      outgoing.on('error', reject);
      outgoing.end(payload);
    });
    const { raw: der } = (response.socket as TLSSocket).getPeerCertificate();
    const digest = createHash('sha256').update(der).digest('hex');
    if (digest !== this.#certificateSha256) throw new Error('the certificate is not the pinned one');
    const [set] = response.headers['set-cookie'] ?? [];
    if (set !== undefined) this.cookie = /Expires=Thu, 01 Jan 1970/.test(set) ? undefined : set.split(';')[0];
    return response;
  }

  close(): void {
    this.#agent.destroy();
  }
}
