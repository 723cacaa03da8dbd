/** The ledger's state: decoded records over the state tree, as immutable snapshots. */
import { grantRecord } from './access/grant-record.ts';
import { openRecord } from './access/open-record.ts';
import { institutionRecord } from './consortium/institution-record.ts';
import { validatorsRecord } from './consortium/validators-record.ts';
import type { RecordFormat } from './record-format.ts';
import { institutionKeyPrefix, stateKeys } from './state-keys.ts';
import { StateTree } from './state-tree.ts';
import { studyRecord } from './studies/study-record.ts';
import { toStudyId } from './ids.ts';
import type {
  ChainId,
  Genesis,
  GrantId,
  GrantRecord,
  Institution,
  LedgerState,
  OpenRecord,
  StateChange,
  StateProof,
  StudyId,
  StudyRecord,
} from './types.ts';

/** The consortium as the state holds it: read once, since institutions and validators seldom change. */
interface Members {
  readonly institutions: ReadonlyMap<string, Institution>;
  readonly validators: readonly string[];
}

/**
 * What is in the state was written by these formats, under a root that was checked: bytes that do not decode are a
 * bug or damaged memory, so this throws a plain Error.
 */
function decodeOwn<T>(format: RecordFormat<T>, key: string, bytes: Uint8Array): T {
  const decoded = format.decode(bytes);
  if (decoded.kind === 'refused')
    throw new Error(`state ${key} is damaged: ${decoded.reason}, ${decoded.detail}`);
  return decoded.value;
}

export class LedgerSnapshot implements LedgerState {
  readonly chain: ChainId;
  readonly #tree: StateTree;
  readonly #members: Members;

  constructor(chain: ChainId, tree: StateTree, members: Members) {
    this.chain = chain;
    this.#tree = tree;
    this.#members = members;
  }

  get root(): Uint8Array {
    return this.#tree.root;
  }

  institution(id: string): Institution | undefined {
    return this.#members.institutions.get(id);
  }

  institutions(): readonly Institution[] {
    return [...this.#members.institutions.values()];
  }

  validators(): readonly string[] {
    return this.#members.validators;
  }

  study(id: StudyId): StudyRecord | undefined {
    return this.get(studyRecord, stateKeys.study(id));
  }

  grant(id: GrantId): GrantRecord | undefined {
    return this.get(grantRecord, stateKeys.grant(id));
  }

  grantStands(id: GrantId): boolean {
    const grant = this.grant(id);
    if (grant === undefined || this.has(stateKeys.revoked(id))) return false;
    const study = this.study(toStudyId(grant.studyId));
    return study !== undefined && grant.seq > study.revokedUpTo && grant.ownerEpoch === study.ownerEpoch;
  }

  open(studyId: StudyId, number: number): OpenRecord | undefined {
    return this.get(openRecord, stateKeys.open(studyId, number));
  }

  prove(key: string): StateProof {
    return this.#tree.prove(key);
  }

  /** All entries, in the order of their key hashes: what `stateFromEntries` takes. */
  entries(): Iterable<readonly [key: string, value: Uint8Array]> {
    return this.#tree.entries();
  }

  changesTo(after: LedgerSnapshot): StateChange[] {
    return this.#tree.changesTo(after.#tree);
  }

  /** The record under the key, if there is one. */
  get<T>(format: RecordFormat<T>, key: string): T | undefined {
    const bytes = this.#tree.get(key);
    return bytes === undefined ? undefined : decodeOwn(format, key, bytes);
  }

  has(key: string): boolean {
    return this.#tree.get(key) !== undefined;
  }

  /** The state with this record under the key. */
  put<T>(format: RecordFormat<T>, key: string, record: T): LedgerSnapshot {
    return new LedgerSnapshot(this.chain, this.#tree.put(key, format.encode(record)), this.#members);
  }
}

/** The snapshot behind the interface. States are made in this room alone, so any other is a programmer's error. */
export function asSnapshot(state: LedgerState): LedgerSnapshot {
  if (!(state instanceof LedgerSnapshot)) throw new TypeError('not a state of this ledger');
  return state;
}

/** State of block 0: the institutions and validators of the genesis document. */
export function initialState(chain: ChainId, genesis: Genesis): LedgerState {
  let tree = StateTree.empty.put(stateKeys.validators, validatorsRecord.encode(genesis.validators));
  for (const institution of genesis.institutions) {
    tree = tree.put(stateKeys.institution(institution.id), institutionRecord.encode(institution));
  }
  return snapshotOf(chain, tree);
}

/**
 * The state that holds exactly these entries, in any order. Its root says whether they are right: compare it with a
 * finalised header before use. @throws Error if a member's entry does not decode.
 */
export function stateFromEntries(
  chain: ChainId,
  entries: Iterable<readonly [key: string, value: Uint8Array]>,
): LedgerState {
  let tree = StateTree.empty;
  for (const [key, value] of entries) tree = tree.put(key, value);
  return snapshotOf(chain, tree);
}

function snapshotOf(chain: ChainId, tree: StateTree): LedgerSnapshot {
  const institutions: Institution[] = [];
  for (const [key, value] of tree.entries()) {
    if (key.startsWith(institutionKeyPrefix)) institutions.push(decodeOwn(institutionRecord, key, value));
  }
  institutions.sort((a, b) => (a.id < b.id ? -1 : 1));
  const validators = tree.get(stateKeys.validators);
  if (validators === undefined) throw new Error('state has no validators');
  return new LedgerSnapshot(chain, tree, {
    institutions: new Map(institutions.map((institution) => [institution.id, institution])),
    validators: decodeOwn(validatorsRecord, stateKeys.validators, validators),
  });
}

/** Changed keys with their new values, in the order of their key hashes: what a store must write after a block. */
export function stateChanges(before: LedgerState, after: LedgerState): StateChange[] {
  return asSnapshot(before).changesTo(asSnapshot(after));
}

/** All entries of a state, in the order of their key hashes. */
export function stateEntries(state: LedgerState): Iterable<readonly [key: string, value: Uint8Array]> {
  return asSnapshot(state).entries();
}
