/**
 * The requestor's side of an association: established, requests matched with their responses, what the peer asks
 * meanwhile answered, ended (PS3.7 clause 6, PS3.8). Which requests there are is association.ts's.
 */
import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { AppError } from '../src/errors.ts';
import { type AssociationLimits, type AssociationOptions, describeReject } from './association-options.ts';
import { type Command, commandField, responseBit } from './command.ts';
import { type DecodedDataSet, decodeLongDataSet } from './data-set.ts';
import { GatheredIdentifier, HeldIdentifiers } from './held-identifiers.ts';
import { IncomingRequests } from './incoming-requests.ts';
import {
  artimMs,
  associateAnswerMsMax,
  connectMsMax,
  keepAliveMs,
  pduBytesMax,
  responseMsMax,
  stallMsMax,
} from './limits.ts';
import { type DataSetTarget, MessageReader, type MessageTarget } from './message-reader.ts';
import { MessageSender } from './message-sender.ts';
import { pduBytesUsable, pdvDataBytesMax } from './message-writer.ts';
import type { Fragment } from './pdu-reader.ts';
import {
  abortReason,
  type AssociateAccept,
  type AssociateReject,
  contextResult,
  encodeAddressing,
  type ProposedContext,
  type RoleSelection,
} from './pdu.ts';
import { type Response, ResponseInbox } from './response-inbox.ts';
import { isPending } from './status.ts';
import { connectedEvent, connectOptions } from './tls-profile.ts';
import { Turns, WorkAccount } from './turns.ts';
import { applicationContextName, implementationClassUid, implementationVersionName } from './uids.ts';
import { type AbortIndication, describeAbort, type UpperLayerUser } from './upper-layer-user.ts';
import { UpperLayer } from './upper-layer.ts';

/** A presentation context that the peer accepted. */
export interface AcceptedContext {
  readonly abstractSyntax: string;
  readonly transferSyntax: string;
}

const defaultLimits: AssociationLimits = {
  connectMsMax,
  associateAnswerMsMax,
  responseMsMax,
  stallMsMax,
  artimMs,
};

export class RequestorLink implements UpperLayerUser, MessageTarget {
  readonly #peer: string;
  readonly #options: AssociationOptions;
  readonly #limits: AssociationLimits;
  readonly #upperLayer: UpperLayer;
  readonly #account: WorkAccount;
  readonly #messages: MessageReader;
  readonly #sender: MessageSender;
  readonly #identifiers = new HeldIdentifiers();
  readonly #incoming: IncomingRequests;
  readonly #connected = Promise.withResolvers<void>();
  readonly #confirmed = Promise.withResolvers<void>();
  /** Those that wait, to be told of a failure. */
  readonly #waiting = new Set<(error: unknown) => void>();
  readonly #proposed: readonly ProposedContext[];
  readonly accepted = new Map<number, AcceptedContext>();
  readonly #onSignal = (): void => {
    this.fail(this.#options.signal?.reason);
  };
  #answer: AssociateAccept | undefined;
  #failure: { readonly error: unknown } | undefined;
  #lastMessageId = 0;
  #inbox: ResponseInbox | undefined;

  constructor(options: AssociationOptions) {
    this.#peer = `${options.calledAeTitle} at ${options.host}:${options.port}`;
    this.#options = options;
    this.#account = new WorkAccount(new Turns(options.clock));
    this.#messages = new MessageReader(this, this.#account);
    this.#limits = { ...defaultLimits, ...options.limits };
    this.#proposed = options.contexts.map(({ abstractSyntax, transferSyntaxes }, index) => ({
      id: 2 * index + 1,
      abstractSyntax,
      transferSyntaxes,
    }));
    const { host, port, tls } = options;
    const socket =
      tls === undefined ? connect({ host, port }) : connectTls({ host, port, ...connectOptions(host, tls) });
    this.#upperLayer = new UpperLayer(socket, this, {
      role: 'requestor',
      clock: options.clock,
      artimMs: this.#limits.artimMs,
      idleMsMax: undefined,
      stallMsMax: this.#limits.stallMsMax,
      pduBytesMax,
    });
    this.#sender = new MessageSender(
      this.#upperLayer,
      () => this.#failure?.error ?? this.error('has ended the association'),
    );
    this.#incoming = new IncomingRequests({
      options,
      account: this.#account,
      sender: this.#sender,
      remoteAddress: () => socket.remoteAddress?.replace(/^::ffff:/, '') ?? '',
      isOpen: () => this.#upperLayer.canSendData,
      fail: (error) => {
        this.fail(error);
      },
    });
    socket.on(connectedEvent(socket), () => {
      socket.setKeepAlive(true, keepAliveMs);
      this.#connected.resolve();
    });
    options.signal?.addEventListener('abort', this.#onSignal, { once: true });
    void this.#upperLayer.closed.then(() => {
      options.signal?.removeEventListener('abort', this.#onSignal);
    });
  }

  /** False once it has ended in any way. */
  get isOpen(): boolean {
    return this.#upperLayer.state === 'Sta6';
  }

  /** The A-ASSOCIATE-AC. */
  get answer(): AssociateAccept {
    assert(this.#answer !== undefined, 'the association is not established');
    return this.#answer;
  }

  /** Asks for the association and waits for the answer. Called once. */
  async establish(): Promise<void> {
    const { calledAeTitle, callingAeTitle, extendedNegotiation = [], userIdentity } = this.#options;
    this.#upperLayer.associateRequest({
      protocolVersion: 1,
      calledAeTitle,
      callingAeTitle,
      addressing: encodeAddressing(calledAeTitle, callingAeTitle),
      applicationContextName,
      contexts: this.#proposed,
      userInformation: {
        pduBytesMax,
        implementationClassUid,
        implementationVersionName,
        roles: this.#roles(),
        extendedNegotiation,
        ...(userIdentity !== undefined && { userIdentity }),
      },
    });
    await this.#await(this.#connected.promise, this.#limits.connectMsMax, 'cannot be connected to');
    await this.#await(
      this.#confirmed.promise,
      this.#limits.associateAnswerMsMax,
      'does not answer the association request',
    );
  }

  /**
   * One request and its responses, the final one last. Stopping before that, or the signal, sends a C-CANCEL (of the
   * operations that know it), and the rest of the responses is awaited.
   * @throws AppError DELIVERY_FAILED if the association fails; the error of `data` if reading it fails, and the
   * association is aborted then, since a data set that was begun cannot be taken back.
   */
  async *request(
    contextId: number,
    request: Omit<Command, 'messageId' | 'hasDataSet'>,
    data?: AsyncIterable<Uint8Array>,
    signal?: AbortSignal,
  ): AsyncGenerator<Response> {
    this.#throwIfFailed();
    assert(this.#inbox === undefined, 'one operation at a time');
    const messageId = (this.#lastMessageId % 0xffff) + 1;
    this.#lastMessageId = messageId;
    const inbox = new ResponseInbox(messageId, request.commandField | responseBit);
    this.#inbox = inbox;
    let cancelled = false;
    const cancel = (): void => {
      if (cancelled || this.#inbox !== inbox) return;
      cancelled = true;
      void this.#cancel(contextId, messageId);
    };
    const next = async (): Promise<Response> => {
      const response = await this.#await(inbox.take(), this.#limits.responseMsMax, 'does not answer');
      if (!isPending(response.status)) this.#inbox = undefined;
      return response;
    };
    try {
      await this.#send(contextId, { ...request, hasDataSet: data !== undefined, messageId }, data);
      if (signal?.aborted === true) cancel();
      signal?.addEventListener('abort', cancel, { once: true });
      while (this.#inbox === inbox) yield await next();
    } finally {
      signal?.removeEventListener('abort', cancel);
      if (this.#failure === undefined && this.#inbox === inbox) {
        cancel();
        while (this.#inbox === inbox) await next();
      }
    }
  }

  /** A-RELEASE. Resolves when the connection is closed; a peer that does not answer in time is aborted. */
  async release(): Promise<void> {
    if (this.isOpen) {
      this.#upperLayer.releaseRequest();
      const late = this.#options.clock.setTimer(this.#limits.associateAnswerMsMax, () => {
        this.fail(this.error('does not answer the release request'));
      });
      await this.#upperLayer.closed;
      late.cancel();
    }
    await this.#ended();
  }

  /** A-ABORT. Resolves when the connection is closed. */
  async abort(): Promise<void> {
    this.fail(this.error('was sent an A-ABORT'));
    await this.#ended();
  }

  associateIndication(): undefined {
    throw new Error('a requestor gets no A-ASSOCIATE indication');
  }

  associateConfirmation(answer: AssociateAccept | AssociateReject): void {
    if ('result' in answer) {
      this.fail(this.error(`rejects the association: ${describeReject(answer)}`));
      return;
    }
    const peerMax = answer.userInformation.pduBytesMax;
    if (peerMax !== 0 && peerMax < pduBytesUsable) {
      this.fail(this.error(`allows PDUs of ${peerMax} bytes only`));
      return;
    }
    this.#answer = answer;
    this.#sender.dataBytesMax = pdvDataBytesMax(peerMax);
    for (const { id, result, transferSyntax } of answer.contexts) {
      const proposed = this.#proposed.find((context) => context.id === id);
      // A context or syntax that was not proposed is as good as rejected.
      if (result !== contextResult.acceptance || proposed?.transferSyntaxes.includes(transferSyntax) !== true)
        continue;
      this.accepted.set(id, { abstractSyntax: proposed.abstractSyntax, transferSyntax });
    }
    this.#confirmed.resolve();
  }

  dataIndication(fragment: Fragment): Promise<void> | undefined {
    if (this.accepted.has(fragment.contextId)) return this.#messages.read(fragment);
    const detail = `data on presentation context ${fragment.contextId}, which was not accepted`;
    this.#upperLayer.invalidPdu(abortReason.invalidParameter, detail);
    return undefined;
  }

  releaseIndication(): void {
    this.#upperLayer.releaseResponse();
    // In a release collision our own request is what ends it.
    if (this.#upperLayer.state === 'Sta13') this.#setFailure(this.error('released the association'));
  }

  releaseConfirmation(): void {
    // The connection is closed by then (AR-3), and that is what `release` waits for.
  }

  abortIndication(indication: AbortIndication): void {
    this.fail(this.error(describeAbort(indication)));
  }

  defectIndication(error: unknown): void {
    const what = `DICOM peer ${this.#peer}: what it sent could not be worked on`;
    this.fail(new AppError('DELIVERY_FAILED', what, { cause: error }));
  }

  midMessage(): boolean {
    return this.#messages.midMessage;
  }

  /** Its silence is counted in the midst of a message only, and by whoever awaits an answer. */
  atWork(): boolean {
    return false;
  }

  command(contextId: number, command: Command): Promise<void> | undefined {
    const context = this.accepted.get(contextId);
    if (this.#inbox?.isFor(command) === true) return this.#deliver(this.#inbox, command, undefined);
    if (context !== undefined && this.#isRequest(command))
      return this.#incoming.command(contextId, context, command);
    this.violation('a command that answers nothing we asked');
    return undefined;
  }

  commandWithDataSet(contextId: number, command: Command): Promise<DataSetTarget> {
    const context = this.accepted.get(contextId);
    const inbox = this.#inbox;
    if (context !== undefined && inbox?.isFor(command) === true)
      return Promise.resolve(this.#answerWithDataSet(inbox, context.transferSyntax, command));
    if (context !== undefined && this.#isRequest(command))
      return this.#incoming.commandWithDataSet(contextId, context, command);
    this.violation('a data set that we did not ask for');
    return Promise.resolve({ fate: 'discarded', write: () => undefined, end: () => undefined });
  }

  violation(reason: string): void {
    this.fail(this.error(`broke the message protocol: ${reason}`));
  }

  /** Ends the association, with an A-ABORT where there still is one. Only the first failure counts. */
  fail(error: unknown): void {
    this.#setFailure(error);
    void this.#upperLayer.shutdown();
  }

  error(what: string): AppError {
    return new AppError('DELIVERY_FAILED', `DICOM peer ${this.#peer}: ${what}`);
  }

  /** What may come of the peer's own accord: C-STORE during a C-GET, N-EVENT-REPORT. */
  #isRequest(command: Command): boolean {
    if (command.messageId === undefined) return false;
    if (command.commandField === commandField.storeRequest)
      return this.#inbox?.commandField === (commandField.getRequest | responseBit);
    return command.commandField === commandField.eventReportRequest;
  }

  /** One role selection for each SOP class, whatever the number of its contexts. */
  #roles(): RoleSelection[] {
    const roles = new Map<string, RoleSelection>();
    for (const { abstractSyntax, roles: each } of this.#options.contexts)
      if (each !== undefined) roles.set(abstractSyntax, { sopClassUid: abstractSyntax, ...each });
    return [...roles.values()];
  }

  #deliver(inbox: ResponseInbox, command: Command, dataSet: Response['dataSet']): Promise<void> | undefined {
    const { status } = command;
    // A response without a status says nothing: it must not pass for success.
    if (status === undefined) {
      this.violation('a response without a status');
      return undefined;
    }
    const taken = inbox.put({ command, status, dataSet });
    // After the final one nothing is to be held back, and the peer's end must be noticed.
    return isPending(status) ? taken : undefined;
  }

  #answerWithDataSet(inbox: ResponseInbox, transferSyntax: string, command: Command): DataSetTarget {
    const gathered = new GatheredIdentifier(this.#identifiers, (bytes) => {
      gathered.release();
      const deliver = (decoded: DecodedDataSet | undefined): Promise<void> | undefined => {
        if (decoded?.kind === 'data-set') return this.#deliver(inbox, command, decoded.dataSet);
        this.violation(`a response whose data set is ${decoded?.reason ?? 'too long'}`);
        return undefined;
      };
      if (bytes === undefined) return deliver(undefined);
      return decodeLongDataSet(bytes, transferSyntax, this.#account).then(deliver);
    });
    return gathered;
  }

  async #cancel(contextId: number, messageId: number): Promise<void> {
    const command: Command = {
      commandField: commandField.cancelRequest,
      hasDataSet: false,
      messageIdBeingRespondedTo: messageId,
    };
    try {
      await this.#sender.send(contextId, command);
    } catch (error) {
      // Whoever awaits the responses hears of it.
      this.fail(error);
    }
  }

  async #send(contextId: number, command: Command, data?: AsyncIterable<Uint8Array>): Promise<void> {
    try {
      await this.#sender.send(contextId, command, data);
    } catch (error) {
      // Has no effect if it was the association that failed.
      this.fail(error);
      throw error;
    }
  }

  /** The promise, unless the association fails or the time is over first. */
  #await<T>(promise: Promise<T>, msMax: number, failure: string): Promise<T> {
    const { promise: first, resolve, reject } = Promise.withResolvers<T>();
    const timer = this.#options.clock.setTimer(msMax, () => {
      this.fail(this.error(`${failure} within ${msMax / 1000} s`));
    });
    const failed = (error: unknown): void => {
      timer.cancel();
      reject(error);
    };
    // Not Promise.race with a promise of the failure, which would keep each of many thousand waits until the end.
    this.#waiting.add(failed);
    void promise.then((value) => {
      timer.cancel();
      this.#waiting.delete(failed);
      resolve(value);
    });
    if (this.#failure !== undefined) failed(this.#failure.error);
    return first;
  }

  async #ended(): Promise<void> {
    await this.#upperLayer.closed;
    await this.#incoming.ended();
  }

  #setFailure(error: unknown): void {
    if (this.#failure !== undefined) return;
    this.#failure = { error };
    this.#incoming.end(error instanceof Error ? error : this.error('the association was given up'));
    for (const failed of this.#waiting) failed(error);
    this.#waiting.clear();
  }

  #throwIfFailed(): void {
    if (this.#failure !== undefined) throw this.#failure.error;
  }
}
