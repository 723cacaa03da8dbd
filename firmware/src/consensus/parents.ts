/**
 * Parents. The paper's blockchain fills a skipped iteration with a dummy block; here a block names the view of its
 * parent instead, and every view between the two must be nullified.
 */
import { equalBytes } from '../encoding/bytes.ts';
import { justificationCertificatesMax } from './limits.ts';
import type { CoreState } from './state.ts';
import { viewOf } from './state.ts';
import type { Certificate, ProposalHeader } from './types.ts';

/** True if the parent is notarized (or final) and each view after it and before the proposal's is nullified. */
export function parentStands(state: CoreState, header: ProposalHeader): boolean {
  if (header.parentView >= header.view || header.parentView < state.final.view) return false;
  for (let view = header.parentView + 1; view < header.view; view++) {
    if (viewOf(state, view).nullification === undefined) return false;
  }
  const parentDigest =
    header.parentView === state.final.view
      ? state.final.digest
      : viewOf(state, header.parentView).notarization?.digest;
  return parentDigest !== undefined && equalBytes(parentDigest, header.parentDigest);
}

/** The newest block to build on in this view, or undefined while a certificate of a view since is missing. */
export function parentFor(
  state: CoreState,
  view: number,
): { readonly parentView: number; readonly parentDigest: Uint8Array } | undefined {
  for (let parentView = view - 1; parentView > state.final.view; parentView--) {
    const past = viewOf(state, parentView);
    if (past.notarization !== undefined) return { parentView, parentDigest: past.notarization.digest };
    if (past.nullification === undefined) return undefined;
  }
  return { parentView: state.final.view, parentDigest: state.final.digest };
}

/** The certificates that show `parentStands` to others, oldest first; of a long gap the newest. */
export function justificationOf(state: CoreState, header: ProposalHeader): Certificate[] {
  const certificates: Certificate[] = [];
  for (let view = header.view - 1; view >= header.parentView; view--) {
    if (certificates.length === justificationCertificatesMax) break;
    const { notarization, nullification } = viewOf(state, view);
    const isParent = view === header.parentView;
    const certificate =
      isParent && view === state.final.view
        ? state.final.certificate
        : isParent
          ? notarization
          : nullification;
    if (certificate !== undefined) certificates.push(certificate);
  }
  return certificates.reverse();
}

/** Views after the final one and before the current one of which the box holds no certificate at all. */
export function uncertifiedViews(state: CoreState): number[] {
  const missing: number[] = [];
  for (let view = state.final.view + 1; view < state.view; view++) {
    const { notarization, nullification } = viewOf(state, view);
    if (notarization === undefined && nullification === undefined) missing.push(view);
  }
  return missing;
}
