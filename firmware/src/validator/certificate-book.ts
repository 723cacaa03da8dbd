/** The certificates of views that are not final yet, until the block log takes what a final block needs of them. */
import type { Certificate } from '../consensus/types.ts';
import { equalBytes } from '../encoding/bytes.ts';
import type { NewlyFinal } from './final-chain.ts';
import { certificatesNotedMax, signaturesNotedMax } from './limits.ts';
import { isAfter, type Place } from './place.ts';

/** What is to stand in the block log. */
export interface KeptFinal extends NewlyFinal {
  readonly shown: readonly Certificate[];
}

/**
 * The core forgets a view when a later one is final, and a vote log that is begun anew forgets it too. Two conflicting
 * chains name their makers only by what was notarized and what was nullified on the way, so that goes with the block.
 */
export class CertificateBook {
  readonly #certificates = new Map<string, Certificate>();
  #signatures = 0;

  /** A certificate that was verified. Of a finalization the block log knows already. */
  note(certificate: Certificate): void {
    const { kind, epoch, view, signatures } = certificate;
    const key = `${epoch} ${view} ${kind}`;
    if (kind === 'finalize' || this.#certificates.has(key)) return;
    this.#certificates.set(key, certificate);
    this.#signatures += signatures.length;
    // Bounded: a standstill of days names the guilty of its last views only.
    for (const [oldest, { signatures: dropped }] of this.#certificates) {
      if (this.#signatures <= signaturesNotedMax && this.#certificates.size <= certificatesNotedMax) return;
      this.#certificates.delete(oldest);
      this.#signatures -= dropped.length;
    }
  }

  /** The blocks with what this box can show of their views. */
  shownWith(final: readonly NewlyFinal[]): KeptFinal[] {
    return final.map((block) => ({ ...block, shown: this.#shown(block) }));
  }

  /** What lies up to this place stands in the block log now. */
  forgetUpTo(place: Place): void {
    for (const [key, certificate] of this.#certificates) {
      if (isAfter(certificate, place)) continue;
      this.#certificates.delete(key);
      this.#signatures -= certificate.signatures.length;
    }
  }

  #shown({ executed: { block, digest }, certificate }: NewlyFinal): Certificate[] {
    const { epoch, view, parentView } = block.header;
    // A block that closes its epoch may be notarized in several views, and final in the last.
    const last = Math.max(view, certificate?.view ?? 0);
    return [...this.#certificates.values()]
      .filter(
        (noted) =>
          noted.epoch === epoch &&
          noted.view > parentView &&
          noted.view <= last &&
          (noted.kind === 'nullify' || equalBytes(noted.digest, digest)),
      )
      .sort((a, b) => a.view - b.view || (a.kind < b.kind ? -1 : 1));
  }
}
