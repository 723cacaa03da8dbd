/**
 * One association at the acceptor's side: admission, then C-ECHO, C-STORE and the operations of the services until it
 * ends (PS3.7 clauses 9 and 10). One operation at a time: a request that comes while one runs waits for its end.
 */
import type { Permission } from '../src/access/permissions.ts';
import type { Socket } from 'node:net';
import { AppError } from '../src/errors.ts';
import type { Clock, Logger, StoreOutcome, StoreSink } from '../src/ports.ts';
import { type Command, commandField, encodeCommand, responseBit } from './command.ts';
import { type AddressAccount, type AddressAccounts, addressOf, Place } from './address-accounts.ts';
import type { HeldIdentifiers } from './held-identifiers.ts';
import {
  associateBytesPerCost,
  commandCost,
  connectionCost,
  errorCommentCharactersMax,
  notKeptCost,
  pduBytesMax,
} from './limits.ts';
import { type DataSetTarget, MessageReader, type MessageTarget } from './message-reader.ts';
import { MessageSender } from './message-sender.ts';
import { commandPdus, pdvDataBytesMax } from './message-writer.ts';
import { type AcceptedContext, type AcceptedContexts, negotiate } from './negotiation.ts';
import type { Fragment } from './pdu-reader.ts';
import { abortReason, type AssociateReject, type AssociateRequest, reject } from './pdu.ts';
import { type DispatchLink, ServiceDispatch } from './service-dispatch.ts';
import type { DimseService, Peer, PeerCertificate } from './service.ts';
import { isStored, status, statusText } from './status.ts';
import { StoreOperation, type StoreRequest } from './store-operation.ts';
import { type Turns, WorkAccount } from './turns.ts';
import { isStorageSopClass, isUid } from './uids.ts';
import { type AbortIndication, describeAbort, type UpperLayerUser } from './upper-layer-user.ts';
import { UpperLayer } from './upper-layer.ts';

/** What an admitted caller is permitted to do. */
export interface Admitted {
  readonly may: ReadonlySet<Permission>;
  /** Server-response of PS3.7 D.3.3.7.2, if the user identity was verified; sent where it was asked for. */
  readonly userIdentityResponse?: Uint8Array;
}

/** What the associations of one server have in common. */
export interface AcceptorContext {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly timers: { readonly artimMs: number; readonly idleMsMax: number; readonly stallMsMax: number };
  readonly services: readonly DimseService[];
  readonly identifiers: HeldIdentifiers;
  readonly turns: Turns;
  /** By address: what those owe who ask for an association. */
  readonly addresses: AddressAccounts;
  /** By address and AE title: what associations owed when they ended. */
  readonly callers: AddressAccounts;
  /** Decides on a request. */
  admit(request: AssociateRequest, peer: Peer): Promise<Admitted | AssociateReject>;
  /** Takes one of the limited places for associations; false if there is none. */
  enter(association: AcceptedAssociation): boolean;
  /** Gives the place back: the association has ended, though its connection may not be closed yet. */
  leave(association: AcceptedAssociation): void;
  store(request: StoreRequest): StoreSink | Promise<StoreSink>;
}

export class AcceptedAssociation implements UpperLayerUser, MessageTarget {
  readonly #context: AcceptorContext;
  readonly #account: WorkAccount;
  readonly #address: AddressAccount;
  /** Where what it owes at its end is kept. */
  #debtor: AddressAccount;
  /** Among those of its address, and then among those of its AE title there. */
  readonly #place = new Place();
  readonly #upperLayer: UpperLayer;
  readonly #messages: MessageReader;
  readonly #sender: MessageSender;
  readonly #services: ServiceDispatch;
  #logger: Logger;
  #peer: Peer;
  #may: ReadonlySet<Permission> = new Set();
  #contexts: AcceptedContexts = new Map();
  #extendedNegotiation: ReadonlyMap<string, Uint8Array> = new Map();
  #lastMessageId = 0;
  #operation: StoreOperation | undefined;
  /** The sink that was opened last. */
  #opened: Promise<void> = Promise.resolve();
  /** The sink of a message that was cut off, being told so. */
  #cutOff: Promise<void> = Promise.resolve();
  #stored = 0;
  #failed = 0;
  readonly #toldFailures = new Set<number>();
  #hasAsked = false;

  constructor(socket: Socket, context: AcceptorContext, certificate?: PeerCertificate) {
    this.#context = context;
    const remoteAddress = addressOf(socket);
    this.#account = new WorkAccount(context.turns);
    this.#address = context.addresses.of(remoteAddress);
    this.#debtor = this.#address;
    this.#messages = new MessageReader(this, this.#account);
    this.#peer = {
      callingAeTitle: '',
      calledAeTitle: '',
      remoteAddress,
      ...(certificate !== undefined && { certificate }),
    };
    this.#logger = context.logger.child({ remoteAddress });
    this.#upperLayer = new UpperLayer(socket, this, {
      role: 'acceptor',
      clock: context.clock,
      pduBytesMax,
      ...context.timers,
      mayDecode: (bytes) => this.#mayDecode(bytes),
    });
    this.#sender = new MessageSender(
      this.#upperLayer,
      () => new AppError('DIMSE_PROTOCOL', `the association with ${this.#peer.callingAeTitle} has ended`),
    );
    this.#services = new ServiceDispatch(this.#serviceLink());
  }

  /** Of the peer, IPv4 as such. */
  get remoteAddress(): string {
    return this.#peer.remoteAddress;
  }

  /** Its A-ASSOCIATE-RQ is whole. */
  get hasAsked(): boolean {
    return this.#hasAsked;
  }

  /** Resolves when the socket is closed and neither sink nor service is at work any more. */
  async done(): Promise<void> {
    await this.#upperLayer.closed;
    this.#place.giveUp();
    this.#account.handOver(this.#debtor);
    await this.#services.finished;
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
    this.#cut(new AppError('DIMSE_PROTOCOL', `${this.#peer.callingAeTitle} released the association`));
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
      new AppError('DIMSE_PROTOCOL', `the association with ${this.#peer.callingAeTitle} ended: ${reason}`),
    );
  }

  defectIndication(error: unknown): void {
    this.#context.leave(this);
    this.#logger.error({ err: error }, 'association aborted: the box failed to work on what it was sent');
    this.#cut(
      new AppError('DIMSE_PROTOCOL', `the association with ${this.#peer.callingAeTitle} was given up`, {
        cause: error,
      }),
    );
  }

  midMessage(): boolean {
    return this.#messages.midMessage;
  }

  atWork(): boolean {
    return this.#services.running !== undefined;
  }

  violation(reason: string): void {
    this.#giveUp(reason, 'association aborted: the peer broke the message protocol');
  }

  #giveUp(reason: string, message: string): void {
    if (!this.#upperLayer.canSendData) return;
    this.#logger.warn({ reason }, message);
    this.#upperLayer.abort();
    this.#context.leave(this);
    this.#cut(new AppError('DIMSE_PROTOCOL', `association with ${this.#peer.callingAeTitle}: ${reason}`));
  }

  command(contextId: number, command: Command): Promise<void> | undefined {
    if (command.commandField === commandField.cancelRequest) {
      this.#services.running?.cancel(command.messageIdBeingRespondedTo);
      return undefined;
    }
    if ((command.commandField & responseBit) !== 0 && this.#services.running?.answered(command) === true) {
      // There are no more of them than we have asked for.
      this.#account.giveBack(commandCost);
      return undefined;
    }
    if (!this.#isRequest(command)) return undefined;
    const turn = this.#turn();
    if (turn !== undefined)
      return turn.then(() => {
        this.#perform(contextId, command);
      });
    this.#perform(contextId, command);
    return undefined;
  }

  async commandWithDataSet(contextId: number, command: Command): Promise<DataSetTarget> {
    if (this.#isRequest(command)) await this.#turn();
    const end = {
      respond: (outcome: StoreOutcome): void => {
        this.#operation = undefined;
        this.#count(outcome);
        if (outcome.wasHeld === true || !isStored(outcome.status)) this.#account.charge(notKeptCost);
        this.#respond(contextId, command, outcome);
      },
      failed: (error: unknown): void => {
        this.#logger.error({ err: error }, 'an object could not be stored');
      },
    };
    const context = this.#contexts.get(contextId);
    const dispatched = context && this.#services.find(contextId, context, command);
    if (dispatched !== undefined) return this.#services.gather(dispatched);
    const request = this.#storeRequest(context, command);
    if ('status' in request) return (this.#operation = StoreOperation.refuse(request, end));
    const opening = this.#open(StoreOperation.open(() => this.#context.store(request), end));
    // Whoever reads the message learns of a failure.
    this.#opened = Promise.allSettled([opening]).then(() => undefined);
    return opening;
  }

  /**
   * The end of the operation that runs, which a new request waits for: no asynchronous operations were negotiated. During
   * a C-GET nothing may wait, since the answers to its sub-operations would wait behind it.
   */
  #turn(): Promise<void> | undefined {
    if (this.#services.running?.command.commandField === commandField.getRequest)
      this.violation('a request came during a C-GET');
    return this.#services.finished;
  }

  /** A request without data set. */
  #perform(contextId: number, command: Command): void {
    const context = this.#contexts.get(contextId);
    const dispatched = context && this.#services.find(contextId, context, command);
    if (dispatched !== undefined) {
      this.#services.perform(dispatched);
      return;
    }
    switch (command.commandField) {
      case commandField.echoRequest:
        this.#respond(contextId, command, { status: status.success });
        return;
      case commandField.storeRequest:
        this.#respond(contextId, command, { status: status.cannotUnderstand, comment: 'no data set' });
        return;
      default:
        this.#respond(contextId, command, { status: status.unrecognizedOperation });
    }
  }

  #serviceLink(): DispatchLink {
    const { clock, services, identifiers } = this.#context;
    const peer = (): Peer => this.#peer;
    return {
      get peer() {
        return peer();
      },
      clock,
      services,
      identifiers,
      account: this.#account,
      sender: this.#sender,
      may: (permission) => this.#may.has(permission),
      extendedNegotiation: (sopClassUid) => this.#extendedNegotiation.get(sopClassUid),
      storeContext: (sopClassUid, transferSyntaxUid) => {
        for (const [id, { abstractSyntax, transferSyntax, peerIsScp }] of this.#contexts)
          if (peerIsScp && abstractSyntax === sopClassUid && transferSyntax === transferSyntaxUid) return id;
        return undefined;
      },
      nextMessageId: () => (this.#lastMessageId = (this.#lastMessageId % 0xffff) + 1),
      respond: (contextId, request, outcome) => {
        this.#respond(contextId, request, outcome);
      },
      performed: ({ commandField: field }, code) => {
        // The peer's silence counts again.
        this.#upperLayer.watch();
        this.#logger.info({ command: statusText(field), status: statusText(code) }, 'operation performed');
      },
      giveUp: (reason) => {
        this.#giveUp(reason, 'association aborted');
      },
      failed: (error) => {
        this.#logger.error({ err: error }, 'an operation failed');
      },
    };
  }

  async #open(opening: Promise<StoreOperation>): Promise<StoreOperation> {
    const operation = await opening;
    this.#operation = operation;
    if (!this.#upperLayer.canSendData) {
      this.#cut(new AppError('DIMSE_PROTOCOL', `the association with ${this.#peer.callingAeTitle} ended`));
      await this.#cutOff;
    }
    return operation;
  }

  /** Its request waits for its turn among those of its address. */
  #mayDecode(bytes: number): Promise<void> | undefined {
    this.#hasAsked = true;
    return this.#address.inRow(connectionCost + bytes / associateBytesPerCost, this.#place);
  }

  async #associate(request: AssociateRequest): Promise<void> {
    const { callingAeTitle, calledAeTitle, contexts: proposed } = request;
    this.#peer = { ...this.#peer, callingAeTitle, calledAeTitle };
    this.#logger = this.#logger.child({ callingAeTitle, calledAeTitle });
    const admission = await this.#context.admit(request, this.#peer);
    if ('may' in admission) {
      this.#debtor = this.#context.callers.of(this.remoteAddress, callingAeTitle);
      await this.#debtor.inRow(0, this.#place);
    }
    if (this.#upperLayer.state !== 'Sta3') return;
    if ('may' in admission && this.#context.enter(this)) {
      const { services } = this.#context;
      const { accept, contexts, extendedNegotiation } = negotiate(request, { services, ...admission });
      this.#may = admission.may;
      this.#contexts = contexts;
      this.#extendedNegotiation = extendedNegotiation;
      this.#sender.dataBytesMax = pdvDataBytesMax(request.userInformation.pduBytesMax);
      this.#upperLayer.associateAccept(accept);
      this.#logger.info({ proposed: proposed.length, accepted: contexts.size }, 'association accepted');
      return;
    }
    const answer = 'may' in admission ? reject.localLimit : admission;
    this.#upperLayer.associateReject(answer);
    this.#logger.warn({ ...answer }, 'association rejected');
  }

  /** False if it is a response, or lacks its Message ID: the association is then aborted. */
  #isRequest(command: Command): boolean {
    if ((command.commandField & responseBit) === 0 && command.messageId !== undefined) return true;
    this.violation(`command ${statusText(command.commandField)} is no request with a Message ID`);
    return false;
  }

  #storeRequest(accepted: AcceptedContext | undefined, command: Command): StoreRequest | StoreOutcome {
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
    // Accepted for the sub-operations of a C-GET only.
    if (!accepted.peerIsScu) return { status: status.notAuthorized };
    if (affectedSopInstanceUid === undefined || !isUid(affectedSopInstanceUid)) {
      return { status: status.invalidSopInstance, comment: 'no valid SOP Instance UID' };
    }
    const { moveOriginatorAeTitle, moveOriginatorMessageId } = command;
    return {
      sopClassUid: affectedSopClassUid,
      sopInstanceUid: affectedSopInstanceUid,
      transferSyntaxUid: accepted.transferSyntax,
      ...this.#peer,
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
    // Told once of each kind: a peer may go on with what is refused, and their number is told at the end.
    if (this.#toldFailures.has(outcome.status)) return;
    this.#toldFailures.add(outcome.status);
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
    void this.#upperLayer.data(commandPdus(contextId, response, this.#sender.dataBytesMax));
  }

  /** Tells the sink or the service at work that the association has ended. */
  #cut(reason: Error): void {
    this.#services.end(reason);
    const operation = this.#operation;
    if (operation === undefined) return;
    this.#operation = undefined;
    this.#cutOff = operation.abort(reason);
  }
}
