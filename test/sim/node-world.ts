/**
 * A deterministic world of whole boxes: real validator, ledger, codecs and logs; one seed decides the network, the
 * disks, the clocks, the crashes and who lies. The rules are looked at with every step.
 */
import { faultsTolerated } from '../../firmware/src/consensus/types.ts';
import { chainId } from '../../firmware/src/ledger/index.ts';
import type { Block, Genesis } from '../../firmware/src/ledger/types.ts';
import type { Network } from '../../firmware/src/ports.ts';
import { catchUpRequestMs } from '../../firmware/src/validator/limits.ts';
import { isAfter } from '../../firmware/src/validator/place.ts';
import type { Validator } from '../../firmware/src/validator/validator.ts';
import { genesisTime } from '../fakes/ledger.ts';
import { MemoryHub } from '../fakes/network.ts';
import { VirtualTime } from '../fakes/virtual-clock.ts';
import { actors, type ActorName } from './actors.ts';
import { Agreement } from './agreement.ts';
import { Client, type ClientOptions } from './client.ts';
import { amendments, setChanges } from './stories.ts';
import { Electorates } from './electorates.ts';
import { BadEnds, brokenByDropping } from './epoch-ends.ts';
import { guiltyBy, votesInBlockLog, votesInVoteLog } from './guilt.ts';
import { wrongHeaders } from './kept-headers.ts';
import { brokenWay } from './light-client-way.ts';
import { SimNode, type LogFault } from './node.ts';
import type { Flaw, NodeWorldOptions, NodeWorldResult } from './node-world-options.ts';
import { diskFlaws, honestFlaws, sidesOf } from './node-world-options.ts';
import type { Random } from './random.ts';
import { randomFrom } from './random.ts';
import { holdsPath, restartOrder, signedRestart } from './restart-story.ts';
import type { SimFixture, Signatures } from './sim-fixture.ts';
import { fixtureOf, hashedSignatures, realSignatures } from './sim-fixture.ts';
import { Trace } from './trace.ts';
import { VoteWatch } from './vote-watch.ts';
import { Weather } from './weather.ts';

const names = ['north', 'south', 'east', 'west', 'upper', 'lower', 'middle', 'outer', 'inner', 'far'];

export async function runNodeWorld(options: NodeWorldOptions): Promise<NodeWorldResult> {
  return await new NodeWorld(options).run();
}

class NodeWorld {
  readonly #options: NodeWorldOptions;
  readonly #random: Random;
  readonly #time = new VirtualTime(genesisTime + 1000);
  readonly #trace: Trace;
  readonly #genesis: Genesis;
  readonly #hub: MemoryHub;
  readonly #signatures: Signatures;
  readonly #nodes: SimNode[];
  readonly #flaws: ReadonlyMap<string, Flaw>;
  readonly #weather: Weather;
  readonly #clients: readonly Client[];
  readonly #electorates: Electorates;
  readonly #agreement = new Agreement();
  readonly #voteWatch = new VoteWatch();
  readonly #violations: string[] = [];
  readonly #conflicts: string[] = [];
  readonly #badEnds: BadEnds | undefined;
  /** Boxes that are off until they come back by themselves, or the faults are over. */
  readonly #away = new Set<string>();
  #isCalm = false;
  #crashes = 0;

  constructor(options: NodeWorldOptions) {
    this.#options = options;
    this.#random = randomFrom(options.seed);
    this.#badEnds = options.areEndsCut === true ? new BadEnds(options.seed) : undefined;
    this.#signatures = options.realSignatures === true ? realSignatures : hashedSignatures;
    this.#trace = new Trace(options.readAlong);
    const ids = names.slice(0, options.institutions);
    const fixture = fixtureOf(ids, this.#signatures);
    const validators = ids.slice(0, options.validators ?? ids.length);
    const { parameters } = fixture.genesis;
    const epochMs = options.epochMs ?? parameters.epochMs;
    this.#genesis = { ...fixture.genesis, validators, parameters: { ...parameters, epochMs } };
    fixture.chain.set(chainId(this.#genesis));
    this.#flaws = new Map(options.flaws.map((flaw, index) => [validators.at(-1 - index) ?? '', flaw]));
    const nodes = ids.flatMap((id) => (this.#flaws.get(id) === 'twins' ? [id, `${id} 2`] : [id]));
    this.#weather = new Weather({
      random: this.#random,
      events: this.#time.events,
      nodes,
      isMild: options.areBlocksDropped === true,
      ...(options.isSplit === true ? { split: sidesOf(nodes, this.#flaws) } : {}),
      note: (event) => this.#note(event),
    });
    this.#hub = new MemoryHub({
      clock: this.#time.clock(),
      schedule: (from, to, step) => {
        for (const ms of this.#weather.fate(from, to)) this.#time.events.after(ms, step);
      },
    });
    const signatures = this.#signatures;
    this.#nodes = nodes.map(
      (name) =>
        new SimNode({
          name,
          random: this.#random,
          time: this.#time,
          hub: this.#hub,
          fixture,
          genesis: this.#genesis,
          signatures,
          voteLogBytesMax: options.voteLogBytesMax,
          areBlocksDropped: options.areBlocksDropped === true,
          disguise: (network) => this.#disguise(network, fixture),
          aboutTo: (node) => this.#maybeCrash(node),
          closes: (node, blocks) => this.#maybeCutEnd(node, blocks),
          drops: (node, height) => this.#drops(node, height),
          sends: (node, message) => this.#sends(node, message),
        }),
    );
    this.#electorates = new Electorates(validators);
    const source = ids[0] ?? '';
    const members = {
      fixture,
      random: this.#random,
      members: ids,
      validators,
      fixed: new Set(this.#flaws.keys()),
      newcomers: new Set(ids.slice(ids.length - (options.newcomers ?? 0))),
    };
    this.#clients = [
      this.#newClient(amendments(fixture, source), {
        underWayMax: 6,
        pauseMsMax: options.areBlocksDropped === true ? 300 : 2000,
      }),
      ...(options.setChanges === true
        ? [this.#newClient(setChanges(members), { underWayMax: 1, pauseMsMax: 100 })]
        : []),
    ];
  }

  #newClient(
    transactions: Iterator<Uint8Array>,
    pace: Pick<ClientOptions, 'underWayMax' | 'pauseMsMax'>,
  ): Client {
    return new Client({
      random: this.#random,
      events: this.#time.events,
      transactions,
      ...pace,
      running: () => this.#honest().flatMap(({ validator }) => validator ?? []),
      answered: (id, outcome, height) => {
        if (outcome.kind === 'final') this.#conflictOr(this.#agreement.answered(id, outcome.height));
        // A box that has restarted since refuses it as one that was final already; one that was behind knew no better.
        else if (this.#agreement.isFinal(id)) return true;
        else if (height < this.#agreement.height) return false;
        else this.#report(`a good transaction was refused: ${outcome.reason}`);
        return true;
      },
    });
  }

  async run(): Promise<NodeWorldResult> {
    const { faultyMs, blackouts } = this.#options;
    const { events } = this.#time;
    for (const node of this.#nodes)
      if (this.#flaws.get(node.institution) !== 'absent') this.#startLater(node, this.#beginsAfter(node));
    this.#goAway();
    for (let left = blackouts; left > 0; left--)
      events.after(this.#random.below(faultyMs), () => this.#blackout());
    this.#weather.begin();
    for (const client of this.#clients) client.begin();
    this.#changeClocks();
    this.#fillDisks();
    await this.#time.pass(faultyMs, () => this.#violations.length > 0);
    // Boxes that differ cannot go on together.
    const isOne = this.#conflicts.length === 0;
    if (isOne) this.#calmDown();
    const { forgetful } = this.#options;
    const isLost = forgetful !== undefined && !(await this.#restart(forgetful));
    const mayGoOn = isOne && !isLost;
    const viewsToProgress = mayGoOn ? await this.#viewsToProgress() : Infinity;
    const isSettled = mayGoOn && (await this.#isSettled());
    for (const node of this.#nodes) this.#checkMisbehaviour(node);
    if (isSettled) {
      const validators = this.#honest().flatMap(({ validator }) => validator ?? []);
      for (const violation of await brokenWay(this.#genesis, validators, this.#signatures.verify, this.#time))
        this.#report(violation);
      await this.#checkHeaders();
    }
    const result = {
      violations: this.#violations,
      conflicts: this.#conflicts,
      guilty: this.#guilty(),
      crashes: this.#crashes,
      transactions: this.#agreement.transactions,
      height: this.#agreement.height,
      epochs: this.#voteWatch.newest.epoch + 1,
      validatorSets: this.#electorates.variety,
      snapshotsTaken: this.#agreement.jumps,
      pruned: this.#honest().filter(({ validator }) => (validator?.firstBlock() ?? 0) > 0).length,
      isLost,
      isSettled,
      viewsToProgress,
    };
    for (const node of this.#nodes) node.kill();
    this.#hub.close();
    this.#note(`end at height ${result.height}`);
    return { ...result, traceHash: this.#trace.hash() };
  }

  /** Boxes that are what they should be, also if their disk was found damaged. */
  #honest(): SimNode[] {
    return this.#nodes.filter(({ institution }) => this.#isHonest(institution));
  }

  #isHonest(institution: string): boolean {
    const flaw = this.#flaws.get(institution);
    return flaw === undefined || honestFlaws.has(flaw);
  }

  #disguise(network: Network, fixture: SimFixture): Network {
    const flaw = this.#flaws.get(network.self);
    if (flaw === undefined || !(flaw in actors)) return network;
    return actors[flaw as ActorName](network, {
      chain: fixture.chain,
      validatorsOf: (epoch) => this.#electorates.of(epoch)?.length ?? this.#genesis.validators.length,
      voting: fixture.box(network.self).voting,
      random: this.#random,
      verify: this.#signatures.verify,
      head: () => {
        const validator = this.#nodes.find(({ name }) => name === network.self)?.validator;
        return validator && { block: validator.evidence().block, state: validator.state() };
      },
    });
  }

  /** In milliseconds. Of the newcomers the last begins when the faults are over. */
  #beginsAfter({ institution }: SimNode): number {
    const { institutions, newcomers = 0, faultyMs } = this.#options;
    const place = names.indexOf(institution);
    if (place < institutions - newcomers) return this.#random.between(0, 300);
    return place === institutions - 1 ? faultyMs : this.#random.between(faultyMs >> 1, faultyMs);
  }

  #goAway(): void {
    const { faultyMs } = this.#options;
    const { events } = this.#time;
    for (const node of this.#nodes) {
      if (this.#flaws.get(node.institution) !== 'away') continue;
      events.after(this.#random.below(faultyMs >> 2), () => {
        this.#away.add(node.name);
        this.#crash(node, this.#random.chance(0.5));
      });
      events.after(this.#random.between(faultyMs >> 1, faultyMs), () => {
        this.#away.delete(node.name);
        this.#startLater(node, 0);
      });
    }
  }

  #startLater(node: SimNode, ms: number): void {
    this.#time.events.after(ms, () => {
      if (node.status === 'off' && !this.#away.has(node.name)) void this.#start(node);
    });
  }

  async #start(node: SimNode): Promise<void> {
    this.#note(`start ${node.name}`);
    const outcome = await node.start((validator, lost) => {
      const head = validator.head();
      this.#note(`${node.name} takes part at ${head.height}`);
      if (lost.blocks > 0) this.#report(`${node.name} has lost ${lost.blocks} acknowledged blocks`);
      if (!this.#isHonest(node.institution)) return;
      if (lost.votes > 0) this.#report(`${node.name} has lost ${lost.votes} acknowledged votes`);
      this.#conflictOr(
        this.#agreement.stands(node.name, head, validator.state().root, validator.firstBlock()),
      );
      this.#electorates.see(validator);
      validator.onFinal(({ block }) => {
        this.#note(`final ${node.name} ${block.header.height}`);
        this.#finalOn(node, validator, block);
        this.#electorates.see(validator);
      });
    });
    // Full disks have room again after a while; a damaged one is for an administrator.
    if (outcome === 'disk-failed') this.#startLater(node, 1000);
    if (outcome === 'damaged' && this.#flaws.get(node.institution) !== 'flipped-block')
      this.#report(`${node.name} finds its ledger damaged`);
  }

  #finalOn({ name, institution }: SimNode, validator: Validator, block: Block): void {
    if (this.#isHonest(institution))
      this.#conflictOr(this.#agreement.final(name, block, validator.firstBlock()));
  }

  #maybeCrash(node: SimNode): void {
    if (this.#isCalm || this.#options.isSplit === true) return;
    if (!this.#random.chance(this.#chanceToCrash(node))) return;
    this.#crash(node, this.#random.chance(0.5));
    this.#startLater(node, this.#random.between(50, 5000));
  }

  #maybeCutEnd(node: SimNode, blocks: readonly Block[]): void {
    const { validator } = node;
    if (validator === undefined || this.#isCalm || this.#badEnds?.cuts(blocks) !== true) return;
    // They are final, although it does not come to say so.
    for (const block of blocks) this.#finalOn(node, validator, block);
    this.#crash(node, true);
    this.#startLater(node, this.#random.between(50, 2000));
  }

  #drops(node: SimNode, height: number): void {
    if (this.#isHonest(node.institution)) this.#report(brokenByDropping(node, height, this.#agreement));
  }

  /** With each effect. Boxes that keep snapshots have many more, most of all while they take one. */
  #chanceToCrash({ validator }: SimNode): number {
    if (this.#options.areBlocksDropped !== true) return 0.0012;
    const isFarBehind = validator !== undefined && validator.head().height + 5 < this.#agreement.height;
    return isFarBehind ? 0.005 : 0.0004;
  }

  /** True if its disk was damaged. */
  #crash(node: SimNode, withPower: boolean, fault?: LogFault): boolean {
    this.#crashes++;
    this.#note(`${withPower ? 'cut power of' : 'kill'} ${node.name}`);
    this.#checkMisbehaviour(node);
    const flaw = this.#flaws.get(node.institution);
    const own =
      flaw !== undefined && flaw in diskFlaws ? diskFlaws[flaw as keyof typeof diskFlaws] : undefined;
    const diskFault = fault ?? own;
    if (!withPower) {
      node.kill();
      return false;
    }
    const isDamaged = node.cutPower(diskFault);
    if (isDamaged) this.#note(`the disk of ${node.name}: ${diskFault?.kind}`);
    return isDamaged;
  }

  #blackout(): void {
    this.#note('blackout');
    for (const node of this.#nodes) {
      this.#crash(node, true);
      this.#startLater(node, this.#random.between(50, 3000));
    }
  }

  /** Clocks are off, and now and then one jumps. */
  #changeClocks(): void {
    for (const node of this.#nodes) node.skewMs = this.#random.between(-2000, 2000);
    const jump = (): void => {
      if (this.#isCalm) return;
      const node = this.#nodes[this.#random.below(this.#nodes.length)];
      if (node !== undefined) node.skewMs = this.#random.between(-20_000, 20_000);
      this.#time.events.after(this.#random.between(3000, 20_000), jump);
    };
    this.#time.events.after(this.#random.between(3000, 20_000), jump);
  }

  /** Now and then one is full or fails, until its box is switched off and on. */
  #fillDisks(): void {
    this.#time.events.after(this.#random.between(5000, 40_000), () => {
      if (this.#isCalm) return;
      const node = this.#nodes[this.#random.below(this.#nodes.length)];
      if (node !== undefined) {
        this.#note(`the disk of ${node.name} fails`);
        node.disk.isFailing = true;
      }
      this.#fillDisks();
    });
  }

  /** Faults stop: all run, hear each other, and their clocks are right to two seconds. */
  #calmDown(): void {
    this.#note('calm');
    this.#isCalm = true;
    this.#weather.calm();
    this.#changeClocks();
    for (const node of this.#nodes) {
      if (node.disk.isFailing) this.#crash(node, true);
      if (node.status === 'off') this.#startLater(node, 0);
    }
  }

  /**
   * Nobody goes on where so many have forgotten; then one box gets the members' order, and the others from it. False if no
   * order can be made: of the newest block the certificate alone is left (docs/adr, 0038).
   */
  async #restart(count: number): Promise<boolean> {
    const damaged = new Set<string>();
    for (const node of this.#nodes.slice(0, count)) {
      if (this.#crash(node, true, diskFlaws['flipped-vote'])) damaged.add(node.institution);
      this.#startLater(node, this.#random.below(2000));
    }
    const ordered = () => restartOrder(this.#honest());
    await this.#time.pass(20_000);
    // Whoever asked others for blocks while the lines were cut waits so long for their answers.
    if (!ordered()) await this.#time.pass(catchUpRequestMs, () => ordered() !== undefined);
    const order = ordered();
    if (order === undefined) {
      this.#report('boxes at a standstill are in different epochs');
      return false;
    }
    if ('withoutContent' in order) {
      const { withoutContent: last } = order;
      this.#note('nobody has the last block');
      for (const { institution, validator, votes } of this.#honest())
        if (validator && !damaged.has(institution) && holdsPath(votes.held, validator.head(), last.digest))
          this.#report(`${institution} holds the last block, and does not tell it`);
      return false;
    }
    this.#note(`the roots order to go on from block ${order.height}`);
    const ids = this.#electorates.of(order.epoch) ?? [];
    const bytes = signedRestart(order, ids, this.#signatures, this.#random);
    const { name } = this.#nodes[this.#random.below(this.#nodes.length)] ?? { name: '' };
    this.#hub.member(name)?.arrive(this.#nodes.find((node) => node.name !== name)?.name ?? '', bytes);
    this.#voteWatch.skipTo({ epoch: order.epoch, view: order.floor });
    return true;
  }

  /** Views until a block that was proposed in calm is final. */
  async #viewsToProgress(): Promise<number> {
    for (const client of this.#clients) client.finish();
    const viewsBefore = this.#voteWatch.views;
    const { epoch, view } = this.#voteWatch.newest;
    const hasProgressed = (): boolean =>
      this.#honest().some(({ validator }) => {
        const header = validator?.evidence().block.header;
        return header !== undefined && isAfter(header, { epoch, view });
      });
    await this.#time.pass(this.#options.calmMsMax, () => this.#violations.length > 0 || hasProgressed());
    return hasProgressed() ? this.#voteWatch.views - viewsBefore : Infinity;
  }

  /** Then nobody waits for an answer any more, and each honest box has all that any of them had. */
  async #isSettled(): Promise<boolean> {
    const { height } = this.#agreement;
    const isSettled = (): boolean =>
      this.#clients.every(({ waiting }) => waiting === 0) &&
      this.#honest()
        .filter(({ status }) => status !== 'broken')
        .every(({ validator }) => (validator?.head().height ?? 0) >= height);
    await this.#time.pass(this.#options.calmMsMax, () => this.#violations.length > 0 || isSettled());
    return isSettled();
  }

  async #checkHeaders(): Promise<void> {
    for (const { name, validator, ledger } of this.#honest()) {
      if (validator === undefined || ledger.headers === undefined) continue;
      const first = validator.firstBlock();
      this.#conflictOr(this.#agreement.stands(name, validator.head(), validator.state().root, first));
      const checked = wrongHeaders(name, ledger.headers, first, this.#agreement);
      let isChecked = false;
      void checked.finally(() => (isChecked = true));
      // To open a piece of a log may take a flush.
      await this.#time.pass(10_000, () => isChecked);
      for (const wrong of await checked) this.#report(wrong);
    }
  }

  #sends(node: SimNode, message: Uint8Array): void {
    this.#note(node.name);
    if (!this.#isHonest(node.institution)) return;
    this.#report(
      this.#voteWatch.sent(node.institution, message, (vote) => this.#electorates.institutionAt(vote)),
    );
  }

  #checkMisbehaviour(node: SimNode): void {
    if (!this.#isHonest(node.institution)) return;
    for (const { kind, first } of node.validator?.misbehaviour() ?? [])
      this.#accuse(this.#electorates.institutionAt(first), `${node.name} accuses it of ${kind}`);
  }

  #guilty(): ReadonlySet<string> {
    const honest = this.#honest();
    const votes = honest.flatMap(({ votes: log }) => [...votesInVoteLog(log.held)]);
    const certified = honest.flatMap(({ ledger }) => [...votesInBlockLog(ledger.held)]);
    const guilty = guiltyBy([...votes, ...certified]).map((place) => this.#electorates.institutionAt(place));
    for (const institution of guilty) this.#accuse(institution, 'the logs show it');
    return new Set(guilty);
  }

  #accuse(institution: string, reason: string): void {
    if (this.#isHonest(institution)) this.#report(`the honest ${institution} is accused: ${reason}`);
  }

  /** With more than f liars honest boxes may differ; what matters then is who is named. */
  #conflictOr(violation: string | undefined): void {
    const validators = this.#genesis.validators.length;
    const liars = this.#options.flaws.filter((flaw) => !honestFlaws.has(flaw)).length;
    if (violation !== undefined && liars > faultsTolerated(validators)) this.#conflicts.push(violation);
    else this.#report(violation);
  }

  #report(violation: string | undefined): void {
    if (violation === undefined) return;
    this.#note(`VIOLATION ${violation}`);
    this.#violations.push(violation);
  }

  #note(event: string): void {
    this.#trace.note(this.#time.events.now, event);
  }
}
