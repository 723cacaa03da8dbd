/** A software TPM of its own for each test, in a folder that goes with it, measuring a firmware of two small files. */
import { appendFile, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import {
  openDeviceKeys,
  SoftwareTpm,
  type OpenDeviceKeys,
  type RecoveryHalves,
} from '../../firmware/tpm/index.ts';
import type { Clock } from '../../firmware/src/ports.ts';
import { developmentBoot, registersAfter } from '../../firmware/tpm/simulator/measurement.ts';
import { systemClock } from './manual-clock.ts';
import { RecordingLogger } from './recording-logger.ts';

/** A box's data folder with its TPM. Everything in it ends with the test, in the right order. */
export class FreshTpm {
  readonly folder: string;
  readonly logger = new RecordingLogger();
  /** Given to keys that are made. */
  rescueKey: Uint8Array | undefined;
  /** Of the keys that were made last. */
  recoveryHalves: RecoveryHalves | undefined;
  readonly #opened = new Set<OpenDeviceKeys>();
  #softwareTpm: SoftwareTpm | undefined;

  private constructor(folder: string) {
    this.folder = folder;
  }

  static async make(t: TestContext): Promise<FreshTpm> {
    const fresh = new FreshTpm(await mkdtemp(join(tmpdir(), 'hilum-test-tpm-')));
    t.after(() => fresh.#remove());
    await mkdir(join(fresh.firmwareRoot, 'firmware'), { recursive: true });
    await writeFile(join(fresh.firmwareRoot, 'firmware', 'main.ts'), 'first version\n');
    for (const name of ['package.json', 'package-lock.json'])
      await writeFile(join(fresh.firmwareRoot, name), '{}\n');
    return fresh;
  }

  get firmwareRoot(): string {
    return join(this.folder, 'checkout');
  }

  get stateFolder(): string {
    return join(this.folder, 'swtpm');
  }

  get keysFile(): string {
    return join(this.folder, 'device-keys.json');
  }

  get softwareTpm(): SoftwareTpm {
    this.#softwareTpm ??= new SoftwareTpm({
      stateFolder: this.stateFolder,
      logger: this.logger,
      firmwareRoot: this.firmwareRoot,
    });
    return this.#softwareTpm;
  }

  async pid(): Promise<number> {
    const { simulator } = await this.softwareTpm.open();
    if (!simulator) throw new Error('not a simulator');
    return simulator.pid;
  }

  async tcti(): Promise<string> {
    return (await this.softwareTpm.open()).tcti;
  }

  async openKeys(clock: Clock = systemClock): Promise<OpenDeviceKeys> {
    const { softwareTpm, keysFile, logger } = this;
    const onRecoveryCode = (halves: RecoveryHalves): void => {
      this.recoveryHalves = halves;
    };
    const keys = await openDeviceKeys({
      endpoint: softwareTpm,
      keysFile,
      institutionId: 'north',
      logger,
      clock,
      onRecoveryCode,
      ...(this.rescueKey && { rescueKey: this.rescueKey }),
    });
    this.#opened.add(keys);
    return keys;
  }

  /** What a power-off and power-on in order is to a box. The firmware is measured anew. */
  async reboot(): Promise<void> {
    await this.powerOff();
    await this.softwareTpm.start();
  }

  async powerOff(): Promise<void> {
    for (const keys of this.#opened) await keys.stop();
    this.#opened.clear();
    await this.#softwareTpm?.stop();
    this.#softwareTpm = undefined;
  }

  changeFirmware(): Promise<void> {
    return appendFile(join(this.firmwareRoot, 'firmware', 'main.ts'), 'changed\n');
  }

  /** Puts a firmware in place, which runs from the next start on. @returns the registers 7 and 11 that it will have. */
  async installFirmware(content: string): Promise<Uint8Array[]> {
    await writeFile(join(this.firmwareRoot, 'firmware', 'main.ts'), content);
    return registersAfter(await developmentBoot(this.firmwareRoot), [7, 11]);
  }

  async #remove(): Promise<void> {
    await this.powerOff();
    await rm(this.folder, { recursive: true, force: true });
  }
}
