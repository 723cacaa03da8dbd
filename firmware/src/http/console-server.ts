/**
 * The box's one HTTPS port: console page, console API (/api/v1), wallet API (/wallet/v1), attestation
 * (/attestation/v1), /healthz. Joins this room's parts; who may do what stands with each route and is enforced in
 * access.ts.
 */
import { strict as assert } from 'node:assert';
import { AppError } from '../errors.ts';
import type { Clock, KeyValueStore, Logger, Service, Timer } from '../ports.ts';
import { guardRoutes, type RouteAccess } from './access.ts';
import { Accounts } from './accounts.ts';
import { createApp, type App } from './app.ts';
import type { BoxView } from './box-view.ts';
import { addAttestationRoutes, type AnswerStranger } from './attestation-routes.ts';
import { addConsoleRoutes } from './console-routes.ts';
import { EventStreams } from './event-streams.ts';
import { stopGraceMsMax } from './limits.ts';
import { LoginThrottle } from './login-throttle.ts';
import { ownOrigins } from './own-origins.ts';
import { addPageRoutes, readPages } from './pages.ts';
import { PasswordHasher } from './password-hash.ts';
import { addSessionRoutes } from './session-routes.ts';
import { Sessions } from './sessions.ts';
import { openTlsIdentity } from './tls-identity.ts';
import { addWalletRoutes } from './wallet-routes.ts';
import type { WalletService } from './wallet-service.ts';

export interface ConsoleServerOptions {
  /** Address to listen on, e.g. 127.0.0.1, or 0.0.0.0 for every interface. */
  readonly host: string;
  /** 0 for any free one; `port` says which. */
  readonly port: number;
  /** What `buildConsole` wrote. */
  readonly consoleDistDir: string;
  /**
   * Under which people open the console, e.g. https://hilum.northgate.example:4003. Without it the address that it
   * listens on, and localhost where that is this machine's own.
   */
  readonly origins?: readonly string[];
}

export interface ConsoleServerModules {
  /** Accounts, sessions and TLS key live under `account/`, `session/` and `tls/`; its values are encrypted at rest. */
  readonly store: KeyValueStore;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly box: BoxView;
  readonly wallet: WalletService;
  readonly answerStranger: AnswerStranger;
  /**
   * Called during `start()` while nobody has set the first administrator's password: show it once to the person in
   * front of the box, keep it nowhere. Each call voids the password of the call before.
   */
  readonly onFirstAdministrator: (login: FirstLogin) => void;
}

export interface FirstLogin {
  readonly name: string;
  readonly oneTimePassword: string;
}

interface Running {
  readonly app: App;
  readonly events: EventStreams;
  readonly routes: readonly RouteAccess[];
  readonly certificateSha256: string;
  readonly port: number;
}

export class ConsoleServer implements Service {
  readonly #options: ConsoleServerOptions;
  readonly #modules: ConsoleServerModules;
  readonly #stopping = new AbortController();
  #running: Running | undefined;

  constructor(options: ConsoleServerOptions, modules: ConsoleServerModules) {
    this.#options = options;
    this.#modules = modules;
  }

  /** SHA-256 of the TLS certificate's DER, hexadecimal: what wallets pin. From `start()` on. */
  get certificateSha256(): string {
    return this.#started().certificateSha256;
  }

  /** The port that it listens on. From `start()` on. */
  get port(): number {
    return this.#started().port;
  }

  /** Every route with who may use it. From `start()` on. */
  get routes(): readonly RouteAccess[] {
    return this.#started().routes;
  }

  /**
   * Resolves when the port takes requests. Once only: a stopped server stays stopped.
   * @throws AppError PORT_IN_USE, CONSOLE_NOT_BUILT, STORE_CORRUPT, STORE_FAILED.
   */
  async start(): Promise<void> {
    const { store, clock, logger, box, wallet } = this.#modules;
    assert(this.#running === undefined && !this.#stopping.signal.aborted, 'the console was started before');
    const pages = await readPages(this.#options.consoleDistDir);
    const tls = await openTlsIdentity(store, clock, {
      institution: box.institution.id,
      host: this.#options.host,
    });
    const accounts = new Accounts(store, clock, new PasswordHasher());
    await accounts.open();
    const sessions = new Sessions(store, clock);
    await sessions.open();
    const events = new EventStreams(box, sessions, clock);
    const { certificateSha256 } = tls;

    const app = await createApp(tls, logger);
    const routes = guardRoutes(
      app,
      accounts,
      sessions,
      ownOrigins(this.#options.host, this.#options.origins),
    );
    addSessionRoutes(app, { accounts, sessions, throttle: new LoginThrottle(clock), box, logger });
    addConsoleRoutes(app, { accounts, sessions, events, box, certificateSha256, logger });
    addWalletRoutes(app, wallet, clock, this.#stopping.signal);
    addAttestationRoutes(app, this.#modules.answerStranger);
    addPageRoutes(app, pages);

    const port = await this.#listen(app);
    events.start();
    this.#running = { app, events, routes, certificateSha256, port };
    // Last, so that a password is shown only by a box that one can log in to.
    const first = await accounts.issueFirst();
    if (first !== undefined) {
      const { account, oneTimePassword } = first;
      this.#modules.onFirstAdministrator({ name: account.name, oneTimePassword });
    }
    logger.info({ port, certificateSha256 }, 'the console listens');
  }

  /** Ends live consoles and long polls, lets running requests finish, cuts what is left after `stopGraceMsMax`. */
  async stop(): Promise<void> {
    this.#stopping.abort(new AppError('BUSY', 'the box is stopping'));
    const running = this.#running;
    if (running === undefined) return;
    this.#running = undefined;
    running.events.stop();
    const cut: Timer = this.#modules.clock.setTimer(stopGraceMsMax, () =>
      running.app.server.closeAllConnections(),
    );
    try {
      await running.app.close();
    } finally {
      cut.cancel();
    }
  }

  async #listen(app: App): Promise<number> {
    const { host, port } = this.#options;
    try {
      await app.listen({ host, port });
    } catch (error) {
      await app.close();
      if (error instanceof Error && 'code' in error && error.code === 'EADDRINUSE') {
        throw new AppError('PORT_IN_USE', `the console's port ${host}:${port} is in use`, { cause: error });
      }
      throw error;
    }
    const address = app.server.address();
    assert(address !== null && typeof address === 'object');
    return address.port;
  }

  #started(): Running {
    assert(this.#running !== undefined, 'the console is not running');
    return this.#running;
  }
}
