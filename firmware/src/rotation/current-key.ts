/** Of the keys that a box holds for one purpose, the one that the ledger names: it changes when a rotation is final. */
import { equalBytes } from '../encoding/bytes.ts';
import type { HeldKeys, InstitutionId, Ledger, Signer } from '../ports.ts';

export type RotatedPurpose = 'transaction' | 'transport';

export const rotatedPurposes: readonly RotatedPurpose[] = ['transaction', 'transport'];

export interface CurrentKeyOptions<Key extends Signer> {
  readonly held: HeldKeys<Key>;
  readonly purpose: RotatedPurpose;
  readonly self: InstitutionId;
  /** Started before a key is asked for. */
  readonly ledger: Pick<Ledger, 'state'>;
}

/**
 * The named key; where the ledger names none that this box holds (it is not admitted yet, or another box of the
 * institution is), the newest: with that it enrolled.
 */
export function currentKey<Key extends Signer>({ held, purpose, self, ledger }: CurrentKeyOptions<Key>): Key {
  const named = ledger.state().institution(self)?.keys[purpose];
  const key = (named && held.signer(named)) ?? held.signer(held.held().at(-1) ?? new Uint8Array());
  if (key === undefined) throw new Error(`the box holds no ${purpose} key`);
  return key;
}

/** All that the box holds, the current one first. */
export function currentFirst<Key extends Signer>(options: CurrentKeyOptions<Key>): readonly Key[] {
  const current = currentKey(options);
  const { held } = options;
  const others = held.held().filter((key) => !equalBytes(key, current.publicKey));
  return [current, ...others.map((key) => held.signer(key)).filter((key) => key !== undefined)];
}

/** Signs with whichever key is current at that moment. */
export function currentSigner(options: CurrentKeyOptions<Signer>): Signer {
  return {
    get publicKey() {
      return currentKey(options).publicKey;
    },
    sign: (message) => currentKey(options).sign(message),
  };
}
