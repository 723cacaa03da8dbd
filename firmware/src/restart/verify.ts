/** Whether a restart order is one of this consortium, and signed by enough of its offline roots. */
import { quorum } from '../consensus/types.ts';
import { equalBytes } from '../encoding/bytes.ts';
import type { EpochRecord, Institution } from '../ledger/types.ts';
import { restartViewsMin } from './limits.ts';
import type { RestartOrder, RootSignature, SignedRestartOrder } from './restart-order.ts';
import { restartMessage } from './restart-order.ts';

/** Who validates in the order's epoch, and their roots. */
export interface RestartContext {
  readonly chain: Uint8Array;
  readonly epoch: EpochRecord;
  readonly institution: (id: string) => Pick<Institution, 'root'> | undefined;
  /** Ed25519. */
  readonly verify: (publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array) => boolean;
}

export type RestartRefusal =
  'wrong-chain' | 'wrong-epoch' | 'floor-too-low' | 'no-validator' | 'bad-signature' | 'too-few-roots';

/** Undefined if it holds: the roots of n−f validators of its epoch have signed, each with as many keys as it asks for. */
export function restartRefusal(
  { order, signatures }: SignedRestartOrder,
  context: RestartContext,
): RestartRefusal | undefined {
  const { chain, epoch } = context;
  const ids = new Set(epoch.validators.map(({ id }) => id));
  if (!equalBytes(order.chain, chain)) return 'wrong-chain';
  if (order.epoch !== epoch.number) return 'wrong-epoch';
  if (order.floor - order.view < restartViewsMin) return 'floor-too-low';
  if (order.abstaining.some(({ institution }) => !ids.has(institution))) return 'no-validator';
  if (signatures.some(({ institution }) => !ids.has(institution))) return 'no-validator';
  let roots = 0;
  for (const id of ids) {
    const own = signatures.filter(({ institution }) => institution === id);
    if (own.length === 0) continue;
    const signed = isSigned(order, own, context.institution(id)?.root, context.verify);
    if (!signed) return 'bad-signature';
    roots++;
  }
  return roots < quorum(ids.size) ? 'too-few-roots' : undefined;
}

/** Exactly as many keys as the root asks for: nobody makes boxes verify more. */
function isSigned(
  order: RestartOrder,
  signatures: readonly RootSignature[],
  root: Institution['root'] | undefined,
  verify: RestartContext['verify'],
): boolean {
  // A root of nobody has the threshold 0: nothing may be signed by it.
  if (root === undefined || root.threshold === 0 || signatures.length !== root.threshold) return false;
  const message = restartMessage(order);
  return signatures.every(({ key, signature }) => {
    const publicKey = root.keys[key];
    return publicKey !== undefined && verify(publicKey, message, signature);
  });
}
