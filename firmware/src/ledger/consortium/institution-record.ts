/** An institution as it stands in the state and in the genesis document. */
import type { CborMap } from '../../encoding/cbor-fields.ts';
import type { CborValue } from '../../encoding/canonical-cbor.ts';
import { bytesField, institutionIdField, integerField, mapField, textField, timeField } from '../fields.ts';
import { endpointCharactersMax, institutionNameCharactersMax } from '../limits.ts';
import { recordFormat } from '../record-format.ts';
import { keyQuorumValue, readKeyQuorum, type KeyQuorum } from './key-quorum.ts';
import { keyPurposes, type KeyPossession, type KeyPurpose } from './possession.ts';

/** Which TPM holds the identity key: others hold it against what the box attests to. */
export interface DeviceRecord {
  /** SHA-256 Name of the attestation key, 34 bytes (TPM 2.0 part 1, section 16). */
  readonly attestationKey: Uint8Array;
  /** SHA-256 of the endorsement key's certificate, 32 bytes. */
  readonly endorsement: Uint8Array;
}

export interface CertifiedKeys {
  /** Ed25519, 32 bytes each. */
  readonly voting: Uint8Array;
  readonly transaction: Uint8Array;
  readonly transport: Uint8Array;
  /** P-256 identity key, uncompressed, 65 bytes. */
  readonly identity: Uint8Array;
  readonly device: DeviceRecord;
  /** Identity key's ECDSA signature (64 bytes, low s) over `keysMessage`: id, the three keys, device and expiry. */
  readonly certificate: Uint8Array;
  /** By each of the three keys: that it belongs to this institution (possession.ts). */
  readonly possession: KeyPossession;
  /** UTC milliseconds. */
  readonly expiry: number;
}

export interface Institution {
  /** Lower-case letters, digits and dashes, at most 32: stable, public. */
  readonly id: string;
  readonly name: string;
  readonly keys: CertifiedKeys;
  /** Account of the institution, to which grants are addressed: S (Ed25519 point) and V (X25519), 32 bytes each. */
  readonly account: { readonly spend: Uint8Array; readonly view: Uint8Array };
  readonly endpoints: {
    /** libp2p multiaddr without the peer id, e.g. /ip4/127.0.0.1/tcp/4001. */
    readonly p2p: string;
    /** Host and port of the TLS plane, e.g. 127.0.0.1:4002. */
    readonly plane: string;
    /** Origin of the console and wallet service, e.g. https://127.0.0.1:4003. */
    readonly https: string;
  };
  /** Offline keys that replace the keys of a dead box without a vote. */
  readonly root: KeyQuorum;
}

/** A member as the state holds it. */
export interface InstitutionRecord extends Institution {
  /** 1 when it is admitted, and one more with each update: none is applied twice. */
  readonly version: number;
  /** Block time since which the ledger names this identity key and so this device, UTC milliseconds. */
  readonly deviceSince: number;
}

/** An institution as a CBOR value: in the genesis document and in proposals to admit one. */
export function institutionValue(institution: Institution): CborMap {
  const { id, name, keys, account, endpoints, root } = institution;
  return {
    id,
    name,
    keys: { ...keys, device: { ...keys.device }, possession: { ...keys.possession } },
    account: { ...account },
    endpoints: { ...endpoints },
    root: keyQuorumValue(root),
  };
}

function readDevice(value: CborValue, path: string): DeviceRecord {
  const device = mapField(value, path, ['attestationKey', 'endorsement']);
  return {
    attestationKey: bytesField(device.attestationKey, `${path}.attestationKey`, 34),
    endorsement: bytesField(device.endorsement, `${path}.endorsement`, 32),
  };
}

/** @throws ShapeError */
export function readKeys(value: CborValue, path: string): CertifiedKeys {
  const keys = mapField(value, path, [
    'voting',
    'transaction',
    'transport',
    'identity',
    'device',
    'certificate',
    'possession',
    'expiry',
  ]);
  const possession = mapField(keys.possession, `${path}.possession`, keyPurposes);
  const proof = (purpose: KeyPurpose): Uint8Array =>
    bytesField(possession[purpose], `${path}.possession.${purpose}`, 64);
  return {
    voting: bytesField(keys.voting, `${path}.voting`, 32),
    transaction: bytesField(keys.transaction, `${path}.transaction`, 32),
    transport: bytesField(keys.transport, `${path}.transport`, 32),
    identity: bytesField(keys.identity, `${path}.identity`, 65),
    device: readDevice(keys.device, `${path}.device`),
    certificate: bytesField(keys.certificate, `${path}.certificate`, 64),
    possession: {
      voting: proof('voting'),
      transaction: proof('transaction'),
      transport: proof('transport'),
    },
    expiry: timeField(keys.expiry, `${path}.expiry`),
  };
}

/** @throws ShapeError */
export function readAccount(value: CborValue, path: string): Institution['account'] {
  const account = mapField(value, path, ['spend', 'view']);
  return {
    spend: bytesField(account.spend, `${path}.spend`, 32),
    view: bytesField(account.view, `${path}.view`, 32),
  };
}

/** @throws ShapeError */
export function readEndpoints(value: CborValue, path: string): Institution['endpoints'] {
  const endpoints = mapField(value, path, ['p2p', 'plane', 'https']);
  return {
    p2p: textField(endpoints.p2p, `${path}.p2p`, endpointCharactersMax),
    plane: textField(endpoints.plane, `${path}.plane`, endpointCharactersMax),
    https: textField(endpoints.https, `${path}.https`, endpointCharactersMax),
  };
}

const fieldNames = ['id', 'name', 'keys', 'account', 'endpoints', 'root'] as const;

function readFields(
  map: Readonly<Record<(typeof fieldNames)[number], CborValue>>,
  path: string,
): Institution {
  return {
    id: institutionIdField(map.id, `${path}.id`),
    name: textField(map.name, `${path}.name`, institutionNameCharactersMax),
    keys: readKeys(map.keys, `${path}.keys`),
    account: readAccount(map.account, `${path}.account`),
    endpoints: readEndpoints(map.endpoints, `${path}.endpoints`),
    root: readKeyQuorum(map.root, `${path}.root`),
  };
}

/** @throws ShapeError */
export function readInstitution(value: CborValue, path: string): Institution {
  return readFields(mapField(value, path, fieldNames), path);
}

export const institutionRecord = recordFormat<InstitutionRecord>(
  (record) => ({
    ...institutionValue(record),
    version: record.version,
    deviceSince: record.deviceSince,
  }),
  (value) => {
    const map = mapField(value, 'institution', [...fieldNames, 'version', 'deviceSince']);
    return {
      ...readFields(map, 'institution'),
      version: integerField(map.version, 'version', 1, Number.MAX_SAFE_INTEGER),
      deviceSince: timeField(map.deviceSince, 'deviceSince'),
    };
  },
);
