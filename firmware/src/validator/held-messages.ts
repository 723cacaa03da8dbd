/** Messages of the epoch that comes next, kept until this box gets there: it may be a moment behind. */
import type { InstitutionId } from '../ports.ts';
import { heldBytesMax, heldMessagesMax } from './limits.ts';

interface Held {
  readonly epoch: number;
  readonly messages: Uint8Array[];
  bytes: number;
}

/**
 * Bounded for each sender, so that none can push out what others said. The newest are kept: what mattered is said again
 * by whoever is stuck without it, so that a lost message costs a second and never the epoch.
 */
export class HeldMessages {
  readonly #held = new Map<InstitutionId, Held>();

  hold(from: InstitutionId, epoch: number, message: Uint8Array): void {
    if (message.length > heldBytesMax) return;
    const known = this.#held.get(from);
    const held = known?.epoch === epoch ? known : { epoch, messages: [], bytes: 0 };
    held.messages.push(message);
    held.bytes += message.length;
    while (held.messages.length > heldMessagesMax || held.bytes > heldBytesMax) {
      held.bytes -= held.messages.shift()?.length ?? 0;
    }
    this.#held.set(from, held);
  }

  /** Takes out what was kept for this epoch, each sender's messages in their order; what was for earlier ones is gone. */
  release(epoch: number): { readonly from: InstitutionId; readonly message: Uint8Array }[] {
    const released: { from: InstitutionId; message: Uint8Array }[] = [];
    for (const [from, held] of this.#held) {
      if (held.epoch > epoch) continue;
      this.#held.delete(from);
      if (held.epoch === epoch) released.push(...held.messages.map((message) => ({ from, message })));
    }
    return released;
  }
}
