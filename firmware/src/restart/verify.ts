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
  'wrong-chain' | 'wrong-epoch' | 'floor-too-low' | 'no-validator' | 'too-few-roots';

export type VerifiedRestart =
  /** With the signatures that it takes, and no others. */
  | { readonly kind: 'verified'; readonly signed: SignedRestartOrder }
  | {
      readonly kind: 'refused';
      readonly reason: RestartRefusal;
    };

/**
 * An order holds if the roots of n−f validators of its epoch have signed it, each with as many keys as it asks for. What
 * else was signed, rightly or wrongly, does not count: whoever carries the order could add it.
 */
export function verifyRestart(
  { order, signatures }: SignedRestartOrder,
  context: RestartContext,
): VerifiedRestart {
  const { chain, epoch } = context;
  const ids = epoch.validators.map(({ id }) => id);
  const needed = quorum(ids.length);
  if (!equalBytes(order.chain, chain)) return refused('wrong-chain');
  if (order.epoch !== epoch.number) return refused('wrong-epoch');
  if (order.floor - order.view < restartViewsMin) return refused('floor-too-low');
  if (order.abstaining.some(({ institution }) => !ids.includes(institution))) return refused('no-validator');
  const counted: RootSignature[] = [];
  let roots = 0;
  for (const [index, id] of ids.entries()) {
    // Nobody makes boxes verify more than it takes to decide.
    if (roots === needed || roots + ids.length - index < needed) break;
    const own = signatures.filter(({ institution }) => institution === id);
    const good = goodSignatures(order, own, context.institution(id)?.root, context.verify);
    if (good === undefined) continue;
    counted.push(...good);
    roots++;
  }
  return roots < needed
    ? refused('too-few-roots')
    : { kind: 'verified', signed: { order, signatures: counted } };
}

function refused(reason: RestartRefusal): VerifiedRestart {
  return { kind: 'refused', reason };
}

/** As many as the root asks for; undefined if there are fewer. At most one of each of its keys is looked at. */
function goodSignatures(
  order: RestartOrder,
  signatures: readonly RootSignature[],
  root: Institution['root'] | undefined,
  verify: RestartContext['verify'],
): RootSignature[] | undefined {
  // A root of nobody has the threshold 0: nothing may be signed by it.
  if (root === undefined || root.threshold === 0) return undefined;
  const message = restartMessage(order);
  const good: RootSignature[] = [];
  for (const [key, publicKey] of root.keys.entries()) {
    const own = signatures.find((candidate) => candidate.key === key);
    if (own === undefined || !verify(publicKey, message, own.signature)) continue;
    good.push(own);
    if (good.length === root.threshold) return good;
  }
  return undefined;
}
