/** The harness is checked by faults that somebody could write: each must be caught, with a seed that shows it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ModeName } from './modes.ts';
import type { Mutation } from './mutation.ts';
import { runSeeds } from './pool.ts';
import type { SeedResult, SeedRun } from './seed-run.ts';

interface Mutant extends Mutation {
  readonly mode: ModeName;
  /** The first that is tried, near one that has shown the fault. */
  readonly firstSeed?: number;
  /** What the failure must say: another one would not show that this fault was seen. */
  readonly seenAs: RegExp;
}

const seedsMax = 150;

const mutants: readonly Mutant[] = [
  {
    name: 'a quorum that is one too small',
    file: 'consensus/types.ts',
    from: 'return validators - faultsTolerated(validators);',
    to: 'return validators - faultsTolerated(validators) - 1;',
    mode: 'twins',
    seenAs: /differs at height/,
  },
  {
    name: 'votes that are sent before they are on disk',
    file: 'validator/engine.ts',
    from: 'const isWritten = records.length === 0',
    to: `for (const effect of outward) this.#options.execute(effect); outward.splice(0);
    const isWritten = records.length === 0`,
    mode: 'blackout',
    seenAs: /votes twice|nullifies and finalizes/,
  },
  {
    name: 'no guard between nullify and finalize',
    file: 'consensus/simplex.ts',
    from: 'if (view.own.nullify !== undefined || view.own.finalize !== undefined) return;',
    to: 'if (view.own.finalize !== undefined) return;',
    mode: 'nodes',
    seenAs: /nullifies and finalizes/,
  },
  {
    name: 'duplicates of a vote are counted',
    file: 'consensus/simplex.ts',
    from: 'if (!recordVote(transition, vote)) return;',
    to: `if (!recordVote(transition, vote)) {
      const other = [0, 1, 2, 3].find((each) => !viewOf(transition.state, vote.view).votes[vote.kind].has(each));
      if (other !== undefined) recordVote(transition, { ...vote, validator: other });
    }`,
    mode: 'cores',
    seenAs: /differs at height|accuses the honest/,
  },
  {
    name: 'certificates that nobody has verified',
    file: 'consensus/signatures.ts',
    from: 'if (key === undefined || validator <= last || !verify(key, message, signature)) return false;',
    to: 'if (key === undefined || validator <= last) return false;',
    mode: 'byzantine',
    seenAs: /differs at height|is accused|does not follow/,
  },
  {
    name: 'votes that nobody has verified',
    file: 'consensus/signatures.ts',
    from: 'return key !== undefined && verify(key, voteMessage(chain, vote), vote.signature);',
    to: 'return key !== undefined;',
    mode: 'byzantine',
    seenAs: /differs at height|is accused/,
  },
  {
    name: 'a log that does not flush',
    file: 'store/append-log.ts',
    from: `  await content.file.write([frame.bytes], content.end);
  await content.file.datasync();`,
    to: '  await content.file.write([frame.bytes], content.end);',
    mode: 'blackout',
    seenAs: /has lost \d+ acknowledged|finds its ledger damaged|votes twice/,
  },
  {
    name: 'boxes that vote for any block that is proposed again',
    file: 'validator/view-work.ts',
    from: 'if (repeatsParent(header)) return closesEpoch(executed);',
    to: 'if (repeatsParent(header)) return true;',
    mode: 'byzantine',
    firstSeed: 139,
    seenAs: /the last final block has no certificate/,
  },
  {
    name: 'a box that votes although it has forgotten how it voted',
    file: 'validator/voting-rights.ts',
    from: 'if (content.isComplete) {',
    to: 'if (content.bytes >= 0) {',
    mode: 'restarts',
    firstSeed: 5,
    seenAs: /votes twice|nullifies and finalizes/,
  },
  {
    name: 'a box that tells no height of a block that it has voted for',
    file: 'validator/standstill.ts',
    from: 'height: found.block.block.header.height',
    to: 'height: undefined',
    mode: 'restarts',
    firstSeed: 14,
    seenAs: /holds the last block, and does not tell it/,
  },
  {
    name: 'a block log that keeps nothing of how its views went',
    file: 'validator/certificate-book.ts',
    from: '({ ...block, shown: this.#shown(block) })',
    to: '({ ...block, shown: [] })',
    mode: 'forks',
    firstSeed: 20,
    seenAs: /boxes differ, and only \d+ are shown to be guilty/,
  },
  {
    name: 'leaders that build on a block that closes their epoch',
    file: 'validator/view-work.ts',
    from: 'if (parent.header.epoch === core.options.epoch && closesEpoch(found.block)) {',
    to: 'if (parent.header.epoch === core.options.epoch && closesEpoch(found.block) && view < 0) {',
    mode: 'epochs',
    seenAs: /no new final block/,
  },
  {
    name: 'catching up without looking at certificates',
    file: 'validator/final-chain.ts',
    from: 'return verifyCertificate(',
    to: 'return verify.length > 0 || verifyCertificate(',
    mode: 'byzantine',
    firstSeed: 520,
    seenAs: /differs at height|left behind/,
  },
  {
    name: 'chunks of a snapshot that nobody has proved',
    file: 'ledger/state-range.ts',
    from: 'if (computed === undefined || !equalBytes(computed, root)) return',
    to: 'if (computed === undefined) return',
    mode: 'snapshots',
    firstSeed: 60,
    seenAs: /left behind|ledger damaged/,
  },
  {
    name: 'blocks that are dropped although no snapshot of the state stands for them',
    file: 'validator/pruning.ts',
    from: 'await snapshots.make(closed.executed, closed.certificate, signal);',
    to: `const end = closed.executed.block.header.height;
      await this.#keepHeaders(end, signal);
      await this.#options.blockLog.dropBefore(end);`,
    mode: 'snapshots',
    seenAs: /has lost the blocks|drops blocks up to epoch/,
  },
  {
    name: 'a crash at the end of an epoch that loses its handover',
    file: 'validator/finality.ts',
    from: `    for (const { executed, certificate } of final)
      if (certificate !== null && closesEpoch(executed)) await handovers.epochCloses(executed, certificate);
    await chain.add(book.shownWith(final), (executed, before) => this.#becameFinal(executed, before));`,
    to: `    await chain.add(book.shownWith(final), (executed, before) => this.#becameFinal(executed, before));
    for (const { executed, certificate } of final)
      if (certificate !== null && closesEpoch(executed)) await handovers.epochCloses(executed, certificate);`,
    mode: 'epochs',
    seenAs: /nobody has a handover of epoch/,
  },
  {
    name: 'blocks that are dropped behind an epoch that was not handed over',
    file: 'validator/archivist.ts',
    from: 'return this.#options.handovers.way.leadsTo(epoch);',
    to: 'return this.#options.handovers.completed(epoch).then((handover) => handover !== undefined);',
    mode: 'snapshots',
    seenAs: /drops blocks up to epoch/,
  },
  {
    name: 'a snapshot that a crash has cut short, taken for a whole one',
    file: 'validator/snapshots.ts',
    from: 'const isComplete = log.length > 1 && isLastRange(await rangeAt(log, log.length - 1, epoch));',
    to: 'const isComplete = log.length > 1;',
    mode: 'snapshots',
    firstSeed: 6,
    seenAs: /ledger damaged/,
  },
];

/** The first seed of its mode that breaks a rule. */
async function firstFailure({ mode, firstSeed = 1, ...mutation }: Mutant): Promise<SeedResult | undefined> {
  let caught: SeedResult | undefined;
  function* runs(): Generator<SeedRun, undefined> {
    for (let seed = firstSeed; seed < firstSeed + seedsMax; seed++) yield { mode, seed };
    return undefined;
  }
  await runSeeds(runs(), {
    threads: 1,
    mutation,
    onResult: (result) => {
      if (result.failures.length === 0) return 'go on';
      caught = result;
      return 'stop';
    },
  });
  return caught;
}

for (const mutant of mutants) {
  test(`the simulation catches ${mutant.name}`, async (t) => {
    const caught = await firstFailure(mutant);
    assert.ok(caught !== undefined, `${seedsMax} seeds see nothing of it`);
    t.diagnostic(`seed ${caught.seed}: ${caught.failures[0]}`);
    assert.match(caught.failures.join('\n'), mutant.seenAs);
  });
}
