/** Seven boxes as processes in networks of their own, under load and under a plan of troubles. */
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { quorum } from '../../firmware/src/consensus/types.ts';
import { genesisTime } from '../fakes/ledger.ts';
import type { Random } from '../sim/random.ts';
import type { BoxReport, Outcome } from './box-messages.ts';
import { ledgerOf } from './consortium-ledger.ts';
import { Load } from './load.ts';
import { addressOf, Networks } from './networks.ts';
import type { Step } from './plan.ts';
import { Progress } from './progress.ts';
import { TroubledBox } from './troubled-box.ts';
import { Witness } from './witness.ts';

export const boxIds: readonly string[] = ['alder', 'birch', 'cedar', 'elm', 'fir', 'hazel', 'larch'];

/** Several in the shortest run; blocks close them in the midst of troubles. */
const epochMs = 10_000;
/** Twenty transactions a second: the troubles are looked at, not the load. */
const submitEveryMs = 50;
/** Share of the transactions that two boxes are given. */
const givenTwice = 0.2;
/** Of one box: in rough times nothing becomes final. */
const openMax = 200;
/**
 * After troubles: a lost connection is noticed after three beats of 5 s, and tried again after 10 s at most; views time
 * out meanwhile.
 */
export const patienceMs = 30_000;
/** At the end, for all boxes to come to the same head. It bounds a failure; nothing is said about how fast. */
const settleMsMax = 180_000;
const lookEveryMs = 100;

export interface ChaosOptions {
  /** For the data of the boxes. */
  readonly folder: string;
  readonly random: Random;
}

export class Chaos {
  readonly boxes: readonly TroubledBox[];
  readonly progress: Progress;
  readonly witness = new Witness();
  /** Submissions that ended otherwise than final, by reason. */
  readonly refused = new Map<string, number>();
  readonly #complaints: string[] = [];
  readonly #random: Random;
  readonly #networks: Networks;
  readonly #load: Load;
  readonly #begunAt = performance.now();
  /** What is done to networks and processes, one after the other. */
  #deeds: Promise<void> = Promise.resolve();

  private constructor({ folder, random }: ChaosOptions, networks: Networks) {
    this.#random = random;
    this.#networks = networks;
    this.progress = new Progress(quorum(boxIds.length), patienceMs);
    const addresses = Object.fromEntries(
      boxIds.map((id, index) => [id, `/ip4/${addressOf(index)}/tcp/4001`]),
    );
    this.#load = new Load(ledgerOf(addresses, epochMs));
    const clockOffsetMs = Date.now() - (genesisTime + 1000);
    this.boxes = boxIds.map((self, index) => {
      const setup = { self, addresses, folder: join(folder, self), epochMs, clockOffsetMs };
      return new TroubledBox(setup, networks.within(index), {
        availability: (isUp) => this.progress[isUp ? 'up' : 'down'](index, this.#now),
        finalBlock: (block) => {
          if (this.witness.block(self, block)) this.progress.grew(this.#now);
        },
        settled: (id, outcome) => this.#settled(self, id, outcome),
        ended: (errors) => this.#complaints.push(`${self} ended by itself: ${errors}`),
      });
    });
  }

  /** All boxes are up. */
  static async begin(options: ChaosOptions): Promise<Chaos> {
    const chaos = new Chaos(options, await Networks.open(boxIds.length));
    for (const box of chaos.boxes) box.start();
    try {
      await chaos.#until(() => chaos.boxes.every(({ isAvailable }) => isAvailable), 'the boxes to start');
    } catch (error) {
      await chaos.stop();
      throw error;
    }
    return chaos;
  }

  get complaints(): readonly string[] {
    return [...this.#complaints, ...this.progress.complaints, ...this.witness.complaints];
  }

  /** Carries the load through these troubles, until all boxes have all that was submitted, or one of them fails. */
  async endure(steps: readonly Step[]): Promise<void> {
    const loading = setInterval(() => this.#submit(), submitEveryMs);
    const looking = setInterval(() => this.progress.look(this.#now), lookEveryMs);
    try {
      const begunAt = this.#now;
      await Promise.all(steps.map((step) => this.#suffer(step, begunAt)));
    } finally {
      clearInterval(loading);
      clearInterval(looking);
    }
    await this.#until(
      () => this.boxes.every(({ isAvailable, open }) => isAvailable && open.size === 0),
      'what was submitted to be settled',
    );
    await this.#untilSameHeight();
  }

  /** What lies on the disks of all after one more kill of all of them. */
  async reports(): Promise<readonly BoxReport[]> {
    await Promise.all(this.boxes.map((box) => box.kill()));
    for (const box of this.boxes) box.start();
    await this.#until(() => this.boxes.every(({ isAvailable }) => isAvailable), 'the boxes to start again');
    await this.#untilSameHeight();
    const { height } = this.witness;
    const reports = await Promise.all(this.boxes.map((box) => box.report()));
    for (const [index, report] of reports.entries()) this.witness.report(boxIds[index]!, report, height);
    await Promise.all(this.boxes.map((box) => box.stop()));
    return reports;
  }

  /** Nothing of it is left, whatever has happened. */
  async stop(): Promise<void> {
    await Promise.all(this.boxes.map((box) => box.kill()));
    await this.#networks.stop();
  }

  get #now(): number {
    return Math.round(performance.now() - this.#begunAt);
  }

  #submit(): void {
    const able = this.boxes.filter(({ isAvailable, open }) => isAvailable && open.size < openMax);
    const box = able[this.#random.below(able.length)];
    if (box === undefined) return;
    const submission = this.#load.next(box.id);
    box.submit(submission);
    if (this.#random.chance(givenTwice)) able[this.#random.below(able.length)]?.submit(submission);
  }

  #settled(box: string, id: string, outcome: Outcome): void {
    switch (outcome.kind) {
      case 'final':
        this.witness.transaction(box, id, outcome.height);
        this.#load.isFinal(id);
        break;
      case 'refused':
        this.#count(outcome.reason);
        break;
      case 'fault':
        this.#count(outcome.code);
        break;
    }
  }

  #count(reason: string): void {
    this.refused.set(reason, (this.refused.get(reason) ?? 0) + 1);
  }

  async #suffer({ atMs, trouble, boxes, forMs }: Step, begunAt: number): Promise<void> {
    const troubled = boxes.map((box) => this.boxes[box]!);
    await delay(Math.max(0, begunAt + atMs - this.#now));
    await this.#inTurn(async () => {
      for (const box of troubled) box.troubled(trouble);
      await this.#do(trouble, boxes, 'begins');
    });
    await delay(Math.max(0, begunAt + atMs + forMs - this.#now));
    await this.#inTurn(async () => {
      await this.#do(trouble, boxes, 'ends');
      for (const box of troubled) box.relieved(trouble);
    });
  }

  async #do(trouble: Step['trouble'], boxes: readonly number[], what: 'begins' | 'ends'): Promise<void> {
    const begins = what === 'begins';
    if (trouble === 'split') return this.#networks.split(boxes, begins ? 'apart' : 'together');
    for (const index of boxes) {
      const box = this.boxes[index]!;
      switch (trouble) {
        case 'kill':
          if (begins) await box.kill();
          else box.start();
          break;
        case 'freeze':
          box.signal(begins ? 'SIGSTOP' : 'SIGCONT');
          break;
        case 'unplug':
          await this.#networks.cable(index, begins ? 'out' : 'in');
          break;
        case 'mute':
          await this.#networks.voice(index, begins ? 'off' : 'on');
          break;
      }
    }
  }

  #inTurn(deed: () => Promise<void>): Promise<void> {
    this.#deeds = this.#deeds.then(deed);
    return this.#deeds;
  }

  /** All have what any of them has called final. */
  #untilSameHeight(): Promise<void> {
    const isSame = (): boolean => this.boxes.every(({ height }) => height === this.witness.height);
    return this.#until(isSame, 'all boxes to have the same blocks');
  }

  /** @throws Error if it does not come, or a box has ended by itself. */
  async #until(condition: () => boolean, what: string): Promise<void> {
    const giveUpAt = this.#now + settleMsMax;
    while (!condition()) {
      if (this.#complaints.length > 0) throw new Error(this.#complaints.join('\n'));
      if (this.#now > giveUpAt) throw new Error(`${what} did not come: ${this.#standing()}`);
      await delay(lookEveryMs);
    }
  }

  #standing(): string {
    return this.boxes
      .map(
        ({ id, height, open, isAvailable }) =>
          `${id} ${isAvailable ? 'up' : 'down'} at ${height}, ${open.size} open`,
      )
      .join('; ');
  }
}
