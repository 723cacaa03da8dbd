/**
 * Replays a trace of the model through the real core: each box gets the inputs that it had in the model, and must do
 * what it did there, in the same order, and stand where it stood.
 */
import { noDigest } from '../../firmware/src/consensus/signatures.ts';
import { recover } from '../../firmware/src/consensus/recovery.ts';
import { step } from '../../firmware/src/consensus/simplex.ts';
import type {
  CoreOptions,
  CoreState,
  Effect,
  Input,
  PersistRecord,
  Restart,
} from '../../firmware/src/consensus/state.ts';
import { viewOf } from '../../firmware/src/consensus/state.ts';
import type {
  Certificate,
  ProposalHeader,
  Verified,
  Vote,
  VoteContent,
} from '../../firmware/src/consensus/types.ts';
import { leaderOf } from '../../firmware/src/consensus/types.ts';
import type { ModelCertificate, ModelEffect, ModelEvent, ModelHeader, ModelInput, ModelVote } from './itf.ts';

/** It begins anew, from what is on its disk. */
type Beginning = Extract<ModelInput, { tag: 'Restart' | 'Forget' | 'TakeOrder' }>;
type BoxInput = Exclude<ModelInput, { tag: 'Nothing' } | Beginning>;

function isBeginning(input: ModelInput): input is Beginning {
  return input.tag === 'Restart' || input.tag === 'Forget' || input.tag === 'TakeOrder';
}

/** The network of the model makes no forgeries. */
const verified = <T>(value: T): Verified<T> => value as Verified<T>;

/** Blocks of the model are numbers; no block has the zeros of a nullify vote. */
function digestOf(block: number): Uint8Array {
  return new Uint8Array(32).fill(block + 1);
}

function blockOf(digest: Uint8Array): number {
  return (digest[0] ?? 0) - 1;
}

function contentOf({ kind, view, digest }: Omit<ModelVote, 'validator'>): VoteContent {
  return { kind, epoch: 0, view, digest: kind === 'nullify' ? noDigest : digestOf(digest) };
}

function signatureOf(validator: number): Uint8Array {
  return new Uint8Array(64).fill(validator);
}

function voteOf(vote: ModelVote): Vote {
  return { ...contentOf(vote), validator: vote.validator, signature: signatureOf(vote.validator) };
}

function certificateOf(certificate: ModelCertificate): Certificate {
  const signers = [...certificate.signers].sort((a, b) => a - b);
  return {
    ...contentOf(certificate),
    signatures: signers.map((validator) => ({ validator, signature: signatureOf(validator) })),
  };
}

function headerOf({ view, digest, parentView, parentDigest }: ModelHeader): ProposalHeader {
  return { epoch: 0, view, digest: digestOf(digest), parentView, parentDigest: digestOf(parentDigest) };
}

function inputOf(input: BoxInput, validators: number): Input {
  switch (input.tag) {
    case 'ReceiveProposal': {
      const header = headerOf(input.value);
      const { view, digest } = input.value;
      const vote = voteOf({ kind: 'notarize', view, digest, validator: leaderOf(0, view, validators) });
      return { kind: 'proposal', proposal: verified({ header, vote }) };
    }
    case 'Built':
      return { kind: 'built', header: headerOf(input.value) };
    case 'ReceiveVerdict':
      return { ...input.value, kind: 'verdict', digest: digestOf(input.value.digest) };
    case 'ReceiveVote':
      return { kind: 'vote', vote: verified(voteOf(input.value)) };
    case 'ReceiveCertificate':
      return { kind: 'certificate', certificate: verified(certificateOf(input.value)) };
    case 'Timeout':
      return { kind: 'timeout', view: input.value };
  }
}

const voteText = ({ kind, view, digest, validator }: Vote): string =>
  `vote ${kind} ${view} ${blockOf(digest)} of ${validator}`;

const certificateText = ({ kind, view, digest, signatures }: Certificate): string =>
  `certificate ${kind} ${view} ${blockOf(digest)} of ${signatures.map(({ validator }) => validator).join()}`;

const headerText = ({ view, digest, parentView, parentDigest }: ProposalHeader): string =>
  `ask to validate ${view} ${blockOf(digest)} on ${parentView} ${blockOf(parentDigest)}`;

function modelText(effect: ModelEffect): string {
  switch (effect.tag) {
    case 'Voted':
      return voteText(voteOf(effect.value));
    case 'Certified':
      return certificateText(certificateOf(effect.value));
    case 'Finalized':
      return `final ${effect.value.view} ${effect.value.digest}`;
    case 'StartedView':
      return `view ${effect.value}`;
    case 'AskedToPropose':
      return `ask to propose on ${effect.value.view} ${effect.value.digest}`;
    case 'AskedToValidate':
      return headerText(headerOf(effect.value));
  }
}

/** What the model has a word for; that records are written first is checked apart. */
function coreText(effect: Effect): string | undefined {
  switch (effect.kind) {
    case 'broadcastVote':
      return voteText(effect.vote);
    case 'broadcastProposal':
      return voteText(effect.proposal.vote);
    case 'broadcastCertificate':
      return certificateText(effect.certificate);
    case 'finalized':
      return `final ${effect.certificate.view} ${blockOf(effect.certificate.digest)}`;
    case 'startView':
      return `view ${effect.view}`;
    case 'askToPropose':
      return `ask to propose on ${effect.parentView} ${blockOf(effect.parentDigest)}`;
    case 'askToValidate':
      return headerText(effect.header);
    case 'persist':
    case 'notarized':
    case 'evidence':
      return undefined;
  }
}

function isMessage({ kind }: Effect): boolean {
  return kind === 'broadcastVote' || kind === 'broadcastProposal' || kind === 'broadcastCertificate';
}

function isFinalization(record: PersistRecord): boolean {
  return record.kind === 'certificate' && record.certificate.kind === 'finalize';
}

function recordText(record: PersistRecord): string {
  return record.kind === 'vote' ? voteText(record.vote) : certificateText(record.certificate);
}

class ReplayedBox {
  readonly #self: number;
  readonly #validators: number;
  #state: CoreState;
  /** The vote log, and of the block log the certificates. */
  #records: PersistRecord[] = [];
  #isVoting = true;
  #order: Restart | undefined;

  constructor(self: number, validators: number) {
    this.#self = self;
    this.#validators = validators;
    const final = { view: 0, digest: digestOf(0), certificate: undefined };
    this.#state = recover(this.#options, { final, floor: 0, records: [] }).state;
  }

  get #options(): CoreOptions {
    const self = this.#isVoting ? this.#self : undefined;
    return { epoch: 0, validators: this.#validators, self, sign: () => signatureOf(this.#self) };
  }

  /** What differs from the model, in words; nothing if all is alike. */
  take({ input, ...event }: ModelEvent): string[] {
    if (input.tag === 'Nothing') return [];
    const effects = isBeginning(input) ? this.#begin(input) : this.#step(input);
    const unwritten = this.#execute(effects);
    // Messages of a beginning repeat older ones, which the model's network can do at any time.
    const told = isBeginning(input) ? effects.filter((effect) => !isMessage(effect)) : effects;
    const accused = effects.flatMap((effect) =>
      effect.kind === 'evidence'
        ? [`${effect.evidence.kind} ${effect.evidence.view} ${effect.evidence.validator}`]
        : [],
    );
    const { view, final } = this.#state;
    return [
      ...unwritten.map((text) => `sent and not written: ${text}`),
      ...difference('effects', told.map(coreText), event.effects.map(modelText)),
      ...difference(
        'evidence',
        accused.sort(),
        event.evidence.map(({ kind, view: of, validator }) => `${kind} ${of} ${validator}`).sort(),
      ),
      ...difference(
        'standing',
        [`view ${view}, final ${final.view} ${blockOf(final.digest)}`],
        [`view ${event.view}, final ${event.final.view} ${event.final.digest}`],
      ),
    ];
  }

  #step(input: BoxInput): readonly Effect[] {
    const { state, effects } = step(this.#state, inputOf(input, this.#validators));
    this.#state = state;
    return effects;
  }

  /** As the validator does it: voting-rights.ts says what the vote log has then, and participant.ts what an order adds. */
  #begin(input: Beginning): readonly Effect[] {
    if (input.tag === 'TakeOrder') this.#take(input.value);
    if (input.tag === 'Forget') this.#isVoting = false;
    // Who follows without a vote has the block log alone.
    if (!this.#isVoting) this.#records = this.#records.filter(isFinalization);
    const { final } = this.#state;
    const restart = this.#order;
    const { state, effects } = recover(this.#options, { final, floor: 0, records: this.#records, restart });
    this.#state = state;
    return effects;
  }

  #take({ view, floor, counts }: Restart & { readonly counts: boolean }): void {
    this.#order = { view, floor };
    if (this.#isVoting || !counts) return;
    const { notarization } = viewOf(this.#state, view);
    this.#records = this.#records.filter(isFinalization);
    if (notarization !== undefined) this.#records.push({ kind: 'certificate', certificate: notarization });
    this.#isVoting = true;
  }

  /** Writes what is to be written, in order. @returns messages that are sent before a record of theirs. */
  #execute(effects: readonly Effect[]): string[] {
    const unwritten: string[] = [];
    for (const effect of effects) {
      if (effect.kind === 'persist') this.#records.push(effect.record);
      const text = coreText(effect) ?? '';
      if (isMessage(effect) && !this.#records.some((record) => recordText(record) === text))
        unwritten.push(text);
    }
    return unwritten;
  }
}

function difference(what: string, core: readonly (string | undefined)[], model: readonly string[]): string[] {
  const said = core.filter((text) => text !== undefined).join('; ');
  const expected = model.join('; ');
  return said === expected ? [] : [`${what}: the core has [${said}], the model [${expected}]`];
}

/** The first step at which the core does otherwise than the model; undefined if there is none. */
export function firstDifference(events: readonly ModelEvent[], validators: number): string | undefined {
  const boxes = new Map<number, ReplayedBox>();
  for (const [index, event] of events.entries()) {
    const box = boxes.get(event.self) ?? new ReplayedBox(event.self, validators);
    boxes.set(event.self, box);
    const differences = box.take(event);
    if (differences.length > 0) {
      return `step ${index}, box ${event.self}, ${JSON.stringify(event.input)}: ${differences.join('; ')}`;
    }
  }
  return undefined;
}
