/**
 * Messages out of fragments (PS3.7 6.3, PS3.8 annex E): a command set is gathered (bounded), its data set is handed on
 * piece by piece. Knows nothing of services.
 */
import { type Command, decodeCommand } from './command.ts';
import { FragmentGatherer } from './fragment-gatherer.ts';
import type { FragmentTurns } from './fragment-turns.ts';
import {
  commandBytesMax,
  commandsWithoutRestMax,
  fragmentBytesMin,
  smallFragmentBytesMax,
  smallFragmentsPerTurnMax,
} from './limits.ts';
import type { Fragment } from './pdu-reader.ts';

/** Takes the data set of one message. A promise that a method returns holds back what follows. */
export interface DataSetTarget {
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

/** A command set that comes in several fragments, in one buffer: a peer may send it byte by byte. */
interface GatheredCommand {
  readonly contextId: number;
  readonly bytes: Uint8Array;
  readonly length: number;
}

export class MessageReader {
  readonly #target: MessageTarget;
  readonly #turns: FragmentTurns;
  #command: GatheredCommand | undefined;
  #dataSet: { readonly contextId: number; readonly target: FragmentGatherer } | undefined;
  #smallFragments = 0;
  /** Without data worth naming, since the last rest. */
  #commands = 0;

  constructor(target: MessageTarget, turns: FragmentTurns) {
    this.#target = target;
    this.#turns = turns;
  }

  get midMessage(): boolean {
    return this.#command !== undefined || this.#dataSet !== undefined;
  }

  /** A promise that it returns holds back what follows, now and then only for the others' sake. */
  read(fragment: Fragment): Promise<void> | undefined {
    const taken = fragment.command ? this.#readCommand(fragment) : this.#readDataSet(fragment);
    const rest = this.#restAfter(fragment);
    if (rest === undefined) return taken;
    return taken === undefined ? rest() : taken.then(rest);
  }

  /**
   * Undefined if none is due. The end of a message is small by itself, and no sign of anything; a command that brings an
   * object with it has its rests while that is kept.
   */
  #restAfter({ command, last, bytes }: Fragment): (() => Promise<void>) | undefined {
    if (command && last) {
      this.#commands = (this.#commands + 1) % commandsWithoutRestMax;
      return this.#commands === 0 ? () => this.#turns.next() : undefined;
    }
    if (!command && bytes.length >= fragmentBytesMin) this.#commands = Math.max(0, this.#commands - 1);
    if (last || bytes.length >= smallFragmentBytesMax) return undefined;
    this.#smallFragments = (this.#smallFragments + 1) % smallFragmentsPerTurnMax;
    return this.#smallFragments === 0 ? () => this.#turns.next() : undefined;
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
    if (gathered === undefined && last) return this.#take(contextId, bytes);
    const { bytes: all } = (this.#command = {
      contextId,
      bytes: gathered?.bytes ?? new Uint8Array(commandBytesMax),
      length,
    });
    all.set(bytes, length - bytes.length);
    if (!last) return undefined;
    this.#command = undefined;
    return this.#take(contextId, all.subarray(0, length));
  }

  /** A whole command set. */
  #take(contextId: number, bytes: Uint8Array): Promise<void> | undefined {
    const decoded = decodeCommand(bytes);
    if (decoded.kind === 'malformed') return this.#violate(decoded.reason);
    const { command } = decoded;
    if (!command.hasDataSet) return this.#target.command(contextId, command);
    return this.#target.commandWithDataSet(contextId, command).then((target) => {
      this.#dataSet = { contextId, target: new FragmentGatherer(target) };
    });
  }

  #readDataSet({ contextId, last, bytes }: Fragment): Promise<void> | undefined {
    const dataSet = this.#dataSet;
    if (dataSet === undefined) return this.#violate('data came that no command announced');
    if (dataSet.contextId !== contextId)
      return this.#violate('a data set came on another presentation context than its command');
    const written = bytes.length > 0 ? dataSet.target.write(bytes) : undefined;
    if (!last) return written;
    this.#dataSet = undefined;
    return written === undefined ? dataSet.target.end() : written.then(() => dataSet.target.end());
  }

  #violate(reason: string): undefined {
    this.#command = undefined;
    this.#dataSet = undefined;
    this.#target.violation(reason);
    return undefined;
  }
}
