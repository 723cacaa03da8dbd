/** The kinds of world. In each a seed decides everything that its kind leaves open. */
import { faultsTolerated } from '../../firmware/src/consensus/types.ts';
import { actorNames } from './actors.ts';
import { runCoreWorld, type CoreWorldOptions, type CoreWorldResult } from './core-world.ts';
import { runNodeWorld } from './node-world.ts';
import type { Flaw, NodeWorldOptions, NodeWorldResult } from './node-world-options.ts';
import type { Outcome, RunSeed } from './outcome.ts';
import type { Random } from './random.ts';
import { randomFrom } from './random.ts';

export interface Mode {
  readonly what: string;
  readonly run: RunSeed;
}

/**
 * Views after the faults until something new is final: every leader in turn twice, and the views that the boxes were
 * apart. A leader that is not behind and hears the others needs one.
 */
const viewsToProgressMax = (validators: number): number => 2 * validators + 2;

const pick = <T>(random: Random, list: readonly T[]): T => {
  const item = list[random.below(list.length)];
  if (item === undefined) throw new Error('nothing to pick from');
  return item;
};

/** What the seed is used for here must not be what the world draws from it: else the two would go together. */
const randomOf = (seed: number): Random => randomFrom(seed ^ 0x5eed5eed);

const usual = { faultyMs: 12_000, calmMsMax: 120_000 };

function nodes(
  what: string,
  optionsOf: (random: Random) => Omit<NodeWorldOptions, 'seed' | keyof typeof usual> & Partial<typeof usual>,
): Mode {
  return {
    what,
    run: async (seed, readAlong) => {
      const options: NodeWorldOptions = { ...usual, ...optionsOf(randomOf(seed)), seed };
      readAlong?.(
        0,
        `a world of ${options.institutions} institutions, flaws: ${options.flaws.join(', ') || 'none'}`,
      );
      const result = await runNodeWorld(readAlong === undefined ? options : { ...options, readAlong });
      return judgeNodes(options, result);
    },
  };
}

function judgeNodes(options: NodeWorldOptions, result: NodeWorldResult): Outcome {
  const { validators = options.institutions } = options;
  const failures = [...result.violations];
  const isForked = result.conflicts.length > 0;
  const isNamed = result.guilty.size > faultsTolerated(validators);
  const isSlow = result.viewsToProgress > viewsToProgressMax(validators);
  // Two blocks notarized for one view end it too, for those who hold the one or the other: more than f have lied then.
  const isStuck = !isForked && isNamed && (isSlow || !result.isSettled);
  if (isForked && !isNamed)
    failures.push(`boxes differ, and only ${result.guilty.size} are shown to be guilty`);
  if (!isForked && !isStuck && !result.isLost && failures.length === 0) {
    if (isSlow) failures.push(`no new final block within ${viewsToProgressMax(validators)} views of calm`);
    else if (!result.isSettled) failures.push('somebody is left behind, or waits for an answer');
  }
  return {
    traceHash: result.traceHash,
    failures,
    figures: {
      blocks: result.height,
      epochs: result.epochs,
      validatorSets: result.validatorSets,
      transactions: result.transactions,
      crashes: result.crashes,
      forks: isForked ? 1 : 0,
      ...(isStuck ? { stuck: 1 } : {}),
      ...(result.isLost ? { lost: 1 } : {}),
      guilty: result.guilty.size,
      ...(options.areBlocksDropped === true
        ? { snapshotsTaken: result.snapshotsTaken, pruned: result.pruned }
        : {}),
      ...(isForked || isStuck || result.isLost ? {} : { viewsToProgressMax: result.viewsToProgress }),
    },
  };
}

/** A small log is begun anew every few seconds, a large one never. */
const voteLogBytesMaxOf = (random: Random): number => pick(random, [6_000, 12_000, 8_388_608]);

/** f of these, not more; fewer now and then. */
function flawsOf(random: Random, validators: number, kinds: readonly Flaw[]): Flaw[] {
  const most = faultsTolerated(validators);
  const count = random.chance(0.7) ? most : random.below(most + 1);
  return Array.from({ length: count }, () => pick(random, kinds));
}

/** Who is away for long, and who lies to whoever comes back; and some of the others. */
const snapshotFlaws: readonly Flaw[] = [
  'away',
  'away',
  'away',
  'lyingSnapshotPeer',
  'lyingSnapshotPeer',
  'lyingSnapshotPeer',
  'lyingSnapshotPeer',
  'absent',
  'lost-tail',
  'flipped-vote',
  'lyingCatchUpPeer',
  'whisperer',
  'equivocator',
];

const sizes = [4, 4, 4, 4, 5, 6, 7];

function cores(
  what: string,
  optionsOf: (random: Random) => Omit<CoreWorldOptions, 'seed' | 'faultyMs' | 'calmMs'>,
): Mode {
  return {
    what,
    run: (seed, readAlong) => {
      const options = optionsOf(randomOf(seed));
      // A validator alone makes blocks as fast as it can write: a shorter time shows as much.
      const faultyMs = options.validators === 1 ? 500 : 3000;
      const result = runCoreWorld({
        ...options,
        seed,
        faultyMs,
        calmMs: 1500,
        ...(readAlong ? { readAlong } : {}),
      });
      return Promise.resolve(judgeCores(result));
    },
  };
}

function judgeCores(result: CoreWorldResult): Outcome {
  const failures = [...result.violations];
  if (failures.length === 0 && result.finalViewAtEnd <= result.finalViewAfterFaults)
    failures.push('no progress in calm');
  return {
    traceHash: result.traceHash,
    failures,
    figures: { blocks: result.blocksFinal, crashes: result.crashes, guilty: result.accused.size },
  };
}

export const modes = {
  cores: cores('consensus cores alone, crashes between any two effects', (random) => ({
    validators: pick(random, [1, 2, 3, 4, 4, 5, 7, 10]),
  })),
  coreTwins: cores('the same with f Twins', (random) => {
    const validators = pick(random, [4, 4, 5, 7]);
    return { validators, twins: faultsTolerated(validators) };
  }),
  nodes: nodes('whole boxes, bad disks, clocks and networks', (random) => {
    const institutions = pick(random, sizes);
    return {
      institutions,
      flaws: flawsOf(random, institutions, ['lost-tail', 'flipped-vote', 'flipped-block', 'absent']),
      blackouts: random.below(2),
      voteLogBytesMax: voteLogBytesMaxOf(random),
      realSignatures: random.chance(0.05),
    };
  }),
  blackout: nodes('whole boxes that all lose power at once, again and again', (random) => ({
    institutions: pick(random, sizes),
    flaws: [],
    blackouts: random.between(2, 6),
    voteLogBytesMax: voteLogBytesMaxOf(random),
  })),
  twins: nodes('whole boxes, f of them twice under one key', (random) => {
    const institutions = pick(random, [4, 4, 7]);
    return {
      institutions,
      flaws: Array.from({ length: faultsTolerated(institutions) }, () => 'twins' as const),
      blackouts: random.below(2),
      voteLogBytesMax: voteLogBytesMaxOf(random),
    };
  }),
  byzantine: nodes('whole boxes, f of them Byzantine actors', (random) => {
    const institutions = pick(random, sizes);
    return {
      institutions,
      flaws: flawsOf(random, institutions, actorNames),
      blackouts: random.below(2),
      voteLogBytesMax: voteLogBytesMaxOf(random),
    };
  }),
  epochs: nodes('epochs of a few seconds, f boxes with flaws of any kind', (random) => {
    const institutions = pick(random, [4, 4, 5, 7]);
    return {
      institutions,
      epochMs: random.between(1000, 5000),
      flaws: flawsOf(random, institutions, [...actorNames, 'twins', 'lost-tail', 'flipped-vote', 'absent']),
      blackouts: random.below(2),
      voteLogBytesMax: voteLogBytesMaxOf(random),
      areEndsCut: random.chance(0.3),
    };
  }),
  changes: nodes('members vote on who validates, and epochs last seconds', (random) => {
    const institutions = pick(random, [5, 6, 7]);
    return {
      institutions,
      validators: 4,
      setChanges: true,
      epochMs: random.between(1000, 4000),
      flaws: flawsOf(random, 4, [...actorNames, 'lost-tail', 'absent']),
      blackouts: random.below(2),
      voteLogBytesMax: voteLogBytesMaxOf(random),
      areEndsCut: random.chance(0.3),
    };
  }),
  restarts: nodes('more than f boxes forget how they voted, and offline roots order to go on', (random) => {
    const institutions = pick(random, sizes);
    return {
      institutions,
      flaws: [],
      forgetful: random.between(faultsTolerated(institutions) + 1, institutions),
      ...(random.chance(0.3) ? { epochMs: random.between(1000, 5000) } : {}),
      blackouts: random.below(2),
      voteLogBytesMax: voteLogBytesMaxOf(random),
    };
  }),
  snapshots: nodes(
    'boxes drop old blocks, and whoever is new or was away for long takes a snapshot',
    (random) => {
      const institutions = pick(random, [7, 7, 7, 9]);
      const newcomers = 2;
      const setChanges = random.chance(0.5);
      const validators = institutions - newcomers - (setChanges ? 1 : 0);
      return {
        institutions,
        validators,
        areBlocksDropped: true,
        newcomers,
        setChanges,
        epochMs: random.between(1000, 1500),
        faultyMs: 24_000,
        flaws: flawsOf(random, validators, snapshotFlaws),
        blackouts: random.chance(0.3) ? 1 : 0,
        voteLogBytesMax: voteLogBytesMaxOf(random),
        areEndsCut: random.chance(0.3),
      };
    },
  ),
  followers: nodes('some institutions follow without a vote', (random) => {
    const institutions = pick(random, [5, 6, 7]);
    return {
      institutions,
      validators: 4,
      flaws: flawsOf(random, 4, [...actorNames, 'lost-tail']),
      blackouts: random.below(2),
      voteLogBytesMax: voteLogBytesMaxOf(random),
    };
  }),
  forks: nodes('f+1 Twins and a network cut in two: who differs can name them', (random) => {
    const institutions = pick(random, [4, 4, 7]);
    return {
      institutions,
      flaws: Array.from({ length: faultsTolerated(institutions) + 1 }, () => 'twins' as const),
      isSplit: true,
      blackouts: 0,
      voteLogBytesMax: voteLogBytesMaxOf(random),
    };
  }),
} as const satisfies Record<string, Mode>;

export type ModeName = keyof typeof modes;
export const modeNames = Object.keys(modes) as readonly ModeName[];

/** A seed's kind of world when none was asked for. */
export function modeOf(seed: number): ModeName {
  const name = modeNames[seed % modeNames.length];
  if (name === undefined) throw new Error(`no mode for the seed ${seed}`);
  return name;
}

export function isModeName(name: string): name is ModeName {
  return Object.hasOwn(modes, name);
}
