/**
 * Messages out of fragments (PS3.7 6.3, PS3.8 annex E): a command set is gathered (bounded), its data set is handed on
 * piece by piece. Knows nothing of services.
 */
import { type Command, decodeCommand } from './command.ts';
import { FragmentGatherer } from './fragment-gatherer.ts';
import {
  commandBytesMax,
  commandBytesPerCost,
  commandBytesUsual,
  commandCost,
  discardedBytesPerCost,
  fragmentBytesMin,
  heldBytesPerCost,
  smallFragmentCost,
} from './limits.ts';
import type { Fragment } from './pdu-reader.ts';
import type { WorkAccount } from './turns.ts';

/**
 * What becomes of what is written: an object is kept, and that holds back who sends it; it is held in memory for a request;
 * or discarded. Of the last two nothing but the reading holds back who sends them.
 */
export type DataSetFate = 'kept' | 'held' | 'discarded';

const bytesPerCost: Readonly<Record<DataSetFate, number>> = {
  kept: Infinity,
  held: heldBytesPerCost,
  discarded: discardedBytesPerCost,
};

/** Takes the data set of one message. A promise that a method returns holds back what follows. */
export interface DataSetTarget {
  readonly fate: DataSetFate;
  /**
   * A view of the receive buffer, to be used or copied until the promise resolves, or before `write` returns if it
   * gives none.
   */
  write(bytes: Uint8Array): Promise<void> | undefined;
  end(): Promise<void> | undefined;
}

/** What is done with whole command sets. */
export interface MessageTarget {
  /** A command without data set. */
  command(contextId: number, command: Command): Promise<void> | undefined;
  /** A command whose data set follows, and goes to the returned target. */
  commandWithDataSet(contextId: number, command: Command): Promise<DataSetTarget>;
  /** The peer broke PS3.7: the association must be aborted. */
  violation(reason: string): void;
}

/** A command set that comes in several fragments, a peer may send it byte by byte; its bytes are in the one buffer. */
interface GatheredCommand {
  readonly contextId: number;
  readonly length: number;
}

/** A data set that comes. */
interface ComingDataSet {
  readonly contextId: number;
  readonly target: FragmentGatherer;
  /** Whether it is worth its command, which costs nothing then. */
  isWorthIt: boolean;
}

const costOfCommand = (bytes: number): number =>
  commandCost + Math.max(0, bytes - commandBytesUsual) / commandBytesPerCost;

export class MessageReader {
  readonly #target: MessageTarget;
  readonly #account: WorkAccount;
  /** Made when a command comes in several fragments for the first time, and used again. */
  #commandBytes: Uint8Array | undefined;
  #command: GatheredCommand | undefined;
  #dataSet: ComingDataSet | undefined;

  /** @param account what is read is charged to it. */
  constructor(target: MessageTarget, account: WorkAccount) {
    this.#target = target;
    this.#account = account;
  }

  get midMessage(): boolean {
    return this.#command !== undefined || this.#dataSet !== undefined;
  }

  /** A promise that it returns holds back what follows, now and then only for the others' sake. */
  read(fragment: Fragment): Promise<void> | undefined {
    const taken = fragment.command ? this.#readCommand(fragment) : this.#readDataSet(fragment);
    return taken === undefined ? this.#account.rest() : taken.then(() => this.#account.rest());
  }

  #readCommand({ contextId, last, bytes }: Fragment): Promise<void> | undefined {
    if (this.#dataSet !== undefined)
      return this.#violate('a command began before the data set of the last one ended');
    const gathered = this.#command;
    if (gathered !== undefined && gathered.contextId !== contextId)
      return this.#violate('one command came on two presentation contexts');
    const length = (gathered?.length ?? 0) + bytes.length;
    if (length > commandBytesMax)
      return this.#violate(`the command set is longer than ${commandBytesMax} bytes`);
    this.#account.charge(last ? costOfCommand(length) : smallFragmentCost);
    if (gathered === undefined && last) return this.#take(contextId, bytes);
    const all = (this.#commandBytes ??= new Uint8Array(commandBytesMax));
    all.set(bytes, length - bytes.length);
    this.#command = last ? undefined : { contextId, length };
    if (!last) return undefined;
    return this.#take(contextId, all.subarray(0, length));
  }

  /** A whole command set. */
  #take(contextId: number, bytes: Uint8Array): Promise<void> | undefined {
    const decoded = decodeCommand(bytes);
    if (decoded.kind === 'malformed') return this.#violate(decoded.reason);
    const { command } = decoded;
    if (!command.hasDataSet) return this.#target.command(contextId, command);
    return this.#target.commandWithDataSet(contextId, command).then((target) => {
      this.#dataSet = { contextId, target: new FragmentGatherer(target), isWorthIt: false };
    });
  }

  #readDataSet({ contextId, last, bytes }: Fragment): Promise<void> | undefined {
    const dataSet = this.#dataSet;
    if (dataSet === undefined) return this.#violate('data came that no command announced');
    if (dataSet.contextId !== contextId)
      return this.#violate('a data set came on another presentation context than its command');
    this.#chargeData(dataSet, bytes.length, last);
    const written = bytes.length > 0 ? dataSet.target.write(bytes) : undefined;
    if (!last) return written;
    this.#dataSet = undefined;
    return written === undefined ? dataSet.target.end() : written.then(() => dataSet.target.end());
  }

  /** The end of a message is small by itself, and no sign of anything. */
  #chargeData(dataSet: ComingDataSet, bytes: number, last: boolean): void {
    if (bytes < fragmentBytesMin && !last) this.#account.charge(smallFragmentCost);
    const { fate } = dataSet.target;
    this.#account.charge(bytes / bytesPerCost[fate]);
    if (fate === 'kept' && bytes >= fragmentBytesMin && !dataSet.isWorthIt) {
      dataSet.isWorthIt = true;
      this.#account.giveBack(commandCost);
    }
  }

  #violate(reason: string): undefined {
    this.#command = undefined;
    this.#dataSet = undefined;
    this.#target.violation(reason);
    return undefined;
  }
}
