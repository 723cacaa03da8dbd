/** Which walks are made in which consortium, and what is to come of them. */
import type { Walks } from './quint.ts';

type Expected = Omit<Walks, 'walks' | 'seed'>;

/** Walks in which boxes forget how they voted, and an order says where to go on. */
function restarting(step: string): Omit<Expected, 'instance'> {
  return { init: 'initRestarts', step, invariant: 'safeRestarts', stepsMax: 100 };
}

/** `safe` is all invariants together. */
export const sound: readonly Expected[] = [
  { instance: 'four', invariant: 'safe', stepsMax: 60 },
  { instance: 'seven', invariant: 'safe', stepsMax: 90 },
  { ...restarting('stepRestarts'), instance: 'fourRestarting' },
  { ...restarting('stepRestarts'), instance: 'sixRestarting' },
];

/** Consortiums in which one rule is broken: an invariant must notice, or the model shows nothing. */
export const broken: readonly (Expected & { readonly what: string })[] = [
  {
    instance: 'fourWithTwoByzantine',
    invariant: 'agreement',
    stepsMax: 50,
    what: 'f+1 of four are Byzantine',
  },
  {
    instance: 'sevenWithThreeByzantine',
    invariant: 'agreement',
    stepsMax: 80,
    what: 'f+1 of seven are Byzantine',
  },
  {
    instance: 'fourWithSmallQuorum',
    invariant: 'agreement',
    stepsMax: 50,
    what: 'n−f−1 of four are a quorum',
  },
  {
    instance: 'sevenWithSmallQuorum',
    invariant: 'agreement',
    stepsMax: 80,
    what: 'n−f−1 of seven are a quorum',
  },
  { instance: 'sixWithThreeVotes', invariant: 'agreement', stepsMax: 60, what: '2f+1 of six are a quorum' },
  {
    instance: 'fourWithoutGuard',
    invariant: 'noFinalViewNullified',
    stepsMax: 60,
    what: 'views that were given up are finalized',
  },
  {
    ...restarting('stepWithOldBlock'),
    instance: 'fourRestarting',
    what: 'an order names another than the newest block',
  },
  {
    ...restarting('stepWithLowFloor'),
    instance: 'fourRestarting',
    what: 'boxes have voted above the floor of an order',
  },
  {
    ...restarting('stepWithoutRest'),
    instance: 'fourRestarting',
    what: 'boxes go on between the question and the order',
  },
];

export const validatorsOf: Readonly<Record<string, number>> = {
  four: 4,
  seven: 7,
  fourRestarting: 4,
  sixRestarting: 6,
};

export interface Vector extends Walks {
  /** test/vectors/quint/<name>.itf.json. */
  readonly name: string;
}

/** The committed traces. An invariant that is no rule is one whose violation is what the trace is to show. */
export const vectors: readonly Vector[] = [
  { name: 'four-final', instance: 'four', invariant: 'noneIsFinal', walks: 100, stepsMax: 60, seed: 1 },
  {
    name: 'four-second-final',
    instance: 'four',
    invariant: 'noSecondIsFinal',
    walks: 200,
    stepsMax: 60,
    seed: 2,
  },
  {
    name: 'four-final-later',
    instance: 'four',
    invariant: 'noneIsFinalLater',
    walks: 400,
    stepsMax: 60,
    seed: 3,
  },
  {
    name: 'four-final-after-gap',
    instance: 'four',
    invariant: 'noneIsFinalAfterGap',
    walks: 800,
    stepsMax: 60,
    seed: 4,
  },
  { name: 'four-accused', instance: 'four', invariant: 'noneIsAccused', walks: 100, stepsMax: 60, seed: 5 },
  {
    name: 'four-finalizes-twice',
    instance: 'four',
    invariant: 'noneFinalizesTwice',
    walks: 400,
    stepsMax: 60,
    seed: 9,
  },
  { name: 'four-long', instance: 'four', invariant: 'safe', walks: 1, stepsMax: 200, seed: 6 },
  { name: 'seven-final', instance: 'seven', invariant: 'noneIsFinal', walks: 200, stepsMax: 90, seed: 7 },
  { name: 'seven-long', instance: 'seven', invariant: 'safe', walks: 1, stepsMax: 250, seed: 8 },
  {
    ...restarting('stepRestarts'),
    name: 'four-restarted',
    instance: 'fourRestarting',
    invariant: 'noneIsFinalAfterOrder',
    walks: 200,
    seed: 1,
  },
  {
    ...restarting('stepRestarts'),
    name: 'six-restarted',
    instance: 'sixRestarting',
    invariant: 'noneIsFinalAfterOrder',
    walks: 200,
    seed: 1,
  },
];

export function vectorFile({ name }: Vector): URL {
  return new URL(`../vectors/quint/${name}.itf.json`, import.meta.url);
}
