/** Query/Retrieve as SCP (PS3.4 annex C): Patient Root and Study Root, by C-FIND, C-MOVE and C-GET. */
import type { Logger, Query, QueryArchive, Service, StorageScu } from '../src/ports.ts';
import { answerFind } from './query-find.ts';
import { retrieveByGet } from './query-get.ts';
import { retrieveByMove } from './query-move.ts';
import { commandField } from './command.ts';
import { retrievalsMax } from './limits.ts';
import { Releases } from './releases.ts';
import type { DimseService, ServiceOperation, ServiceResponse } from './service.ts';
import { status } from './status.ts';

export interface QueryRetrieveOptions {
  readonly archive: QueryArchive;
  /** Where a C-MOVE may send: the configured destination of this AE title. */
  readonly destinationOf: (aeTitle: string) => StorageScu | undefined;
  readonly logger: Logger;
}

type Root = Query['root'];

const findRoots: ReadonlyMap<string, Root> = new Map([
  ['1.2.840.10008.5.1.4.1.2.1.1', 'PATIENT'],
  ['1.2.840.10008.5.1.4.1.2.2.1', 'STUDY'],
]);
const moveRoots: ReadonlyMap<string, Root> = new Map([
  ['1.2.840.10008.5.1.4.1.2.1.2', 'PATIENT'],
  ['1.2.840.10008.5.1.4.1.2.2.2', 'STUDY'],
]);
const getRoots: ReadonlyMap<string, Root> = new Map([
  ['1.2.840.10008.5.1.4.1.2.1.3', 'PATIENT'],
  ['1.2.840.10008.5.1.4.1.2.2.3', 'STUDY'],
]);

/** Of the bytes of PS3.4 tables C.5-2 and C.5-3 that are offered here: relational; for C-FIND date-time matching too. */
const findExtensions = 2;
const retrieveExtensions = 1;

/** Room for so many retrievals at a time; one more is refused. */
class Places {
  #left = retrievalsMax;

  async taken(perform: () => Promise<ServiceResponse>): Promise<ServiceResponse> {
    if (this.#left === 0) return { status: status.subOperationsRefused, comment: 'too many retrievals' };
    this.#left -= 1;
    try {
      return await perform();
    } finally {
      this.#left += 1;
    }
  }
}

export class QueryRetrieveScp implements Service {
  readonly services: readonly DimseService[];
  readonly #releases: Releases;

  constructor({ archive, destinationOf, logger }: QueryRetrieveOptions) {
    const places = new Places();
    const releases = new Releases(logger);
    this.#releases = releases;
    this.services = [
      service('query', findRoots, findExtensions, commandField.findRequest, (query, operation) => {
        const combinedDateTime = operation.extendedNegotiation?.[1] === 1;
        const retrieveAeTitle = operation.peer.calledAeTitle;
        return answerFind(archive.find({ ...query, combinedDateTime, retrieveAeTitle }), operation);
      }),
      service('retrieve', moveRoots, retrieveExtensions, commandField.moveRequest, (query, operation) => {
        const destination = destinationOf(operation.command.moveDestination ?? '');
        if (destination === undefined)
          return { status: status.moveDestinationUnknown, comment: 'move destination unknown' };
        return places.taken(async () =>
          retrieveByMove(await archive.select(query), operation, destination, releases, logger),
        );
      }),
      service('retrieve', getRoots, retrieveExtensions, commandField.getRequest, (query, operation) =>
        places.taken(async () => retrieveByGet(await archive.select(query), operation, logger)),
      ),
    ];
  }

  start(): Promise<void> {
    return Promise.resolve();
  }

  /** When no operation runs any more. */
  stop(): Promise<void> {
    return this.#releases.stop();
  }
}

type Perform = (query: Query, operation: ServiceOperation) => ServiceResponse | Promise<ServiceResponse>;

function service(
  permission: 'query' | 'retrieve',
  roots: ReadonlyMap<string, Root>,
  extensions: number,
  request: number,
  perform: Perform,
): DimseService {
  return {
    sopClasses: [...roots.keys()],
    requestorRole: 'scu',
    permission,
    // What was both proposed and is offered, and nothing beyond.
    answerExtendedNegotiation: (_sopClassUid, proposed) =>
      proposed.length === 0 ? undefined : proposed.slice(0, extensions).map((byte) => (byte === 1 ? 1 : 0)),
    perform: async (operation) => {
      const { abstractSyntax, command, dataSet, extendedNegotiation, signal } = operation;
      const root = roots.get(abstractSyntax);
      if (command.commandField !== request || root === undefined)
        return { status: status.unrecognizedOperation };
      if (dataSet === undefined) return { status: status.identifierMismatch, comment: 'no identifier' };
      const relational = extendedNegotiation?.[0] === 1;
      return perform({ root, identifier: dataSet, relational, signal }, operation);
    },
  };
}
