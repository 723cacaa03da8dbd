/** Keys of which so many must sign together: the vendor's release keys, an institution's offline root. */
import { toHex } from '../../encoding/bytes.ts';
import type { CborValue } from '../../encoding/canonical-cbor.ts';
import { bytesField, integerField, listField, mapField, ShapeError } from '../fields.ts';
import { quorumKeysMax } from '../limits.ts';
import { recordFormat } from '../record-format.ts';
import type { RuleContext } from '../rule.ts';

export interface KeyQuorum {
  /** Ed25519, 32 bytes each, all different. None: nobody can sign. */
  readonly keys: readonly Uint8Array[];
  /** From 1 to the number of keys; 0 where there are none. */
  readonly threshold: number;
}

export const nobody: KeyQuorum = { keys: [], threshold: 0 };

export function keyQuorumValue({ keys, threshold }: KeyQuorum): CborValue {
  return { keys, threshold };
}

/** @throws ShapeError */
export function readKeyQuorum(value: CborValue, path: string): KeyQuorum {
  const map = mapField(value, path, ['keys', 'threshold']);
  const keys = listField(map.keys, `${path}.keys`, 0, quorumKeysMax).map((key, index) =>
    bytesField(key, `${path}.keys[${index}]`, 32),
  );
  if (new Set(keys.map(toHex)).size !== keys.length)
    throw new ShapeError(`${path}.keys: one stands there twice`);
  const threshold = integerField(map.threshold, `${path}.threshold`, Math.min(1, keys.length), keys.length);
  return { keys, threshold };
}

export const keyQuorumRecord = recordFormat<KeyQuorum>(keyQuorumValue, (value) =>
  readKeyQuorum(value, 'key quorum'),
);

/** Indices of the keys that signed, ascending, in the order of the signatures. @throws ShapeError */
export function signersField(value: CborValue, path: string): readonly number[] {
  let last = -1;
  return listField(value, path, 1, quorumKeysMax).map((item, place) => {
    const index = integerField(item, `${path}[${place}]`, last + 1, quorumKeysMax - 1);
    last = index;
    return index;
  });
}

/** True if these keys of the quorum, enough of them, signed the transaction. */
export function signedByQuorum(
  quorum: KeyQuorum,
  signers: readonly number[],
  { signedBy }: Pick<RuleContext, 'signedBy'>,
): boolean {
  // A quorum of nobody has the threshold 0: nothing may be signed by it.
  if (quorum.threshold === 0 || signers.length < quorum.threshold) return false;
  const keys = signers.map((index) => quorum.keys[index]).filter((key) => key !== undefined);
  return keys.length === signers.length && signedBy(...keys);
}
