/**
 * What the peer may ask on an association that we requested: C-STORE as sub-operation of our C-GET (PS3.4 C.4.3), and
 * N-EVENT-REPORT (PS3.7 10.1.1).
 */
import { AppError } from '../src/errors.ts';
import type { StoreOutcome } from '../src/ports.ts';
import type { AssociationOptions } from './association-options.ts';
import { type Command, commandField, responseBit } from './command.ts';
import { type DataSet, decodeLongDataSet } from './data-set.ts';
import { GatheredIdentifier, HeldIdentifiers } from './held-identifiers.ts';
import { errorCommentCharactersMax } from './limits.ts';
import type { DataSetTarget } from './message-reader.ts';
import type { MessageSender } from './message-sender.ts';
import { status } from './status.ts';
import { outcomeOfError, StoreOperation } from './store-operation.ts';
import type { WorkAccount } from './turns.ts';
import { isUid } from './uids.ts';

export interface IncomingLink {
  readonly options: AssociationOptions;
  /** Data sets that are decoded are charged to it. */
  readonly account: WorkAccount;
  readonly sender: MessageSender;
  remoteAddress(): string;
  isOpen(): boolean;
  /** Ends the association. */
  fail(error: unknown): void;
}

interface Context {
  readonly abstractSyntax: string;
  readonly transferSyntax: string;
}

export class IncomingRequests {
  readonly #link: IncomingLink;
  readonly #identifiers = new HeldIdentifiers();
  #operation: StoreOperation | undefined;
  /** Why the association has ended. */
  #over: Error | undefined;
  /** A sink that is told that its object will not be completed. */
  #cutOff: Promise<void> = Promise.resolve();

  constructor(link: IncomingLink) {
    this.#link = link;
  }

  async command(contextId: number, context: Context, command: Command): Promise<void> {
    const outcome =
      command.commandField === commandField.storeRequest
        ? { status: status.cannotUnderstand, comment: 'no data set' }
        : await this.#eventReport(context, command, undefined);
    await this.#respond(contextId, command, outcome);
  }

  async commandWithDataSet(contextId: number, context: Context, command: Command): Promise<DataSetTarget> {
    if (command.commandField === commandField.storeRequest) return this.#store(contextId, context, command);
    const gathered = new GatheredIdentifier(this.#identifiers, (bytes) => {
      gathered.release();
      return this.#report(contextId, context, command, bytes);
    });
    return gathered;
  }

  /** The association has ended: the sink at work is told so. */
  end(reason: Error): void {
    this.#over = reason;
    const operation = this.#operation;
    if (operation === undefined) return;
    this.#operation = undefined;
    this.#cutOff = operation.abort(reason);
  }

  /** Resolves when no sink is at work any more. */
  ended(): Promise<void> {
    return this.#cutOff;
  }

  async #store(contextId: number, context: Context, command: Command): Promise<DataSetTarget> {
    const { options } = this.#link;
    const { messageId, affectedSopClassUid, affectedSopInstanceUid } = command;
    const { storage } = options;
    const end = {
      respond: (outcome: StoreOutcome): void => {
        this.#operation = undefined;
        void this.#respond(contextId, command, outcome);
      },
      failed: (error: unknown): void => {
        storage?.failed(error);
      },
    };
    if (storage === undefined || messageId === undefined)
      return StoreOperation.refuse({ status: status.unrecognizedOperation }, end);
    if (affectedSopClassUid !== context.abstractSyntax)
      return StoreOperation.refuse({ status: status.sopClassNotSupported }, end);
    if (affectedSopInstanceUid === undefined || !isUid(affectedSopInstanceUid))
      return StoreOperation.refuse({ status: status.invalidSopInstance }, end);
    const request = {
      sopClassUid: affectedSopClassUid,
      sopInstanceUid: affectedSopInstanceUid,
      transferSyntaxUid: context.transferSyntax,
      // Who sends is who was called.
      callingAeTitle: options.calledAeTitle,
      calledAeTitle: options.callingAeTitle,
      remoteAddress: this.#link.remoteAddress(),
      messageId,
    };
    const operation = await StoreOperation.open(() => storage.store(request), end);
    this.#operation = operation;
    if (this.#over !== undefined) this.end(this.#over);
    return operation;
  }

  async #report(
    contextId: number,
    context: Context,
    command: Command,
    bytes: Uint8Array | undefined,
  ): Promise<void> {
    const decoded = bytes && (await decodeLongDataSet(bytes, context.transferSyntax, this.#link.account));
    const outcome =
      decoded === undefined
        ? { status: status.resourceLimitation, comment: 'data set too long' }
        : decoded.kind === 'malformed'
          ? { status: status.processingFailure, comment: decoded.reason }
          : await this.#eventReport(context, command, decoded.dataSet);
    await this.#respond(contextId, command, outcome);
  }

  async #eventReport(
    { abstractSyntax }: Context,
    { affectedSopInstanceUid, eventTypeId }: Command,
    dataSet: DataSet | undefined,
  ): Promise<StoreOutcome> {
    const { eventReport } = this.#link.options;
    if (eventReport === undefined) return { status: status.unrecognizedOperation };
    if (affectedSopInstanceUid === undefined || eventTypeId === undefined)
      return { status: status.processingFailure, comment: 'no SOP Instance UID or Event Type ID' };
    try {
      return await eventReport({
        sopClassUid: abstractSyntax,
        sopInstanceUid: affectedSopInstanceUid,
        eventTypeId,
        dataSet,
      });
    } catch (error) {
      // What the box cannot keep it must not confirm; anything else is a mistake of ours.
      if (!(error instanceof AppError)) throw error;
      return outcomeOfError(error);
    }
  }

  async #respond(contextId: number, request: Command, outcome: StoreOutcome): Promise<void> {
    const { affectedSopClassUid, affectedSopInstanceUid, messageId, eventTypeId } = request;
    if (!this.#link.isOpen() || messageId === undefined) return;
    const response: Command = {
      commandField: request.commandField | responseBit,
      hasDataSet: false,
      messageIdBeingRespondedTo: messageId,
      status: outcome.status,
      ...(affectedSopClassUid !== undefined && { affectedSopClassUid }),
      ...(affectedSopInstanceUid !== undefined && { affectedSopInstanceUid }),
      ...(eventTypeId !== undefined && { eventTypeId }),
      ...(outcome.comment !== undefined && {
        errorComment: outcome.comment.slice(0, errorCommentCharactersMax),
      }),
    };
    try {
      await this.#link.sender.send(contextId, response);
    } catch (error) {
      this.#link.fail(error);
    }
  }
}
