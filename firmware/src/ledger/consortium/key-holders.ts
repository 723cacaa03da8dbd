/**
 * Whose a key is: a record for each key that one institution alone may have, so that judging new keys costs the same
 * however many members there are.
 */
import { equalBytes, toHex } from '../../encoding/bytes.ts';
import { institutionIdField, mapField } from '../fields.ts';
import { recordFormat } from '../record-format.ts';
import { stateKeys } from '../state-keys.ts';
import type { LedgerSnapshot } from '../state.ts';
import type { CertifiedKeys } from './institution-record.ts';

/** Under `key-holder/<key>`. */
export interface KeyHolder {
  readonly institution: string;
}

export const keyHolderRecord = recordFormat<KeyHolder>(
  (record) => ({ ...record }),
  (value) => ({
    institution: institutionIdField(
      mapField(value, 'key holder', ['institution']).institution,
      'institution',
    ),
  }),
);

/**
 * What one institution alone may have: the keys that it has proved to hold, the identity key by its certificate. Its TPM
 * is none of them: nobody can prove to the ledger which one he has, so whoever named another's first would keep it from
 * ever having its own. Two members of one TPM are told by attestation (attestation/judge-record.ts).
 */
export function exclusiveKeys({
  voting,
  transaction,
  transport,
  identity,
}: CertifiedKeys): readonly string[] {
  return [voting, transaction, transport, identity].map(toHex);
}

/** So many records are read, and so many are deleted and made, where an institution changes all that it has alone. */
export const exclusiveKeysCount = 4;

/** The state in which the institution has these alone, and no more those that it had before. */
export function withKeysOf(
  state: LedgerSnapshot,
  institution: string,
  keys: CertifiedKeys,
  before?: CertifiedKeys,
): LedgerSnapshot {
  const own = exclusiveKeys(keys);
  const had = before === undefined ? [] : exclusiveKeys(before);
  let after = state;
  for (const key of had) if (!own.includes(key)) after = after.delete(stateKeys.keyHolder(key));
  for (const key of own) {
    if (!had.includes(key)) after = after.put(keyHolderRecord, stateKeys.keyHolder(key), { institution });
  }
  return after;
}

/** The state in which nobody has these. */
export function withoutKeysOf(state: LedgerSnapshot, keys: CertifiedKeys): LedgerSnapshot {
  return exclusiveKeys(keys).reduce((rest, key) => rest.delete(stateKeys.keyHolder(key)), state);
}

/** True if another member has one of these, or the epoch that is being voted in knows it as another's voting key. */
export function areTaken(state: LedgerSnapshot, institution: string, keys: CertifiedKeys): boolean {
  const isOfOther = (key: string): boolean => {
    const holder = state.get(keyHolderRecord, stateKeys.keyHolder(key));
    return holder !== undefined && holder.institution !== institution;
  };
  if (exclusiveKeys(keys).some(isOfOther)) return true;
  const signing = [keys.voting, keys.transaction, keys.transport];
  return state
    .epoch()
    .validators.some(
      ({ id, voting }) => id !== institution && signing.some((key) => equalBytes(key, voting)),
    );
}
