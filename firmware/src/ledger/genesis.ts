/** The genesis document: name, time, validators, institutions, parameters, vendor. Its digest is the chain's identity. */
import { toHex, utf8 } from '../encoding/bytes.ts';
import { encodeCanonical, type CborValue } from '../encoding/canonical-cbor.ts';
import { hash } from '../encoding/hash.ts';
import { AppError } from '../errors.ts';
import {
  booleanField,
  decodeStrictly,
  institutionIdField,
  listField,
  mapField,
  ShapeError,
  textField,
  timeField,
} from './fields.ts';
import {
  genesisJsonBytesMax,
  institutionNameCharactersMax,
  institutionsMax,
  validatorsMax,
  genesisItemsMax,
} from './limits.ts';
import { keysMessage } from './consortium/certified-keys.ts';
import { exclusiveKeys } from './consortium/key-holders.ts';
import type { VerifyIdentity } from './consortium/identity-signature.ts';
import { keyQuorumValue, readKeyQuorum } from './consortium/key-quorum.ts';
import { parametersValue, readParameters } from './consortium/parameters.ts';
import { noChain, possesses } from './consortium/possession.ts';
import { isPrimeOrderKey } from './public-keys.ts';
import { institutionValue, readInstitution } from './consortium/institution-record.ts';
import { fromJson, toJson } from './json-form.ts';
import { initialState } from './initial-state.ts';
import type { DecodeRefusal } from './refusals.ts';
import type { BlockContext, ChainId, Genesis, LedgerState } from './types.ts';

export interface GenesisVerifiers {
  /** Ed25519. */
  readonly verify: BlockContext['verify'];
  readonly verifyIdentity: VerifyIdentity;
}

function genesisValue(genesis: Genesis): CborValue {
  return {
    name: genesis.name,
    time: genesis.time,
    validators: genesis.validators,
    institutions: genesis.institutions.map(institutionValue),
    parameters: parametersValue(genesis.parameters),
    vendor: keyQuorumValue(genesis.vendor),
    development: genesis.development,
  };
}

/** Canonical CBOR of the genesis document. */
export function encodeGenesis(genesis: Genesis): Uint8Array {
  return encodeCanonical(genesisValue(genesis));
}

/** H("genesis", canonical CBOR). 32 bytes. */
export function chainId(genesis: Genesis): ChainId {
  return hash('genesis', encodeGenesis(genesis));
}

/** The ledger's state at block 0. */
export function genesisState(genesis: Genesis): LedgerState {
  return initialState(chainId(genesis), genesis);
}

function assertDistinct(path: string, values: readonly string[]): void {
  const seen = new Set<string>();
  for (const value of values) {
    if (seen.has(value)) throw new ShapeError(`${path}: ${value} stands there twice`);
    seen.add(value);
  }
}

function readGenesis(value: CborValue): Genesis {
  const map = mapField(value, 'document', [
    'name',
    'time',
    'validators',
    'institutions',
    'parameters',
    'vendor',
    'development',
  ]);
  const genesis: Genesis = {
    name: textField(map.name, 'name', institutionNameCharactersMax),
    time: timeField(map.time, 'time'),
    validators: listField(map.validators, 'validators', 1, validatorsMax).map((id, index) =>
      institutionIdField(id, `validators[${index}]`),
    ),
    institutions: listField(map.institutions, 'institutions', 1, institutionsMax).map((institution, index) =>
      readInstitution(institution, `institutions[${index}]`),
    ),
    parameters: readParameters(map.parameters, 'parameters'),
    vendor: readKeyQuorum(map.vendor, 'vendor'),
    development: booleanField(map.development, 'development'),
  };
  const ids = genesis.institutions.map((institution) => institution.id);
  assertDistinct('institutions', ids);
  assertDistinct('validators', genesis.validators);
  for (const id of genesis.validators) {
    if (!ids.includes(id)) throw new ShapeError(`validators: ${id} is no institution of the document`);
  }
  return genesis;
}

const extent = { bytesMax: genesisJsonBytesMax, itemsMax: genesisItemsMax };

/**
 * Strict reading of the document's canonical CBOR, for a light client that knows its digest. Whether the keys are
 * certified, `parseGenesis` says.
 */
export function decodeGenesis(
  bytes: Uint8Array,
): { readonly kind: 'genesis'; readonly genesis: Genesis } | DecodeRefusal {
  const decoded = decodeStrictly(bytes, extent, readGenesis);
  return decoded.kind === 'refused' ? decoded : { kind: 'genesis', genesis: decoded.value };
}

/** Keys and TPMs serve one institution, keys one purpose; keys are safe curve points, its own, certified beyond genesis. */
function checkKeys(genesis: Genesis, { verify, verifyIdentity }: GenesisVerifiers): void {
  assertDistinct(
    'institutions: key',
    genesis.institutions.flatMap(({ keys }) => exclusiveKeys(keys)),
  );
  // Here, unlike on the ledger, a TPM that stands there twice keeps nobody out: people put it right before they sign.
  assertDistinct(
    'institutions: TPM',
    genesis.institutions.flatMap(({ keys }) => Object.values(keys.device).map(toHex)),
  );
  if (!genesis.vendor.keys.every(isPrimeOrderKey))
    throw new ShapeError('vendor: a key is no safe Ed25519 key');
  for (const { id, keys, account, root } of genesis.institutions) {
    for (const [name, key] of Object.entries({
      voting: keys.voting,
      transaction: keys.transaction,
      transport: keys.transport,
      'account.spend': account.spend,
    })) {
      if (!isPrimeOrderKey(key)) throw new ShapeError(`institution ${id}: ${name} is no safe Ed25519 key`);
    }
    if (!root.keys.every(isPrimeOrderKey))
      throw new ShapeError(`institution ${id}: root has a key that is no safe Ed25519 key`);
    if (keys.expiry <= genesis.time)
      throw new ShapeError(`institution ${id}: keys expire before the genesis time`);
    if (!possesses(noChain, id, keys, undefined, verify)) {
      throw new ShapeError(`institution ${id}: one of its keys did not sign that it belongs to it`);
    }
    if (!verifyIdentity(keys.identity, keysMessage(id, keys), keys.certificate)) {
      throw new ShapeError(`institution ${id}: its identity key did not certify these keys`);
    }
  }
}

/**
 * Reads the genesis document from its JSON text: bytes as lower-case hexadecimal, no unknown fields.
 * @throws AppError GENESIS_INVALID naming the field or institution.
 */
export function parseGenesis(json: string, verifiers: GenesisVerifiers): Genesis {
  if (utf8(json).length > genesisJsonBytesMax) {
    throw new AppError(
      'GENESIS_INVALID',
      `The genesis document is longer than ${genesisJsonBytesMax} bytes.`,
    );
  }
  let document: unknown;
  try {
    document = JSON.parse(json);
  } catch (cause) {
    throw new AppError('GENESIS_INVALID', 'The genesis document is not JSON.', { cause });
  }
  try {
    const genesis = readGenesis(fromJson(document));
    checkKeys(genesis, verifiers);
    return genesis;
  } catch (cause) {
    if (!(cause instanceof ShapeError)) throw cause;
    throw new AppError('GENESIS_INVALID', `The genesis document is wrong: ${cause.message}.`, { cause });
  }
}

/** The JSON text that `parseGenesis` reads. */
export function formatGenesis(genesis: Genesis): string {
  return `${JSON.stringify(toJson(genesisValue(genesis)), null, 2)}\n`;
}
