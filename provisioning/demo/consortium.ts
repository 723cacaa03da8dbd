/** Four hospitals' boxes and B's PACS, in one folder, as processes of their own. */
import { mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { lockName } from './folder-lock.ts';
import { HospitalProcess, type FirstLogin } from './hospital-process.ts';
import { boxConfig, type Hospital, type HospitalTiming } from './hospitals.ts';
import { Orthanc } from './orthanc.ts';
import { writeSecretFile } from './secret-file.ts';

export interface ConsortiumOptions {
  readonly folder: string;
  readonly hospitals: readonly Hospital[];
  readonly timing: HospitalTiming;
  /** Aborted when all is to end: nothing is started any more from then on. */
  readonly signal?: AbortSignal;
}

/** How to get into a console, kept for the person at the demonstration; on an appliance nobody keeps this. */
export interface Login {
  readonly name: string;
  readonly password: string;
}

export type Logins = Readonly<Record<string, readonly Login[]>>;

const dayMs = 86_400_000;

/** What the founders agree on; later a matter of votes (docs/formats.md, "Genesis document"). */
const parameters = {
  epochMs: dayMs,
  proposalMs: 30 * dayMs,
  objectionMs: 14 * dayMs,
  emergencyMs: 5 * dayMs,
  confirmMs: dayMs,
  activationBlocks: 8_640,
  attestation: { everyMs: dayMs / 4, suspends: false },
  endorsementRoots: [],
  bootAuthorities: [],
};

async function exists(path: string): Promise<boolean> {
  try {
    await stat(path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
    throw error;
  }
}

export class Consortium {
  readonly folder: string;
  readonly boxes: readonly HospitalProcess[];
  readonly pacs: ReadonlyMap<string, Orthanc>;
  readonly #options: ConsortiumOptions;

  constructor(options: ConsortiumOptions) {
    this.#options = options;
    this.folder = options.folder;
    this.boxes = options.hospitals.map(
      (hospital) => new HospitalProcess(hospital, join(options.folder, hospital.id), options.signal),
    );
    this.pacs = new Map(
      options.hospitals.flatMap(({ id, pacs }) =>
        pacs === undefined
          ? []
          : [[id, new Orthanc(pacs, join(options.folder, id, 'pacs'), options.signal)] as const],
      ),
    );
  }

  /** Whether it was told to end. */
  get interrupted(): boolean {
    return this.#options.signal?.aborted === true;
  }

  get #genesisPath(): string {
    return join(this.folder, 'genesis.json');
  }

  get loginsPath(): string {
    return join(this.folder, 'logins.json');
  }

  box(id: string): HospitalProcess {
    const box = this.boxes.find(({ hospital }) => hospital.id === id);
    if (box === undefined) throw new Error(`no hospital is called ${id}`);
    return box;
  }

  /** Forgets everything. The genesis file goes first: if this is cut short, founding begins anew with the rest. */
  async clear(): Promise<void> {
    await rm(this.#genesisPath, { force: true });
    if (!(await exists(this.folder))) return;
    for (const name of await readdir(this.folder)) {
      if (name !== lockName) await rm(join(this.folder, name), { recursive: true, force: true });
    }
  }

  /**
   * Writes the configurations; the first time, each box makes its keys in its TPM and the genesis file is put together
   * from what they hand in. True if the consortium is new.
   */
  async found(): Promise<boolean> {
    const isNew = !(await exists(this.#genesisPath));
    // What a founding that was interrupted left belongs to no consortium.
    if (isNew) await this.clear();
    for (const { hospital, folder } of this.boxes) {
      await mkdir(folder, { recursive: true, mode: 0o700 });
      const config = boxConfig(hospital, this.#options.timing);
      await writeFile(join(folder, 'config.json'), `${JSON.stringify(config, null, 2)}\n`);
    }
    if (!isNew) return false;
    const institutions = await Promise.all(this.boxes.map((box) => box.enrol()));
    const genesis = JSON.stringify({
      name: 'Demonstration consortium',
      time: Date.now(),
      validators: this.boxes.map(({ hospital }) => hospital.id),
      institutions,
      parameters,
      // Nobody publishes releases here.
      vendor: { keys: [], threshold: 0 },
      // Its TPMs are simulators.
      development: true,
    });
    await writeSecretFile(this.#genesisPath, genesis);
    return true;
  }

  /** Starts PACS and boxes; resolves with the first logins of boxes that were never logged in to. */
  async start(): Promise<ReadonlyMap<string, FirstLogin>> {
    await Promise.all([...this.pacs.values()].map((pacs) => pacs.start()));
    const logins = await Promise.all(
      this.boxes.map(async (box) => [box.hospital.id, await box.start()] as const),
    );
    return new Map(logins.flatMap(([id, login]) => (login === undefined ? [] : [[id, login] as const])));
  }

  /** Stops all of it, also what half started. True if every box that ran ended cleanly. */
  async stop(): Promise<boolean> {
    const statuses = await Promise.all(
      this.boxes.map((box) => (box.running ? box.stop() : Promise.resolve(0))),
    );
    await Promise.all([...this.pacs.values()].map((pacs) => pacs.stop()));
    return statuses.every((status) => status === 0);
  }

  async readLogins(): Promise<Logins> {
    if (!(await exists(this.loginsPath))) return {};
    return JSON.parse(await readFile(this.loginsPath, 'utf8')) as Logins;
  }

  async writeLogins(logins: Logins): Promise<void> {
    await writeSecretFile(this.loginsPath, JSON.stringify(logins, null, 2));
  }
}
