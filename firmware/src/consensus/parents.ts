/**
 * Parents. The paper's blockchain fills a skipped iteration with a dummy block; here a block names the view of its
 * parent instead, and every view between the two must be nullified.
 */
import { equalBytes } from '../encoding/bytes.ts';
import { justificationCertificatesMax } from './limits.ts';
import type { CoreState } from './state.ts';
import { viewOf } from './state.ts';
import type { Certificate, ProposalHeader } from './types.ts';

/**
 * True if the leader proposes a notarized block again instead of building on it. Only a block that closes its epoch is
 * (the driver judges that): no block of the epoch may follow it, and whatever makes it final must name it, so that
 * nobody begins the next epoch from another one.
 */
export function repeatsParent(header: ProposalHeader): boolean {
  return equalBytes(header.digest, header.parentDigest);
}

/**
 * True if the parent is notarized (or final) and each view after it and before the proposal's is nullified. A block
 * that is proposed again may have been notarized in any view before, its last one counts. The final block needs no
 * other view.
 */
export function parentStands(state: CoreState, header: ProposalHeader): boolean {
  if (repeatsParent(header)) {
    return !equalBytes(header.digest, state.final.digest) && lastNotarizedView(state, header) !== undefined;
  }
  if (header.parentView >= header.view || header.parentView < state.final.view) return false;
  let at = viewBefore(state, header.view);
  for (; at > header.parentView; at = viewBefore(state, at)) {
    if (viewOf(state, at).nullification === undefined) return false;
  }
  if (at !== header.parentView) return false;
  const parentDigest =
    header.parentView === state.final.view
      ? state.final.digest
      : viewOf(state, header.parentView).notarization?.digest;
  return parentDigest !== undefined && equalBytes(parentDigest, header.parentDigest);
}

/** The view before this one, over those that a restart has taken out. */
export function viewBefore({ restart, final }: CoreState, view: number): number {
  const before = view - 1;
  if (restart === undefined || before > restart.floor || before <= restart.view) return before;
  // Where something among them is final nevertheless, nothing may lead behind it.
  return Math.max(restart.view, Math.min(final.view, before));
}

/** The newest view in which a block that is proposed again is notarized, if all views since are nullified. */
function lastNotarizedView(state: CoreState, { view, digest }: ProposalHeader): number | undefined {
  for (let past = viewBefore(state, view); past > state.final.view; past = viewBefore(state, past)) {
    const { notarization, nullification } = viewOf(state, past);
    if (notarization !== undefined && equalBytes(notarization.digest, digest)) return past;
    if (nullification === undefined) return undefined;
  }
  return undefined;
}

/** The newest block to build on in this view, or undefined while a certificate of a view since is missing. */
export function parentFor(
  state: CoreState,
  view: number,
): { readonly parentView: number; readonly parentDigest: Uint8Array } | undefined {
  for (let parentView = viewBefore(state, view); parentView > state.final.view;) {
    const past = viewOf(state, parentView);
    if (past.notarization !== undefined) return { parentView, parentDigest: past.notarization.digest };
    if (past.nullification === undefined) return undefined;
    parentView = viewBefore(state, parentView);
  }
  return { parentView: state.final.view, parentDigest: state.final.digest };
}

/**
 * The certificates that show `parentStands` to others, oldest first: the parent's always, since a box that knows only
 * the nullification of its view would not ask for it, and of a long gap the newest nullifications.
 */
export function justificationOf(state: CoreState, header: ProposalHeader): Certificate[] {
  const parentView = repeatsParent(header) ? lastNotarizedView(state, header) : header.parentView;
  if (parentView === undefined) return [];
  const parent =
    parentView === state.final.view ? state.final.certificate : viewOf(state, parentView).notarization;
  const certificates: Certificate[] = [];
  for (let view = viewBefore(state, header.view); view > parentView; view = viewBefore(state, view)) {
    if (certificates.length === justificationCertificatesMax - 1) break;
    const { nullification } = viewOf(state, view);
    if (nullification !== undefined) certificates.push(nullification);
  }
  if (parent !== undefined) certificates.push(parent);
  return certificates.reverse();
}

/**
 * The first view after the final one of which the box holds no certificate, the current one at the latest. Looks at those
 * that it holds and no others: above the floor of a restart that it has not heard of it may lack a million.
 */
export function firstUncertifiedView(state: CoreState): number {
  for (let view = viewAfter(state, state.final.view); view < state.view; view = viewAfter(state, view)) {
    const { notarization, nullification } = viewOf(state, view);
    if (notarization === undefined && nullification === undefined) return view;
  }
  return state.view;
}

/** The view after this one, over those that a restart has taken out. */
function viewAfter({ restart }: CoreState, view: number): number {
  const after = view + 1;
  return restart !== undefined && after > restart.view && after <= restart.floor ? restart.floor + 1 : after;
}
