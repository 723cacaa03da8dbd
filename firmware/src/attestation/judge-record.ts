/** Whether the institution's record names this very device, and the device's identity key the institution's keys. */
import { equalBytes } from '../encoding/bytes.ts';
import { encodeCanonical } from '../encoding/canonical-cbor.ts';
import { keysMessage, verifyIdentitySignature } from '../ledger/index.ts';
import { institutionValue, readInstitution } from '../ledger/consortium/institution-record.ts';
import { decodeStrictly } from '../ledger/fields.ts';
import type { Institution } from '../ledger/types.ts';
import type { Expectation } from './expectation.ts';
import type { ClaimedDevice } from './judge-claim.ts';
import { recordBytesMax, recordItemsMax } from './limits.ts';
import { failed, passed, type Check } from './verdict.ts';

/** An institution's record as evidence carries it: canonical CBOR, as in the genesis document. */
export function encodeRecord(record: Institution): Uint8Array {
  return encodeCanonical(institutionValue(record));
}

/** Undefined for bytes that are no record. */
export function decodeRecord(bytes: Uint8Array): Institution | undefined {
  const extent = { bytesMax: recordBytesMax, itemsMax: recordItemsMax };
  const decoded = decodeStrictly(bytes, extent, (value) => readInstitution(value, 'record'));
  return decoded.kind === 'decoded' ? decoded.value : undefined;
}

/** Who can sign for the institution: a box may be reached elsewhere since, or have another name. */
function encodeHolder(institution: Institution): Uint8Array {
  const { id = null, keys = null, account = null, root = null } = institutionValue(institution);
  return encodeCanonical({ id, keys, account, root });
}

function checkRecord(record: Institution, { candidate, record: known, proposed }: Expectation): Check {
  if (record.id !== candidate) return failed('record', 'The record is of another institution.');
  if (known === undefined)
    return passed('record', 'The record is of this institution; the ledger has none to hold it against.');
  if (proposed)
    return equalBytes(encodeRecord(record), encodeRecord(known))
      ? passed('record', 'The record is word for word the one that was proposed.')
      : failed('record', 'The record that was proposed is not the one that this box handed in.');
  return equalBytes(encodeHolder(record), encodeHolder(known))
    ? passed(
        'record',
        'The record has the keys, the account and the offline root that are known of this institution.',
      )
    : failed(
        'record',
        'The record has other keys, another account or another offline root than are known of this institution.',
      );
}

function checkDevice(
  { keys }: Institution,
  { names, identityKey, endorsementKeyDigest }: ClaimedDevice,
  { candidate, provenTpms }: Expectation,
): Check {
  const named =
    equalBytes(keys.device.attestationKey, names.attestationKey) &&
    equalBytes(keys.device.endorsement, names.endorsement) &&
    equalBytes(keys.identity, identityKey.point);
  if (!named)
    return failed('device', 'The record names another TPM, another attestation key or another identity key.');
  const other = provenTpms.find(
    ({ institution, device, endorsementKey }) =>
      institution !== candidate &&
      (equalBytes(device.attestationKey, names.attestationKey) ||
        equalBytes(device.endorsement, names.endorsement) ||
        (endorsementKey !== undefined && equalBytes(endorsementKey, endorsementKeyDigest))),
  );
  return other === undefined
    ? passed('device', 'The record names this TPM, this attestation key and this identity key.')
    : failed('device', `This TPM stands for ${other.institution} already: one box is no two members.`);
}

function checkKeys({ id, keys }: Institution, now: number): Check {
  if (!verifyIdentitySignature(keys.identity, keysMessage(id, keys), keys.certificate))
    return failed('keys', 'The identity key did not certify the voting, transaction and transport keys.');
  return keys.expiry > now
    ? passed('keys', 'The identity key certifies the voting, transaction and transport keys.')
    : failed('keys', 'The certificate of the voting, transaction and transport keys has expired.');
}

export function judgeRecord(
  bytes: Uint8Array,
  device: ClaimedDevice,
  expectation: Expectation,
): readonly Check[] {
  const record = decodeRecord(bytes);
  if (record === undefined) return [failed('record', 'There is no record of an institution.')];
  return [
    checkRecord(record, expectation),
    checkDevice(record, device, expectation),
    checkKeys(record, expectation.now),
  ];
}
