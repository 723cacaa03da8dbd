/** institution.update: a member renews its keys, or says where it is reached now. */
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
import { withMember } from './members.ts';

export interface InstitutionUpdate extends BodyBase {
  readonly type: 'institution.update';
  readonly institution: string;
  /** Of its record after it: exactly one more than before. */
  readonly version: number;
  /** Transaction and transport key hold at once, the voting key from the next epoch on. The identity key stays. */
  readonly keys: CertifiedKeys;
  /** As it is: nothing proves that the institution holds its keys, and releases are proved by it. */
  readonly account: Institution['account'];
  readonly endpoints: Institution['endpoints'];
}

function isSameAccount(a: Institution['account'], b: Institution['account']): boolean {
  return equalBytes(a.spend, b.spend) && equalBytes(a.view, b.view);
}

/**
 * Signed by the transaction key that the record has now, even if its certificate has run out: the same identity key, in the
 * same TPM, certifies the new ones, and a forgotten date must not lock a hospital out.
 */
export const institutionUpdate: TransactionType<InstitutionUpdate> = {
  read(value) {
    const { map, base } = readBody(value, 'institution.update', [
      'institution',
      'version',
      'keys',
      'account',
      'endpoints',
    ]);
    return {
      ...base,
      institution: institutionIdField(map.institution, 'institution'),
      version: integerField(map.version, 'version', 2, counterMax),
      keys: readKeys(map.keys, 'keys'),
      account: readAccount(map.account, 'account'),
      endpoints: readEndpoints(map.endpoints, 'endpoints'),
    };
  },
  signers: () => 1,
  work: () => newKeysWork(),
  apply(state, body, context) {
    const member = state.institution(body.institution);
    if (member === undefined) return 'unknown-institution';
    if (body.version <= member.version) return 'version-stale';
    if (body.version > member.version + 1) return 'version-gap';
    if (!equalBytes(body.keys.identity, member.keys.identity)) return 'wrong-identity';
    if (!isSameAccount(body.account, member.account)) return 'wrong-account';
    if (!context.signedBy(member.keys.transaction)) return 'bad-signature';
    const { version, keys, account, endpoints } = body;
    const updated = { ...member, version, keys, account, endpoints };
    return keysRefusal(state, updated, context, member.keys) ?? withMember(state, updated);
  },
};
