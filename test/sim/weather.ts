/** The network between the nodes: what becomes of each message, and which wires are cut. */
import type { EventQueue } from './event-queue.ts';
import type { Random } from './random.ts';

export interface WeatherOptions {
  readonly random: Random;
  readonly events: EventQueue;
  readonly nodes: readonly string[];
  /** Two sides that do not hear each other until calm; otherwise partitions come and go. */
  /** Half as bad, and seldom cut: so that many epochs go by. */
  readonly isMild: boolean;
  readonly split?: readonly [ReadonlySet<string>, ReadonlySet<string>];
  readonly note: (event: string) => void;
}

export class Weather {
  readonly #options: WeatherOptions;
  /** How bad it is: chances of each message to be lost, doubled or late. */
  readonly #lost: number;
  readonly #doubled: number;
  readonly #late: number;
  /** Wires that are cut, one way each. */
  #cut = new Set<string>();
  #calm = false;

  constructor(options: WeatherOptions) {
    this.#options = options;
    const { random, isMild } = options;
    const of = isMild ? 200 : 100;
    this.#lost = random.below(8) / of;
    this.#doubled = random.below(6) / of;
    this.#late = random.below(12) / of;
  }

  begin(): void {
    if (this.#options.split === undefined) this.#change();
    else this.#cut = wiresBetween(...this.#options.split, false);
  }

  calm(): void {
    this.#calm = true;
    this.#cut = new Set();
  }

  /** After how many milliseconds the message arrives, for each time that it does. */
  fate(from: string, to: string): readonly number[] {
    const { random } = this.#options;
    if (this.#calm) return [random.between(1, 20)];
    if (this.#cut.has(`${from}>${to}`) || random.chance(this.#lost)) return [];
    const delay = (): number =>
      random.chance(this.#late) ? random.between(100, 2000) : random.between(1, 30);
    return random.chance(this.#doubled) ? [delay(), delay()] : [delay()];
  }

  #change(): void {
    if (this.#calm) return;
    const { random, events, nodes, note, isMild } = this.#options;
    this.#cut = new Set();
    if (random.chance(isMild ? 0.15 : 0.5)) {
      const side = new Set(nodes.filter(() => random.chance(0.5)));
      const other = new Set(nodes.filter((node) => !side.has(node)));
      this.#cut = wiresBetween(side, other, random.chance(0.5));
      note(`cut ${[...side].join(', ')} from ${[...other].join(', ')}`);
    }
    events.after(random.between(500, 6000), () => this.#change());
  }
}

function wiresBetween(side: ReadonlySet<string>, other: ReadonlySet<string>, isOneWay: boolean): Set<string> {
  const wires = new Set<string>();
  for (const a of side) {
    for (const b of other) {
      wires.add(`${a}>${b}`);
      if (!isOneWay) wires.add(`${b}>${a}`);
    }
  }
  return wires;
}
