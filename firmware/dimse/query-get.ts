/** C-GET: the objects come on the association on which they are asked for (PS3.4 C.4.3). */
import type { Logger, RetrieveResult } from '../src/ports.ts';
import { retrieve, withBeginning } from './query-retrieval.ts';
import type { ServiceOperation, ServiceResponse } from './service.ts';

/** As kept where the peer accepted that as SCP, else in the first syntax that loses nothing and that it accepted. */
export function retrieveByGet(
  result: RetrieveResult,
  operation: Pick<ServiceOperation, 'peer' | 'pending' | 'signal' | 'store' | 'takes'>,
  logger: Logger,
): Promise<ServiceResponse> {
  return retrieve({
    result,
    operation,
    logger: logger.child({ retrievedBy: operation.peer.callingAeTitle, service: 'C-GET' }),
    send: async (object) => {
      const { sopClassUid, sopInstanceUid, transferSyntaxUids } = object;
      const transferSyntaxUid = transferSyntaxUids.find((uid) =>
        operation.takes({ sopClassUid, transferSyntaxUid: uid }),
      );
      if (transferSyntaxUid === undefined) return 'not-taken';
      return withBeginning(object.dataSet(transferSyntaxUid, operation.signal), async (dataSet) => {
        const stored = await operation.store({ sopClassUid, sopInstanceUid, transferSyntaxUid }, dataSet);
        return stored?.status ?? 'not-taken';
      });
    },
  });
}
