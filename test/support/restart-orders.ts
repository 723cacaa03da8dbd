/** Restart orders as the offline roots of a test consortium sign them. */
import type { RestartOrder, RootSignature } from '../../firmware/src/restart/restart-order.ts';
import { encodeRestartOrder, restartMessage } from '../../firmware/src/restart/restart-order.ts';
import { rootSignerOf } from '../fakes/ledger.ts';

/** By two of the three root keys of each. */
export function rootSignatures(order: RestartOrder, institutions: readonly string[]): RootSignature[] {
  return institutions.flatMap((institution) =>
    [0, 2].map((key) => ({
      institution,
      key,
      signature: rootSignerOf(institution, key + 1).sign(restartMessage(order)),
    })),
  );
}

export function signedOrder(order: RestartOrder, institutions: readonly string[]): Uint8Array {
  return encodeRestartOrder({ order, signatures: rootSignatures(order, institutions) });
}
