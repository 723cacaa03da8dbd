/** How long an operation may take until the TPM counts as hung. */
import { derivationMsMax, operationMsMax } from '../limits.ts';
import type { OperationName } from './messages.ts';

/** Those that derive a key from a hierarchy's seed, which takes a chip longer than all else. */
const deriving: ReadonlySet<OperationName> = new Set(['prepare', 'readEndorsement', 'activateCredential']);

/** In milliseconds. */
export function patienceWith(operation: OperationName): number {
  return deriving.has(operation) ? derivationMsMax : operationMsMax;
}
