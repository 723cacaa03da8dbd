/**
 * A deterministic world of whole validators: real ledger, real keys, real codecs; one seed decides the network's
 * losses, doubles, delays and partitions, the crashes (before or after any write of votes or blocks), the clocks.
 */
import { createHash } from 'node:crypto';
import { toHex, u64 } from '../../firmware/src/encoding/bytes.ts';
import {
  blockDigest,
  decodeBlock,
  encodeBlock,
  encodeTransaction,
  transactionsRoot,
} from '../../firmware/src/ledger/index.ts';
import { voteMessage } from '../../firmware/src/consensus/signatures.ts';
import type { Vote } from '../../firmware/src/consensus/types.ts';
import type { FinalBlock } from '../../firmware/src/ports.ts';
import { decodeMessage, encodeMessage } from '../../firmware/src/validator/messages.ts';
import { Cluster } from '../fakes/cluster.ts';
import { signerOf } from '../fakes/ledger.ts';
import type { Random } from './random.ts';
import { randomFrom } from './random.ts';

export interface ValidatorWorldOptions {
  readonly seed: number;
  readonly validators: number;
  /** Leaders that send two blocks for one view, and vote for both. */
  readonly equivocators?: number;
  readonly faultyMs: number;
  readonly calmMs: number;
}

export interface ValidatorWorldResult {
  readonly traceHash: string;
  readonly violations: readonly string[];
  readonly accused: ReadonlySet<string>;
  readonly crashes: number;
  readonly transactionsFinal: number;
  readonly transactionsAnswered: number;
  readonly heightAfterFaults: number;
  /** Least and greatest height of the honest boxes at the end. */
  readonly heightsAtEnd: readonly [number, number];
}

const names = ['north', 'south', 'east', 'west', 'upper', 'lower', 'middle'];

export async function runValidatorWorld(options: ValidatorWorldOptions): Promise<ValidatorWorldResult> {
  const world = new ValidatorWorld(options);
  return await world.run();
}

class ValidatorWorld {
  readonly #options: ValidatorWorldOptions;
  readonly #random: Random;
  readonly #cluster: Cluster;
  readonly #trace = createHash('sha256');
  readonly #violations: string[] = [];
  readonly #accused = new Set<string>();
  /** Digest of the final block at each height, by whoever had it first. */
  readonly #final: string[] = [];
  readonly #equivocators: ReadonlySet<string>;
  /** Wires that are cut, one way each. */
  #cut = new Set<string>();
  #calm = false;
  #crashes = 0;
  #submitted = 0;
  #answered = 0;
  #transactionsFinal = 0;

  constructor(options: ValidatorWorldOptions) {
    this.#options = options;
    this.#random = randomFrom(options.seed);
    const ids = names.slice(0, options.validators);
    this.#cluster = new Cluster(ids);
    this.#equivocators = new Set(ids.slice(ids.length - (options.equivocators ?? 0)));
    this.#cluster.fate = (from, to) => this.#fateOf(from, to);
    for (const id of ids) this.#cluster.skews.set(id, this.#random.between(-2000, 2000));
  }

  async run(): Promise<ValidatorWorldResult> {
    const { faultyMs, calmMs } = this.#options;
    const { time, ids } = this.#cluster;
    for (const id of ids) await this.#start(id);
    this.#changePartition();
    this.#submitNext();
    await time.pass(faultyMs, () => this.#violations.length > 0);
    this.#calm = true;
    this.#cut = new Set();
    for (const id of ids) if (!this.#cluster.boxes.has(id)) await this.#start(id);
    const heightAfterFaults = Math.max(...this.#honestHeights());
    await time.pass(calmMs, () => this.#violations.length > 0);
    const heights = this.#honestHeights();
    for (const box of this.#cluster.boxes.values()) this.#checkMisbehaviour(box.validator.misbehaviour());
    await this.#cluster.stopAll();
    return {
      traceHash: this.#trace.digest('hex'),
      violations: this.#violations,
      accused: this.#accused,
      crashes: this.#crashes,
      transactionsFinal: this.#transactionsFinal,
      transactionsAnswered: this.#answered,
      heightAfterFaults,
      heightsAtEnd: [Math.min(...heights), Math.max(...heights)],
    };
  }

  #honestHeights(): number[] {
    return [...this.#cluster.boxes]
      .filter(([id]) => !this.#equivocators.has(id))
      .map(([, { validator }]) => validator.head().height);
  }

  async #start(id: string): Promise<void> {
    const box = await this.#cluster.start(id);
    this.#note(`start ${id} at ${box.validator.head().height}`);
    box.validator.onFinal((final) => this.#becameFinal(id, final));
    for (const log of [box.voteLog, box.blockLog]) {
      log.beforeAppend = () => this.#maybeCrash(id, 0.01);
      log.afterAppend = () => this.#maybeCrash(id, 0.01);
    }
    if (this.#equivocators.has(id)) this.#makeEquivocator(id);
  }

  #maybeCrash(id: string, probability: number): void {
    if (this.#calm || !this.#random.chance(probability) || !this.#cluster.boxes.has(id)) return;
    this.#note(`crash ${id}`);
    this.#crashes++;
    this.#checkMisbehaviour(this.#cluster.box(id).validator.misbehaviour());
    this.#cluster.crash(id);
    this.#cluster.time.events.after(this.#random.between(50, 5000), () => {
      if (!this.#cluster.boxes.has(id)) void this.#start(id);
    });
  }

  #becameFinal(id: string, { block }: FinalBlock): void {
    const { height } = block.header;
    const digest = toHex(blockDigest(block.header));
    this.#note(`final ${id} ${height} ${digest}`);
    const agreed = this.#final[height];
    if (agreed === undefined) this.#transactionsFinal += block.transactions.length;
    if (agreed !== undefined && agreed !== digest) this.#violations.push(`${id} differs at height ${height}`);
    this.#final[height] ??= digest;
  }

  #checkMisbehaviour(evidence: readonly { readonly validator: number; readonly kind: string }[]): void {
    for (const { validator, kind } of evidence) {
      const guilty = this.#cluster.ids[validator] ?? '';
      this.#accused.add(guilty);
      if (!this.#equivocators.has(guilty))
        this.#violations.push(`the honest ${guilty} is accused of ${kind}`);
    }
  }

  #submitNext(): void {
    const { time, fixture, ids, boxes } = this.#cluster;
    const running = ids.filter((id) => boxes.has(id));
    const source = running[this.#random.below(running.length)];
    if (source !== undefined) {
      const batch = `sim ${this.#submitted++}`;
      const { transaction } = fixture.register(source, batch, [signerOf(`owner ${this.#submitted % 8}`)]);
      void this.#cluster
        .box(source)
        .validator.submit(encodeTransaction(transaction))
        .then(
          ({ kind }) => {
            if (kind === 'final') this.#answered++;
            else this.#violations.push(`a good transaction of ${source} was refused`);
          },
          (error: Error) => this.#note(error.message),
        );
    }
    time.events.after(this.#random.between(50, 3000), () => this.#submitNext());
  }

  #changePartition(): void {
    if (this.#calm) return;
    const { ids, time } = this.#cluster;
    this.#cut = new Set();
    if (this.#random.chance(0.5)) {
      const side = new Set(ids.filter(() => this.#random.chance(0.5)));
      const isOneWay = this.#random.chance(0.5);
      for (const from of ids) {
        for (const to of ids) {
          if (side.has(from) !== side.has(to) && (!isOneWay || side.has(from)))
            this.#cut.add(`${from}>${to}`);
        }
      }
    }
    time.events.after(this.#random.between(500, 6000), () => this.#changePartition());
  }

  #fateOf(from: string, to: string): readonly number[] {
    this.#note(`${from}>${to}`);
    if (this.#calm) return [this.#random.between(1, 20)];
    if (this.#cut.has(`${from}>${to}`) || this.#random.chance(0.03)) return [];
    const delay = (): number =>
      this.#random.chance(0.05) ? this.#random.between(100, 2000) : this.#random.between(1, 30);
    return this.#random.chance(0.03) ? [delay(), delay()] : [delay()];
  }

  /** Half of the others get another block for the view, with a vote for it; everybody gets both votes. */
  #makeEquivocator(id: string): void {
    const network = this.#cluster.hub.member(id);
    if (network === undefined) return;
    const { fixture } = this.#cluster;
    const send = network.send.bind(network);
    network.send = (to, bytes) => {
      const decoded = decodeMessage(bytes);
      if (decoded.kind !== 'message' || decoded.message.type !== 'proposal') return send(to, bytes);
      const { message } = decoded;
      const block = decodeBlock(message.block);
      const parentRoot = this.#cluster.boxes.get(id)?.validator.state().root;
      if (block.kind !== 'block' || parentRoot === undefined) return send(to, bytes);
      const header = {
        ...block.block.header,
        time: block.block.header.time + 1,
        transactionsRoot: transactionsRoot([]),
        stateRoot: parentRoot,
      };
      const content = { ...message.vote, digest: blockDigest(header) };
      const vote: Vote = {
        ...content,
        signature: fixture.box(id).voting.sign(voteMessage(fixture.chain, content)),
      };
      const isOther = this.#cluster.ids.indexOf(to) % 2 === 0;
      const other = encodeMessage({ ...message, vote, block: encodeBlock({ header, transactions: [] }) });
      send(to, isOther ? other : bytes);
      send(to, encodeMessage({ type: 'vote', vote: isOther ? message.vote : vote }));
    };
  }

  #note(event: string): void {
    this.#trace.update(u64(this.#cluster.time.events.now)).update(event);
  }
}
