/**
 * Simplex consensus as a pure state machine (Chan and Pass, "Simplex Consensus: A Simple and Fast Consensus
 * Protocol", ePrint 2023/463, section 2.1), in the form with views that Commonware and Ava Labs build: a dummy block
 * of the paper is a nullified view, a finalize vote names its block. "Paper, step N" below are the numbered steps of
 * "in each iteration h"; h is the view.
 *
 * What makes it safe, with q = n−f:
 * - one notarize vote a view and validator: two blocks of a view cannot both have q votes;
 * - nullify and finalize exclude each other: a view with a final block is never nullified, so every later block
 *   descends from it;
 * - every vote is on disk before it is sent, so that a restart changes neither.
 *
 * One instance runs an epoch, from the block that closed the epoch before (view 0) to the one that closes its own.
 * While that one is notarized and not final, the leaders propose it again (parents.ts): a proposal whose digest is its
 * parent's. In the paper's terms it is the block of two iterations at once. Every later notarized block of the epoch is
 * then the same one, so that all finalization certificates of the epoch's end name it.
 */
import { equalBytes } from '../encoding/bytes.ts';
import { finalizeVotesResentMax, viewsAheadMax, viewsWithVotesMax } from './limits.ts';
import { justificationOf, parentFor, parentStands, viewBefore } from './parents.ts';
import { noDigest } from './signatures.ts';
import type { CoreState, Input, Stepped, Transition, ViewState } from './state.ts';
import { changeView, emptyView, isTakenOut, viewOf } from './state.ts';
import type { Certificate, Evidence, ProposalHeader, Vote, VoteKind } from './types.ts';
import { leaderOf, quorum } from './types.ts';

/** One input, its new state and the effects to execute in order. Never throws, never changes `state`. */
export function step(state: CoreState, input: Input): Stepped {
  const transition: Transition = { state, effects: [] };
  switch (input.kind) {
    case 'proposal':
      receiveProposal(transition, input.proposal.header, input.proposal.vote);
      break;
    case 'verdict':
      receiveVerdict(transition, input.view, input.digest, input.valid);
      break;
    case 'built':
      propose(transition, input.header);
      break;
    case 'vote':
      addVote(transition, input.vote);
      break;
    case 'certificate':
      acceptCertificate(transition, input.certificate);
      break;
    case 'timeout':
      giveUpView(transition, input.view);
      break;
    case 'retransmit':
      retransmit(transition);
      break;
  }
  return transition;
}

/** Paper, step 1: the leader proposes one block, and its proposal is its own notarize vote. */
function propose(transition: Transition, header: ProposalHeader): void {
  const { state } = transition;
  const { epoch, validators, self } = state.options;
  if (
    header.epoch !== epoch ||
    header.view !== state.view ||
    self !== leaderOf(epoch, header.view, validators)
  )
    return;
  const view = viewOf(state, header.view);
  if (view.own.notarize !== undefined || !parentStands(state, header)) return;
  changeView(transition, header.view, { proposal: header, verdict: 'accepted' });
  castVote(transition, 'notarize', header.view, header.digest);
}

/** Paper, step 3, first half: the first proposal of the leader is the one that counts. */
function receiveProposal(transition: Transition, header: ProposalHeader, vote: Vote): void {
  const { state } = transition;
  const { epoch, validators } = state.options;
  if (!isOpen(state, header.view) || header.epoch !== epoch || header.parentView >= header.view) return;
  if (vote.validator !== leaderOf(epoch, header.view, validators)) return;
  if (vote.kind !== 'notarize' || vote.view !== header.view || !equalBytes(vote.digest, header.digest))
    return;
  if (viewOf(state, header.view).proposal === undefined)
    changeView(transition, header.view, { proposal: header });
  // A second, other proposal is the leader's conflicting vote: addVote reports it.
  addVote(transition, vote);
  considerProposal(transition);
}

/** Asks for the validity of the current view's proposal once its parent stands (paper, step 3: "notarized parent"). */
function considerProposal(transition: Transition): void {
  const { state } = transition;
  const view = viewOf(state, state.view);
  if (view.proposal === undefined || view.verdict !== 'open' || state.options.self === undefined) return;
  if (view.own.notarize !== undefined || !parentStands(state, view.proposal)) return;
  changeView(transition, state.view, { verdict: 'asked' });
  transition.effects.push({ kind: 'askToValidate', header: view.proposal });
}

/** Paper, step 3, second half: vote for the first valid proposal; also after the timer fired, as the paper does. */
function receiveVerdict(
  transition: Transition,
  viewNumber: number,
  digest: Uint8Array,
  valid: boolean,
): void {
  const { state } = transition;
  const view = viewOf(state, viewNumber);
  if (viewNumber !== state.view || view.verdict !== 'asked') return;
  if (view.proposal === undefined || !equalBytes(view.proposal.digest, digest)) return;
  changeView(transition, viewNumber, { verdict: valid ? 'accepted' : 'refused' });
  if (valid && view.own.notarize === undefined) castVote(transition, 'notarize', viewNumber, digest);
}

/** Paper, step 2: the timer fired while the view lasts: vote for the dummy block. */
function giveUpView(transition: Transition, viewNumber: number): void {
  const { state } = transition;
  if (viewNumber !== state.view) return;
  const { own } = viewOf(state, viewNumber);
  if (own.nullify === undefined && own.finalize === undefined)
    castVote(transition, 'nullify', viewNumber, noDigest);
}

/** Signs, has it written, sends it, counts it: in that order. */
function castVote(transition: Transition, kind: VoteKind, viewNumber: number, digest: Uint8Array): void {
  const { options, floor } = transition.state;
  if (options.self === undefined || viewNumber <= floor) return;
  const content = { kind, epoch: options.epoch, view: viewNumber, digest };
  const vote: Vote = { ...content, validator: options.self, signature: options.sign(content) };
  const view = viewOf(transition.state, viewNumber);
  changeView(transition, viewNumber, { own: { ...view.own, [kind]: vote } });
  const header = kind === 'notarize' ? view.proposal : undefined;
  transition.effects.push({ kind: 'persist', record: { kind: 'vote', vote, header } });
  if (header !== undefined && options.self === leaderOf(options.epoch, viewNumber, options.validators)) {
    const justification = justificationOf(transition.state, header);
    transition.effects.push({ kind: 'broadcastProposal', proposal: { header, vote }, justification });
  } else {
    transition.effects.push({ kind: 'broadcastVote', vote });
  }
  addVote(transition, vote);
}

/** Counts a vote once; with a quorum it becomes a certificate. Votes of non-validators and far views are ignored. */
function addVote(transition: Transition, vote: Vote): void {
  const { state } = transition;
  const { epoch, validators } = state.options;
  if (vote.epoch !== epoch || vote.validator >= validators || !isOpen(state, vote.view)) return;
  if (!recordVote(transition, vote)) return;
  certifyIfQuorum(transition, vote);
}

/** Forms the certificate of this vote's kind, view and digest if n−f validators agree (paper: 2n/3 of the votes). */
export function certifyIfQuorum(transition: Transition, { kind, epoch, view, digest }: Vote): void {
  const { votes } = viewOf(transition.state, view);
  const agreeing = [...votes[kind].values()].filter((vote) => equalBytes(vote.digest, digest));
  if (agreeing.length < quorum(transition.state.options.validators)) return;
  agreeing.sort((a, b) => a.validator - b.validator);
  const signatures = agreeing.map(({ validator, signature }) => ({ validator, signature }));
  acceptCertificate(transition, { kind, epoch, view, digest, signatures });
}

/** Keeps the first vote of each kind and reports what contradicts it. True if the vote is new. */
export function recordVote(transition: Transition, vote: Vote): boolean {
  const view = viewOf(transition.state, vote.view);
  const known = view.votes[vote.kind].get(vote.validator);
  if (known !== undefined) {
    if (!equalBytes(known.digest, vote.digest)) {
      // Nullify votes have no digest, so that only these two kinds can differ.
      accuse(
        transition,
        vote.kind === 'finalize' ? 'conflicting-finalize' : 'conflicting-notarize',
        known,
        vote,
      );
    }
    return false;
  }
  const votes = { ...view.votes, [vote.kind]: new Map(view.votes[vote.kind]).set(vote.validator, vote) };
  changeView(transition, vote.view, { votes });
  const nullify = votes.nullify.get(vote.validator);
  const finalize = votes.finalize.get(vote.validator);
  if (nullify !== undefined && finalize !== undefined)
    accuse(transition, 'nullify-and-finalize', nullify, finalize);
  return true;
}

function accuse(transition: Transition, kind: Evidence['kind'], first: Vote, second: Vote): void {
  const { accused } = viewOf(transition.state, first.view);
  if (accused.has(first.validator)) return;
  changeView(transition, first.view, { accused: new Set(accused).add(first.validator) });
  const { validator, epoch, view } = first;
  const evidence = { kind, validator, epoch, view, first, second };
  transition.effects.push({ kind: 'evidence', evidence });
}

/** A certificate, formed here or received: write it, pass it on once (paper, step 4: "multicasts its view"), act. */
function acceptCertificate(transition: Transition, certificate: Certificate): void {
  const { state } = transition;
  if (certificate.epoch !== state.options.epoch || certificate.view <= state.final.view) return;
  if (isTakenOut(state, certificate.view)) return;
  const view = viewOf(state, certificate.view);
  if (certificate.kind === 'notarize' && view.notarization !== undefined) return;
  if (certificate.kind === 'nullify' && view.nullification !== undefined) return;
  // Its votes count as received: whoever voted otherwise before is thereby found.
  for (const { validator, signature } of certificate.signatures) {
    const { kind, epoch, digest } = certificate;
    recordVote(transition, { kind, epoch, view: certificate.view, digest, validator, signature });
  }
  transition.effects.push(
    { kind: 'persist', record: { kind: 'certificate', certificate } },
    { kind: 'broadcastCertificate', certificate },
  );
  switch (certificate.kind) {
    case 'notarize':
      changeView(transition, certificate.view, { notarization: certificate });
      transition.effects.push({ kind: 'notarized', certificate });
      finalizeUnlessGivenUp(transition, certificate);
      break;
    case 'nullify':
      changeView(transition, certificate.view, { nullification: certificate });
      break;
    case 'finalize':
      becomeFinal(transition, certificate);
      break;
  }
  if (certificate.view >= transition.state.view) enterView(transition, certificate.view + 1);
  else continueView(transition);
}

/** Paper, step 4: a finalize vote only if the timer has not fired, that is, without an own nullify vote. */
function finalizeUnlessGivenUp(transition: Transition, { view: viewNumber, digest }: Certificate): void {
  const view = viewOf(transition.state, viewNumber);
  if (view.own.nullify !== undefined || view.own.finalize !== undefined) return;
  // A nullified view cannot become final any more; a late vote would help nobody.
  if (view.nullification !== undefined) return;
  castVote(transition, 'finalize', viewNumber, digest);
}

/** Paper, step 5: the block and all before it are final; nothing of the earlier views is needed again. */
export function becomeFinal(transition: Transition, certificate: Certificate): void {
  const { view, digest } = certificate;
  const views = new Map([...transition.state.views].filter(([number]) => number > view));
  transition.state = { ...transition.state, final: { view, digest, certificate }, views };
  transition.effects.push({ kind: 'finalized', certificate });
}

/** Paper, step 4: on a notarized or dummy block of this view, the next view begins. */
function enterView(transition: Transition, view: number): void {
  transition.state = { ...transition.state, view, views: withoutOldVotes(transition.state.views, view) };
  const { epoch, validators } = transition.state.options;
  transition.effects.push({ kind: 'startView', view, leader: leaderOf(epoch, view, validators) });
  continueView(transition);
}

/** What may have become possible in the current view by a new certificate: to propose, or to judge the proposal. */
export function continueView(transition: Transition): void {
  const { state } = transition;
  const { epoch, validators, self } = state.options;
  const view = viewOf(state, state.view);
  if (
    self === leaderOf(epoch, state.view, validators) &&
    view.own.notarize === undefined &&
    state.view > state.floor
  ) {
    const parent = parentFor(state, state.view);
    // Asked again when a newer parent is known: the one named before may lie behind the final block by now.
    if (parent !== undefined && parent.parentView !== view.askedOn) {
      changeView(transition, state.view, { askedOn: parent.parentView });
      transition.effects.push({ kind: 'askToPropose', view: state.view, ...parent });
    }
  }
  considerProposal(transition);
}

/**
 * Own votes of the current view, the certificates that led into it, the newest final one, and own finalize votes that
 * may have been lost. Nothing new is signed here: a finalize vote after an own nullify vote cannot arise by repeating.
 */
function retransmit(transition: Transition): void {
  const { state, effects } = transition;
  const { epoch, validators, self } = state.options;
  if (state.final.certificate !== undefined) {
    effects.push({ kind: 'broadcastCertificate', certificate: state.final.certificate });
  }
  const past = viewBefore(state, state.view);
  const before = viewOf(state, past);
  for (const certificate of [before.notarization, before.nullification]) {
    if (certificate !== undefined) effects.push({ kind: 'broadcastCertificate', certificate });
  }
  let resent = 0;
  for (let at = past; at > state.final.view && resent < finalizeVotesResentMax; at = viewBefore(state, at)) {
    const vote = viewOf(state, at).own.finalize;
    if (vote === undefined) continue;
    effects.push({ kind: 'broadcastVote', vote });
    resent++;
  }
  const { own, proposal } = viewOf(state, state.view);
  if (
    own.notarize !== undefined &&
    proposal !== undefined &&
    self === leaderOf(epoch, state.view, validators)
  ) {
    const justification = justificationOf(state, proposal);
    effects.push({
      kind: 'broadcastProposal',
      proposal: { header: proposal, vote: own.notarize },
      justification,
    });
  } else if (own.notarize !== undefined) {
    effects.push({ kind: 'broadcastVote', vote: own.notarize });
  }
  if (own.nullify !== undefined) effects.push({ kind: 'broadcastVote', vote: own.nullify });
}

/** Views that are neither final nor out of reach: everything outside is ignored, so that memory stays bounded. */
function isOpen(state: CoreState, view: number): boolean {
  // What was said there before a restart must not become a certificate after it.
  if (isTakenOut(state, view)) return false;
  return view > state.final.view && view <= state.view + viewsAheadMax;
}

function withoutOldVotes(views: CoreState['views'], current: number): CoreState['views'] {
  const slim = new Map<number, ViewState>();
  for (const [number, view] of views) {
    slim.set(number, number < current - viewsWithVotesMax ? { ...view, votes: emptyView.votes } : view);
  }
  return slim;
}
