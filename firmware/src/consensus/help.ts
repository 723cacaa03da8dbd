/** Helping a box that is behind: it says where it stands, the others answer with what it lacks. */
import { helpCertificatesMax } from './limits.ts';
import { firstUncertifiedView } from './parents.ts';
import type { CoreState } from './state.ts';
import { viewOf } from './state.ts';
import type { Certificate } from './types.ts';

/** Where a box stands. */
export interface Standing {
  readonly epoch: number;
  /** View of its last final block. */
  readonly finalView: number;
  /** The first view since of which it holds no certificate: its current one, or a gap. */
  readonly from: number;
}

export function standingOf(state: CoreState): Standing {
  const { final, options } = state;
  return { epoch: options.epoch, finalView: final.view, from: firstUncertifiedView(state) };
}

/**
 * The certificates that bring a box forward from there, the newest final one first, at most `helpCertificatesMax`. A
 * box in another epoch is helped by the block that closed its own, which is the driver's to say.
 */
export function certificatesFor(state: CoreState, { epoch, finalView, from }: Standing): Certificate[] {
  if (epoch !== state.options.epoch) return [];
  const certificates: Certificate[] = [];
  if (state.final.certificate !== undefined && state.final.view > finalView) {
    certificates.push(state.final.certificate);
  }
  const known = [...state.views.keys()].filter((view) => view >= from && view < state.view);
  for (const view of known.sort((a, b) => a - b)) {
    const { notarization, nullification } = viewOf(state, view);
    for (const certificate of [notarization, nullification]) {
      if (certificate !== undefined && certificates.length < helpCertificatesMax)
        certificates.push(certificate);
    }
  }
  return certificates;
}
