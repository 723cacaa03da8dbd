/** C-MOVE: the objects go to a configured destination, over associations of our own (PS3.4 C.4.2). */
import { AppError } from '../src/errors.ts';
import type {
  Logger,
  MoveOriginator,
  ProposedStorageContext,
  RetrievableObject,
  RetrieveResult,
  StorageAssociation,
  StorageScu,
} from '../src/ports.ts';
import { destinationFailuresMax, presentationContextsMax } from './limits.ts';
import { retrieve, type SentObject, withBeginning } from './query-retrieval.ts';
import type { Releases } from './releases.ts';
import { OperationCancelled, type ServiceOperation, type ServiceResponse } from './service.ts';

/**
 * A destination that fails is asked again for the next object, but not without end. After a C-CANCEL the object under
 * way is still finished; when the association that asked has ended, so does ours.
 */
export async function retrieveByMove(
  result: RetrieveResult,
  operation: Pick<ServiceOperation, 'command' | 'peer' | 'pending' | 'signal'>,
  destination: StorageScu,
  releases: Releases,
  logger: Logger,
): Promise<ServiceResponse> {
  const ended = new AbortController();
  const onSignal = (): void => {
    const reason: unknown = operation.signal.reason;
    if (!(reason instanceof OperationCancelled)) ended.abort(reason);
  };
  operation.signal.addEventListener('abort', onSignal);
  if (operation.signal.aborted) onSignal();
  const aeTitle = operation.peer.callingAeTitle;
  const sender = new MoveSender(
    destination,
    result.kind === 'objects' ? result.objects : [],
    { aeTitle, messageId: operation.command.messageId ?? 0 },
    releases,
    ended.signal,
  );
  try {
    const response = await retrieve({
      result,
      operation,
      logger: logger.child({
        retrievedBy: aeTitle,
        service: 'C-MOVE',
        destination: operation.command.moveDestination ?? '',
      }),
      send: (object, index) => sender.send(object, index),
    });
    sender.end();
    return response;
  } finally {
    operation.signal.removeEventListener('abort', onSignal);
    await sender.abort();
  }
}

/** Objects of one kind are sent over the same contexts. */
const kindOf = ({ sopClassUid, transferSyntaxUids: [kept] }: RetrievableObject): string =>
  `${sopClassUid} ${kept}`;

/** Objects in order over one association after the other: a new one when the next object needs contexts it lacks. */
class MoveSender {
  readonly #destination: StorageScu;
  readonly #objects: readonly RetrievableObject[];
  readonly #originator: MoveOriginator;
  readonly #releases: Releases;
  readonly #signal: AbortSignal;
  #association: StorageAssociation | undefined;
  /** Kinds of objects for which contexts were proposed. */
  #kinds: ReadonlySet<string> = new Set();
  /** One after the other, without an answer in between. */
  #failures = 0;

  constructor(
    destination: StorageScu,
    objects: readonly RetrievableObject[],
    originator: MoveOriginator,
    releases: Releases,
    signal: AbortSignal,
  ) {
    this.#destination = destination;
    this.#objects = objects;
    this.#originator = originator;
    this.#releases = releases;
    this.#signal = signal;
  }

  async send(object: RetrievableObject, index: number): Promise<SentObject> {
    if (this.#failures === destinationFailuresMax) return 'lost';
    const association = await this.#reached(() => this.#associationFor(object, index));
    const { sopClassUid, sopInstanceUid, transferSyntaxUids } = object;
    const transferSyntaxUid = transferSyntaxUids.find((uid) =>
      association.accepted.some((each) => each.sopClassUid === sopClassUid && each.transferSyntaxUid === uid),
    );
    if (transferSyntaxUid === undefined) return 'not-taken';
    const answered = await withBeginning(object.dataSet(transferSyntaxUid, this.#signal), (dataSet) =>
      this.#reached(() =>
        association.store({ sopClassUid, sopInstanceUid, transferSyntaxUid }, dataSet, this.#originator),
      ),
    );
    this.#failures = 0;
    return answered;
  }

  /** Not waited for: movers of one thread (gdcm's) answer the release only when they have the final response. */
  end(): void {
    if (this.#association !== undefined) this.#releases.release(this.#association);
    this.#association = undefined;
  }

  async abort(): Promise<void> {
    await this.#association?.abort();
    this.#association = undefined;
  }

  /**
   * Counts failures of the destination, not what this box could not read; after either, the next object gets an
   * association of its own.
   */
  async #reached<Result>(step: () => Promise<Result>): Promise<Result> {
    try {
      return await step();
    } catch (error) {
      if (error instanceof AppError && error.code === 'DELIVERY_FAILED') this.#failures += 1;
      await this.abort();
      throw error;
    }
  }

  async #associationFor(object: RetrievableObject, index: number): Promise<StorageAssociation> {
    if (this.#association !== undefined && this.#kinds.has(kindOf(object))) return this.#association;
    this.end();
    const { contexts, kinds } = contextsFrom(this.#objects, index);
    this.#association = await this.#destination.open(contexts, this.#signal);
    this.#kinds = kinds;
    return this.#association;
  }
}

/**
 * For as many of the objects from `index` on as one association can carry contexts for. The kept syntax has a context
 * of its own, so that a peer that takes it has no choice between it and another.
 */
function contextsFrom(
  objects: readonly RetrievableObject[],
  index: number,
): { readonly contexts: readonly ProposedStorageContext[]; readonly kinds: ReadonlySet<string> } {
  const contexts: ProposedStorageContext[] = [];
  const kinds = new Set<string>();
  for (const object of objects.slice(index)) {
    const kind = kindOf(object);
    if (kinds.has(kind)) continue;
    const { sopClassUid, transferSyntaxUids } = object;
    const [kept, ...others] = transferSyntaxUids;
    const added = [[kept], others].filter((each) => each.length > 0);
    if (contexts.length + added.length > presentationContextsMax) break;
    for (const uids of added) contexts.push({ sopClassUid, transferSyntaxUids: uids });
    kinds.add(kind);
  }
  return { contexts, kinds };
}
