/**
 * Many validators in one process: the code of the boxes with virtual time, over simulated lines, on simulated
 * processors and disks. Every signature is checked for real once and charged to each box that checks it.
 */
import { quorum } from '../../../firmware/src/consensus/types.ts';
import { toHex } from '../../../firmware/src/encoding/bytes.ts';
import { verifyEd25519, verifyP256 } from '../../../firmware/src/box/signatures.ts';
import { transactionId } from '../../../firmware/src/ledger/index.ts';
import type { ReplaceableLog, Signer, VerifySignature } from '../../../firmware/src/ports.ts';
import { decodeMessage } from '../../../firmware/src/validator/messages.ts';
import { rememberVerified } from '../../../firmware/src/validator/signature-cache.ts';
import type { StateStore } from '../../../firmware/src/validator/state-store.ts';
import { Validator } from '../../../firmware/src/validator/validator.ts';
import { MemoryAppendLog, unpruned } from '../../fakes/append-log.ts';
import { silentLogger } from '../../fakes/consortium.ts';
import { MemoryHealthBoard } from '../../fakes/health.ts';
import { genesisTime, LedgerFixture, type Box } from '../../fakes/ledger.ts';
import { memberKeysOf } from '../../fakes/member-keys.ts';
import { MemoryHub } from '../../fakes/network.ts';
import { MemoryStateStore } from '../../fakes/state-store.ts';
import { VirtualTime } from '../../fakes/virtual-clock.ts';
import { MemoryVotingKeys } from '../../fakes/voting-keys.ts';
import { MemoryStore } from '../../support/memory-store.ts';
import type { Costs } from './costs.ts';
import { whenSoMany, type FinalTimes } from './figures.ts';
import { executionMs, messageWork, transactionMs } from './message-work.ts';
import { Processor } from './processor.ts';
import { BoxNetwork, WideNetwork, type LineOptions, type MessageWork } from './wide-network.ts';
import type { Load } from './workload.ts';

/** Before the load's time 0: the boxes greet each other. Virtual milliseconds. */
const leadMs = 2000;
/** After the last transaction was due; what is not final then counts as lost. Virtual milliseconds. */
const patienceMs = 10_000;
const stepMs = 250;

export interface SimulatedRun {
  readonly finals: FinalTimes;
  readonly blocks: number;
  /** Part of the time for which the busiest processor was busy while the load lasted, and the mean of all. */
  readonly busiest: number;
  readonly meanBusy: number;
  /** Megabits a second that left a box, mean over all while the load lasted. */
  readonly megabitsPerSecond: number;
  /** Submissions that were refused, by reason. */
  readonly refused: Readonly<Record<string, number>>;
}

export function simulatedLedger(validators: number): LedgerFixture {
  return new LedgerFixture(
    Array.from({ length: validators }, (_, index) => `hospital-${String(index + 1).padStart(3, '0')}`),
  );
}

export class SimulatedBoxes {
  readonly #ledger: LedgerFixture;
  readonly #costs: Costs;
  readonly #time = new VirtualTime(genesisTime + 1000);
  readonly #hub: MemoryHub;
  readonly #wide: WideNetwork;
  readonly #processors = new Map<string, Processor>();
  readonly #validators = new Map<string, Validator>();
  readonly #work = new WeakMap<Uint8Array, MessageWork>();
  readonly #verifyReally = rememberVerified(verifyEd25519);
  readonly #knownKeys: ReadonlySet<string>;
  /** When each box had each transaction final. */
  readonly #times = new Map<string, number[]>();
  readonly #refused: Record<string, number> = {};
  #open = 0;
  #blocks = 0;

  constructor(ledger: LedgerFixture, lines: LineOptions, costs: Costs) {
    this.#ledger = ledger;
    this.#costs = costs;
    const { time } = { time: this.#time };
    this.#wide = new WideNetwork(time, lines);
    this.#hub = new MemoryHub({
      clock: time.clock(),
      schedule: (from, to, step) => time.events.after(this.#wide.oneWayMs(from, to), step),
    });
    this.#knownKeys = new Set(
      ledger.boxes.flatMap(({ voting, transaction }) =>
        [voting, transaction].map((key) => toHex(key.publicKey)),
      ),
    );
    for (const { id } of ledger.boxes) this.#processors.set(id, new Processor(time));
  }

  /** Lets the boxes carry the load. `progress` hears of each virtual second. */
  async run(load: readonly Load[], progress: (virtualMs: number) => void): Promise<SimulatedRun> {
    for (const box of this.#ledger.boxes) await this.#start(box);
    await this.#time.pass(leadMs);
    const startedAt = this.#time.events.now;
    const busyBefore = this.#busyMs();
    const bytesBefore = this.#wide.bytes;
    for (const one of load) this.#time.events.after(one.dueMs, () => this.#submitAt(one));
    const loadMs = load.at(-1)?.dueMs ?? 0;
    await this.#passWhile(startedAt, loadMs, progress, () => true);
    const busy = this.#busyMs().map((ms, index) => (ms - (busyBefore[index] ?? 0)) / loadMs);
    const megabits = ((this.#wide.bytes - bytesBefore) * 8) / 1e6;
    await this.#passWhile(startedAt, loadMs + patienceMs, progress, () => this.#open > 0);
    const finals = this.#finals(startedAt);
    await this.#stop();
    return {
      finals,
      blocks: this.#blocks,
      busiest: Math.max(...busy),
      meanBusy: busy.reduce((sum, part) => sum + part, 0) / busy.length,
      megabitsPerSecond: megabits / (loadMs / 1000) / busy.length,
      refused: this.#refused,
    };
  }

  async #passWhile(
    startedAt: number,
    untilMs: number,
    progress: (virtualMs: number) => void,
    goesOn: () => boolean,
  ): Promise<void> {
    for (;;) {
      const atMs = this.#time.events.now - startedAt;
      if (atMs >= untilMs || !goesOn()) return;
      await this.#time.pass(Math.min(stepMs, untilMs - atMs));
      if (atMs % 1000 < stepMs) progress(atMs);
    }
  }

  async #start(box: Box): Promise<void> {
    const { id } = box;
    const processor = this.#processors.get(id)!;
    const clock = processor.clock();
    const { voteFlushMs, blockFlushMs, stateFlushMs, signMs } = this.#costs;
    const after = <Result>(ms: number, then: () => Promise<Result>): Promise<Result> =>
      clock.sleep(ms).then(then);
    const slow = (log: ReplaceableLog, ms: number): ReplaceableLog => ({
      append: (records) => after(ms, () => log.append(records)),
      replace: (records) => after(ms, () => log.replace(records)),
      read: () => log.read(),
      at: (index) => log.at(index),
      get length() {
        return log.length;
      },
      close: () => log.close(),
    });
    const state = new MemoryStateStore();
    const slowState: StateStore = {
      load: () => state.load(),
      save: (...saved) => after(stateFlushMs, () => state.save(...saved)),
      reset: (...entries) => state.reset(...entries),
    };
    const voting: Signer = {
      publicKey: box.voting.publicKey,
      sign: (message) => {
        processor.charge(signMs);
        return box.voting.sign(message);
      },
    };
    const validator = new Validator({
      genesis: this.#ledger.genesis,
      self: id,
      keys: memberKeysOf(box, new MemoryVotingKeys(id, voting)),
      network: new BoxNetwork(id, {
        hub: this.#hub,
        wide: this.#wide,
        processors: this.#processors,
        workOf: (message) => this.#workOf(message, processor),
      }),
      clock,
      logger: silentLogger,
      health: new MemoryHealthBoard(),
      voteLog: slow(new MemoryAppendLog(), voteFlushMs),
      blockLog: unpruned(slow(new MemoryAppendLog(), blockFlushMs)),
      state: slowState,
      handovers: new MemoryStore(),
      verify: this.#verifier(processor),
      verifyIdentity: verifyP256,
    });
    validator.onFinal(({ block }) => {
      if (id === this.#ledger.boxes[0]!.id) this.#blocks++;
      for (const transaction of block.transactions)
        this.#isFinal(transactionId(transaction), processor.doneAt);
    });
    this.#validators.set(id, validator);
    // Its first writes wait for time to pass.
    const started = validator.start();
    await this.#time.pass(blockFlushMs + voteFlushMs + stateFlushMs);
    await started;
  }

  #verifier(processor: Processor): VerifySignature {
    const { verifyKnownMs, verifyOneTimeMs } = this.#costs;
    return (publicKey, message, signature) => {
      processor.charge(this.#knownKeys.has(toHex(publicKey)) ? verifyKnownMs : verifyOneTimeMs);
      return this.#verifyReally(publicKey, message, signature);
    };
  }

  /** A leader is charged for building a block when it is first sent. */
  #workOf(message: Uint8Array, sender: Processor): MessageWork {
    const known = this.#work.get(message);
    if (known !== undefined) return known;
    const work = messageWork(message, this.#costs);
    this.#work.set(message, work);
    const decoded = decodeMessage(message);
    if (decoded.kind === 'message' && decoded.message.type === 'proposal')
      sender.charge(executionMs(decoded.message.block, this.#costs));
    return work;
  }

  #submitAt({ box, bytes }: Load): void {
    const processor = this.#processors.get(box)!;
    this.#open++;
    processor.run(() => {
      processor.charge(transactionMs(bytes, this.#costs, 'judgeMs'));
      void this.#submit(box, bytes);
    });
  }

  async #submit(box: string, bytes: Uint8Array): Promise<void> {
    try {
      const submitted = await this.#validators.get(box)!.submit(bytes);
      if (submitted.kind === 'refused') this.#countRefused(submitted.reason);
    } catch (error) {
      this.#countRefused((error as Error).message);
    }
    this.#open--;
  }

  #countRefused(reason: string): void {
    this.#refused[reason] = (this.#refused[reason] ?? 0) + 1;
  }

  #isFinal(id: string, at: number): void {
    const times = this.#times.get(id) ?? [];
    times.push(at);
    this.#times.set(id, times);
  }

  #finals(startedAt: number): FinalTimes {
    const finals = new Map<string, number>();
    for (const [id, times] of this.#times) {
      const at = whenSoMany(times, quorum(this.#ledger.boxes.length));
      if (at !== undefined) finals.set(id, at - startedAt);
    }
    return finals;
  }

  #busyMs(): number[] {
    return [...this.#processors.values()].map(({ busyMs }) => busyMs);
  }

  async #stop(): Promise<void> {
    const stopped = Promise.all([...this.#validators.values()].map((validator) => validator.stop()));
    await this.#time.pass(leadMs);
    await stopped;
  }
}
