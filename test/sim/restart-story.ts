/** What the members do when more than f boxes have forgotten how they voted: they ask all boxes, and their roots sign. */
import { quorum } from '../../firmware/src/consensus/types.ts';
import { toHex } from '../../firmware/src/encoding/bytes.ts';
import { blockDigest, decodeBlock } from '../../firmware/src/ledger/index.ts';
import { restartViewsMin } from '../../firmware/src/restart/limits.ts';
import type { RestartOrder } from '../../firmware/src/restart/restart-order.ts';
import { encodeRestartOrder, restartMessage } from '../../firmware/src/restart/restart-order.ts';
import { encodeMessage } from '../../firmware/src/validator/messages.ts';
import { isAfter } from '../../firmware/src/validator/place.ts';
import type { LastBlock } from '../../firmware/src/validator/standstill.ts';
import { decodeVoteRecord } from '../../firmware/src/validator/vote-records.ts';
import type { Validator } from '../../firmware/src/validator/validator.ts';
import { rootSignerOf } from '../fakes/ledger.ts';
import type { Random } from './random.ts';
import type { Signatures } from './sim-fixture.ts';

/** A block of which the boxes that were asked have the certificate alone. */
export interface WithoutContent {
  readonly withoutContent: LastBlock;
}

/** The newest block that any of these boxes knows; undefined if they are not all in one epoch. */
export function restartOrder(
  boxes: readonly { readonly institution: string; readonly validator: Validator | undefined }[],
): RestartOrder | WithoutContent | undefined {
  const asked = boxes.flatMap(({ institution, validator }) =>
    validator === undefined ? [] : [[institution, validator] as const],
  );
  const validators = asked.map(([, validator]) => validator);
  const [first] = validators;
  if (first === undefined) throw new Error('nobody can be asked');
  let last = first.lastBlock();
  for (const validator of validators) {
    const other = validator.lastBlock();
    if (other.epoch !== last.epoch) return undefined;
    if (isAfter(other, last) || (last.height === undefined && other.view === last.view)) last = other;
  }
  const { height } = last;
  if (height === undefined) return { withoutContent: last };
  const { chain } = first.state();
  const abstaining = asked.flatMap(([institution, validator]) => {
    const start = validator.forgottenSince();
    return start === undefined ? [] : [{ institution, start }];
  });
  abstaining.sort((a, b) => (a.institution < b.institution ? -1 : 1));
  return { chain, ...last, height, floor: last.view + restartViewsMin, abstaining };
}

/**
 * True if this vote log has the block and all before it down to the final head. Who votes for a block has it on the disk;
 * its parent he may have from others, in memory alone.
 */
export function holdsPath(
  voteLog: readonly Uint8Array[],
  head: { readonly digest: Uint8Array },
  digest: Uint8Array,
): boolean {
  const parents = new Map<string, string>();
  for (const record of voteLog.map(decodeVoteRecord)) {
    if (record.type !== 'vote' || record.block === null) continue;
    const decoded = decodeBlock(record.block);
    if (decoded.kind !== 'block') throw new Error('a vote log holds what is no block');
    const { header } = decoded.block;
    parents.set(toHex(blockDigest(header)), toHex(header.parent));
  }
  let at: string | undefined = toHex(digest);
  while (at !== undefined && at !== toHex(head.digest)) at = parents.get(at);
  return at !== undefined;
}

/** The order with the roots of a quorum of the epoch, two keys of each, as a message between boxes. */
export function signedRestart(
  order: RestartOrder,
  validators: readonly string[],
  { signerOf }: Signatures,
  random: Random,
): Uint8Array {
  const signers = [...validators];
  while (signers.length > quorum(validators.length)) signers.splice(random.below(signers.length), 1);
  const signatures = signers.flatMap((institution) =>
    [0, 1].map((key) => ({
      institution,
      key,
      signature: signerOf(rootSignerOf(institution, key + 1)).sign(restartMessage(order)),
    })),
  );
  return encodeMessage({ type: 'restart', order: encodeRestartOrder({ order, signatures }) });
}
