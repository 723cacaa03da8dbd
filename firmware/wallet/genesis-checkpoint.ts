/** What a light client starts from: the genesis document that the ticket's hash names, and so who may finalise blocks. */
import { equalBytes } from '../src/encoding/bytes.ts';
import { hash } from '../src/encoding/hash.ts';
import { decodeGenesis } from '../src/ledger/index.ts';
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
  const decoded = decodeGenesis(bytes);
  if (decoded.kind === 'refused') return undefined;
  const { institutions, validators } = decoded.genesis;
  const votingKeys: Uint8Array[] = [];
  for (const id of validators) {
    const institution = institutions.find((candidate) => candidate.id === id);
    if (institution === undefined) return undefined;
    votingKeys.push(institution.keys.voting);
  }
  return { chain, bytes, institutions, votingKeys };
}
