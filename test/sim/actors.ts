/**
 * Byzantine validators by name. Each is a whole validator whose words are changed on their way out, with the keys that
 * it really has. f of them must harm nobody.
 */
import { concatBytes, equalBytes } from '../../firmware/src/encoding/bytes.ts';
import { noDigest, voteMessage } from '../../firmware/src/consensus/signatures.ts';
import type { Certificate, Vote, VoteContent } from '../../firmware/src/consensus/types.ts';
import { quorum } from '../../firmware/src/consensus/types.ts';
import { blockDigest, buildBlock, decodeBlock, encodeBlock } from '../../firmware/src/ledger/index.ts';
import type { Block, ChainId, LedgerState } from '../../firmware/src/ledger/types.ts';
import type { Network, Signer, VerifySignature } from '../../firmware/src/ports.ts';
import { blockProtocol } from '../../firmware/src/validator/catch-up.ts';
import {
  decodeBlockAnswer,
  encodeBlockAnswer,
  encodeFinalRecord,
} from '../../firmware/src/validator/final-records.ts';
import type { FinalRecord } from '../../firmware/src/validator/final-records.ts';
import type { Message } from '../../firmware/src/validator/messages.ts';
import { decodeMessage, encodeMessage } from '../../firmware/src/validator/messages.ts';
import { lyingSnapshotPeer } from './lying-snapshot-peer.ts';
import type { Random } from './random.ts';

/** What an actor knows of itself and the world. */
export interface Stage {
  readonly chain: ChainId;
  /** How many vote in an epoch. */
  readonly validatorsOf: (epoch: number) => number;
  readonly voting: Signer;
  readonly random: Random;
  readonly verify: VerifySignature;
  /** The actor's own final head and the state after it; undefined while it starts. */
  readonly head: () => { readonly block: Block; readonly state: LedgerState } | undefined;
}

/** Another network in place of the true one. */
export type Actor = (network: Network, stage: Stage) => Network;

type MessageOf<Type extends Message['type']> = Extract<Message, { readonly type: Type }>;

/** `validator`: an index in the epoch's list, the own one or another's. */
function signed({ chain, voting }: Stage, content: VoteContent, validator: number): Vote {
  return { ...content, validator, signature: voting.sign(voteMessage(chain, content)) };
}

/** Sends what `change` makes of each own message; what does not decode passes as it is. */
function sending(
  network: Network,
  change: (to: string, message: Message, bytes: Uint8Array) => readonly Uint8Array[],
): Network {
  return {
    ...network,
    send: (to, bytes) => {
      const decoded = decodeMessage(bytes);
      if (decoded.kind === 'refused') throw new Error(`an own message does not decode: ${decoded.reason}`);
      for (const message of change(to, decoded.message, bytes)) network.send(to, message);
    },
  };
}

/** Half of the others get another block for the view; everybody gets a vote for both. */
const equivocator: Actor = (network, stage) => {
  const sides = new Map<string, boolean>();
  const isOtherSide = (to: string): boolean => {
    const side = sides.get(to) ?? stage.random.chance(0.5);
    sides.set(to, side);
    return side;
  };
  return sending(network, (to, message, bytes) => {
    const other = message.type === 'proposal' ? otherProposal(stage, message) : undefined;
    if (message.type !== 'proposal' || other === undefined) return [bytes];
    const [first, second] = isOtherSide(to) ? [other, message] : [message, other];
    return [encodeMessage(first), encodeMessage({ type: 'vote', vote: second.vote })];
  });
};

/** A valid block without transactions on the final head, a millisecond later; undefined if that is not the parent. */
function otherProposal(stage: Stage, message: MessageOf<'proposal'>): MessageOf<'proposal'> | undefined {
  const decoded = decodeBlock(message.block);
  const head = stage.head();
  if (decoded.kind !== 'block' || head === undefined) return undefined;
  const { header } = decoded.block;
  if (!equalBytes(header.parent, blockDigest(head.block.header))) return undefined;
  const { block } = buildBlock(head.state, head.block.header, {
    ...header,
    time: header.time + 1,
    candidates: [],
    verify: stage.verify,
  });
  const { kind, epoch, view, validator } = message.vote;
  const vote = signed(stage, { kind, epoch, view, digest: blockDigest(block.header) }, validator);
  return { ...message, vote, block: encodeBlock(block) };
}

/** Proposes the block of the leader before it again instead of one that builds on it, although it closes no epoch. */
const repeater: Actor = (network, stage) => {
  let heard: Uint8Array | undefined;
  const repeating = sending(network, (_to, message, bytes) => {
    const decoded = heard === undefined ? undefined : decodeBlock(heard);
    if (message.type !== 'proposal' || decoded?.kind !== 'block') return [bytes];
    const { kind, epoch, view, validator } = message.vote;
    const { block } = decoded;
    if (block.header.epoch !== epoch || block.header.view >= view) return [bytes];
    const vote = signed(stage, { kind, epoch, view, digest: blockDigest(block.header) }, validator);
    return [encodeMessage({ ...message, vote, block: encodeBlock(block) })];
  });
  return {
    ...repeating,
    onMessage: (handler) =>
      network.onMessage((from, bytes) => {
        const decoded = decodeMessage(bytes);
        if (decoded.kind === 'message' && decoded.message.type === 'proposal') heard = decoded.message.block;
        return handler(from, bytes);
      }),
  };
};

/** Votes to nullify each view that it votes in, and to finalize whatever it has voted for. */
const nuller: Actor = (network, stage) =>
  sending(network, (_to, message, bytes) => {
    if (message.type !== 'vote' && message.type !== 'proposal') return [bytes];
    const { epoch, view, digest, kind, validator } = message.vote;
    const also = (of: 'nullify' | 'finalize', about: Uint8Array): Uint8Array =>
      encodeMessage({
        type: 'vote',
        vote: signed(stage, { kind: of, epoch, view, digest: about }, validator),
      });
    if (kind === 'nullify') return [bytes];
    return [bytes, also('nullify', noDigest), also('finalize', digest)];
  });

/** Speaks for all the others too, with its own key or with a signature that it has seen somewhere. */
const impersonator: Actor = (network, stage) =>
  sending(network, (_to, message, bytes) => {
    if (message.type !== 'vote' && message.type !== 'proposal') return [bytes];
    const { epoch, view, digest, validator } = message.vote;
    const validators = stage.validatorsOf(epoch);
    const other = (validator + stage.random.between(1, validators - 1)) % validators;
    const kind = (['notarize', 'nullify', 'finalize'] as const)[stage.random.below(3)] ?? 'notarize';
    const about =
      kind === 'nullify' ? noDigest : stage.random.chance(0.5) ? digest : digest.map((byte) => byte ^ 1);
    const content = { kind, epoch, view, digest: about };
    const forgedVote = signed(stage, content, other);
    return [
      bytes,
      encodeMessage({ type: 'vote', vote: forgedVote }),
      encodeMessage({ type: 'vote', vote: { ...message.vote, validator: other } }),
      encodeMessage({ type: 'certificate', certificate: forgedCertificate(stage, content) }),
    ];
  });

/** A quorum of indices, all signed by one. */
function forgedCertificate(stage: Stage, content: VoteContent): Certificate {
  const { signature } = signed(stage, content, 0);
  const signatures = Array.from({ length: quorum(stage.validatorsOf(content.epoch)) }, (_, validator) => ({
    validator,
    signature,
  }));
  return { ...content, signatures };
}

/** Never proposes; votes like everybody. */
const silentLeader: Actor = (network) =>
  sending(network, (_to, message, bytes) => (message.type === 'proposal' ? [] : [bytes]));

/** Tells each thing to some only. */
const whisperer: Actor = (network, stage) =>
  sending(network, (_to, _message, bytes) => (stage.random.chance(0.5) ? [bytes] : []));

/** Says again what it has said long ago, whenever it says something. */
const parrot: Actor = (network, stage) => {
  const said: Uint8Array[] = [];
  return sending(network, (_to, _message, bytes) => {
    if (said.length < 512) said.push(bytes);
    const old = said[stage.random.below(said.length)];
    return old === undefined ? [bytes] : [bytes, old];
  });
};

/** Claims to be far ahead, and answers who asks for blocks with changed ones. */
const lyingCatchUpPeer: Actor = (network, stage) => ({
  ...sending(network, (_to, message, bytes) => {
    if (message.type !== 'standing') return [bytes];
    const { standing } = message;
    return [
      encodeMessage({
        ...message,
        height: message.height + 1000,
        standing: { ...standing, finalView: standing.finalView + 1000 },
      }),
    ];
  }),
  handle: (protocol, handler) =>
    network.handle(protocol, async (from, body, signal) => {
      const answer = await handler(from, body, signal);
      return protocol === blockProtocol ? lie(stage, answer) : answer;
    }),
});

/** A chain that is right but for its end, or one with faults anywhere. */
function lie(stage: Stage, answer: Uint8Array): Uint8Array {
  const { random } = stage;
  const { first, records } = decodeBlockAnswer(answer);
  const wrong = random.below(records.length + 1);
  const last = records[wrong];
  const changed =
    random.chance(0.5) && last !== undefined
      ? [...records.slice(0, wrong), forgedRecord(stage, changedBlock(last))]
      : records.map((record) => anyLie(stage, record));
  if (random.chance(0.1)) changed.shift();
  const encoded = encodeBlockAnswer(first, changed.map(encodeFinalRecord));
  return random.chance(0.1) ? concatBytes(encoded, Uint8Array.of(0)) : encoded;
}

function anyLie(stage: Stage, record: FinalRecord): FinalRecord {
  switch (stage.random.below(6)) {
    case 0:
      return changedBlock(record);
    case 1:
      return { ...record, block: { ...record.block, transactions: [] } };
    case 2:
      return forgedRecord(stage, changedBlock(record));
    case 3:
      return forgedRecord(stage, record);
    default:
      return record;
  }
}

function changedBlock({ block, certificate }: FinalRecord): FinalRecord {
  return { block: { ...block, header: { ...block.header, time: block.header.time + 1 } }, certificate };
}

function forgedRecord(stage: Stage, { block }: FinalRecord): FinalRecord {
  const { epoch, view } = block.header;
  const content = { kind: 'finalize', epoch, view, digest: blockDigest(block.header) } as const;
  return { block, certificate: forgedCertificate(stage, content) };
}

/** Those that can lie wherever boxes vote. */
const voters = {
  equivocator,
  repeater,
  nuller,
  impersonator,
  silentLeader,
  whisperer,
  parrot,
  lyingCatchUpPeer,
} as const satisfies Record<string, Actor>;

export const actors = { ...voters, lyingSnapshotPeer } as const satisfies Record<string, Actor>;

export type ActorName = keyof typeof actors;
export const actorNames = Object.keys(voters) as readonly (keyof typeof voters)[];
