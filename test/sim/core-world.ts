/**
 * A deterministic world of consensus cores: one seed decides delays, losses, doubles, partitions, crashes between any
 * two effects and clock speeds. Agreement is checked at every final block.
 */
import { toHex } from '../../firmware/src/encoding/bytes.ts';
import { sha256 } from '../../firmware/src/encoding/hash.ts';
import { certificatesFor, standingOf, type Standing } from '../../firmware/src/consensus/help.ts';
import { recordsToKeep, recover } from '../../firmware/src/consensus/recovery.ts';
import { step } from '../../firmware/src/consensus/simplex.ts';
import type {
  CoreOptions,
  CoreState,
  Effect,
  FinalPoint,
  Input,
  PersistRecord,
} from '../../firmware/src/consensus/state.ts';
import type {
  Certificate,
  Evidence,
  Proposal,
  ProposalHeader,
  Verified,
  Vote,
} from '../../firmware/src/consensus/types.ts';
import { EventQueue } from './event-queue.ts';
import type { Random } from './random.ts';
import { randomFrom } from './random.ts';
import { Trace, type ReadAlong } from './trace.ts';

export interface CoreWorldOptions {
  readonly seed: number;
  readonly validators: number;
  /** Validators that run twice under one identity (Twins): they contradict themselves in every possible way. */
  readonly twins?: number;
  /** Virtual milliseconds of faults, then of calm in which progress is due. */
  readonly faultyMs: number;
  readonly calmMs: number;
  readonly readAlong?: ReadAlong;
}

export interface CoreWorldResult {
  readonly traceHash: string;
  readonly violations: readonly string[];
  readonly accused: ReadonlySet<number>;
  readonly crashes: number;
  /** Least final view of the honest boxes before and after the calm time. */
  readonly finalViewAfterFaults: number;
  readonly finalViewAtEnd: number;
  readonly blocksFinal: number;
}

type Message =
  | { readonly kind: 'vote'; readonly vote: Vote }
  | { readonly kind: 'proposal'; readonly proposal: Proposal; readonly justification: readonly Certificate[] }
  | { readonly kind: 'certificate'; readonly certificate: Certificate }
  | { readonly kind: 'standing'; readonly standing: Standing };

/** A box: its disk survives a crash, the rest does not. */
interface Box {
  readonly name: string;
  readonly identity: number;
  readonly honest: boolean;
  readonly options: CoreOptions;
  /** Runs of the process so far: events of an earlier life are void. */
  life: number;
  state: CoreState | undefined;
  effects: Effect[];
  readonly inputs: Input[];
  disk: { floor: number; records: PersistRecord[]; final: FinalPoint };
}

const genesisDigest = sha256(new TextEncoder().encode('genesis'));
const timeoutMs = 60;
const retransmitMs = 150;

/** The simulation makes no forgeries: each actor signs with its own index alone. */
function verified<T>(value: T): Verified<T> {
  return value as Verified<T>;
}

export function runCoreWorld(options: CoreWorldOptions): CoreWorldResult {
  return new World(options).run();
}

class World {
  readonly #options: CoreWorldOptions;
  readonly #random: Random;
  readonly #events = new EventQueue();
  readonly #trace: Trace;
  readonly #boxes: Box[] = [];
  readonly #parents = new Map<string, string>();
  readonly #finalChain: string[] = [toHex(genesisDigest)];
  readonly #finalHeights = new Map<string, number>([[toHex(genesisDigest), 0]]);
  readonly #violations: string[] = [];
  readonly #accused = new Set<number>();
  /** Links that are cut, one way each: `from>to` by box name. */
  #cut = new Set<string>();
  #calm = false;
  #crashes = 0;

  constructor(options: CoreWorldOptions) {
    this.#options = options;
    this.#random = randomFrom(options.seed);
    this.#trace = new Trace(options.readAlong);
    const twins = options.twins ?? 0;
    for (let identity = 0; identity < options.validators; identity++) {
      const isTwin = identity >= options.validators - twins;
      for (const name of isTwin ? [`${identity}a`, `${identity}b`] : [`${identity}`]) {
        this.#boxes.push(this.#newBox(name, identity, !isTwin));
      }
    }
  }

  run(): CoreWorldResult {
    for (const box of this.#boxes) this.#start(box);
    this.#scheduleFaults();
    this.#runUntil(this.#options.faultyMs);
    this.#calm = true;
    this.#cut = new Set();
    for (const box of this.#boxes) if (box.state === undefined) this.#start(box);
    const finalViewAfterFaults = this.#leastFinalView();
    this.#runUntil(this.#options.faultyMs + this.#options.calmMs);
    return {
      traceHash: this.#trace.hash(),
      violations: this.#violations,
      accused: this.#accused,
      crashes: this.#crashes,
      finalViewAfterFaults,
      finalViewAtEnd: this.#leastFinalView(),
      blocksFinal: this.#finalChain.length - 1,
    };
  }

  #newBox(name: string, identity: number, honest: boolean): Box {
    const { validators } = this.#options;
    const sign = () => new Uint8Array(64).fill(identity);
    return {
      name,
      identity,
      honest,
      options: { epoch: 0, validators, self: identity, sign },
      life: 0,
      state: undefined,
      effects: [],
      inputs: [],
      disk: { floor: 0, records: [], final: { view: 0, digest: genesisDigest, certificate: undefined } },
    };
  }

  #runUntil(timeMs: number): void {
    for (;;) {
      const event = this.#events.takeUntil(timeMs);
      if (event === undefined || this.#violations.length > 0) return;
      event();
    }
  }

  #start(box: Box): void {
    box.life++;
    const { final, floor, records } = box.disk;
    const { state, effects } = recover(box.options, { final, floor, records });
    box.state = state;
    this.#note(`start ${box.name}`);
    this.#enqueueEffects(box, effects);
    this.#later(box, this.#random.below(retransmitMs), () => this.#retransmit(box));
  }

  #crash(box: Box): void {
    this.#crashes++;
    this.#note(`crash ${box.name}`);
    box.life++;
    box.state = undefined;
    box.effects = [];
    box.inputs.length = 0;
    const { life } = box;
    this.#events.after(this.#random.between(10, 400), () => {
      if (box.life === life && box.state === undefined) this.#start(box);
    });
  }

  /** Runs later unless the box has crashed since. */
  #later(box: Box, ms: number, run: () => void): void {
    const { life } = box;
    this.#events.after(ms, () => {
      if (box.life === life && box.state !== undefined) run();
    });
  }

  #input(box: Box, input: Input): void {
    box.inputs.push(input);
    if (box.effects.length === 0 && box.inputs.length === 1) this.#later(box, 0, () => this.#turn(box));
  }

  #enqueueEffects(box: Box, effects: readonly Effect[]): void {
    const idle = box.effects.length === 0;
    box.effects.push(...effects);
    if (idle && box.effects.length > 0) this.#later(box, 0, () => this.#turn(box));
  }

  /** One effect, or the next input: a crash may fall between any two turns. */
  #turn(box: Box): void {
    if (!this.#calm && this.#random.chance(0.002)) {
      this.#crash(box);
      return;
    }
    const effect = box.effects.shift();
    if (effect !== undefined) this.#execute(box, effect);
    else {
      const input = box.inputs.shift();
      if (input !== undefined && box.state !== undefined) {
        const { state, effects } = step(box.state, input);
        box.state = state;
        this.#note(`${box.name} ${input.kind}`);
        this.#enqueueEffects(box, effects);
        if (effects.length > 0) return;
      }
    }
    if (box.effects.length > 0 || box.inputs.length > 0) this.#later(box, 0, () => this.#turn(box));
  }

  #execute(box: Box, effect: Effect): void {
    this.#note(`${box.name} ${effect.kind}`);
    switch (effect.kind) {
      case 'persist':
        box.disk.records.push(effect.record);
        break;
      case 'broadcastVote':
        this.#broadcast(box, { kind: 'vote', vote: effect.vote });
        break;
      case 'broadcastProposal':
        this.#broadcast(box, {
          kind: 'proposal',
          proposal: effect.proposal,
          justification: effect.justification,
        });
        break;
      case 'broadcastCertificate':
        this.#broadcast(box, { kind: 'certificate', certificate: effect.certificate });
        break;
      case 'askToPropose': {
        const { view, parentView, parentDigest } = effect;
        // Twins build different blocks for the same view: that is their fault.
        const digest = sha256(new TextEncoder().encode(`${box.name}/${view}/${parentView}/${box.life}`));
        const header: ProposalHeader = { epoch: 0, view, digest, parentView, parentDigest };
        this.#parents.set(toHex(digest), toHex(parentDigest));
        this.#later(box, this.#random.below(4), () => this.#input(box, { kind: 'built', header }));
        break;
      }
      case 'askToValidate': {
        const { view, digest } = effect.header;
        this.#later(box, this.#random.below(4), () =>
          this.#input(box, { kind: 'verdict', view, digest, valid: true }),
        );
        break;
      }
      case 'startView':
        // Clocks run differently: some boxes give up early.
        this.#later(box, timeoutMs + this.#random.below(timeoutMs), () =>
          this.#input(box, { kind: 'timeout', view: effect.view }),
        );
        break;
      case 'notarized':
        break;
      case 'finalized':
        this.#checkFinal(box, effect.certificate);
        this.#keepFinal(box, effect.certificate);
        break;
      case 'evidence':
        this.#checkEvidence(box, effect.evidence);
        break;
    }
  }

  /** The block log follows, sometimes late; a fresh vote log now and then. */
  #keepFinal(box: Box, certificate: Certificate): void {
    if (this.#random.chance(0.3) || box.state === undefined) return;
    box.disk.final = { view: certificate.view, digest: certificate.digest, certificate };
    if (this.#random.chance(0.2) && box.state.final.view === certificate.view && box.effects.length === 0) {
      box.disk.floor = certificate.view;
      box.disk.records = [...recordsToKeep(box.state)];
      this.#note(`${box.name} new log`);
    }
  }

  #checkFinal(box: Box, certificate: Certificate): void {
    if (!box.honest) return;
    // Back to a block on which all agree already; what comes after it must be new heights.
    const chain: string[] = [];
    let digest = toHex(certificate.digest);
    while (!this.#finalHeights.has(digest)) {
      chain.unshift(digest);
      digest = this.#parents.get(digest) ?? '';
      if (digest === '') break;
    }
    let height = this.#finalHeights.get(digest) ?? -1;
    for (const final of chain) {
      height++;
      const agreed = this.#finalChain[height];
      if (agreed !== undefined) this.#violations.push(`box ${box.name} differs at height ${height}`);
      else this.#finalHeights.set(final, height);
      this.#finalChain[height] ??= final;
    }
  }

  #checkEvidence(box: Box, evidence: Evidence): void {
    const guilty = this.#boxes.some(({ identity, honest }) => identity === evidence.validator && !honest);
    if (!guilty) this.#violations.push(`box ${box.name} accuses the honest ${evidence.validator}`);
    this.#accused.add(evidence.validator);
  }

  #retransmit(box: Box): void {
    if (box.state === undefined) return;
    this.#input(box, { kind: 'retransmit' });
    this.#broadcast(box, { kind: 'standing', standing: standingOf(box.state) });
    this.#later(box, retransmitMs, () => this.#retransmit(box));
  }

  #broadcast(from: Box, message: Message): void {
    for (const to of this.#boxes) if (to.identity !== from.identity) this.#send(from, to, message);
  }

  #send(from: Box, to: Box, message: Message): void {
    if (!this.#calm && (this.#cut.has(`${from.name}>${to.name}`) || this.#random.chance(0.05))) return;
    const copies = !this.#calm && this.#random.chance(0.05) ? 2 : 1;
    for (let copy = 0; copy < copies; copy++) {
      const slow = !this.#calm && this.#random.chance(0.1);
      const delayMs = slow ? this.#random.between(20, 300) : this.#random.between(1, 12);
      this.#events.after(delayMs, () => {
        if (to.state !== undefined) this.#receive(to, from, message);
      });
    }
  }

  #receive(to: Box, from: Box, message: Message): void {
    switch (message.kind) {
      case 'vote':
        this.#input(to, { kind: 'vote', vote: verified(message.vote) });
        break;
      case 'proposal':
        for (const certificate of message.justification) {
          this.#input(to, { kind: 'certificate', certificate: verified(certificate) });
        }
        this.#input(to, { kind: 'proposal', proposal: verified(message.proposal) });
        break;
      case 'certificate':
        this.#input(to, { kind: 'certificate', certificate: verified(message.certificate) });
        break;
      case 'standing':
        if (to.state === undefined) return;
        for (const certificate of certificatesFor(to.state, message.standing)) {
          this.#send(to, from, { kind: 'certificate', certificate });
        }
        break;
    }
  }

  /** Partitions, one way or both, come and go. */
  #scheduleFaults(): void {
    const change = () => {
      if (this.#calm) return;
      this.#cut = new Set();
      if (this.#random.chance(0.6)) {
        const side = new Set(this.#boxes.filter(() => this.#random.chance(0.5)).map(({ name }) => name));
        const bothWays = this.#random.chance(0.5);
        for (const from of this.#boxes) {
          for (const to of this.#boxes) {
            if (side.has(from.name) === side.has(to.name)) continue;
            if (bothWays || side.has(from.name)) this.#cut.add(`${from.name}>${to.name}`);
          }
        }
      }
      this.#note(`cut ${[...this.#cut].join(' ')}`);
      this.#events.after(this.#random.between(50, 500), change);
    };
    this.#events.after(this.#random.between(50, 300), change);
  }

  #leastFinalView(): number {
    return Math.min(...this.#boxes.filter(({ honest }) => honest).map(({ state }) => state?.final.view ?? 0));
  }

  #note(event: string): void {
    this.#trace.note(this.#events.now, event);
  }
}
