/** A console server on a free port with a fake box behind it, and accounts that can log in. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { AnswerStranger } from '../../firmware/src/http/attestation-routes.ts';
import { ConsoleServer, type FirstLogin } from '../../firmware/src/http/console-server.ts';
import type { NewAccount, Role } from '../../firmware/src/http/contract.ts';
import type { Clock } from '../../firmware/src/ports.ts';
import { FakeBox, FakeWallet, quietOverview } from './fake-box.ts';
import { HttpsClient } from './https-client.ts';
import { systemClock } from './manual-clock.ts';
import { MemoryStore } from './memory-store.ts';
import { RecordingLogger } from './recording-logger.ts';

export const adminPassword = 'four quiet words here';

export interface FixtureParts {
  readonly store?: MemoryStore;
  readonly clock?: Clock;
  readonly port?: number;
  /** Built console pages; without it a page that says nothing. */
  readonly consoleDistDir?: string;
  readonly answerStranger?: AnswerStranger;
}

export class ConsoleFixture {
  readonly server: ConsoleServer;
  readonly store: MemoryStore;
  readonly box: FakeBox;
  readonly wallet = new FakeWallet();
  readonly logger = new RecordingLogger();
  readonly #folder: string;
  readonly #clients: HttpsClient[] = [];
  first: FirstLogin | undefined;

  private constructor(
    folder: string,
    { store, clock = systemClock, port = 0, consoleDistDir, answerStranger }: FixtureParts,
  ) {
    this.#folder = folder;
    this.store = store ?? new MemoryStore();
    this.box = new FakeBox(quietOverview(clock.now()));
    this.server = new ConsoleServer(
      { host: '127.0.0.1', port, consoleDistDir: consoleDistDir ?? folder },
      {
        store: this.store,
        clock,
        logger: this.logger,
        box: this.box,
        wallet: this.wallet,
        answerStranger: answerStranger ?? (() => Promise.resolve(undefined)),
        onFirstAdministrator: (login) => {
          this.first = login;
        },
      },
    );
  }

  static async start(parts: FixtureParts = {}): Promise<ConsoleFixture> {
    const folder = await mkdtemp(join(tmpdir(), 'hilum-console-'));
    await writeFile(join(folder, 'index.html'), '<!doctype html><title>Console</title>');
    const fixture = new ConsoleFixture(folder, parts);
    try {
      await fixture.server.start();
    } catch (error) {
      await fixture.stop();
      throw error;
    }
    return fixture;
  }

  async stop(): Promise<void> {
    for (const client of this.#clients) client.close();
    await this.server.stop();
    await rm(this.#folder, { recursive: true });
  }

  client(): HttpsClient {
    const client = new HttpsClient(this.server.port, this.server.certificateSha256);
    this.#clients.push(client);
    return client;
  }

  /** Logged in, past the first password. */
  async administrator(): Promise<HttpsClient> {
    if (this.first === undefined) throw new Error('the first administrator was not issued');
    return this.#logIn('admin', this.first.oneTimePassword);
  }

  /** A person with this role, made by the administrator, logged in, past the first password. */
  async person(administrator: HttpsClient, name: string, role: Role): Promise<HttpsClient> {
    const { json } = await administrator.call('POST', '/api/v1/accounts', { body: { name, role } });
    return this.#logIn(name, (json as NewAccount).oneTimePassword);
  }

  async #logIn(name: string, oneTimePassword: string): Promise<HttpsClient> {
    const client = this.client();
    await client.call('POST', '/api/v1/login', { body: { name, password: oneTimePassword } });
    const body = { current: oneTimePassword, next: adminPassword };
    const { status, text } = await client.call('POST', '/api/v1/password', { body });
    if (status !== 204) throw new Error(`${name} cannot log in: ${text}`);
    return client;
  }
}
