import { spawn, type ChildProcess, type ChildProcessByStdio } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import type { Readable } from 'node:stream';
import { isAbsolute, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { writeFile } from 'node:fs/promises';
import { AppError } from '../../src/errors.ts';
import type { Logger, Service } from '../../src/ports.ts';
import type { TpmEndpoint, TpmTarget } from '../endpoint.ts';
import { simulatorPollMs, simulatorStartMsMax, simulatorStopMsMax } from '../limits.ts';
import { closePlatformCommand, pcrExtendCommand, sendCommands, shutdownCommand } from './boot.ts';
import { Complaints } from './complaints.ts';
import { encodeEventLog, type BootEvent } from './event-log.ts';
import { developmentBoot, ownFirmwareRoot } from './measurement.ts';
import { endSimulatorsOf } from './orphan.ts';
import { setUpSimulator } from './setup.ts';
import {
  commandSocket,
  controlSocket,
  makeSocketFolder,
  recordedSocketFolder,
  removeSocketFolder,
} from './sockets.ts';

export interface SoftwareTpmOptions {
  /** Absolute path; made if it is missing. It is the TPM: whoever exchanges it exchanges the TPM. */
  readonly stateFolder: string;
  readonly logger: Logger;
  /** The folder that holds firmware/, package.json and package-lock.json, which are measured; that of this file unless told. */
  readonly firmwareRoot?: string;
  /** Names or paths of the programs; `swtpm` and `swtpm_setup` unless told. */
  readonly programs?: { readonly swtpm: string; readonly setup: string };
}

interface Running {
  readonly child: ChildProcess;
  readonly target: TpmTarget & {
    readonly simulator: { readonly pid: number; readonly socketFolder: string };
  };
}

/** Of SHA-256's strength; a TPM takes no longer one. */
const platformAuthorizationBytes = 32;
const eventLogName = 'event-log.bin';

/** True once the process has ended. */
function hasEnded(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null;
}

/**
 * A TPM for development and tests: swtpm, started and measured into as a machine's firmware would, so that all code
 * above it is the same as with a chip. It protects nothing against whoever can read its state folder.
 */
export class SoftwareTpm implements TpmEndpoint, Service {
  readonly #stateFolder: string;
  readonly #logger: Logger;
  readonly #firmwareRoot: string;
  readonly #programs: { readonly swtpm: string; readonly setup: string };
  readonly #listeners = new Set<() => void>();
  #boot: readonly BootEvent[] | undefined;
  #running: Promise<Running> | undefined;
  #stopped = false;

  /** @throws AppError CONFIG_INVALID if the path cannot be told to swtpm. */
  constructor({ stateFolder, logger, firmwareRoot, programs }: SoftwareTpmOptions) {
    if (!isAbsolute(stateFolder)) {
      throw new AppError('CONFIG_INVALID', `the swtpm state folder must be an absolute path: ${stateFolder}`);
    }
    // swtpm and tcti-swtpm separate their options by commas, and know no quotes.
    if (stateFolder.includes(',')) {
      throw new AppError('CONFIG_INVALID', `the swtpm state folder must not have a comma: ${stateFolder}`);
    }
    this.#stateFolder = stateFolder;
    this.#logger = logger;
    this.#firmwareRoot = firmwareRoot ?? ownFirmwareRoot;
    this.#programs = programs ?? { swtpm: 'swtpm', setup: 'swtpm_setup' };
  }

  /** What was measured at this boot, in the TCG's crypto-agile format. */
  get eventLogFile(): string {
    return join(this.#stateFolder, eventLogName);
  }

  /** @throws AppError TPM_SIMULATOR_MISSING or TPM_FAILED. */
  async start(): Promise<void> {
    this.#stopped = false;
    await this.open();
  }

  /** Starts swtpm if it does not run; so it comes back after it died. */
  async open(): Promise<TpmTarget> {
    if (this.#stopped) throw new AppError('TPM_ABSENT', 'the software TPM was stopped');
    const running = (this.#running ??= this.#launch());
    try {
      return (await running).target;
    } catch (failure) {
      if (this.#running === running) this.#running = undefined;
      throw failure;
    }
  }

  onLost(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Shuts the TPM down, ends swtpm and removes its sockets. What uses the TPM must be stopped before. */
  async stop(): Promise<void> {
    this.#stopped = true;
    // If it is just failing to start, whoever started it is told.
    const running = await this.#running?.catch(() => undefined);
    this.#running = undefined;
    if (!running) return;
    const { child, target } = running;
    const { socketFolder } = target.simulator;
    try {
      await sendCommands(commandSocket(socketFolder), [shutdownCommand()], simulatorStopMsMax);
      await this.#end(child, 'SIGTERM');
    } catch (failure) {
      this.#logger.warn({ failure: String(failure) }, 'swtpm was not shut down in order');
      await this.#end(child, 'SIGKILL');
    }
    removeSocketFolder(socketFolder, this.#stateFolder);
  }

  async #launch(): Promise<Running> {
    await endSimulatorsOf(this.#stateFolder); // a crash may have left one
    removeSocketFolder(recordedSocketFolder(this.#stateFolder), this.#stateFolder);
    await setUpSimulator(this.#stateFolder, this.#programs.setup);
    // What runs is what was measured when this process began, also if swtpm dies and is started anew.
    this.#boot ??= await developmentBoot(this.#firmwareRoot);
    const socketFolder = makeSocketFolder(this.#stateFolder);
    const child = this.#spawn(socketFolder);
    const complaints = new Complaints(child.stderr, this.#logger);
    try {
      await once(child, 'spawn');
    } catch (cause) {
      removeSocketFolder(socketFolder, this.#stateFolder);
      throw new AppError('TPM_SIMULATOR_MISSING', `${this.#programs.swtpm} is not installed`, { cause });
    }
    try {
      await this.#measure(child, socketFolder, this.#boot);
      if (hasEnded(child)) throw new Error('swtpm ended while it was measured into');
    } catch (cause) {
      await this.#end(child, 'SIGKILL');
      removeSocketFolder(socketFolder, this.#stateFolder);
      throw new AppError('TPM_FAILED', `swtpm did not start: ${complaints.last}`, {
        cause,
      });
    }
    child.once('exit', (status, signal) => this.#lost(child, signal ?? `status ${status}`));
    const simulator = { pid: child.pid as number, stateFolder: this.#stateFolder, socketFolder };
    return { child, target: { tcti: `swtpm:path=${commandSocket(socketFolder)}`, simulator } };
  }

  /** In a group of its own: Ctrl-C in a terminal reaches the parent alone, which stops swtpm in order. */
  #spawn(socketFolder: string): ChildProcessByStdio<null, null, Readable> {
    return spawn(
      this.#programs.swtpm,
      [
        'socket',
        '--tpm2',
        ...['--tpmstate', `dir=${this.#stateFolder},mode=0600`],
        ...['--server', `type=unixio,path=${commandSocket(socketFolder)},mode=0600`],
        ...['--ctrl', `type=unixio,path=${controlSocket(socketFolder)},mode=0600`],
        ...['--flags', 'not-need-init,startup-clear'],
      ],
      { argv0: 'swtpm', stdio: ['ignore', 'ignore', 'pipe'], detached: true },
    );
  }

  /** Waits until swtpm listens, does what the boot firmware would, and writes the event log. */
  async #measure(child: ChildProcess, socketFolder: string, boot: readonly BootEvent[]): Promise<void> {
    const deadline = performance.now() + simulatorStartMsMax;
    const commands = [
      ...boot.map(({ register, digest }) => pcrExtendCommand(register, digest)),
      closePlatformCommand(randomBytes(platformAuthorizationBytes)),
    ];
    for (;;) {
      try {
        await sendCommands(commandSocket(socketFolder), commands, simulatorStartMsMax);
        break;
      } catch (failure) {
        const listensNotYet = ['ENOENT', 'ECONNREFUSED'].includes(
          (failure as NodeJS.ErrnoException).code ?? '',
        );
        if (!listensNotYet || hasEnded(child) || performance.now() > deadline) throw failure;
        await delay(simulatorPollMs);
      }
    }
    await writeFile(this.eventLogFile, encodeEventLog(boot), { mode: 0o600 });
  }

  async #end(child: ChildProcess, signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    if (hasEnded(child)) return;
    const ended = once(child, 'exit');
    child.kill(signal);
    const kill = setTimeout(() => child.kill('SIGKILL'), simulatorStopMsMax);
    await ended;
    clearTimeout(kill);
  }

  #lost(child: ChildProcess, how: string): void {
    if (this.#stopped) return;
    this.#running = undefined;
    this.#logger.error({ pid: child.pid, how }, 'swtpm ended unexpectedly');
    for (const listener of this.#listeners) listener();
  }
}
