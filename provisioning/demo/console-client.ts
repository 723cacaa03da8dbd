/** A browser's place at a box's console: HTTPS with the pinned certificate, a session, JSON. */
import { Agent, request } from 'node:https';
import type { TLSSocket } from 'node:tls';
import type {
  AccountView,
  Overview,
  TicketAnswer,
  NewAccount,
  TicketBody,
  RequestAnswer,
  Role,
} from '../../firmware/src/http/contract.ts';

export class ConsoleRefused extends Error {
  override readonly name = 'ConsoleRefused';
  readonly status: number;
  readonly code: string;

  constructor(status: number, code: string, message: string) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

interface Answer {
  readonly status: number;
  readonly cookies: readonly string[];
  readonly body: string;
}

export class ConsoleClient {
  readonly #origin: string;
  readonly #certificateSha256: string;
  /** One connection is used again: a handshake for each look would cost the box more than the look. */
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 1, maxCachedSessions: 0 });
  #cookie: string | undefined;

  constructor(origin: string, certificateSha256: string) {
    this.#origin = origin;
    this.#certificateSha256 = certificateSha256;
  }

  async logIn(name: string, password: string): Promise<void> {
    await this.call('POST', '/api/v1/login', { name, password });
  }

  async changePassword(current: string, next: string): Promise<void> {
    await this.call('POST', '/api/v1/password', { current, next });
  }

  createAccount(name: string, role: Role): Promise<NewAccount> {
    return this.call('POST', '/api/v1/accounts', { name, role });
  }

  accounts(): Promise<readonly AccountView[]> {
    return this.call('GET', '/api/v1/accounts');
  }

  async removeAccount(name: string): Promise<void> {
    await this.call('DELETE', `/api/v1/accounts/${name}`);
  }

  createTicket(patient: TicketBody): Promise<TicketAnswer> {
    return this.call('POST', '/api/v1/tickets', patient);
  }

  overview(): Promise<Overview> {
    return this.call('GET', '/api/v1/overview');
  }

  /** Asks another institution for a study, grant or not. */
  requestStudy(source: string, studyId: string): Promise<RequestAnswer> {
    return this.call('POST', '/api/v1/requests', { source, studyId });
  }

  /** @throws ConsoleRefused with the code of the error table. */
  async call<Result>(method: 'GET' | 'POST' | 'DELETE', path: string, body?: unknown): Promise<Result> {
    const answer = await this.#send(method, path, body);
    const cookie = answer.cookies.map((line) => line.split(';')[0]).at(-1);
    if (cookie !== undefined) this.#cookie = cookie;
    const value: unknown = answer.body === '' ? undefined : JSON.parse(answer.body);
    if (answer.status >= 400) {
      const { code, message } = value as { readonly code: string; readonly message: string };
      throw new ConsoleRefused(answer.status, code, `${method} ${path}: ${message} [${code}]`);
    }
    return value as Result;
  }

  #send(method: string, path: string, body: unknown): Promise<Answer> {
    const { promise, resolve, reject } = Promise.withResolvers<Answer>();
    const payload = body === undefined ? undefined : JSON.stringify(body);
    const sent = request(
      `${this.#origin}${path}`,
      {
        method,
        // The certificate is the box's own; what proves it is the fingerprint that the box printed.
        rejectUnauthorized: false,
        agent: this.#agent,
        headers: {
          origin: this.#origin,
          ...(payload === undefined ? {} : { 'content-type': 'application/json' }),
          ...(this.#cookie === undefined ? {} : { cookie: this.#cookie }),
        },
      },
      (response) => {
        const parts: Buffer[] = [];
        response.on('data', (part: Buffer) => parts.push(part));
        response.on('error', reject);
        response.on('end', () => {
          resolve({
            status: response.statusCode ?? 0,
            cookies: response.headers['set-cookie'] ?? [],
            body: Buffer.concat(parts).toString('utf8'),
          });
        });
      },
    );
    sent.on('socket', (socket) => {
      if (sent.reusedSocket) return; // it was looked at when it was made
      socket.once('secureConnect', () => {
        const { fingerprint256 } = (socket as TLSSocket).getPeerCertificate();
        if (fingerprint256.replaceAll(':', '').toLowerCase() === this.#certificateSha256) return;
        sent.destroy(new Error(`${this.#origin} shows another certificate than its box printed`));
      });
    });
    sent.on('error', reject);
    sent.end(payload);
    return promise;
  }
}
