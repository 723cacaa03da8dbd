/**
 * Sets the route option `quickack` towards the networks of modalities, where the box may (CAP_NET_ADMIN). Most
 * modalities leave Nagle's algorithm on: they then wait, for each object, until our kernel acknowledges what it would
 * rather acknowledge later. The option makes it acknowledge at once, without touching the modality.
 *
 * Only routes that were found are changed, and nothing of them but this option; what was changed is changed back when
 * the box stops, or at its next start if it was killed. Who manages the network may set the routes anew at any time: they are looked at again and again.
 */
import { execFile } from 'node:child_process';
import type { Clock, HealthBoard, KeyValueStore, Logger, Service, Timer } from '../ports.ts';
import { isAnnounced, narrowest, parseRoutes, type Route, sameRoute, withQuickack } from './ip-route.ts';
import { routeCommandMsMax, routeLookMs } from './limits.ts';
import { linuxBootId, RouteMemory, type ChangedRoute, type Family } from './route-memory.ts';

/** Runs `ip` with these arguments. Resolves with its output; rejects with an error whose message says what it said. */
export type RunIp = (args: readonly string[]) => Promise<string>;

export interface QuickAckOptions {
  /** In CIDR notation, IPv4 or IPv6. */
  readonly networks: readonly string[];
  readonly clock: Clock;
  readonly logger: Logger;
  readonly health: HealthBoard;
  /** Where it remembers what it changed. */
  readonly index: KeyValueStore;
  /** Names this run of the machine; Linux's own by default. */
  readonly bootId?: () => Promise<string>;
  /** iproute2 by default. */
  readonly runIp?: RunIp;
}

const addressBits: Readonly<Record<Family, number>> = { '-4': 32, '-6': 128 };

export class QuickAck implements Service {
  readonly #options: QuickAckOptions;
  readonly #runIp: RunIp;
  readonly #memory: RouteMemory;
  #changed: ChangedRoute[] = [];
  #looking: Promise<void> = Promise.resolve();
  #timer: Timer | undefined;
  #stopped = false;

  constructor(options: QuickAckOptions) {
    this.#options = options;
    this.#runIp = options.runIp ?? ip;
    this.#memory = new RouteMemory(options.index, options.bootId ?? linuxBootId);
  }

  /** A route that cannot be set is a matter of speed and stands in the console: never a fault of the start. */
  async start(): Promise<void> {
    // A box that was killed left its changes; its networks may be others now.
    this.#changed = await this.#memory.load();
    await this.#undoAll();
    this.#looking = this.#look();
    await this.#looking;
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#timer?.cancel();
    await this.#looking;
    await this.#undoAll();
  }

  async #look(): Promise<void> {
    for (const network of this.#options.networks) await this.#serve(network);
    if (this.#stopped || this.#options.networks.length === 0) return;
    this.#timer = this.#options.clock.setTimer(routeLookMs, () => {
      this.#looking = this.#look();
    });
  }

  async #serve(network: string): Promise<void> {
    const { health, logger } = this.#options;
    const subject = `modality network ${network}`;
    const family: Family = network.includes(':') ? '-6' : '-4';
    let routes: Route[];
    try {
      routes = await this.#routesTo(network, family);
    } catch (error) {
      health.raise('QUICKACK_NOT_SET', subject, `The routes cannot be read: ${reasonOf(error)}.`);
      return;
    }
    if (routes.length === 0) {
      health.raise('QUICKACK_NOT_SET', subject, `There is no route to ${network}.`);
      return;
    }
    const failures: string[] = [];
    for (const route of routes.filter(({ quickack }) => !quickack)) {
      const command = ['route', 'change', ...withQuickack(route)];
      if (isAnnounced(route)) {
        failures.push(`the route ${route.prefix} is announced by a router, which has to be told instead`);
        continue;
      }
      try {
        await this.#remember({ family, route });
        await this.#runIp([family, ...command]);
        logger.info({ network, route: route.prefix }, 'quickack set on the route to modalities');
      } catch (error) {
        failures.push(`${reasonOf(error)}; an administrator can type: ip ${family} ${command.join(' ')}`);
      }
    }
    const [failure] = failures;
    if (failure === undefined) health.clear('QUICKACK_NOT_SET', subject);
    else health.raise('QUICKACK_NOT_SET', subject, `Quick acknowledgement cannot be set: ${failure}`);
  }

  /** The routes inside the network, and the one that leads to the rest of it. */
  async #routesTo(network: string, family: Family): Promise<Route[]> {
    const show = async (selector: 'root' | 'match'): Promise<Route[]> =>
      parseRoutes(
        await this.#runIp([family, '-oneline', 'route', 'show', 'table', 'main', selector, network]),
      );
    const around = narrowest(await show('match'), addressBits[family]);
    const inside = (await show('root')).filter((route) => !around.some((other) => sameRoute(route, other)));
    return [...around, ...inside];
  }

  /** Before it is changed. @throws AppError STORE_FAILED. */
  async #remember(changed: ChangedRoute): Promise<void> {
    const known = this.#changed.some(
      ({ family, route }) => family === changed.family && sameRoute(route, changed.route),
    );
    if (known) return;
    await this.#memory.save([...this.#changed, changed]);
    this.#changed.push(changed);
  }

  /** What cannot be changed back is remembered for the next time. @throws AppError STORE_FAILED. */
  async #undoAll(): Promise<void> {
    if (this.#changed.length === 0) return;
    const left: ChangedRoute[] = [];
    for (const changed of this.#changed.splice(0).reverse())
      if (!(await this.#undo(changed))) left.unshift(changed);
    this.#changed = left;
    await this.#memory.save(left);
  }

  /**
   * Only if the route still stands as we left it: somebody else may have changed or removed it.
   * @returns whether nothing of ours is left there.
   */
  async #undo({ family, route }: ChangedRoute): Promise<boolean> {
    try {
      const shown = await this.#runIp([
        family,
        '-oneline',
        'route',
        'show',
        'table',
        'main',
        'exact',
        route.prefix,
      ]);
      const ours = parseRoutes(shown).some((other) => other.quickack && sameRoute(other, route));
      if (ours) await this.#runIp([family, 'route', 'change', ...route.words]);
      return true;
    } catch (error) {
      this.#options.logger.warn(
        { route: route.prefix, reason: reasonOf(error) },
        'quickack stays on a route: it could not be changed back',
      );
      return false;
    }
  }
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Debian has it in /usr/sbin or /sbin, which a service's PATH may lack. */
const path = `${process.env['PATH'] ?? ''}:/usr/sbin:/sbin`;

function ip(args: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const options = { timeout: routeCommandMsMax, env: { PATH: path, LC_ALL: 'C' } };
    execFile('ip', args, options, (error, stdout, stderr) => {
      if (error === null) {
        resolve(stdout);
        return;
      }
      const said = stderr.trim().split('\n')[0] ?? '';
      const what = error.code === 'ENOENT' ? 'iproute2 is not installed' : said || error.message;
      reject(new Error(what, { cause: error }));
    });
  });
}
