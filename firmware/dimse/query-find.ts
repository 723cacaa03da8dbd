/** C-FIND: one pending response for each match, as fast as the peer takes them (PS3.4 C.4.1). */
import type { FindResult } from '../src/ports.ts';
import { refusal } from './query-refusal.ts';
import type { ServiceOperation, ServiceResponse } from './service.ts';
import { status } from './status.ts';

/** The final response. @throws the signal's reason once it has fired: a C-CANCEL is then answered with FE00. */
export async function answerFind(
  result: FindResult,
  operation: Pick<ServiceOperation, 'pending' | 'signal'>,
): Promise<ServiceResponse> {
  if (result.kind === 'refused') return refusal(result);
  const { matches, hasUnsupportedKeys } = result;
  const pending = hasUnsupportedKeys ? status.pendingWithUnsupportedKeys : status.pending;
  try {
    for (let next = await matches.next(); ; next = await matches.next()) {
      operation.signal.throwIfAborted();
      if (next.done !== true) {
        await operation.pending({ status: pending, dataSet: next.value });
        continue;
      }
      if (next.value === 'limit')
        return { status: status.outOfResources, comment: 'more matches than listed' };
      return { status: status.success };
    }
  } finally {
    await matches.return('cancelled');
  }
}
