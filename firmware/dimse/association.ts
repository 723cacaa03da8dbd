/** The requestor's side of an association: each operation of the DIMSE services as SCU (PS3.7 clauses 9 and 10). */
import assert from 'node:assert/strict';
import type { StoreOutcome } from '../src/ports.ts';
import type { AssociationOptions } from './association-options.ts';
import { type Command, commandField } from './command.ts';
import { type DataSet, encodeLongDataSet } from './data-set.ts';
import { dataSetSyntax } from './data-set-syntax.ts';
import { padToEven } from './even-padding.ts';
import { presentationContextsMax } from './limits.ts';
import { atHand } from './message-sender.ts';
import { type AcceptedContext, RequestorLink } from './requestor-link.ts';
import type { Response } from './response-inbox.ts';
import type { SubOperations } from './service.ts';
import { isPending, status, statusText } from './status.ts';
import { verificationSopClass } from './uids.ts';

/** What is sent by C-STORE; the data set follows apart. */
export interface StoredObject {
  readonly sopClassUid: string;
  readonly sopInstanceUid: string;
  readonly transferSyntaxUid: string;
}

/** A data set that was encoded elsewhere, to be sent as it is: its context is the one of its transfer syntax. */
export class EncodedDataSet {
  readonly bytes: Uint8Array;
  readonly transferSyntaxUid: string;

  constructor(bytes: Uint8Array, transferSyntaxUid: string) {
    this.bytes = bytes;
    this.transferSyntaxUid = transferSyntaxUid;
  }
}

/** The response of an N-service. */
export interface ServiceAnswer {
  readonly status: number;
  readonly comment?: string;
  readonly dataSet?: DataSet;
  /** Of a created instance, which the SCP may name. */
  readonly affectedSopInstanceUid?: string;
}

/** One response of a C-MOVE or C-GET; the one that is not pending is the last. */
export interface RetrieveProgress extends SubOperations {
  readonly status: number;
  readonly comment?: string;
  /** Failed SOP Instance UID List (0008,0058) of the last one. */
  readonly failedSopInstanceUids: readonly string[];
}

/**
 * Opens an association with a peer.
 * @throws AppError DELIVERY_FAILED if the peer cannot be reached, does not answer, rejects or aborts; its message says
 * which and what the peer said. The signal's reason if that fired.
 */
export async function openAssociation(options: AssociationOptions): Promise<Association> {
  options.signal?.throwIfAborted();
  assert(
    options.contexts.length > 0 && options.contexts.length <= presentationContextsMax,
    'between 1 and 128 contexts',
  );
  const link = new RequestorLink(options);
  await link.establish();
  return new Association(link);
}

/** One piece of work on an association, which is released after it, or aborted if it fails. */
export async function endingWell<Result>(
  association: Association,
  work: () => Promise<Result>,
): Promise<Result> {
  let result: Result;
  try {
    result = await work();
  } catch (error) {
    await association.abort();
    throw error;
  }
  await association.release();
  return result;
}

/**
 * Made by `openAssociation`. One operation at a time: the next is asked for when the last has resolved or ended. Every
 * operation throws AppError DELIVERY_FAILED if the association fails or no context fits.
 */
export class Association {
  readonly #link: RequestorLink;

  constructor(link: RequestorLink) {
    this.#link = link;
  }

  /** What the peer accepted. */
  get contexts(): readonly AcceptedContext[] {
    return [...this.#link.accepted.values()];
  }

  /** False once it has ended in any way. */
  get isOpen(): boolean {
    return this.#link.isOpen;
  }

  /** The peer said that it took the user identity (PS3.7 D.3.3.7.2), as it says if asked to. */
  get userIdentityResponse(): Uint8Array | undefined {
    return this.#link.answer.userInformation.userIdentityResponse;
  }

  accepts(abstractSyntax: string, transferSyntax: string): boolean {
    return this.#contextOf(abstractSyntax, transferSyntax) !== undefined;
  }

  /** Whether the peer agreed that we are SCP of the class (PS3.7 D.3.3.4). */
  isScpOf(sopClassUid: string): boolean {
    return this.#link.answer.userInformation.roles.some(
      (role) => role.sopClassUid === sopClassUid && role.scp,
    );
  }

  /** The peer's answer to SOP Class Extended Negotiation. */
  extendedNegotiation(sopClassUid: string): Uint8Array | undefined {
    return this.#link.answer.userInformation.extendedNegotiation.find(
      (item) => item.sopClassUid === sopClassUid,
    )?.information;
  }

  /** C-ECHO. */
  async echo(): Promise<StoreOutcome> {
    const [contextId] = this.#context(verificationSopClass);
    const request = { commandField: commandField.echoRequest, affectedSopClassUid: verificationSopClass };
    return outcomeOf(await this.#only(this.#link.request(contextId, request)));
  }

  /**
   * C-STORE of a data set that is in the object's transfer syntax, unchanged (but for the padding of a deflated one).
   * Reads no faster than the peer takes it.
   * @returns the peer's status, whatever it is (`isStored` judges it).
   * @throws the error of `data` if reading it fails; the association is aborted then.
   */
  async store(
    object: StoredObject,
    data: AsyncIterable<Uint8Array>,
    moveOriginator?: { readonly aeTitle: string; readonly messageId: number },
  ): Promise<StoreOutcome> {
    const { sopClassUid, sopInstanceUid, transferSyntaxUid } = object;
    const contextId = this.#contextIn(sopClassUid, transferSyntaxUid);
    const request = {
      commandField: commandField.storeRequest,
      affectedSopClassUid: sopClassUid,
      affectedSopInstanceUid: sopInstanceUid,
      priority: 0,
      ...(moveOriginator !== undefined && {
        moveOriginatorAeTitle: moveOriginator.aeTitle,
        moveOriginatorMessageId: moveOriginator.messageId,
      }),
    };
    const sent = padded(data, transferSyntaxUid);
    return outcomeOf(await this.#only(this.#link.request(contextId, request, sent)));
  }

  /**
   * C-FIND: the matches as they come, no faster than they are taken. Stopping early, or the signal, cancels.
   * @throws AppError DELIVERY_FAILED with the status if the SCP fails; the signal's reason once it has fired.
   */
  async *find(abstractSyntax: string, identifier: DataSet, signal?: AbortSignal): AsyncGenerator<DataSet> {
    const request = { commandField: commandField.findRequest, priority: 0 };
    for await (const response of this.#composite(abstractSyntax, request, identifier, signal)) {
      signal?.throwIfAborted();
      if (isPending(response.status)) {
        if (response.dataSet !== undefined) yield response.dataSet;
      } else if (response.status !== status.success) {
        throw this.#link.error(`answered C-FIND with ${described(response)}`);
      }
    }
  }

  /** C-MOVE to another application entity. Stopping early, or the signal, cancels. */
  move(
    abstractSyntax: string,
    destination: string,
    identifier: DataSet,
    signal?: AbortSignal,
  ): AsyncGenerator<RetrieveProgress> {
    const request = { commandField: commandField.moveRequest, priority: 0, moveDestination: destination };
    return progressOf(this.#composite(abstractSyntax, request, identifier, signal));
  }

  /** C-GET: the objects come to `storage` of the association's options. Stopping early, or the signal, cancels. */
  get(abstractSyntax: string, identifier: DataSet, signal?: AbortSignal): AsyncGenerator<RetrieveProgress> {
    const request = { commandField: commandField.getRequest, priority: 0 };
    return progressOf(this.#composite(abstractSyntax, request, identifier, signal));
  }

  /** N-ACTION. */
  action(
    sopClassUid: string,
    sopInstanceUid: string,
    actionTypeId: number,
    dataSet?: DataSet,
  ): Promise<ServiceAnswer> {
    return this.#normalized(sopClassUid, dataSet, {
      commandField: commandField.actionRequest,
      requestedSopClassUid: sopClassUid,
      requestedSopInstanceUid: sopInstanceUid,
      actionTypeId,
    });
  }

  /** N-EVENT-REPORT: we are the SCP of the class. */
  eventReport(
    sopClassUid: string,
    sopInstanceUid: string,
    eventTypeId: number,
    dataSet?: DataSet,
  ): Promise<ServiceAnswer> {
    return this.#normalized(sopClassUid, dataSet, {
      commandField: commandField.eventReportRequest,
      affectedSopClassUid: sopClassUid,
      affectedSopInstanceUid: sopInstanceUid,
      eventTypeId,
    });
  }

  /** N-CREATE; without a UID the SCP gives one. */
  create(
    sopClassUid: string,
    sopInstanceUid: string | undefined,
    dataSet?: DataSet | EncodedDataSet,
  ): Promise<ServiceAnswer> {
    return this.#normalized(sopClassUid, dataSet, {
      commandField: commandField.createRequest,
      affectedSopClassUid: sopClassUid,
      ...(sopInstanceUid !== undefined && { affectedSopInstanceUid: sopInstanceUid }),
    });
  }

  /** N-SET. */
  set(
    sopClassUid: string,
    sopInstanceUid: string,
    dataSet: DataSet | EncodedDataSet,
  ): Promise<ServiceAnswer> {
    return this.#normalized(sopClassUid, dataSet, {
      commandField: commandField.setRequest,
      requestedSopClassUid: sopClassUid,
      requestedSopInstanceUid: sopInstanceUid,
    });
  }

  /** A-RELEASE. Resolves when the connection is closed; a peer that does not answer in time is aborted. */
  release(): Promise<void> {
    return this.#link.release();
  }

  /** A-ABORT. Resolves when the connection is closed. */
  abort(): Promise<void> {
    return this.#link.abort();
  }

  async *#composite(
    abstractSyntax: string,
    request: Omit<Command, 'messageId' | 'hasDataSet'>,
    identifier: DataSet,
    signal: AbortSignal | undefined,
  ): AsyncGenerator<Response> {
    signal?.throwIfAborted();
    const [contextId, { transferSyntax }] = this.#context(abstractSyntax);
    const bytes = await encodeLongDataSet(identifier, transferSyntax);
    const command = { ...request, affectedSopClassUid: abstractSyntax };
    yield* this.#link.request(contextId, command, atHand(bytes), signal);
  }

  async #normalized(
    sopClassUid: string,
    dataSet: DataSet | EncodedDataSet | undefined,
    request: Omit<Command, 'messageId' | 'hasDataSet'>,
  ): Promise<ServiceAnswer> {
    const [contextId, data] = await this.#inContext(sopClassUid, dataSet);
    const response = await this.#only(this.#link.request(contextId, request, data));
    const { affectedSopInstanceUid } = response.command;
    return {
      ...outcomeOf(response),
      ...(response.dataSet !== undefined && { dataSet: response.dataSet }),
      ...(affectedSopInstanceUid !== undefined && { affectedSopInstanceUid }),
    };
  }

  /** The context on which a data set goes, and what goes there. */
  async #inContext(
    sopClassUid: string,
    dataSet: DataSet | EncodedDataSet | undefined,
  ): Promise<readonly [contextId: number, data: AsyncIterable<Uint8Array> | undefined]> {
    if (!(dataSet instanceof EncodedDataSet)) {
      const [contextId, { transferSyntax }] = this.#context(sopClassUid);
      return [contextId, dataSet && atHand(await encodeLongDataSet(dataSet, transferSyntax))];
    }
    const { bytes, transferSyntaxUid } = dataSet;
    const contextId = this.#contextIn(sopClassUid, transferSyntaxUid);
    return [contextId, padded(atHand(bytes), transferSyntaxUid)];
  }

  /** The response of an operation that has one. */
  async #only(responses: AsyncGenerator<Response>): Promise<Response> {
    for await (const response of responses) {
      if (!isPending(response.status)) return response;
      this.#link.violation(`${described(response)} announces more than one response`);
    }
    throw this.#link.error('did not answer with a final status');
  }

  #context(abstractSyntax: string): readonly [id: number, context: AcceptedContext] {
    const found = [...this.#link.accepted].find(([, context]) => context.abstractSyntax === abstractSyntax);
    if (found === undefined) throw this.#link.error(`does not accept ${abstractSyntax}`);
    return found;
  }

  #contextIn(abstractSyntax: string, transferSyntax: string): number {
    const contextId = this.#contextOf(abstractSyntax, transferSyntax);
    if (contextId === undefined)
      throw this.#link.error(`does not accept ${abstractSyntax} in ${transferSyntax}`);
    return contextId;
  }

  #contextOf(abstractSyntax: string, transferSyntax: string): number | undefined {
    for (const [id, context] of this.#link.accepted) {
      if (context.abstractSyntax === abstractSyntax && context.transferSyntax === transferSyntax) return id;
    }
    return undefined;
  }
}

function padded(data: AsyncIterable<Uint8Array>, transferSyntaxUid: string): AsyncIterable<Uint8Array> {
  return dataSetSyntax(transferSyntaxUid).deflated ? padToEven(data) : data;
}

async function* progressOf(responses: AsyncGenerator<Response>): AsyncGenerator<RetrieveProgress> {
  for await (const response of responses) {
    const { remainingSubOperations: remaining, ...command } = response.command;
    const failed = response.dataSet?.['00080058']?.values ?? [];
    yield {
      ...outcomeOf(response),
      ...(remaining !== undefined && { remaining }),
      completed: command.completedSubOperations ?? 0,
      failed: command.failedSubOperations ?? 0,
      warning: command.warningSubOperations ?? 0,
      failedSopInstanceUids: failed.filter((value) => typeof value === 'string'),
    };
  }
}

function outcomeOf({ status: code, command: { errorComment } }: Response): StoreOutcome {
  return { status: code, ...(errorComment !== undefined && { comment: errorComment }) };
}

/** The peer's comment may name a patient, and is left out. */
function described({ status: code }: Response): string {
  return `status ${statusText(code)}`;
}
