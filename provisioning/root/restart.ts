/** A restart order on its way from one hospital's custodians to the next (docs/formats.md, "Restart order"). */
import { equalBytes, toHex } from '../../firmware/src/encoding/bytes.ts';
import { AppError } from '../../firmware/src/errors.ts';
import {
  decodeRestartOrder,
  encodeRestartOrder,
  restartMessage,
  type RootSignature,
  type SignedRestartOrder,
} from '../../firmware/src/restart/restart-order.ts';
import { verifyOffline, type OfflineKey } from './key-file.ts';

/** @throws AppError DOCUMENT_INVALID. */
export function readRestart(bytes: Uint8Array): SignedRestartOrder {
  try {
    return decodeRestartOrder(bytes);
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause;
    throw new AppError('DOCUMENT_INVALID', `This is no restart order: ${cause.message}.`, { cause });
  }
}

/** With one more signature, of this key at its index in the institution's root. */
export function signedRestart(
  { order, signatures }: SignedRestartOrder,
  key: OfflineKey,
  { institution, index }: { readonly institution: string; readonly index: number },
): SignedRestartOrder {
  const message = restartMessage(order);
  const signature = key.sign(message);
  if (!verifyOffline(key.publicKey, message, signature)) throw new Error('a signature just made is wrong');
  return { order, signatures: withoutDoubles([...signatures, { institution, key: index, signature }]) };
}

/** All signatures of several copies. @throws AppError DOCUMENT_INVALID if they are copies of different orders. */
export function combinedRestart(copies: readonly SignedRestartOrder[]): SignedRestartOrder {
  const [first, ...others] = copies;
  if (first === undefined) throw new AppError('DOCUMENT_INVALID', 'There is no order.');
  const message = restartMessage(first.order);
  if (others.some(({ order }) => !equalBytes(restartMessage(order), message)))
    throw new AppError('DOCUMENT_INVALID', 'These are not copies of one order.');
  return { order: first.order, signatures: withoutDoubles(copies.flatMap(({ signatures }) => signatures)) };
}

export function restartBytes(order: SignedRestartOrder): Uint8Array {
  return encodeRestartOrder(order);
}

/** What somebody who signs must know. */
export function describeRestart({ order, signatures }: SignedRestartOrder): string[] {
  const { abstaining, chain, digest, epoch, floor, height, view } = order;
  const forgetful = abstaining.map(({ institution, start }) => `${institution} (start ${start})`);
  return [
    `Goes on from the block ${toHex(digest)} at height ${height}, view ${view} of epoch ${epoch}.`,
    'A box that holds a later final block loses it, and must be set up anew.',
    `Have forgotten their votes: ${forgetful.join(', ')}. Votes begin after view ${floor}.`,
    `For the ledger ${toHex(chain)}.`,
    ...signatures.map(({ institution, key }) => `Signed by root key ${key} of ${institution}`),
  ];
}

/** The same key's signature is the same: Ed25519 has one for each message. */
function withoutDoubles(signatures: readonly RootSignature[]): readonly RootSignature[] {
  const byKey = new Map(signatures.map((one) => [`${one.institution} ${one.key}`, one]));
  return [...byKey.values()];
}
