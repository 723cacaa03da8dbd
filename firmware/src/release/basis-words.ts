/** On which basis a study was released, as consoles tell it: with the first digits of the basis' id. */
import type { BasisId, BasisKind, LedgerState } from '../ledger/types.ts';

const words: Readonly<Record<BasisKind, string>> = {
  grant: 'by the patient',
  referral: 'by the source',
  emergency: 'declared by the recipient',
};

export function basisInWords(state: LedgerState, id: BasisId): string {
  const kind = state.basis(id)?.kind ?? 'grant';
  return `${kind} ${id.slice(0, 8)} ${words[kind]}`;
}
