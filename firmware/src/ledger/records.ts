/** Records of the state as bytes: canonical CBOR, read strictly (docs/formats.md, "State"). */
import { encodeCanonical, type CborValue } from '../encoding/canonical-cbor.ts';
import {
  booleanField,
  bytesField,
  decodeStrictly,
  institutionIdField,
  integerField,
  listField,
  mapField,
  textField,
  timeField,
} from './fields.ts';
import {
  endpointCharactersMax,
  genesisInstitutionsMax,
  institutionNameCharactersMax,
  stateValueBytesMax,
} from './limits.ts';
import type { DecodeRefusal } from './refusals.ts';
import type {
  GrantRecord,
  Institution,
  OpenNumberRecord,
  OpenRecord,
  RevocationRecord,
  StudyRecord,
} from './types.ts';

/** How one kind of record is written and read. */
export interface RecordFormat<T> {
  encode(record: T): Uint8Array;
  decode(bytes: Uint8Array): { readonly kind: 'decoded'; readonly value: T } | DecodeRefusal;
}

function format<T>(write: (record: T) => CborValue, read: (value: CborValue) => T): RecordFormat<T> {
  return {
    encode: (record) => encodeCanonical(write(record)),
    decode: (bytes) => decodeStrictly(bytes, stateValueBytesMax, read),
  };
}

const counterMax = Number.MAX_SAFE_INTEGER;

function counter(value: CborValue, path: string): number {
  return integerField(value, path, 0, counterMax);
}

export const studyRecord = format<StudyRecord>(
  (record) => ({ ...record }),
  (value) => {
    const map = mapField(value, 'study', [
      'source',
      'ownerKey',
      'ownerEpoch',
      'ephemeral',
      'batchIndex',
      'tag',
      'commitment',
      'noteHash',
      'version',
      'closed',
      'registeredAt',
      'amendedAt',
      'grantSeq',
      'revokedUpTo',
      'opens',
    ]);
    return {
      source: institutionIdField(map.source, 'source'),
      ownerKey: bytesField(map.ownerKey, 'ownerKey', 32),
      ownerEpoch: counter(map.ownerEpoch, 'ownerEpoch'),
      ephemeral: bytesField(map.ephemeral, 'ephemeral', 32),
      batchIndex: counter(map.batchIndex, 'batchIndex'),
      tag: integerField(map.tag, 'tag', 0, 255),
      commitment: bytesField(map.commitment, 'commitment', 32),
      noteHash: bytesField(map.noteHash, 'noteHash', 32),
      version: integerField(map.version, 'version', 1, counterMax),
      closed: booleanField(map.closed, 'closed'),
      registeredAt: timeField(map.registeredAt, 'registeredAt'),
      amendedAt: timeField(map.amendedAt, 'amendedAt'),
      grantSeq: counter(map.grantSeq, 'grantSeq'),
      revokedUpTo: counter(map.revokedUpTo, 'revokedUpTo'),
      opens: counter(map.opens, 'opens'),
    };
  },
);

export const grantRecord = format<GrantRecord>(
  (record) => ({ ...record }),
  (value) => {
    const map = mapField(value, 'grant', [
      'studyId',
      'ownerEpoch',
      'seq',
      'granteeKey',
      'notBefore',
      'expiry',
      'maxOpens',
      'amendments',
      'head',
      'opens',
      'grantedAt',
    ]);
    return {
      studyId: bytesField(map.studyId, 'studyId', 32),
      ownerEpoch: counter(map.ownerEpoch, 'ownerEpoch'),
      seq: counter(map.seq, 'seq'),
      granteeKey: bytesField(map.granteeKey, 'granteeKey', 32),
      notBefore: timeField(map.notBefore, 'notBefore'),
      expiry: timeField(map.expiry, 'expiry'),
      maxOpens: counter(map.maxOpens, 'maxOpens'),
      amendments: booleanField(map.amendments, 'amendments'),
      head: bytesField(map.head, 'head', 32),
      opens: counter(map.opens, 'opens'),
      grantedAt: timeField(map.grantedAt, 'grantedAt'),
    };
  },
);

function readClosing(value: CborValue): NonNullable<OpenRecord['closed']> {
  const map = mapField(value, 'closed', ['digest', 'sizeBucket', 'at']);
  return {
    digest: bytesField(map.digest, 'closed.digest', 32),
    sizeBucket: integerField(map.sizeBucket, 'closed.sizeBucket', 0, 63),
    at: timeField(map.at, 'closed.at'),
  };
}

export const openRecord = format<OpenRecord>(
  (record) => ({ ...record }),
  (value) => {
    const map = mapField(value, 'open', ['openId', 'grantId', 'openNo', 'head', 'openedAt', 'closed']);
    return {
      openId: bytesField(map.openId, 'openId', 32),
      grantId: bytesField(map.grantId, 'grantId', 32),
      openNo: integerField(map.openNo, 'openNo', 1, counterMax),
      head: bytesField(map.head, 'head', 32),
      openedAt: timeField(map.openedAt, 'openedAt'),
      closed: map.closed === null ? null : readClosing(map.closed),
    };
  },
);

export const revocationRecord = format<RevocationRecord>(
  (record) => ({ ...record }),
  (value) => {
    const map = mapField(value, 'revocation', ['studyId', 'revokedAt']);
    return {
      studyId: bytesField(map.studyId, 'studyId', 32),
      revokedAt: timeField(map.revokedAt, 'revokedAt'),
    };
  },
);

export const openNumberRecord = format<OpenNumberRecord>(
  (record) => ({ ...record }),
  (value) => {
    const map = mapField(value, 'open number', ['studyId', 'number']);
    return {
      studyId: bytesField(map.studyId, 'studyId', 32),
      number: integerField(map.number, 'number', 1, counterMax),
    };
  },
);

export const validatorsRecord = format<readonly string[]>(
  (validators) => validators,
  (value) =>
    listField(value, 'validators', 1, genesisInstitutionsMax).map((id, index) =>
      institutionIdField(id, `validators[${index}]`),
    ),
);

/** An institution as a CBOR value: in the state and in the genesis document. */
export function institutionValue(institution: Institution): CborValue {
  const { id, name, keys, account, endpoints } = institution;
  return { id, name, keys: { ...keys }, account: { ...account }, endpoints: { ...endpoints } };
}

/** @throws ShapeError */
export function readInstitution(value: CborValue, path: string): Institution {
  const map = mapField(value, path, ['id', 'name', 'keys', 'account', 'endpoints']);
  const keys = mapField(map.keys, `${path}.keys`, [
    'voting',
    'transaction',
    'transport',
    'identity',
    'certificate',
    'expiry',
  ]);
  const account = mapField(map.account, `${path}.account`, ['spend', 'view']);
  const endpoints = mapField(map.endpoints, `${path}.endpoints`, ['p2p', 'plane', 'https']);
  return {
    id: institutionIdField(map.id, `${path}.id`),
    name: textField(map.name, `${path}.name`, institutionNameCharactersMax),
    keys: {
      voting: bytesField(keys.voting, `${path}.keys.voting`, 32),
      transaction: bytesField(keys.transaction, `${path}.keys.transaction`, 32),
      transport: bytesField(keys.transport, `${path}.keys.transport`, 32),
      identity: bytesField(keys.identity, `${path}.keys.identity`, 65),
      certificate: bytesField(keys.certificate, `${path}.keys.certificate`, 64),
      expiry: timeField(keys.expiry, `${path}.keys.expiry`),
    },
    account: {
      spend: bytesField(account.spend, `${path}.account.spend`, 32),
      view: bytesField(account.view, `${path}.account.view`, 32),
    },
    endpoints: {
      p2p: textField(endpoints.p2p, `${path}.endpoints.p2p`, endpointCharactersMax),
      plane: textField(endpoints.plane, `${path}.endpoints.plane`, endpointCharactersMax),
      https: textField(endpoints.https, `${path}.endpoints.https`, endpointCharactersMax),
    },
  };
}

export const institutionRecord = format<Institution>(institutionValue, (value) =>
  readInstitution(value, 'institution'),
);
