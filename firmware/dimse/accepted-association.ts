/** One association at the acceptor's side: admission, then C-ECHO and C-STORE until it ends (PS3.7 clause 9). */
import type { Socket } from 'node:net';
import { AppError } from '../src/errors.ts';
import type { Clock, Logger } from '../src/ports.ts';
import { type Command, commandField, encodeCommand, responseBit } from './command.ts';
import { errorCommentCharactersMax, pduBytesMax } from './limits.ts';
import { type DataSetTarget, MessageReader, type MessageTarget } from './message-reader.ts';
import { commandPdus, pdvDataBytesMax } from './message-writer.ts';
import { type AcceptedContexts, negotiate } from './negotiation.ts';
import type { Fragment } from './pdu-reader.ts';
import { abortReason, type AssociateReject, type AssociateRequest, reject } from './pdu.ts';
import { isStored, status, statusText } from './status.ts';
import { StoreOperation, type StoreOutcome, type StoreRequest, type StoreSink } from './store-operation.ts';
import { isStorageSopClass, isUid } from './uids.ts';
import { type AbortIndication, describeAbort, type UpperLayerUser } from './upper-layer-user.ts';
import { UpperLayer } from './upper-layer.ts';

/** What the associations of one SCP have in common. */
export interface AcceptorContext {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly timers: { readonly artimMs: number; readonly idleMsMax: number; readonly stallMsMax: number };
  /** Decides on a request; a rejection is given back. */
  admit(request: AssociateRequest, remoteAddress: string): Promise<AssociateReject | undefined>;
  /** Takes one of the limited places for associations; false if there is none. */
  enter(association: AcceptedAssociation): boolean;
  /** Gives the place back: the association has ended, though its connection may not be closed yet. */
  leave(association: AcceptedAssociation): void;
  store(request: StoreRequest): StoreSink | Promise<StoreSink>;
}

export class AcceptedAssociation implements UpperLayerUser, MessageTarget {
  readonly #context: AcceptorContext;
  readonly #remoteAddress: string;
  readonly #upperLayer: UpperLayer;
  readonly #messages = new MessageReader(this);
  #logger: Logger;
  #callingAeTitle = '';
  #calledAeTitle = '';
  #contexts: AcceptedContexts = new Map();
  #dataBytesMax = 0;
  #operation: StoreOperation | undefined;
  /** The sink that was opened last. */
  #opened: Promise<void> = Promise.resolve();
  /** The sink of a message that was cut off, being told so. */
  #cutOff: Promise<void> = Promise.resolve();
  #stored = 0;
  #failed = 0;

  constructor(socket: Socket, context: AcceptorContext) {
    this.#context = context;
    this.#remoteAddress = socket.remoteAddress?.replace(/^::ffff:/, '') ?? '';
    this.#logger = context.logger.child({ remoteAddress: this.#remoteAddress });
    this.#upperLayer = new UpperLayer(socket, this, {
      role: 'acceptor',
      clock: context.clock,
      pduBytesMax,
      ...context.timers,
    });
  }

  /** Resolves when the socket is closed and no sink is at work any more. */
  async done(): Promise<void> {
    await this.#upperLayer.closed;
    await this.#opened;
    await this.#cutOff;
  }

  /** Ends it from our side: A-ABORT, then closes. An object whose data set is whole is still finished. */
  async shutdown(): Promise<void> {
    this.#cut(new AppError('DIMSE_PROTOCOL', 'the box stops'));
    await this.#upperLayer.shutdown();
    await this.done();
  }

  /** Closes the connection at once: it gives way to a newer one. */
  drop(): void {
    this.#upperLayer.destroy();
  }

  associateIndication(request: AssociateRequest): Promise<void> {
    return this.#associate(request);
  }

  associateConfirmation(): void {
    throw new Error('an acceptor gets no A-ASSOCIATE confirmation');
  }

  dataIndication(fragment: Fragment): Promise<void> | undefined {
    if (!this.#contexts.has(fragment.contextId)) {
      const detail = `data on presentation context ${fragment.contextId}, which was not accepted`;
      this.#upperLayer.invalidPdu(abortReason.invalidParameter, detail);
      return undefined;
    }
    return this.#messages.read(fragment);
  }

  releaseIndication(): void {
    if (this.#messages.midMessage) {
      this.violation('A-RELEASE-RQ in the midst of a message');
      return;
    }
    this.#upperLayer.releaseResponse();
    this.#context.leave(this);
    this.#logger.info({ stored: this.#stored, failed: this.#failed }, 'association released');
  }

  releaseConfirmation(): void {
    throw new Error('an acceptor that sends no A-RELEASE-RQ gets no confirmation');
  }

  abortIndication(indication: AbortIndication): void {
    const reason = describeAbort(indication);
    this.#context.leave(this);
    this.#logger.warn(
      { stored: this.#stored, failed: this.#failed, reason },
      'association ended without release',
    );
    this.#cut(
      new AppError('DIMSE_PROTOCOL', `the association with ${this.#callingAeTitle} ended: ${reason}`),
    );
  }

  midMessage(): boolean {
    return this.#messages.midMessage;
  }

  violation(reason: string): void {
    this.#logger.warn({ reason }, 'association aborted: the peer broke the message protocol');
    this.#upperLayer.abort();
    this.#context.leave(this);
    this.#cut(
      new AppError('DIMSE_PROTOCOL', `${this.#callingAeTitle} broke the message protocol: ${reason}`),
    );
  }

  command(contextId: number, command: Command): undefined {
    if (command.commandField === commandField.cancelRequest) return undefined;
    if (!this.#isRequest(command)) return undefined;
    switch (command.commandField) {
      case commandField.echoRequest:
        this.#respond(contextId, command, { status: status.success });
        return undefined;
      case commandField.storeRequest:
        this.#respond(contextId, command, { status: status.cannotUnderstand, comment: 'no data set' });
        return undefined;
      default:
        this.#respond(contextId, command, { status: status.unrecognizedOperation });
        return undefined;
    }
  }

  async commandWithDataSet(contextId: number, command: Command): Promise<DataSetTarget> {
    const end = {
      respond: (outcome: StoreOutcome): void => {
        this.#operation = undefined;
        this.#count(outcome);
        this.#respond(contextId, command, outcome);
      },
      failed: (error: unknown): void => {
        this.#logger.error({ err: error }, 'an object could not be stored');
      },
    };
    const request = this.#isRequest(command)
      ? this.#storeRequest(contextId, command)
      : { status: status.unrecognizedOperation };
    if ('status' in request) return (this.#operation = StoreOperation.refuse(request, end));
    const opening = this.#open(StoreOperation.open(() => this.#context.store(request), end));
    this.#opened = opening.then(() => undefined);
    return opening;
  }

  async #open(opening: Promise<StoreOperation>): Promise<StoreOperation> {
    const operation = await opening;
    this.#operation = operation;
    if (!this.#upperLayer.canSendData) {
      this.#cut(new AppError('DIMSE_PROTOCOL', `the association with ${this.#callingAeTitle} ended`));
      await this.#cutOff;
    }
    return operation;
  }

  async #associate(request: AssociateRequest): Promise<void> {
    this.#callingAeTitle = request.callingAeTitle;
    this.#calledAeTitle = request.calledAeTitle;
    this.#logger = this.#logger.child({
      callingAeTitle: request.callingAeTitle,
      calledAeTitle: request.calledAeTitle,
    });
    const rejection = await this.#context.admit(request, this.#remoteAddress);
    if (this.#upperLayer.state !== 'Sta3') return;
    if (rejection === undefined && this.#context.enter(this)) {
      const { accept, contexts } = negotiate(request);
      this.#contexts = contexts;
      this.#dataBytesMax = pdvDataBytesMax(request.userInformation.pduBytesMax);
      this.#upperLayer.associateAccept(accept);
      this.#logger.info(
        { proposed: request.contexts.length, accepted: contexts.size },
        'association accepted',
      );
      return;
    }
    const answer = rejection ?? reject.localLimit;
    this.#upperLayer.associateReject(answer);
    this.#logger.warn({ ...answer }, 'association rejected');
  }

  /** False if it is a response, or lacks its Message ID: the association is then aborted. */
  #isRequest(command: Command): boolean {
    if ((command.commandField & responseBit) === 0 && command.messageId !== undefined) return true;
    this.violation(`command ${statusText(command.commandField)} is no request with a Message ID`);
    return false;
  }

  #storeRequest(contextId: number, command: Command): StoreRequest | StoreOutcome {
    const accepted = this.#contexts.get(contextId);
    const { affectedSopClassUid, affectedSopInstanceUid, messageId } = command;
    if (command.commandField !== commandField.storeRequest || messageId === undefined)
      return { status: status.unrecognizedOperation };
    // Another storage SOP class than that of the context is against PS3.7 D.3.3.2 but loses nothing: it is kept.
    if (
      accepted === undefined ||
      affectedSopClassUid === undefined ||
      !isStorageSopClass(accepted.abstractSyntax) ||
      !isStorageSopClass(affectedSopClassUid)
    ) {
      return { status: status.sopClassNotSupported, comment: 'not a storage SOP class' };
    }
    if (affectedSopInstanceUid === undefined || !isUid(affectedSopInstanceUid)) {
      return { status: status.invalidSopInstance, comment: 'no valid SOP Instance UID' };
    }
    const { moveOriginatorAeTitle, moveOriginatorMessageId } = command;
    return {
      sopClassUid: affectedSopClassUid,
      sopInstanceUid: affectedSopInstanceUid,
      transferSyntaxUid: accepted.transferSyntax,
      callingAeTitle: this.#callingAeTitle,
      calledAeTitle: this.#calledAeTitle,
      remoteAddress: this.#remoteAddress,
      messageId,
      ...(moveOriginatorAeTitle !== undefined &&
        moveOriginatorMessageId !== undefined && {
          moveOriginator: { aeTitle: moveOriginatorAeTitle, messageId: moveOriginatorMessageId },
        }),
    };
  }

  #count(outcome: StoreOutcome): void {
    if (isStored(outcome.status)) {
      this.#stored++;
      return;
    }
    this.#failed++;
    this.#logger.warn({ status: statusText(outcome.status) }, 'C-STORE answered with a failure');
  }

  /** PS3.7 9.3: the request's identifying elements come back with the status. Nothing is sent once the peer is gone. */
  #respond(contextId: number, request: Command, outcome: StoreOutcome): void {
    if (!this.#upperLayer.canSendData || request.messageId === undefined) return;
    const { affectedSopClassUid, affectedSopInstanceUid } = request;
    const comment = outcome.comment?.slice(0, errorCommentCharactersMax);
    const response = encodeCommand({
      commandField: request.commandField | responseBit,
      hasDataSet: false,
      messageIdBeingRespondedTo: request.messageId,
      status: outcome.status,
      ...(affectedSopClassUid !== undefined && { affectedSopClassUid }),
      ...(affectedSopInstanceUid !== undefined && { affectedSopInstanceUid }),
      ...(comment !== undefined && { errorComment: comment }),
    });
    // Waiting for the socket is the upper layer's: it reads nothing more from a peer that does not take answers.
    void this.#upperLayer.data(commandPdus(contextId, response, this.#dataBytesMax));
  }

  /** Tells the sink at work that its object will not be completed. */
  #cut(reason: Error): void {
    const operation = this.#operation;
    if (operation === undefined) return;
    this.#operation = undefined;
    this.#cutOff = operation.abort(reason);
  }
}
