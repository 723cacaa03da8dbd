/** institution.replace: the offline root of an institution gives it the keys of a new box, without a vote. */
import { equalBytes } from '../../encoding/bytes.ts';
import { institutionIdField, integerField } from '../fields.ts';
import { counterMax, readBody, type TransactionType } from '../transaction-type.ts';
import type { BodyBase } from '../types.ts';
import { keysRefusal, newKeysWork } from './certified-keys.ts';
import {
  readAccount,
  readEndpoints,
  readKeys,
  type CertifiedKeys,
  type Institution,
} from './institution-record.ts';
import { readKeyQuorum, signedByQuorum, signersField, type KeyQuorum } from './key-quorum.ts';
import { withMember } from './members.ts';

export interface InstitutionReplace extends BodyBase {
  readonly type: 'institution.replace';
  readonly institution: string;
  /** Of its record after it: exactly one more than before. */
  readonly version: number;
  /** Which root keys sign, by their index, ascending. */
  readonly signers: readonly number[];
  /** The new box's, with its own identity key. The voting key holds from the next epoch on, the others at once. */
  readonly keys: CertifiedKeys;
  readonly account: Institution['account'];
  readonly endpoints: Institution['endpoints'];
  /** The root from now on: the same, or another. */
  readonly root: KeyQuorum;
}

/** Signed by so many root keys as the record's root asks for, in the order of `signers`. */
export const institutionReplace: TransactionType<InstitutionReplace> = {
  read(value) {
    const { map, base } = readBody(value, 'institution.replace', [
      'institution',
      'version',
      'signers',
      'keys',
      'account',
      'endpoints',
      'root',
    ]);
    return {
      ...base,
      institution: institutionIdField(map.institution, 'institution'),
      version: integerField(map.version, 'version', 2, counterMax),
      signers: signersField(map.signers, 'signers'),
      keys: readKeys(map.keys, 'keys'),
      account: readAccount(map.account, 'account'),
      endpoints: readEndpoints(map.endpoints, 'endpoints'),
      root: readKeyQuorum(map.root, 'root'),
    };
  },
  signers: ({ signers }) => signers.length,
  work: ({ root }) => newKeysWork(root),
  apply(state, body, context) {
    const member = state.institution(body.institution);
    if (member === undefined) return 'unknown-institution';
    if (body.version <= member.version) return 'version-stale';
    if (body.version > member.version + 1) return 'version-gap';
    if (!signedByQuorum(member.root, body.signers, context)) return 'bad-signature';
    const { version, keys, account, endpoints, root } = body;
    const isSameBox = equalBytes(keys.identity, member.keys.identity);
    const deviceSince = isSameBox ? member.deviceSince : context.time;
    const replaced = { ...member, version, deviceSince, keys, account, endpoints, root };
    return keysRefusal(state, replaced, context, member.keys) ?? withMember(state, replaced);
  },
};
