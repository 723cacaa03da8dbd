/** An institution as it stands in the state and in the genesis document. */
import type { CborValue } from '../../encoding/canonical-cbor.ts';
import { bytesField, institutionIdField, mapField, textField, timeField } from '../fields.ts';
import { endpointCharactersMax, institutionNameCharactersMax } from '../limits.ts';
import { recordFormat } from '../record-format.ts';

export interface CertifiedKeys {
  /** Ed25519, 32 bytes each. */
  readonly voting: Uint8Array;
  readonly transaction: Uint8Array;
  readonly transport: Uint8Array;
  /** P-256 identity key, uncompressed, 65 bytes. */
  readonly identity: Uint8Array;
  /** Identity key's ECDSA signature (64 bytes, low s) over domain `keys`, institution id, the three keys and expiry. */
  readonly certificate: Uint8Array;
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
}

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

export const institutionRecord = recordFormat<Institution>(institutionValue, (value) =>
  readInstitution(value, 'institution'),
);
