/**
 * What befalls the boxes, and when: the same for the same seed. Gentle times, in which no more boxes are troubled than
 * consensus tolerates, take turns with rough ones, in which anything can happen and nothing is expected.
 */
import { faultsTolerated } from '../../firmware/src/consensus/types.ts';
import type { Random } from '../sim/random.ts';

/**
 * `kill`: SIGKILL, and started again at the end. `freeze`: SIGSTOP, and SIGCONT at the end. `unplug`: its cable is out.
 * `mute`: it hears, and nobody hears it. `split`: these boxes reach each other only.
 */
export type Trouble = (typeof ofOneBox)[number] | 'split';

export interface Step {
  readonly atMs: number;
  readonly trouble: Trouble;
  readonly boxes: readonly number[];
  /** How long it lasts. */
  readonly forMs: number;
}

/** A kill is the commonest: it is what disks must stand. */
const ofOneBox = ['kill', 'kill', 'freeze', 'unplug', 'mute'] as const;

/** So that the first rough time comes soon. */
const firstGentleMs = 10_000;
/** A gentle time: longer than any box may take to find its way again after a rough one. */
const gentleMs = [40_000, 55_000] as const;
/** Troubles of one box: blinks that no connection notices, and absences after which it must be found anew. */
const shortMs = [200, 2_000] as const;
const longMs = [3_000, 15_000] as const;
const pauseMs = [500, 3_000] as const;
const roughMs = [500, 10_000] as const;

interface Span {
  readonly fromMs: number;
  readonly untilMs: number;
}

/** Steps that are over after `ms`, in the order of their beginnings; those of one box do not overlap. */
export function plan(random: Random, boxes: number, ms: number): Step[] {
  const steps: Step[] = [];
  let fromMs = 0;
  for (let lasts: number = firstGentleMs; fromMs < ms; lasts = random.between(...gentleMs)) {
    const untilMs = Math.min(ms, fromMs + lasts);
    steps.push(...gentle(random, boxes, { fromMs, untilMs }));
    const rough = anything(random, boxes, untilMs);
    const endMs = Math.max(...rough.map(({ atMs, forMs }) => atMs + forMs));
    if (endMs < ms) steps.push(...rough);
    fromMs = endMs;
  }
  return steps.sort((a, b) => a.atMs - b.atMs);
}

/** The same few boxes, again and again; all others are left in peace. */
function gentle(random: Random, boxes: number, { fromMs, untilMs }: Span): Step[] {
  const victims = someOf(random, boxes, faultsTolerated(boxes));
  const steps: Step[] = [];
  let freeMs = fromMs;
  if (random.chance(0.3)) {
    const split = {
      atMs: fromMs,
      trouble: 'split',
      boxes: victims,
      forMs: random.between(...longMs),
    } as const;
    freeMs = split.atMs + split.forMs;
    if (freeMs < untilMs) steps.push(split);
  }
  for (const box of victims) {
    for (let atMs = freeMs + random.between(...pauseMs); ;) {
      const [low, high] = random.chance(0.5) ? shortMs : longMs;
      const forMs = random.between(low, high);
      if (atMs + forMs >= untilMs) break;
      steps.push({ atMs, trouble: oneOf(random, ofOneBox), boxes: [box], forMs });
      atMs += forMs + random.between(...pauseMs);
    }
  }
  return steps;
}

/** More than consensus tolerates: the power fails for all, halves do not reach each other, or many have some trouble. */
function anything(random: Random, boxes: number, atMs: number): Step[] {
  const forMs = (): number => random.between(...roughMs);
  const beyond = faultsTolerated(boxes) + 1;
  switch (random.below(3)) {
    case 0:
      return someOf(random, boxes, boxes).map((box) => ({
        atMs,
        trouble: 'kill',
        boxes: [box],
        forMs: forMs(),
      }));
    case 1:
      return [{ atMs, trouble: 'split', boxes: someOf(random, boxes, beyond), forMs: forMs() }];
    default:
      return someOf(random, boxes, random.between(beyond, boxes)).map((box) => ({
        atMs: atMs + random.between(0, 2_000),
        trouble: oneOf(random, ofOneBox),
        boxes: [box],
        forMs: forMs(),
      }));
  }
}

function oneOf<T>(random: Random, choices: readonly T[]): T {
  return choices[random.below(choices.length)] as T;
}

function someOf(random: Random, boxes: number, count: number): number[] {
  const left = Array.from({ length: boxes }, (_, box) => box);
  return Array.from({ length: count }, () => left.splice(random.below(left.length), 1)).flat();
}
