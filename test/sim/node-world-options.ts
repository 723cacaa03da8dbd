/** What a world of whole boxes is made of, and what it has shown. */
import type { ActorName } from './actors.ts';
import type { LogFault } from './node.ts';
import { institutionOf } from './seat.ts';
import type { ReadAlong } from './trace.ts';

/** What may be wrong with a box, each counted as one of the f. */
export type Flaw =
  | ActorName
  /** It is started only when the faults are over. */
  | 'absent'
  /** It loses power early, and stays off for many epochs. */
  | 'away'
  /** Two nodes with one key. */
  | 'twins'
  /** At a power cut its vote log loses records that it had acknowledged. */
  | 'lost-tail'
  /** At a power cut a bit of its vote log turns: it is noticed, and the box votes no more. */
  | 'flipped-vote'
  /** At a power cut a bit of its block log turns: it is noticed, and the box does not start. */
  | 'flipped-block';

/** Neither absence nor what a bad disk does to a box makes it a liar. */
export const honestFlaws: ReadonlySet<Flaw> = new Set<Flaw>([
  'absent',
  'away',
  'flipped-vote',
  'flipped-block',
]);
export const diskFlaws = {
  'lost-tail': { kind: 'lost-tail', log: 'votes' },
  'flipped-vote': { kind: 'flipped-bit', log: 'votes' },
  'flipped-block': { kind: 'flipped-bit', log: 'blocks' },
} as const satisfies Partial<Record<Flaw, LogFault>>;

/** The honest in two halves, and whoever runs twice on both sides. */
export function sidesOf(
  nodes: readonly string[],
  flaws: ReadonlyMap<string, Flaw>,
): readonly [ReadonlySet<string>, ReadonlySet<string>] {
  const honest = nodes.filter((node) => !flaws.has(institutionOf(node)));
  const half = new Set(honest.filter((_, index) => index % 2 === 0));
  const isFirst = (node: string): boolean => half.has(node) || node.endsWith(' 2');
  return [new Set(nodes.filter(isFirst)), new Set(nodes.filter((node) => !isFirst(node)))];
}

export interface NodeWorldOptions {
  readonly seed: number;
  readonly institutions: number;
  /** The others follow without a vote; all vote by default. */
  readonly validators?: number;
  /** Of the last validators, one each. */
  readonly flaws: readonly Flaw[];
  /** Keeps the honest in two halves, each with all that have flaws; nothing crashes then. */
  readonly isSplit?: boolean;
  /** Members vote on who validates; who has flaws stays. */
  readonly setChanges?: boolean;
  /** Boxes drop old transactions, and keep a snapshot of the state at the end of each epoch instead. */
  readonly areBlocksDropped?: boolean;
  /** Of those without a vote: they begin when others have come far. */
  readonly newcomers?: number;
  /** How many boxes lose their vote logs at once when the faults end: more than f, so that roots must decide. */
  readonly forgetful?: number;
  /** How long an epoch lasts, in block time; a day by default. */
  readonly epochMs?: number;
  /** Now and then an epoch ends badly: boxes lose power as soon as they have written the block that closes it. */
  readonly areEndsCut?: boolean;
  /** Times at which all boxes lose power at once. */
  readonly blackouts: number;
  /** Ed25519 instead of hashes. */
  readonly realSignatures?: boolean;
  readonly voteLogBytesMax: number;
  /** Virtual milliseconds of faults, then at most so many of calm. */
  readonly faultyMs: number;
  readonly calmMsMax: number;
  readonly readAlong?: ReadAlong;
}

export interface NodeWorldResult {
  readonly traceHash: string;
  readonly violations: readonly string[];
  /** Two honest boxes differ: with more than f liars that is no violation, if the liars can be named. */
  readonly conflicts: readonly string[];
  /** Institutions that the votes and certificates on honest disks show to have contradicted themselves. */
  readonly guilty: ReadonlySet<string>;
  readonly crashes: number;
  readonly transactions: number;
  readonly height: number;
  readonly epochs: number;
  /** Different lists of validators among them. */
  readonly validatorSets: number;
  /** Times at which a box has put a snapshot in the place of the blocks that it lacked. */
  readonly snapshotsTaken: number;
  /** Honest boxes that have dropped transactions of old blocks. */
  readonly pruned: number;
  /** Views from the end of the faults until a block that was proposed after it is final. */
  readonly viewsToProgress: number;
  /** No restart order can be made: of the newest block the certificate alone is left. */
  readonly isLost: boolean;
  /** Before the end all good transactions were answered, and all honest boxes had the same blocks. */
  readonly isSettled: boolean;
}
