/** The requestor's side of an association: C-ECHO and C-STORE as SCU (PS3.7 clause 9, PS3.4 annex B). */
import assert from 'node:assert/strict';
import { connect, type Socket } from 'node:net';
import { AppError } from '../src/errors.ts';
import type { Clock } from '../src/ports.ts';
import { dataSetSyntax } from './data-set-syntax.ts';
import { padToEven } from './even-padding.ts';
import { type Command, commandField, encodeCommand, responseBit } from './command.ts';
import {
  associateAnswerMsMax,
  artimMs,
  connectMsMax,
  pduBytesMax,
  presentationContextsMax,
  responseMsMax,
  stallMsMax,
} from './limits.ts';
import { type DataSetTarget, MessageReader, type MessageTarget } from './message-reader.ts';
import { commandPdus, dataSetPdus, pduBytesUsable, pdvDataBytesMax } from './message-writer.ts';
import type { Fragment } from './pdu-reader.ts';
import {
  abortReason,
  type AssociateAccept,
  type AssociateReject,
  contextResult,
  encodeAddressing,
  type ProposedContext,
} from './pdu.ts';
import type { StoreOutcome } from './store-operation.ts';
import {
  applicationContextName,
  implementationClassUid,
  implementationVersionName,
  verificationSopClass,
} from './uids.ts';
import { type AbortIndication, describeAbort, type UpperLayerUser } from './upper-layer-user.ts';
import { UpperLayer } from './upper-layer.ts';

export interface AssociationLimits {
  readonly connectMsMax: number;
  readonly associateAnswerMsMax: number;
  readonly responseMsMax: number;
  readonly stallMsMax: number;
  readonly artimMs: number;
}

export interface AssociationOptions {
  readonly host: string;
  readonly port: number;
  readonly callingAeTitle: string;
  readonly calledAeTitle: string;
  /** At most 128. Of several transfer syntaxes the peer takes one. */
  readonly contexts: readonly Omit<ProposedContext, 'id'>[];
  readonly clock: Clock;
  /** Aborts the association whenever it fires; what is awaited then rejects with its reason. */
  readonly signal?: AbortSignal;
  readonly limits?: Partial<AssociationLimits>;
}

/** What is sent by C-STORE; the data set follows apart. */
export interface StoredObject {
  readonly sopClassUid: string;
  readonly sopInstanceUid: string;
  readonly transferSyntaxUid: string;
}

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
  const association = new Association(connect({ host: options.host, port: options.port }), options);
  await association.establish();
  return association;
}

/** Made by `openAssociation`. One operation at a time: the next is asked for when the last has resolved. */
export class Association implements UpperLayerUser, MessageTarget {
  readonly #peer: string;
  readonly #options: AssociationOptions;
  readonly #limits: AssociationLimits;
  readonly #upperLayer: UpperLayer;
  readonly #messages = new MessageReader(this);
  readonly #connected = Promise.withResolvers<void>();
  readonly #confirmed = Promise.withResolvers<void>();
  /** Rejects when the association has failed; everything that waits, waits for this too. */
  readonly #failed = Promise.withResolvers<never>();
  readonly #proposed: readonly ProposedContext[];
  readonly #accepted = new Map<number, AcceptedContext>();
  readonly #onSignal = (): void => {
    this.#fail(this.#options.signal?.reason);
  };
  #failure: { readonly error: unknown } | undefined;
  #dataBytesMax = 0;
  #lastMessageId = 0;
  #answer:
    | { readonly messageId: number; readonly command: number; readonly resolve: (response: Command) => void }
    | undefined;

  constructor(socket: Socket, options: AssociationOptions) {
    this.#peer = `${options.calledAeTitle} at ${options.host}:${options.port}`;
    this.#options = options;
    this.#limits = { ...defaultLimits, ...options.limits };
    this.#proposed = options.contexts.map((context, index) => ({ ...context, id: 2 * index + 1 }));
    // Only those that wait now handle it.
    this.#failed.promise.catch(() => undefined);
    this.#upperLayer = new UpperLayer(socket, this, {
      role: 'requestor',
      clock: options.clock,
      artimMs: this.#limits.artimMs,
      idleMsMax: undefined,
      stallMsMax: this.#limits.stallMsMax,
      pduBytesMax,
    });
    socket.on('connect', () => {
      this.#connected.resolve();
    });
    options.signal?.addEventListener('abort', this.#onSignal, { once: true });
    void this.#upperLayer.closed.then(() => {
      options.signal?.removeEventListener('abort', this.#onSignal);
    });
  }

  /** What the peer accepted. */
  get contexts(): readonly AcceptedContext[] {
    return [...this.#accepted.values()];
  }

  /** False once it has ended in any way. */
  get isOpen(): boolean {
    return this.#upperLayer.state === 'Sta6';
  }

  accepts(abstractSyntax: string, transferSyntax: string): boolean {
    return this.#contextFor(abstractSyntax, transferSyntax) !== undefined;
  }

  /** Asks for the association and waits for the answer. Called once, by `openAssociation`. */
  async establish(): Promise<void> {
    const { calledAeTitle, callingAeTitle } = this.#options;
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
        roles: [],
        extendedNegotiation: [],
      },
    });
    await this.#await(this.#connected.promise, this.#limits.connectMsMax, 'cannot be connected to');
    await this.#await(
      this.#confirmed.promise,
      this.#limits.associateAnswerMsMax,
      'does not answer the association request',
    );
  }

  /** C-ECHO. @throws AppError DELIVERY_FAILED if the association fails or Verification was not accepted. */
  async echo(): Promise<StoreOutcome> {
    const contextId = [...this.#accepted].find(
      ([, { abstractSyntax }]) => abstractSyntax === verificationSopClass,
    )?.[0];
    if (contextId === undefined) throw this.#error('does not accept Verification');
    const answer = this.#request(contextId, {
      commandField: commandField.echoRequest,
      hasDataSet: false,
      affectedSopClassUid: verificationSopClass,
    });
    return outcomeOf(await answer);
  }

  /**
   * C-STORE of a data set that is in the object's transfer syntax, unchanged (but for the padding of a deflated one).
   * Reads no faster than the peer takes it.
   * @returns the peer's status, whatever it is (`isStored` judges it).
   * @throws AppError DELIVERY_FAILED if the association fails or no context fits; the error of `data` if reading it
   * fails, and the association is aborted then, since a data set that was begun cannot be taken back.
   */
  async store(object: StoredObject, data: AsyncIterable<Uint8Array>): Promise<StoreOutcome> {
    const { sopClassUid, sopInstanceUid, transferSyntaxUid } = object;
    const contextId = this.#contextFor(sopClassUid, transferSyntaxUid);
    if (contextId === undefined) throw this.#error(`does not accept ${sopClassUid} in ${transferSyntaxUid}`);
    const answer = this.#request(
      contextId,
      {
        commandField: commandField.storeRequest,
        hasDataSet: true,
        affectedSopClassUid: sopClassUid,
        affectedSopInstanceUid: sopInstanceUid,
        priority: 0,
      },
      dataSetSyntax(transferSyntaxUid).deflated ? padToEven(data) : data,
    );
    return outcomeOf(await answer);
  }

  /** A-RELEASE. Resolves when the connection is closed; a peer that does not answer in time is aborted. */
  async release(): Promise<void> {
    if (this.isOpen) {
      this.#upperLayer.releaseRequest();
      const late = this.#options.clock.setTimer(this.#limits.associateAnswerMsMax, () => {
        this.#fail(this.#error('does not answer the release request'));
      });
      await this.#upperLayer.closed;
      late.cancel();
    }
    await this.#upperLayer.closed;
  }

  /** A-ABORT. Resolves when the connection is closed. */
  async abort(): Promise<void> {
    this.#fail(this.#error('was sent an A-ABORT'));
    await this.#upperLayer.closed;
  }

  associateIndication(): undefined {
    throw new Error('a requestor gets no A-ASSOCIATE indication');
  }

  associateConfirmation(answer: AssociateAccept | AssociateReject): void {
    if ('result' in answer) {
      this.#fail(this.#error(`rejects the association: ${describeReject(answer)}`));
      return;
    }
    const peerMax = answer.userInformation.pduBytesMax;
    if (peerMax !== 0 && peerMax < pduBytesUsable) {
      this.#fail(this.#error(`allows PDUs of ${peerMax} bytes only`));
      return;
    }
    this.#dataBytesMax = pdvDataBytesMax(peerMax);
    for (const { id, result, transferSyntax } of answer.contexts) {
      const proposed = this.#proposed.find((context) => context.id === id);
      // A context or syntax that was not proposed is as good as rejected.
      if (result !== contextResult.acceptance || proposed?.transferSyntaxes.includes(transferSyntax) !== true)
        continue;
      this.#accepted.set(id, { abstractSyntax: proposed.abstractSyntax, transferSyntax });
    }
    this.#confirmed.resolve();
  }

  dataIndication(fragment: Fragment): Promise<void> | undefined {
    if (this.#accepted.has(fragment.contextId)) return this.#messages.read(fragment);
    const detail = `data on presentation context ${fragment.contextId}, which was not accepted`;
    this.#upperLayer.invalidPdu(abortReason.invalidParameter, detail);
    return undefined;
  }

  releaseIndication(): void {
    this.#upperLayer.releaseResponse();
    // In a release collision our own request is what ends it.
    if (this.#upperLayer.state === 'Sta13') this.#setFailure(this.#error('released the association'));
  }

  releaseConfirmation(): void {
    // The connection is closed by then (AR-3), and that is what `release` waits for.
  }

  abortIndication(indication: AbortIndication): void {
    this.#fail(this.#error(describeAbort(indication)));
  }

  midMessage(): boolean {
    return this.#messages.midMessage;
  }

  /** Its silence is counted in the midst of a message only, and by whoever awaits an answer. */
  atWork(): boolean {
    return false;
  }

  command(_contextId: number, command: Command): undefined {
    const answer = this.#answer;
    if (
      answer === undefined ||
      command.commandField !== answer.command ||
      command.messageIdBeingRespondedTo !== answer.messageId
    ) {
      this.violation('a command that answers nothing we asked');
      return undefined;
    }
    this.#answer = undefined;
    answer.resolve(command);
    return undefined;
  }

  commandWithDataSet(): Promise<DataSetTarget> {
    this.violation('a data set that we did not ask for');
    return Promise.resolve({ write: () => undefined, end: () => undefined });
  }

  violation(reason: string): void {
    this.#fail(this.#error(`broke the message protocol: ${reason}`));
  }

  #contextFor(abstractSyntax: string, transferSyntax: string): number | undefined {
    for (const [id, context] of this.#accepted) {
      if (context.abstractSyntax === abstractSyntax && context.transferSyntax === transferSyntax) return id;
    }
    return undefined;
  }

  async #request(
    contextId: number,
    command: Omit<Command, 'messageId'>,
    data?: AsyncIterable<Uint8Array>,
  ): Promise<Command> {
    this.#throwIfFailed();
    assert(this.#answer === undefined, 'one operation at a time');
    const messageId = (this.#lastMessageId % 0xffff) + 1;
    this.#lastMessageId = messageId;
    const response = Promise.withResolvers<Command>();
    this.#answer = { messageId, command: command.commandField | responseBit, resolve: response.resolve };
    await this.#send(commandPdus(contextId, encodeCommand({ ...command, messageId }), this.#dataBytesMax));
    if (data !== undefined) await this.#sendDataSet(contextId, data);
    return this.#await(response.promise, this.#limits.responseMsMax, 'does not answer');
  }

  async #sendDataSet(contextId: number, data: AsyncIterable<Uint8Array>): Promise<void> {
    try {
      for await (const pieces of dataSetPdus(contextId, data, this.#dataBytesMax)) await this.#send(pieces);
    } catch (error) {
      // Has no effect if it was the association that failed.
      this.#fail(error);
      throw error;
    }
  }

  async #send(pieces: readonly Uint8Array[]): Promise<void> {
    this.#throwIfFailed();
    if (!this.#upperLayer.canSendData) throw this.#error('has ended the association');
    await this.#upperLayer.data(pieces);
    this.#throwIfFailed();
  }

  /** The promise, unless the association fails or the time is over first. */
  async #await<T>(promise: Promise<T>, msMax: number, failure: string): Promise<T> {
    const timer = this.#options.clock.setTimer(msMax, () => {
      this.#fail(this.#error(`${failure} within ${msMax / 1000} s`));
    });
    try {
      return await Promise.race([promise, this.#failed.promise]);
    } finally {
      timer.cancel();
    }
  }

  /** Ends the association, with an A-ABORT where there still is one. Only the first failure counts. */
  #fail(error: unknown): void {
    this.#setFailure(error);
    void this.#upperLayer.shutdown();
  }

  #setFailure(error: unknown): void {
    if (this.#failure !== undefined) return;
    this.#failure = { error };
    this.#failed.reject(error);
  }

  #throwIfFailed(): void {
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  #error(what: string): AppError {
    return new AppError('DELIVERY_FAILED', `DICOM peer ${this.#peer}: ${what}`);
  }
}

function outcomeOf(response: Command): StoreOutcome {
  const { status, errorComment } = response;
  // A response without a status says nothing: it must not pass for success.
  assertStatus(status);
  return { status, ...(errorComment !== undefined && { comment: errorComment }) };
}

function assertStatus(status: number | undefined): asserts status is number {
  if (status === undefined) throw new AppError('DELIVERY_FAILED', 'the DICOM peer answered without a status');
}

const rejectReasons: Readonly<Record<string, string>> = {
  '1.2': 'application context name not supported',
  '1.3': 'calling AE title not recognized',
  '1.7': 'called AE title not recognized',
  '2.2': 'protocol version not supported',
  '3.1': 'temporary congestion',
  '3.2': 'local limit exceeded',
};

/** PS3.8 table 9-21 in words. */
function describeReject({ result, source, reason }: AssociateReject): string {
  const text = rejectReasons[`${source}.${reason}`] ?? 'no reason given';
  return `${text} (${result === 2 ? 'transient' : 'permanent'}; result ${result}, source ${source}, reason ${reason})`;
}
