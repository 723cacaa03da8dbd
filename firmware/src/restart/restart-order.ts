/**
 * With what a consortium goes on of whose boxes more than f have forgotten how they voted (docs/formats.md, "Restart
 * order"; docs/adr/0038-a-quorum-of-offline-roots-orders-a-restart.md): from where, and from which view on what the
 * boxes said before counts no more. Signed by the offline roots of n−f validators, where no ledger can decide.
 */
import { validatorsMax } from '../consensus/limits.ts';
import { concatBytes } from '../encoding/bytes.ts';
import type { CborMap } from '../encoding/cbor-fields.ts';
import { isBytes, isCount, isList, isText, mapWith } from '../encoding/cbor-fields.ts';
import type { CborValue } from '../encoding/canonical-cbor.ts';
import { decodeCanonical, encodeCanonical } from '../encoding/canonical-cbor.ts';
import { domainPrefix } from '../encoding/hash.ts';
import { restartOrderBytesMax, restartOrderItemsMax } from './limits.ts';

/** A validator that has forgotten how it voted. */
export interface Abstaining {
  readonly institution: string;
  /**
   * The count of its TPM's starts at which its vote log was found to lack votes, as its box tells it. What it forgets
   * after that, this order does not know.
   */
  readonly start: number;
}

export interface RestartOrder {
  readonly chain: Uint8Array;
  /** In which the ledger stands still. */
  readonly epoch: number;
  /** Of the block to go on from: the newest that any box of the signers knows to be final, or notarized. */
  readonly height: number;
  readonly digest: Uint8Array;
  /** Of that block, as it is notarized or final in this epoch; 0 if it closed the epoch before. */
  readonly view: number;
  /** Between the block's view and this one, itself included, no view counts: votes begin in the one after it. */
  readonly floor: number;
  /** Ascending by institution: they vote again after the floor. */
  readonly abstaining: readonly Abstaining[];
}

export interface RootSignature {
  readonly institution: string;
  /** Index in the keys of its root. */
  readonly key: number;
  /** Ed25519 over `restartMessage`. */
  readonly signature: Uint8Array;
}

export interface SignedRestartOrder {
  readonly order: RestartOrder;
  /** Ascending by institution, then key. */
  readonly signatures: readonly RootSignature[];
}

const counterMax = Number.MAX_SAFE_INTEGER - 1;
const institutionIdBytesMax = 64;

/** What the offline roots sign: domainPrefix('restart') ‖ the order in canonical CBOR. */
export function restartMessage(order: RestartOrder): Uint8Array {
  return concatBytes(domainPrefix('restart'), encodeCanonical(orderToCbor(order)));
}

/** Canonical CBOR. Signatures are put in their order. */
export function encodeRestartOrder({ order, signatures }: SignedRestartOrder): Uint8Array {
  const inOrder = [...signatures].sort((a, b) => compare(a.institution, b.institution) || a.key - b.key);
  return encodeCanonical({
    order: orderToCbor(order),
    signatures: inOrder.map(({ institution, key, signature }) => [institution, key, signature]),
  });
}

/** @throws RangeError if the bytes are not the canonical form of an order. Whether it holds is for `verifyRestart`. */
export function decodeRestartOrder(bytes: Uint8Array): SignedRestartOrder {
  if (bytes.length > restartOrderBytesMax) throw new RangeError(`a restart order of ${bytes.length} bytes`);
  const map = mapWith(decodeCanonical(bytes, restartOrderItemsMax), ['order', 'signatures']);
  if (map === undefined) throw new RangeError('a restart order is an order with signatures');
  return { order: orderFromCbor(map['order']), signatures: readSignatures(map['signatures']) };
}

function orderToCbor({ chain, epoch, height, digest, view, floor, abstaining }: RestartOrder): CborValue {
  const forgetful = abstaining.map(({ institution, start }) => [institution, start]);
  return { chain, epoch, height, digest, view, floor, abstaining: forgetful };
}

function orderFromCbor(value: CborValue | undefined): RestartOrder {
  const map = mapWith(value, ['chain', 'epoch', 'height', 'digest', 'view', 'floor', 'abstaining']);
  if (map === undefined) throw new RangeError('an order has seven fields');
  const { abstaining } = map;
  if (!isList(abstaining) || abstaining.length === 0 || abstaining.length > validatorsMax)
    throw new RangeError('abstaining is no list of institutions');
  let last = '';
  return {
    chain: digestIn(map, 'chain'),
    epoch: counterIn(map, 'epoch'),
    height: counterIn(map, 'height'),
    digest: digestIn(map, 'digest'),
    view: counterIn(map, 'view'),
    floor: counterIn(map, 'floor'),
    abstaining: abstaining.map((item) => {
      const [institution, start, ...rest] = isList(item) ? item : [];
      if (!isText(institution, institutionIdBytesMax) || !isCount(start, counterMax) || rest.length > 0)
        throw new RangeError('who abstains is an institution with a count of starts');
      if (institution <= last) throw new RangeError('abstaining does not ascend');
      last = institution;
      return { institution, start };
    }),
  };
}

/** Ascending, so that none counts twice. */
function readSignatures(value: CborValue | undefined): RootSignature[] {
  if (!isList(value)) throw new RangeError('signatures are a list');
  let last: RootSignature | undefined;
  return value.map((item) => {
    const [institution, key, signature, ...rest] = isList(item) ? item : [];
    if (!isText(institution, institutionIdBytesMax) || !isCount(key, counterMax) || rest.length > 0)
      throw new RangeError('a signature names an institution and a key');
    if (!isBytes(signature, 64)) throw new RangeError('a signature is 64 bytes');
    const order = last === undefined ? 1 : compare(institution, last.institution) || key - last.key;
    if (order <= 0) throw new RangeError('signatures do not ascend');
    return (last = { institution, key, signature });
  });
}

function compare(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}

function digestIn(map: CborMap, name: string): Uint8Array {
  const value = map[name];
  if (!isBytes(value, 32)) throw new RangeError(`${name} is not 32 bytes`);
  return value;
}

function counterIn(map: CborMap, name: string): number {
  const value = map[name];
  if (!isCount(value, counterMax)) throw new RangeError(`${name} is no counter`);
  return value;
}
