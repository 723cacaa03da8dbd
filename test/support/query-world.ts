/** What the Query/Retrieve SCP is tested with: an archive, a peer with its operation, a move destination; all in memory. */
import assert from 'node:assert/strict';
import { QueryRetrieveScp } from '../../firmware/dimse/query-retrieve.ts';
import {
  OperationCancelled,
  type DimseService,
  type ServiceOperation,
  type ServiceResponse,
} from '../../firmware/dimse/service.ts';
import { AppError } from '../../firmware/src/errors.ts';
import type {
  DataSet,
  FindEnd,
  FindQuery,
  FindResult,
  ProposedStorageContext,
  QueryArchive,
  RetrievableObject,
  RetrieveResult,
  StorageAssociation,
  StorageContext,
  StorageScu,
} from '../../firmware/src/ports.ts';
import { silentLogger } from '../fakes/consortium.ts';

export const studyFind = '1.2.840.10008.5.1.4.1.2.2.1';
export const patientFind = '1.2.840.10008.5.1.4.1.2.1.1';
export const studyMove = '1.2.840.10008.5.1.4.1.2.2.2';
export const studyGet = '1.2.840.10008.5.1.4.1.2.2.3';
export const ct = '1.2.840.10008.5.1.4.1.1.2';
export const explicitLittle = '1.2.840.10008.1.2.1';
export const jpegLossless = '1.2.840.10008.1.2.4.70';
const identifier: DataSet = { '00080052': { vr: 'CS', values: ['STUDY'] } };

export class Archive implements QueryArchive {
  findResult: FindResult | undefined;
  retrieveResult: RetrieveResult = { kind: 'objects', objects: [] };
  readonly queries: FindQuery[] = [];

  find(query: FindQuery): FindResult {
    this.queries.push(query);
    assert.ok(this.findResult);
    return this.findResult;
  }

  select(): Promise<RetrieveResult> {
    return Promise.resolve(this.retrieveResult);
  }
}

export async function* matching(sets: readonly DataSet[], end: FindEnd): AsyncGenerator<DataSet, FindEnd> {
  for (const each of sets) yield await Promise.resolve(each);
  return end;
}

/** The peer of one operation: what it was sent, and when it cancels. */
export class Operation implements ServiceOperation {
  readonly peer = { callingAeTitle: 'WORKSTATION', calledAeTitle: 'HILUM', remoteAddress: '192.0.2.7' };
  readonly command: ServiceOperation['command'];
  readonly abstractSyntax: string;
  readonly transferSyntaxUid = explicitLittle;
  extendedNegotiation: Uint8Array | undefined;
  dataSet: DataSet | undefined = identifier;
  readonly dataSetBytes = undefined;
  readonly #controller = new AbortController();
  readonly signal = this.#controller.signal;
  readonly responses: ServiceResponse[] = [];
  readonly stored: (StorageContext & {
    readonly sopInstanceUid: string;
    readonly text: string;
    readonly bytes: Uint8Array;
  })[] = [];
  accepts: readonly string[] = [explicitLittle];
  /** C-STORE-RQs that were sent. */
  begun = 0;
  /** Of the next C-STOREs; success when they are used up. */
  statuses: number[] = [];
  onPending: () => void = () => undefined;

  constructor(abstractSyntax: string, field: number, moveDestination?: string) {
    this.abstractSyntax = abstractSyntax;
    this.command = {
      commandField: field,
      hasDataSet: true,
      messageId: 7,
      ...(moveDestination !== undefined && { moveDestination }),
    };
  }

  cancel(): void {
    this.#controller.abort(new OperationCancelled('cancelled'));
  }

  end(reason: Error): void {
    this.#controller.abort(reason);
  }

  async pending(response: ServiceResponse): Promise<void> {
    this.signal.throwIfAborted();
    this.responses.push(response);
    this.onPending();
    await Promise.resolve();
  }

  takes({ transferSyntaxUid }: StorageContext): boolean {
    return this.accepts.includes(transferSyntaxUid);
  }

  async store(
    object: StorageContext & { readonly sopInstanceUid: string },
    dataSet: AsyncIterable<Uint8Array>,
  ): Promise<{ status: number } | undefined> {
    this.signal.throwIfAborted();
    if (!this.takes(object)) return undefined;
    this.begun += 1;
    const bytes = await bytesOf(dataSet);
    this.stored.push({ ...object, bytes, text: bytes.toString() });
    return { status: this.statuses.shift() ?? 0 };
  }
}

async function bytesOf(dataSet: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of dataSet) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/** `open` counts the data sets that are being read: files of the box. */
export class Objects {
  open = 0;
  onRead: () => void = () => undefined;

  object(
    name: string,
    transferSyntaxUids: readonly [string, ...string[]] = [explicitLittle],
    failAt?: 'begin' | 'middle',
  ): RetrievableObject {
    return {
      sopClassUid: ct,
      sopInstanceUid: `1.2.${name}`,
      transferSyntaxUids,
      dataSet: (uid) => this.#read(`${name} in ${uid}`, failAt),
    };
  }

  async *#read(text: string, failAt: 'begin' | 'middle' | undefined): AsyncIterable<Uint8Array> {
    this.open += 1;
    try {
      await Promise.resolve();
      this.onRead();
      if (failAt === 'begin') throw new AppError('STORE_CORRUPT', 'damaged');
      yield Buffer.from(text.slice(0, 2));
      if (failAt === 'middle') throw new AppError('STORE_CORRUPT', 'damaged');
      yield Buffer.from(text.slice(2));
    } finally {
      this.open -= 1;
    }
  }
}

/** A move destination that answers as it is told. */
export class Destination implements StorageScu {
  readonly associations: (readonly ProposedStorageContext[])[] = [];
  readonly stored: {
    readonly uid: string;
    readonly text: string;
    readonly originator: unknown;
    readonly association: number;
  }[] = [];
  accepts: (context: StorageContext) => boolean = () => true;
  statuses: number[] = [];
  /** Fails to open, as often as it says. */
  failures = 0;
  associationsOpen = 0;
  onStore: () => void = () => undefined;
  /** Accepts associations, and fails at every C-STORE before it reads anything. */
  breaksOff = false;
  /** Does not answer the release. */
  isSilent = false;
  lastSignal: AbortSignal | undefined;

  open(contexts: readonly ProposedStorageContext[], signal: AbortSignal): Promise<StorageAssociation> {
    this.lastSignal = signal;
    if (this.failures > 0) {
      this.failures -= 1;
      return Promise.reject(new AppError('DELIVERY_FAILED', 'cannot be connected to'));
    }
    this.associations.push(contexts);
    this.associationsOpen += 1;
    let isOpen = true;
    const aborted = Promise.withResolvers<void>();
    const close = (): Promise<void> => {
      if (isOpen) this.associationsOpen -= 1;
      isOpen = false;
      return Promise.resolve();
    };
    const association = this.associations.length;
    const accepted = contexts.flatMap(({ sopClassUid, transferSyntaxUids }) => {
      const taken = transferSyntaxUids.find((transferSyntaxUid) =>
        this.accepts({ sopClassUid, transferSyntaxUid }),
      );
      return taken === undefined ? [] : [{ sopClassUid, transferSyntaxUid: taken }];
    });
    return Promise.resolve({
      isOpen: true,
      accepted,
      store: async ({ sopInstanceUid }, dataSet, originator) => {
        if (this.breaksOff) throw new AppError('DELIVERY_FAILED', 'aborts');
        const text = (await bytesOf(dataSet)).toString();
        this.stored.push({ uid: sopInstanceUid, text, originator, association });
        this.onStore();
        return this.statuses.shift() ?? 0;
      },
      release: () => (this.isSilent ? aborted.promise : close()),
      abort: () => {
        aborted.resolve();
        return close();
      },
    });
  }
}

export function world(): {
  readonly archive: Archive;
  readonly destination: Destination;
  readonly objects: Objects;
  readonly serviceOf: (sopClass: string) => DimseService;
  readonly perform: (operation: Operation) => Promise<ServiceResponse>;
  readonly scp: QueryRetrieveScp;
} {
  const archive = new Archive();
  const destination = new Destination();
  const scp = new QueryRetrieveScp({
    archive,
    destinationOf: (aeTitle) => (aeTitle === 'PACS' ? destination : undefined),
    logger: silentLogger,
  });
  const serviceOf = (sopClass: string): DimseService => {
    const service = scp.services.find(({ sopClasses }) => sopClasses.includes(sopClass));
    assert.ok(service);
    return service;
  };
  return {
    archive,
    destination,
    objects: new Objects(),
    scp,
    serviceOf,
    perform: (operation) => serviceOf(operation.abstractSyntax).perform(operation),
  };
}
