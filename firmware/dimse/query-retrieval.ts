/** What C-MOVE and C-GET have in common: the objects that were asked for, one after the other, with their counts. */
import { AppError } from '../src/errors.ts';
import type { Logger, RetrievableObject, RetrieveResult } from '../src/ports.ts';
import { retrieveObjectsMax } from './limits.ts';
import { refusal } from './query-refusal.ts';
import { OperationCancelled, type ServiceOperation, type ServiceResponse } from './service.ts';
import { status } from './status.ts';
import { SubOperationTally } from './sub-operations.ts';

/**
 * Sends the object of this index. @returns the status of its C-STORE-RSP; `not-taken` if the peer takes no such object;
 * `lost` if nothing more can be sent to it. @throws AppError if this one could not be sent.
 */
export type SendObject = (object: RetrievableObject, index: number) => Promise<SentObject>;
export type SentObject = number | 'not-taken' | 'lost';

export interface Retrieval {
  readonly result: RetrieveResult;
  readonly operation: Pick<ServiceOperation, 'pending' | 'signal'>;
  /** Names who asks and where it goes. */
  readonly logger: Logger;
  readonly send: SendObject;
}

/**
 * The final response. An object that cannot be read or sent has failed, the others are sent all the same.
 * @throws the signal's reason if the association ended; whatever `send` throws that is no AppError.
 */
export async function retrieve(retrieval: Retrieval): Promise<ServiceResponse> {
  const { result, operation, logger } = retrieval;
  const { signal } = operation;
  if (result.kind === 'refused') return refusal(result);
  const objects = result.kind === 'cancelled' ? [] : result.objects;
  if (objects.length > retrieveObjectsMax)
    return { status: status.matchesRefused, comment: `more than ${retrieveObjectsMax} objects` };
  const tally = new SubOperationTally(objects.length);
  let isLost = false;
  for (const [index, object] of objects.entries()) {
    if (signal.aborted) break;
    const sent: SentObject | 'failed' | 'stopped' = isLost
      ? 'failed'
      : await sendOne(object, index, retrieval);
    if (sent === 'stopped') break;
    isLost ||= sent === 'lost';
    tally.count(object.sopInstanceUid, typeof sent === 'number' ? sent : undefined);
    if (!isLost && tally.counts.remaining > 0 && !signal.aborted)
      await pendingUnlessCancelled(operation, tally);
  }
  logger.info({ ...tally.counts, cancelled: signal.aborted }, 'objects retrieved');
  if (!signal.aborted) return tally.final;
  if (signal.reason instanceof OperationCancelled) return tally.cancelled;
  throw signal.reason;
}

/** A C-CANCEL that comes while the response waits for the peer is heeded by the next look at the signal. */
async function pendingUnlessCancelled(
  operation: Retrieval['operation'],
  tally: SubOperationTally,
): Promise<void> {
  try {
    await operation.pending(tally.pending);
  } catch (error) {
    if (!operation.signal.aborted || error !== operation.signal.reason) throw error;
  }
}

/** `stopped`: the signal fired before it was begun, or the association ended. */
async function sendOne(
  object: RetrievableObject,
  index: number,
  { send, logger, operation: { signal } }: Retrieval,
): Promise<SentObject | 'failed' | 'stopped'> {
  try {
    const sent = await send(object, index);
    if (sent === 'not-taken') {
      const { sopClassUid, transferSyntaxUids } = object;
      logger.warn({ sopClassUid, transferSyntaxUids }, 'the peer takes no such object');
    }
    return sent;
  } catch (error) {
    if (signal.aborted && error === signal.reason) return 'stopped';
    if (!(error instanceof AppError)) throw error;
    logger.error({ err: error }, 'an object could not be retrieved');
    return 'failed';
  }
}

/**
 * Reads the first piece before anything is said to the peer: an object that cannot be read then fails alone, where a
 * data set that breaks off ends the association.
 */
export async function withBeginning<Result>(
  source: AsyncIterable<Uint8Array>,
  use: (dataSet: AsyncIterable<Uint8Array>) => Promise<Result>,
): Promise<Result> {
  const iterator = source[Symbol.asyncIterator]();
  try {
    const first = await iterator.next();
    return await use(fromFirst(first, iterator));
  } finally {
    await iterator.return?.();
  }
}

async function* fromFirst(
  first: IteratorResult<Uint8Array>,
  iterator: AsyncIterator<Uint8Array>,
): AsyncGenerator<Uint8Array, void> {
  for (let next = first; next.done !== true; next = await iterator.next()) yield next.value;
}
