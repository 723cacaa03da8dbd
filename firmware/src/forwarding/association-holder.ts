/** The one association to a destination: kept open between objects, made anew for kinds that it does not carry. */
import type {
  Clock,
  ProposedStorageContext,
  StorageAssociation,
  StorageContext,
  StorageScu,
  Timer,
} from '../ports.ts';
import { associationIdleMs, contextsPerAssociationMax, recentKindsMax } from './limits.ts';

/** An association that carries the kind that was asked for. */
export interface Held {
  readonly association: StorageAssociation;
  /** False if it was used before: the peer may have closed it meanwhile. */
  readonly isFresh: boolean;
}

export interface AssociationHolderOptions {
  readonly scu: StorageScu;
  /** Into what a transfer syntax can be brought without loss. */
  readonly targets: (transferSyntaxUid: string) => readonly string[];
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

const keyOf = ({ sopClassUid, transferSyntaxUid }: StorageContext): string =>
  `${sopClassUid} ${transferSyntaxUid}`;

export class AssociationHolder {
  readonly #options: AssociationHolderOptions;
  /** Kinds of object that were sent last, the latest at the end. */
  readonly #recent = new Map<string, StorageContext>();
  #open: { readonly association: StorageAssociation; readonly kinds: ReadonlySet<string> } | undefined;
  #idle: Timer | undefined;
  #releasing: Promise<void> = Promise.resolve();

  constructor(options: AssociationHolderOptions) {
    this.#options = options;
  }

  /**
   * An association for this kind of object; a new one is prepared for those ahead as well.
   * @throws AppError DELIVERY_FAILED with what the peer said.
   */
  async obtain(kind: StorageContext, ahead: Iterable<StorageContext>): Promise<Held> {
    this.#idle?.cancel();
    await this.#releasing;
    const key = keyOf(kind);
    this.#remember(kind);
    if (this.#open?.association.isOpen === true) {
      if (this.#open.kinds.has(key)) return { association: this.#open.association, isFresh: false };
      await this.#open.association.release();
    }
    this.#open = undefined;
    const { scu, targets, signal } = this.#options;
    const kinds = proposable([kind, ...ahead, ...[...this.#recent.values()].reverse()], targets);
    const association = await scu.open(contextsOf(kinds.values(), targets), signal);
    this.#open = { association, kinds: new Set(kinds.keys()) };
    return { association, isFresh: true };
  }

  /** Nothing waits: the association is released unless something comes soon. */
  rest(): void {
    this.#idle?.cancel();
    if (this.#open === undefined) return;
    this.#idle = this.#options.clock.setTimer(associationIdleMs, () => {
      this.#releasing = this.release();
    });
  }

  async release(): Promise<void> {
    this.#idle?.cancel();
    const open = this.#open;
    this.#open = undefined;
    await open?.association.release();
  }

  /** After a failure: nothing more is said. */
  async abort(): Promise<void> {
    this.#idle?.cancel();
    const open = this.#open;
    this.#open = undefined;
    await open?.association.abort();
  }

  #remember(kind: StorageContext): void {
    const key = keyOf(kind);
    this.#recent.delete(key);
    this.#recent.set(key, kind);
    const [oldest] = this.#recent.keys();
    if (this.#recent.size > recentKindsMax && oldest !== undefined) this.#recent.delete(oldest);
  }
}

type Targets = AssociationHolderOptions['targets'];

/** As many kinds, in order, as one association can carry presentation contexts for. */
function proposable(kinds: Iterable<StorageContext>, targets: Targets): Map<string, StorageContext> {
  const chosen = new Map<string, StorageContext>();
  let contexts = 0;
  for (const kind of kinds) {
    const key = keyOf(kind);
    if (chosen.has(key)) continue;
    contexts += targets(kind.transferSyntaxUid).length > 0 ? 2 : 1;
    if (contexts > contextsPerAssociationMax) break;
    chosen.set(key, kind);
  }
  return chosen;
}

/**
 * The transfer syntax as kept has a context of its own, so that the peer says of it alone whether it takes it; what it
 * could be brought into shares another (PS3.8, 7.1.1.13).
 */
function contextsOf(kinds: Iterable<StorageContext>, targets: Targets): ProposedStorageContext[] {
  return [...kinds].flatMap(({ sopClassUid, transferSyntaxUid }) => {
    const others = targets(transferSyntaxUid);
    return [
      { sopClassUid, transferSyntaxUids: [transferSyntaxUid] },
      ...(others.length === 0 ? [] : [{ sopClassUid, transferSyntaxUids: others }]),
    ];
  });
}
