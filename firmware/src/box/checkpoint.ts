/** The checkpoint in a reception's ticket: where the light client of a patient's wallet starts. */
import { decodeHandover } from '../handover/handover.ts';
import type { BindingTicket } from '../http/box-view.ts';
import { blockDigest, genesisBlock } from '../ledger/index.ts';
import type { Genesis } from '../ledger/types.ts';
import type { Ledger } from '../ports.ts';
import { checkpointEpochsMax } from './limits.ts';

/**
 * The newest epoch of which this box can show a wallet how it began; the handover to the current one may lack signatures
 * for a moment.
 */
export async function newestCheckpoint(
  ledger: Ledger,
  genesis: Genesis,
): Promise<BindingTicket['checkpoint']> {
  const current = ledger.state().epoch().number;
  for (let epoch = current; epoch > Math.max(0, current - checkpointEpochsMax); epoch--) {
    const handover = await ledger.handover(epoch - 1);
    if (handover === undefined) continue;
    const { header } = decodeHandover(handover);
    return { epoch, height: header.height, digest: blockDigest(header) };
  }
  return { epoch: 0, height: 0, digest: blockDigest(genesisBlock(genesis).header) };
}
