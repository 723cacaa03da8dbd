/**
 * One operation of a service while it runs: its pending and final responses, its C-CANCEL, and the C-STORE
 * sub-operations that a C-GET sends on the same association (PS3.7 9.1.2 to 9.1.4 and clause 10, PS3.4 C.4.3).
 */
import assert from 'node:assert/strict';
import { AppError } from '../src/errors.ts';
import type { Clock, StoreOutcome } from '../src/ports.ts';
import type { StoredObject } from './association.ts';
import { type Command, commandField, responseBit } from './command.ts';
import { type DataSet, encodeLongDataSet } from './data-set.ts';
import { dataSetSyntax } from './data-set-syntax.ts';
import { padToEven } from './even-padding.ts';
import { errorCommentCharactersMax, responseMsMax } from './limits.ts';
import { atHand, type MessageSender } from './message-sender.ts';
import {
  type DimseService,
  OperationCancelled,
  type Peer,
  type ServiceOperation,
  type ServiceResponse,
} from './service.ts';
import { status } from './status.ts';
import { outcomeOfError, outcomeOfResponse } from './store-operation.ts';

/** What it needs of its association. */
export interface OperationLink {
  readonly peer: Peer;
  readonly clock: Clock;
  readonly sender: MessageSender;
  /** A context of this class and syntax on which the peer is SCP. */
  storeContext(sopClassUid: string, transferSyntaxUid: string): number | undefined;
  /** For our own requests. */
  nextMessageId(): number;
  /** Aborts the association: a sub-operation is not answered, or its data set could not be sent whole. */
  giveUp(reason: string): void;
  /** A failure of the service, for the log. */
  failed(error: unknown): void;
}

export interface OperationRequest {
  readonly contextId: number;
  readonly command: Command;
  readonly abstractSyntax: string;
  readonly transferSyntaxUid: string;
  readonly extendedNegotiation: Uint8Array | undefined;
  readonly dataSet: DataSet | undefined;
  readonly dataSetBytes: Uint8Array | undefined;
}

/** A C-STORE that waits for its response, or for the end of the association. */
interface SubOperation {
  readonly messageId: number;
  readonly over: (end: Command | Error) => void;
}

/** Counts are US: more sub-operations than this cannot be told. */
const countMax = 0xffff;

export class RunningOperation implements ServiceOperation {
  readonly #link: OperationLink;
  readonly #request: OperationRequest;
  readonly #abort = new AbortController();
  /** Why the association has ended. */
  #over: Error | undefined;
  #subOperation: SubOperation | undefined;

  constructor(link: OperationLink, request: OperationRequest) {
    this.#link = link;
    this.#request = request;
  }

  get peer(): Peer {
    return this.#link.peer;
  }

  get command(): Command {
    return this.#request.command;
  }

  get abstractSyntax(): string {
    return this.#request.abstractSyntax;
  }

  get transferSyntaxUid(): string {
    return this.#request.transferSyntaxUid;
  }

  get extendedNegotiation(): Uint8Array | undefined {
    return this.#request.extendedNegotiation;
  }

  get dataSet(): DataSet | undefined {
    return this.#request.dataSet;
  }

  get dataSetBytes(): Uint8Array | undefined {
    return this.#request.dataSetBytes;
  }

  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  /** Performs it and sends the final response, if there is still somebody to send it to. @returns its status. */
  async run(service: DimseService): Promise<number> {
    let final: ServiceResponse;
    try {
      // It may have been cancelled, or its association ended, before it could begin.
      this.signal.throwIfAborted();
      final = await service.perform(this);
    } catch (error) {
      final = this.#outcomeOf(error);
    }
    if (this.#over !== undefined) return final.status;
    try {
      await this.#respond(final);
      return final.status;
    } catch (error) {
      if (this.#over !== undefined) return final.status;
      // A response that cannot be written is a mistake of the service; the peer still waits for one.
      const outcome = this.#outcomeOf(error);
      await this.#respond(outcome);
      return outcome.status;
    }
  }

  async pending(response: ServiceResponse): Promise<void> {
    this.signal.throwIfAborted();
    await this.#respond(response);
  }

  takes({
    sopClassUid,
    transferSyntaxUid,
  }: Pick<StoredObject, 'sopClassUid' | 'transferSyntaxUid'>): boolean {
    return this.#link.storeContext(sopClassUid, transferSyntaxUid) !== undefined;
  }

  async store(
    object: StoredObject,
    dataSet: AsyncIterable<Uint8Array>,
    moveOriginator?: { readonly aeTitle: string; readonly messageId: number },
  ): Promise<StoreOutcome | undefined> {
    // During other operations requests wait, and with them the response that this would wait for.
    assert(this.command.commandField === commandField.getRequest, 'sub-operations are those of a C-GET');
    this.signal.throwIfAborted();
    const { sopClassUid, sopInstanceUid, transferSyntaxUid } = object;
    const contextId = this.#link.storeContext(sopClassUid, transferSyntaxUid);
    if (contextId === undefined) return undefined;
    const messageId = this.#link.nextMessageId();
    const answered = Promise.withResolvers<Command | Error>();
    this.#subOperation = { messageId, over: answered.resolve };
    const command: Command = {
      commandField: commandField.storeRequest,
      hasDataSet: true,
      messageId,
      priority: 0,
      affectedSopClassUid: sopClassUid,
      affectedSopInstanceUid: sopInstanceUid,
      ...(moveOriginator !== undefined && {
        moveOriginatorAeTitle: moveOriginator.aeTitle,
        moveOriginatorMessageId: moveOriginator.messageId,
      }),
    };
    try {
      const { deflated } = dataSetSyntax(transferSyntaxUid);
      await this.#link.sender.send(contextId, command, deflated ? padToEven(dataSet) : dataSet);
    } catch (error) {
      this.#link.giveUp('the data set of a sub-operation could not be sent whole');
      throw error;
    }
    const late = this.#link.clock.setTimer(responseMsMax, () => {
      this.#link.giveUp(`a sub-operation was not answered within ${responseMsMax / 1000} s`);
    });
    try {
      const answer = await answered.promise;
      if (answer instanceof Error) throw answer;
      return outcomeOfResponse(answer);
    } finally {
      late.cancel();
    }
  }

  /** A response of the peer. False if it answers nothing that was asked. */
  answered(response: Command): boolean {
    const asked = this.#subOperation;
    if (
      asked === undefined ||
      response.commandField !== commandField.storeResponse ||
      response.messageIdBeingRespondedTo !== asked.messageId
    )
      return false;
    this.#subOperation = undefined;
    asked.over(response);
    return true;
  }

  /** C-CANCEL; one for another operation has no effect (PS3.7 9.3.2.3). */
  cancel(messageId: number | undefined): void {
    if (messageId === this.command.messageId)
      this.#abort.abort(new OperationCancelled('the peer cancelled the operation'));
  }

  /** The association has ended. */
  end(reason: Error): void {
    this.#over = reason;
    this.#abort.abort(reason);
    this.#subOperation?.over(reason);
  }

  #outcomeOf(error: unknown): ServiceResponse {
    if (error instanceof OperationCancelled) return { status: status.cancelled };
    if (this.#over === undefined) this.#link.failed(error);
    return outcomeOfError(error);
  }

  /** PS3.7 9.3 and 10.3: the request's identifying elements come back. */
  async #respond(response: ServiceResponse): Promise<void> {
    const { contextId, command, transferSyntaxUid } = this.#request;
    const { comment, errorId, dataSet, subOperations } = response;
    const sopClass = command.affectedSopClassUid ?? command.requestedSopClassUid;
    const sopInstance =
      response.affectedSopInstanceUid ?? command.affectedSopInstanceUid ?? command.requestedSopInstanceUid;
    const count = (number: number): number => Math.min(number, countMax);
    if (command.messageId === undefined) throw new AppError('DIMSE_PROTOCOL', 'a request without Message ID');
    const answer: Command = {
      commandField: command.commandField | responseBit,
      hasDataSet: dataSet !== undefined,
      messageIdBeingRespondedTo: command.messageId,
      status: response.status,
      ...(sopClass !== undefined && { affectedSopClassUid: sopClass }),
      ...(sopInstance !== undefined && { affectedSopInstanceUid: sopInstance }),
      ...(command.eventTypeId !== undefined && { eventTypeId: command.eventTypeId }),
      ...(command.actionTypeId !== undefined && { actionTypeId: command.actionTypeId }),
      ...(errorId !== undefined && { errorId }),
      ...(comment !== undefined && { errorComment: comment.slice(0, errorCommentCharactersMax) }),
      ...(subOperations !== undefined && {
        ...(subOperations.remaining !== undefined && {
          remainingSubOperations: count(subOperations.remaining),
        }),
        completedSubOperations: count(subOperations.completed),
        failedSubOperations: count(subOperations.failed),
        warningSubOperations: count(subOperations.warning),
      }),
    };
    const bytes = dataSet && (await encodeLongDataSet(dataSet, transferSyntaxUid));
    await this.#link.sender.send(contextId, answer, bytes && atHand(bytes));
  }
}
