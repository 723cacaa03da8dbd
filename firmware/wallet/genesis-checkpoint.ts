/** What a light client starts from: the genesis document that the ticket's hash names, and so who may finalise blocks. */
import { decodeCanonical, encodeCanonical, type CborValue } from '../src/encoding/canonical-cbor.ts';
import { equalBytes } from '../src/encoding/bytes.ts';
import { hash } from '../src/encoding/hash.ts';
import { institutionRecord } from '../src/ledger/index.ts';
import type { Institution } from '../src/ledger/types.ts';
import { genesisBytesMax } from './limits.ts';

export interface GenesisCheckpoint {
  readonly chain: Uint8Array;
  /** The document as it was checked: canonical CBOR. */
  readonly bytes: Uint8Array;
  readonly institutions: readonly Institution[];
  /** Voting keys in the order of the validator list. */
  readonly votingKeys: readonly Uint8Array[];
}

/** The checkpoint, or undefined if the bytes are not the genesis document with this digest. */
export function openGenesis(bytes: Uint8Array, chain: Uint8Array): GenesisCheckpoint | undefined {
  if (bytes.length > genesisBytesMax || !equalBytes(hash('genesis', bytes), chain)) return undefined;
  const institutions = new Map<string, Institution>();
  const document = asMap(decodeGenesis(bytes));
  const { institutions: list, validators } = document ?? {};
  if (!Array.isArray(list) || !Array.isArray(validators)) return undefined;
  for (const value of list as readonly CborValue[]) {
    const institution = institutionRecord.decode(encodeCanonical(value));
    if (institution.kind === 'refused') return undefined;
    institutions.set(institution.value.id, institution.value);
  }
  const votingKeys: Uint8Array[] = [];
  for (const id of validators as readonly CborValue[]) {
    const institution = typeof id === 'string' ? institutions.get(id) : undefined;
    if (institution === undefined) return undefined;
    votingKeys.push(institution.keys.voting);
  }
  return { chain, bytes, institutions: [...institutions.values()], votingKeys };
}

function decodeGenesis(bytes: Uint8Array): CborValue {
  try {
    return decodeCanonical(bytes);
  } catch (cause) {
    if (cause instanceof RangeError) return null;
    throw cause;
  }
}

function asMap(value: CborValue): { readonly [key: string]: CborValue } | undefined {
  if (value === null || typeof value !== 'object' || Array.isArray(value) || value instanceof Uint8Array)
    return undefined;
  return value as { readonly [key: string]: CborValue };
}
