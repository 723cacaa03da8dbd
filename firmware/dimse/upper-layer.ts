/**
 * One association's upper layer: the socket, the framing and the state machine of PS3.8 table 9-10, for acceptor and
 * requestor. Methods are the request and response primitives of PS3.8 clause 7; the user gets the indications and
 * confirmations. Each action below is one row of PS3.8 tables 9-6 to 9-9.
 */
import assert from 'node:assert/strict';
import type { Socket } from 'node:net';
import type { Timer } from '../src/ports.ts';
import { ignoredFragmentsMax, shutdownMsMax } from './limits.ts';
import { Pace } from './pace.ts';
import { type Fragment, type PduEvent, PduReader } from './pdu-reader.ts';
import {
  type Abort,
  abortReason,
  type AssociateAccept,
  type AssociateReject,
  type AssociateRequest,
  encodeAbort,
  encodeAssociateAccept,
  encodeAssociateReject,
  encodeAssociateRequest,
  encodeReleaseRequest,
  encodeReleaseResponse,
  reject,
} from './pdu.ts';
import { connectedEvent } from './tls-profile.ts';
import type { UpperLayerOptions, UpperLayerUser } from './upper-layer-user.ts';
import { type Action, actionFor, type Event, type State } from './state-table.ts';

/** What an action may need of the event that led to it. */
interface Cause {
  readonly request?: AssociateRequest;
  readonly accept?: AssociateAccept;
  readonly reject?: AssociateReject;
  readonly fragment?: Fragment;
  readonly abort?: Abort;
  readonly detail?: string;
  readonly send?: () => void;
}

/** States in which an association exists for its user, so that its end must be told. */
const associated: ReadonlySet<State> = new Set(['Sta6', 'Sta7', 'Sta8', 'Sta9', 'Sta10', 'Sta11', 'Sta12']);

export class UpperLayer {
  readonly #socket: Socket;
  readonly #user: UpperLayerUser;
  readonly #options: UpperLayerOptions;
  readonly #reader: PduReader;
  readonly #closed = Promise.withResolvers<void>();
  readonly #pace: Pace;
  #state: State = 'Sta1';
  #artim: Timer | undefined;
  #silence: Timer | undefined;
  /** Runs while the peer takes nothing of what we send. */
  #sendStall: Timer | undefined;
  /** Reading is held back until the user or the socket is ready. */
  #held = false;
  #ended = false;
  #error: Error | undefined;
  /** What came after our last word, in fragments. */
  #ignored = 0;
  #request: AssociateRequest | undefined;
  /** Those that wait for the socket to take more. */
  #waiting: (() => void)[] = [];

  /** For an acceptor the socket is connected; for a requestor it is connecting. */
  constructor(socket: Socket, user: UpperLayerUser, options: UpperLayerOptions) {
    this.#socket = socket;
    this.#user = user;
    this.#options = options;
    this.#reader = new PduReader(options.pduBytesMax);
    this.#pace = new Pace({
      clock: options.clock,
      midway: () => this.#midway,
      reading: () => !this.#held,
      tooSlow: () => {
        this.#giveUp('slow');
      },
    });
    // Small answers must not wait for the peer's delayed ACK (40 ms per object otherwise).
    socket.setNoDelay(true);
    socket.on('data', (chunk: Uint8Array) => {
      this.#guard(() => {
        this.#onData(chunk);
      });
    });
    socket.on('end', () => {
      this.#ended = true;
      this.#guard(() => {
        if (!this.#held) this.#event('Evt17', {});
      });
    });
    socket.on('error', (error) => {
      this.#error = error;
    });
    socket.on('drain', () => this.#wake());
    socket.on('close', () => {
      this.#guard(() => {
        if (this.#state !== 'Sta1') this.#event('Evt17', {});
      });
      this.#stopTimers();
      this.#wake();
      this.#closed.resolve();
    });
    if (options.role === 'acceptor') {
      this.#event('Evt5', {});
    } else {
      socket.on(connectedEvent(socket), () => {
        this.#event('Evt2', {});
      });
    }
  }

  get state(): State {
    return this.#state;
  }

  /** Resolves when the socket is closed and every timer is stopped. */
  get closed(): Promise<void> {
    return this.#closed.promise;
  }

  /** True while P-DATA may be sent. */
  get canSendData(): boolean {
    return this.#state === 'Sta6' || this.#state === 'Sta8';
  }

  associateRequest(request: AssociateRequest): void {
    this.#request = request;
    this.#event('Evt1', {});
  }

  /** Has no effect if the peer has gone meanwhile. */
  associateAccept(accept: AssociateAccept): void {
    if (this.#state === 'Sta3') this.#event('Evt7', { accept });
  }

  associateReject(answer: AssociateReject): void {
    if (this.#state === 'Sta3') this.#event('Evt8', { reject: answer });
  }

  /**
   * Sends P-DATA-TF bytes (whole PDUs, in pieces that are not copied).
   * @returns a promise if the socket has enough for now: it resolves when more may be sent or the connection is gone.
   */
  data(pieces: readonly Uint8Array[]): Promise<void> | undefined {
    assert(this.canSendData, 'data sent outside of an association');
    this.#event('Evt9', {
      send: () => {
        this.#socket.cork();
        for (const piece of pieces) this.#socket.write(piece);
        this.#socket.uncork();
      },
    });
    return this.#drained();
  }

  releaseRequest(): void {
    if (this.#state === 'Sta6') this.#event('Evt11', {});
  }

  releaseResponse(): void {
    if (actionFor(this.#state, 'Evt14') !== null) this.#event('Evt14', {});
  }

  /** A-ABORT by the service user. Has no effect when the association is already ending. */
  abort(): void {
    if (actionFor(this.#state, 'Evt15') !== null) this.#event('Evt15', {});
  }

  /** A-ABORT for what the user found wrong in a PDU (a context that was not accepted): event 19. */
  invalidPdu(reason: number, detail: string): void {
    if (actionFor(this.#state, 'Evt19') !== null)
      this.#event('Evt19', { abort: { source: 2, reason }, detail });
  }

  /** Closes the socket at once, without a word. */
  destroy(): void {
    this.#socket.destroy();
  }

  /** A-ABORT if there is an association, then closes as soon as that is sent, at the latest after `shutdownMsMax`. */
  async shutdown(): Promise<void> {
    this.abort();
    this.#socket.destroySoon();
    const timer = this.#options.clock.setTimer(shutdownMsMax, () => {
      this.#socket.destroy();
    });
    await this.closed;
    timer.cancel();
  }

  #onData(chunk: Uint8Array): void {
    this.#pace.received(chunk.length);
    this.#reader.push(chunk);
    if (!this.#held) this.#pump();
  }

  /** Works through what was received until it is used up or must wait. */
  #pump(): void {
    while (!this.#held) {
      const event = this.#reader.next();
      if (event === undefined) break;
      this.#receive(event);
      // A peer that does not read our answers is not read from either: they would pile up here.
      if (!this.#held) this.#holdUntil(this.#drained());
    }
    // The socket may read into the same buffer again from here on.
    if (!this.#held) this.#reader.detach();
    if (!this.#held && this.#ended && this.#state !== 'Sta1') this.#event('Evt17', {});
    this.watch();
  }

  /** Backpressure: nothing is read from the socket until `ready`; undefined is ready already. */
  #holdUntil(ready: Promise<void> | undefined): void {
    if (ready === undefined) return;
    this.#held = true;
    this.#socket.pause();
    const resume = (): void => {
      this.#held = false;
      this.#pump();
      if (!this.#held) this.#socket.resume();
    };
    ready.then(resume).catch((error: unknown) => {
      this.#fail(error);
    });
  }

  /** What fails in the midst of this is a defect of ours that a peer has found: it ends this association, not the box. */
  #guard(work: () => void): void {
    try {
      work();
    } catch (error) {
      this.#fail(error);
    }
  }

  /** Nothing more is read; the user tells of it, since it handles the failures that it foresees. */
  #fail(error: unknown): void {
    this.#held = true;
    this.#socket.pause();
    void this.shutdown();
    this.#user.defectIndication(error);
  }

  #receive(event: PduEvent): void {
    switch (event.kind) {
      case 'whole-request':
        this.#holdUntil(this.#options.mayDecode?.(event.bytes));
        return;
      case 'associate-request':
        this.#event('Evt6', { request: event.request });
        return;
      case 'associate-accept':
        this.#event('Evt3', { accept: event.accept });
        return;
      case 'associate-reject':
        this.#event('Evt4', { reject: event.reject });
        return;
      case 'data':
        this.#event('Evt10', { fragment: event.fragment });
        return;
      case 'release-request':
        this.#event('Evt12', {});
        return;
      case 'release-response':
        this.#event('Evt13', {});
        return;
      case 'abort':
        this.#event('Evt16', { abort: event.abort });
        return;
      case 'invalid':
        this.#event('Evt19', { abort: { source: 2, reason: event.reason }, detail: event.detail });
        return;
    }
  }

  #event(event: Event, cause: Cause): void {
    const action = actionFor(this.#state, event);
    if (action === null) {
      // A transport event after the end. Everything else is guarded by the callers.
      assert(event === 'Evt17' || this.#state === 'Sta1', `${event} in ${this.#state}`);
      return;
    }
    this.#act(action, event, cause);
  }

  #act(action: Action, event: Event, cause: Cause): void {
    switch (action) {
      case 'AE-1':
        // The socket was given connecting.
        this.#state = 'Sta4';
        return;
      case 'AE-2':
        assert(this.#request !== undefined, 'no A-ASSOCIATE request');
        this.#write(encodeAssociateRequest(this.#request));
        this.#state = 'Sta5';
        return;
      case 'AE-3':
        assert(cause.accept !== undefined);
        this.#state = 'Sta6';
        this.#pace.start();
        this.#user.associateConfirmation(cause.accept);
        return;
      case 'AE-4':
        assert(cause.reject !== undefined);
        this.#close();
        this.#user.associateConfirmation(cause.reject);
        return;
      case 'AE-5':
        this.#startArtim();
        this.#state = 'Sta2';
        return;
      case 'AE-6':
        assert(cause.request !== undefined);
        this.#stopArtim();
        if ((cause.request.protocolVersion & 1) === 0) {
          this.#write(encodeAssociateReject(reject.protocolVersion));
          this.#startArtim();
          this.#state = 'Sta13';
          return;
        }
        this.#request = cause.request;
        this.#state = 'Sta3';
        this.#holdUntil(this.#user.associateIndication(cause.request));
        return;
      case 'AE-7':
        assert(cause.accept !== undefined && this.#request !== undefined);
        this.#write(
          encodeAssociateAccept(cause.accept, this.#request.addressing, this.#request.applicationContextName),
        );
        this.#state = 'Sta6';
        this.#pace.start();
        return;
      case 'AE-8':
        assert(cause.reject !== undefined);
        this.#write(encodeAssociateReject(cause.reject));
        this.#startArtim();
        this.#state = 'Sta13';
        return;
      case 'DT-1':
      case 'AR-7':
        assert(cause.send !== undefined);
        cause.send();
        return;
      case 'DT-2':
      case 'AR-6':
        assert(cause.fragment !== undefined);
        this.#holdUntil(this.#user.dataIndication(cause.fragment));
        return;
      case 'AR-1':
        this.#write(encodeReleaseRequest());
        this.#state = 'Sta7';
        return;
      case 'AR-2':
        this.#state = 'Sta8';
        this.#user.releaseIndication();
        return;
      case 'AR-3':
        this.#close();
        this.#user.releaseConfirmation();
        return;
      case 'AR-4':
        this.#write(encodeReleaseResponse());
        this.#startArtim();
        this.#state = 'Sta13';
        return;
      case 'AR-5':
      case 'AA-2':
      case 'AA-5':
        this.#close();
        return;
      case 'AR-8':
        this.#state = this.#options.role === 'requestor' ? 'Sta9' : 'Sta10';
        this.#user.releaseIndication();
        return;
      case 'AR-9':
        this.#write(encodeReleaseResponse());
        this.#state = 'Sta11';
        return;
      case 'AR-10':
        this.#state = 'Sta12';
        this.#user.releaseConfirmation();
        return;
      case 'AA-1':
        // Before an association exists the peer's error leads here: the provider's A-ABORT, not the user's.
        this.#write(encodeAbort(event === 'Evt15' ? userAbort : (cause.abort ?? unexpectedPdu)));
        this.#startArtim();
        this.#state = 'Sta13';
        return;
      case 'AA-3':
        assert(cause.abort !== undefined);
        this.#close();
        this.#user.abortIndication({ kind: 'peer', abort: cause.abort });
        return;
      case 'AA-4':
        this.#close();
        this.#user.abortIndication({
          kind: 'closed',
          ...(this.#error !== undefined && { cause: this.#error }),
        });
        return;
      case 'AA-6':
      case 'AA-7':
        // Nobody has more than a release and an abort on its way beside its fragments.
        this.#ignored += cause.fragment === undefined ? ignoredFragmentsMax / 4 : 1;
        if (this.#ignored > ignoredFragmentsMax) this.#close();
        else if (action === 'AA-7') this.#write(encodeAbort(cause.abort ?? unexpectedPdu));
        return;
      case 'AA-8': {
        const abort = cause.abort ?? unexpectedPdu;
        this.#write(encodeAbort(abort));
        this.#startArtim();
        this.#state = 'Sta13';
        this.#user.abortIndication({
          kind: 'provider',
          abort,
          detail: cause.detail ?? `${event} was not expected`,
        });
        return;
      }
    }
  }

  #write(bytes: Uint8Array): void {
    if (this.#socket.writable) this.#socket.write(bytes);
  }

  /** Undefined if the socket takes more now. */
  #drained(): Promise<void> | undefined {
    if (!this.#socket.writableNeedDrain || this.#socket.destroyed) return undefined;
    this.#sendStall ??= this.#options.clock.setTimer(this.#options.stallMsMax, () => {
      this.#giveUp('silence');
      this.#socket.destroy();
    });
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
    });
  }

  #wake(): void {
    this.#sendStall?.cancel();
    this.#sendStall = undefined;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const resolve of waiting) resolve();
  }

  #close(): void {
    this.#state = 'Sta1';
    this.#stopTimers();
    this.#socket.destroy();
  }

  #startArtim(): void {
    this.#stopTimers();
    this.#artim = this.#options.clock.setTimer(this.#options.artimMs, () => {
      this.#event('Evt18', {});
    });
  }

  #stopArtim(): void {
    this.#artim?.cancel();
    this.#artim = undefined;
  }

  #stopTimers(): void {
    this.#stopArtim();
    this.#silence?.cancel();
    this.#silence = undefined;
    this.#pace.stop();
  }

  /** Counts the peer's silence anew. Only while we wait for the peer, never while we are the one at work. */
  watch(): void {
    this.#silence?.cancel();
    this.#silence = undefined;
    if (this.#held || this.#user.atWork() || !associated.has(this.#state)) return;
    const { clock, idleMsMax, stallMsMax } = this.#options;
    const silenceMsMax = this.#midway ? stallMsMax : idleMsMax;
    if (silenceMsMax === undefined) return;
    this.#silence = clock.setTimer(silenceMsMax, () => {
      this.#giveUp('silence');
    });
  }

  /** It is the peer's to go on: a PDU or message has begun and not ended. */
  get #midway(): boolean {
    return this.#reader.midPdu || this.#user.midMessage();
  }

  #giveUp(kind: 'silence' | 'slow'): void {
    if (!associated.has(this.#state)) return;
    this.abort();
    this.#user.abortIndication({ kind });
  }
}

const userAbort: Abort = { source: 0, reason: 0 };
const unexpectedPdu: Abort = { source: 2, reason: abortReason.unexpectedPdu };
