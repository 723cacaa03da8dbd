/** What the tests of the DICOM room share: a sink in memory, a peer that sends raw bytes. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import {
  DicomServer,
  type DicomServerOptions,
  type StoreOutcome,
  type StoreRequest,
  type StoreSink,
  uids,
} from '../../firmware/dimse/index.ts';
import { encodeCommand } from '../../firmware/dimse/command.ts';
import { pdvHeader } from '../../firmware/dimse/message-writer.ts';
import { type PduEvent, PduReader } from '../../firmware/dimse/pdu-reader.ts';
import {
  type AssociateRequest,
  encodeAddressing,
  encodeAssociateRequest,
  type UserInformation,
} from '../../firmware/dimse/pdu.ts';
import { concatBytes } from '../../firmware/src/encoding/bytes.ts';
import { realClock } from '../fakes/real-clock.ts';
import { RecordingLogger } from './recording-logger.ts';
import { settle as settleWork } from './until.ts';

/** An object as a sink got it. */
export interface KeptObject {
  readonly request: StoreRequest;
  readonly bytes: Uint8Array;
}

/** Keeps objects in memory. Each step can be held up or made to fail. */
export class MemoryStore {
  readonly kept: KeptObject[] = [];
  readonly aborted: Error[] = [];
  opened = 0;
  beforeOpen: () => Promise<void> = async () => undefined;
  beforeWrite: (chunk: Uint8Array) => Promise<void> | undefined = () => undefined;
  beforeFinish: () => Promise<void> = async () => undefined;
  outcome: StoreOutcome = { status: 0 };

  readonly store = async (request: StoreRequest): Promise<StoreSink> => {
    this.opened++;
    await this.beforeOpen();
    const chunks: Uint8Array[] = [];
    return {
      write: (chunk) => {
        const ready = this.beforeWrite(chunk);
        if (ready === undefined) {
          chunks.push(new Uint8Array(chunk));
          return undefined;
        }
        return ready.then(() => {
          chunks.push(new Uint8Array(chunk));
        });
      },
      finish: async () => {
        await this.beforeFinish();
        this.kept.push({ request, bytes: concatBytes(...chunks) });
        return this.outcome;
      },
      abort: async (reason) => {
        this.aborted.push(reason);
      },
    };
  };
}

export function makeScp(store: MemoryStore['store'], options: Partial<DicomServerOptions> = {}): DicomServer {
  return new DicomServer({
    host: '127.0.0.1',
    port: 0,
    aeTitles: ['HILUM'],
    callingAeTitles: 'any',
    clock: realClock,
    logger: new RecordingLogger(),
    store,
    ...options,
  });
}

export const ctImageStorage = '1.2.840.10008.5.1.4.1.1.2';

export function associateRequest(
  change: Partial<AssociateRequest> & { readonly user?: Partial<UserInformation> } = {},
): AssociateRequest {
  const { user, ...request } = change;
  const calledAeTitle = request.calledAeTitle ?? 'HILUM';
  const callingAeTitle = request.callingAeTitle ?? 'MODALITY';
  return {
    protocolVersion: 1,
    calledAeTitle,
    callingAeTitle,
    addressing: encodeAddressing(calledAeTitle, callingAeTitle),
    applicationContextName: uids.applicationContextName,
    contexts: [
      { id: 1, abstractSyntax: ctImageStorage, transferSyntaxes: [uids.explicitVrLittleEndian] },
      { id: 3, abstractSyntax: uids.verificationSopClass, transferSyntaxes: [uids.implicitVrLittleEndian] },
    ],
    userInformation: {
      pduBytesMax: 16_384,
      implementationClassUid: '1.2.3.4',
      roles: [],
      extendedNegotiation: [],
      ...user,
    },
    ...request,
  };
}

/** A PDV with its data, without the PDU around it. */
export function pdv(
  contextId: number,
  kind: 'command' | 'data',
  last: boolean,
  data: Uint8Array,
): Uint8Array {
  return concatBytes(pdvHeader(contextId, kind === 'command', last, data.length).subarray(6), data);
}

/** A P-DATA-TF around PDVs. */
export function dataPdu(...pdvs: readonly Uint8Array[]): Uint8Array {
  const body = concatBytes(...pdvs);
  const header = new DataView(new ArrayBuffer(6));
  header.setUint8(0, 4);
  header.setUint32(2, body.length);
  return concatBytes(new Uint8Array(header.buffer), body);
}

export function storeCommand(messageId = 1, sopInstanceUid = '1.2.3.4.5'): Uint8Array {
  return encodeCommand({
    commandField: 0x0001,
    hasDataSet: true,
    messageId,
    priority: 0,
    affectedSopClassUid: ctImageStorage,
    affectedSopInstanceUid: sopInstanceUid,
  });
}

export function echoCommand(messageId = 1): Uint8Array {
  return encodeCommand({
    commandField: 0x0030,
    hasDataSet: false,
    messageId,
    affectedSopClassUid: uids.verificationSopClass,
  });
}

/** A whole C-STORE in two PDUs. */
export function storeMessage(data: Uint8Array, messageId = 1): Uint8Array {
  return concatBytes(
    dataPdu(pdv(1, 'command', true, storeCommand(messageId))),
    dataPdu(pdv(1, 'data', true, data)),
  );
}

export const releaseRequestPdu = Uint8Array.of(5, 0, 0, 0, 0, 4, 0, 0, 0, 0);
export const abortPdu = Uint8Array.of(7, 0, 0, 0, 0, 4, 0, 0, 0, 0);

/** Sends what it is told and collects what comes. */
export class RawPeer {
  readonly socket: Socket;
  readonly #reader = new PduReader(0xffffffff);
  readonly #events: PduEvent[] = [];
  #closed = false;
  #notify: () => void = () => undefined;

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.setNoDelay(true);
    socket.on('data', (chunk: Uint8Array) => {
      this.#reader.push(chunk);
      for (let event = this.#reader.next(); event !== undefined; event = this.#reader.next())
        this.#events.push(event);
      this.#notify();
    });
    socket.on('close', () => {
      this.#closed = true;
      this.#notify();
    });
    socket.on('error', () => {
      // A reset by the other side is one of its ways to end; 'close' follows.
    });
  }

  /** From another address of this machine, if one is given: 127.0.0.2. */
  static async connect(port: number, localAddress?: string): Promise<RawPeer> {
    const socket = connect({ host: '127.0.0.1', port, ...(localAddress !== undefined && { localAddress }) });
    await once(socket, 'connect');
    return new RawPeer(socket);
  }

  /** Connects and associates. */
  static async associate(
    port: number,
    change: Parameters<typeof associateRequest>[0] = {},
    localAddress?: string,
  ): Promise<RawPeer> {
    const peer = await RawPeer.connect(port, localAddress);
    peer.send(encodeAssociateRequest(associateRequest(change)));
    const answer = await peer.next();
    assert.equal(answer?.kind, 'associate-accept');
    return peer;
  }

  send(...parts: readonly Uint8Array[]): void {
    this.socket.write(concatBytes(...parts));
  }

  /** The next PDU event, or undefined when the connection is closed. */
  async next(): Promise<PduEvent | undefined> {
    while (this.#events.length === 0 && !this.#closed) {
      await new Promise<void>((resolve) => {
        this.#notify = resolve;
      });
    }
    return this.#events.shift();
  }

  /** Everything until the connection is closed. */
  async rest(): Promise<PduEvent[]> {
    const events: PduEvent[] = [];
    for (let event = await this.next(); event !== undefined; event = await this.next()) events.push(event);
    return events;
  }

  /** The status of the next response. */
  async status(): Promise<number> {
    const event = await this.next();
    assert.equal(event?.kind, 'data');
    assert(event?.kind === 'data');
    assert(event.fragment.command && event.fragment.last);
    const { bytes } = event.fragment;
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    for (let offset = 0; offset < bytes.length; offset += 8 + view.getUint32(offset + 4, true)) {
      if (view.getUint16(offset + 2, true) === 0x0900) return view.getUint16(offset + 8, true);
    }
    throw new Error('the response has no status');
  }

  close(): void {
    this.socket.destroy();
  }
}

/** Waits for the event loop until the condition holds; a test's own time-out ends it otherwise. */
export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setImmediate(resolve));
}

/** Lets everything that is under way on loopback sockets happen, and what follows of it. */
export async function settle(): Promise<void> {
  for (let i = 0; i < 50; i++) await new Promise((resolve) => setTimeout(resolve, 1));
  await settleWork();
}
