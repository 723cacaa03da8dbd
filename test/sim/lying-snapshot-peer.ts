/** A Byzantine box that offers snapshots which it does not have, and answers who asks for one with something else. */
import { handoverProtocol } from '../../firmware/src/validator/handovers.ts';
import { decodeMessage, encodeMessage } from '../../firmware/src/validator/messages.ts';
import {
  decodeRange,
  decodeSnapshotOffer,
  decodeSnapshotRequest,
  encodeRange,
  encodeSnapshotOffer,
  encodeSnapshotRequest,
} from '../../firmware/src/validator/snapshot-records.ts';
import { snapshotProtocol } from '../../firmware/src/validator/snapshot-server.ts';
import type { Actor } from './actors.ts';
import type { Random } from './random.ts';

/** The more there is of it, the more lies. */
const subjects = ['offers', 'handovers', 'blocks', 'chunks', 'chunks', 'chunks'] as const;

export const lyingSnapshotPeer: Actor = (network, { random }) => {
  // Whoever is found out is not asked again for a while, and would get no further than its first lie.
  const about = subjects[random.below(subjects.length)];
  const heights = new Map<string, number>();
  return {
    ...network,
    onMessage: (handler) =>
      network.onMessage((from, bytes) => {
        const height = standingIn(bytes)?.height;
        if (height !== undefined) heights.set(from, height);
        return handler(from, bytes);
      }),
    // Who is furthest ahead is asked first; those that are not behind would find it out before they need a snapshot.
    send: (to, bytes) => {
      const standing = standingIn(bytes);
      const isBehind = standing !== undefined && (heights.get(to) ?? 0) + 4 < standing.height;
      network.send(to, isBehind ? encodeMessage({ ...standing, height: standing.height + 20 }) : bytes);
    },
    handle: (protocol, handler) =>
      network.handle(protocol, async (from, body, signal) => {
        const answer = await handler(from, body, signal);
        if (answer.length === 0 || random.chance(0.2)) return answer;
        if (protocol === handoverProtocol && about === 'handovers') return flipped(answer, random);
        if (protocol !== snapshotProtocol) return answer;
        const request = decodeSnapshotRequest(body);
        if ('newest' in request) return about === 'offers' ? offerOf(answer, random) : answer;
        // The block that closed the epoch comes first.
        if (request.record === 0) return about === 'blocks' ? flipped(answer, random) : answer;
        if (about !== 'chunks') return answer;
        const other = encodeSnapshotRequest({ ...request, record: request.record + random.between(1, 2) });
        return random.chance(0.2) ? await handler(from, other, signal) : chunkOf(answer, random);
      }),
  };
};

function standingIn(bytes: Uint8Array) {
  const decoded = decodeMessage(bytes);
  return decoded.kind === 'message' && decoded.message.type === 'standing' ? decoded.message : undefined;
}

function flipped(bytes: Uint8Array, random: Random): Uint8Array {
  const changed = bytes.slice();
  const at = random.below(changed.length);
  changed[at] = (changed[at] ?? 0) ^ (1 << random.below(8));
  return changed;
}

function offerOf(answer: Uint8Array, random: Random): Uint8Array {
  const offer = decodeSnapshotOffer(answer);
  const epochs = random.below(5);
  return encodeSnapshotOffer({
    epoch: offer.epoch + epochs,
    height: offer.height + 10 * epochs,
    records: random.between(0, 100_000),
  });
}

function chunkOf(answer: Uint8Array, random: Random): Uint8Array {
  const range = decodeRange(answer);
  const { entries } = range;
  const at = random.below(entries.length);
  switch (random.below(6)) {
    case 0:
    case 1:
      return encodeRange({
        ...range,
        entries: entries.map(([key, value], index) =>
          index === at && value.length > 0 ? [key, flipped(value, random)] : [key, value],
        ),
      });
    case 2:
      return encodeRange({ ...range, entries: entries.filter((_, index) => index !== at) });
    case 3:
      // As if the state ended here.
      return encodeRange({ ...range, lastDepth: range.firstDepth, right: [] });
    case 4:
      // True entries, cut short.
      return encodeRange({ ...range, entries: entries.slice(0, at) });
    default:
      return flipped(answer, random);
  }
}
