/** What this box knows of each member's TPM, kept so that a restart ends no suspension. */
import { decodeIfCanonical, isCount, isList, isText, mapWith } from '../encoding/cbor-fields.ts';
import { encodeCanonical, type CborValue } from '../encoding/canonical-cbor.ts';
import { AppError } from '../errors.ts';
import { checkNames, type Check } from '../attestation/verdict.ts';
import { institutionIdCharactersMax } from '../ledger/limits.ts';
import type { InstitutionId, KeyValueStore } from '../ports.ts';

export interface MemberStanding {
  readonly institution: InstitutionId;
  /** `unknown`: not heard yet. `silent`: not heard for long. Both failure and silence last until it attests again. */
  readonly result: 'unknown' | 'passed' | 'failed' | 'silent';
  /** Since when the result is this, UTC milliseconds. */
  readonly since: number;
  /** When it was last heard, UTC milliseconds: a verdict, whatever it was. When the watch began, if there was none. */
  readonly heardAt: number;
  /** When the first question was asked that brought no verdict, since the last that did, UTC milliseconds. */
  readonly silentSince: number | null;
  /** Of the last verdict, check by check; empty if there was none. */
  readonly checks: readonly Check[];
  /** Its TPM is a simulator. */
  readonly development: boolean;
}

const prefix = 'attestation/';
/** A finding is one sentence. */
const findingBytesMax = 512;
const results = ['unknown', 'passed', 'failed', 'silent'] as const;

function readCheck(value: CborValue): Check | undefined {
  const { name, passed, finding } = mapWith(value, ['name', 'passed', 'finding']) ?? {};
  const known = checkNames.find((each) => each === name);
  if (known === undefined || typeof passed !== 'boolean' || !isText(finding, findingBytesMax))
    return undefined;
  return { name: known, passed, finding };
}

function readStanding(bytes: Uint8Array): MemberStanding | undefined {
  const keys = ['institution', 'result', 'since', 'heardAt', 'silentSince', 'checks', 'development'];
  const map = mapWith(decodeIfCanonical(bytes), keys) ?? {};
  const { institution, since, heardAt, silentSince, development } = map;
  const result = results.find((each) => each === map['result']);
  const read = isList(map['checks']) ? map['checks'].map(readCheck) : [undefined];
  const checks = read.filter((check) => check !== undefined);
  if (!isText(institution, institutionIdCharactersMax) || result === undefined || checks.length < read.length)
    return undefined;
  if (!isCount(since, Number.MAX_SAFE_INTEGER) || !isCount(heardAt, Number.MAX_SAFE_INTEGER))
    return undefined;
  if (silentSince !== null && !isCount(silentSince, Number.MAX_SAFE_INTEGER)) return undefined;
  if (typeof development !== 'boolean') return undefined;
  return { institution, result, since, heardAt, silentSince, checks, development };
}

export class Standings {
  readonly #store: KeyValueStore;
  readonly #standings = new Map<InstitutionId, MemberStanding>();

  constructor(store: KeyValueStore) {
    this.#store = store;
  }

  /** @throws AppError STORE_CORRUPT. */
  async load(): Promise<void> {
    for await (const [key, value] of this.#store.list(prefix)) {
      const standing = readStanding(value);
      if (standing === undefined)
        throw new AppError('STORE_CORRUPT', `The entry ${key} of the index is damaged.`);
      this.#standings.set(standing.institution, standing);
    }
  }

  all(): readonly MemberStanding[] {
    return [...this.#standings.values()];
  }

  get(institution: InstitutionId): MemberStanding | undefined {
    return this.#standings.get(institution);
  }

  /** Holds at once; on disk when it resolves. @throws AppError STORE_FAILED. */
  async keep(standing: MemberStanding): Promise<void> {
    const checks = standing.checks.map((check) => ({ ...check }));
    const value = encodeCanonical({ ...standing, checks });
    // A failing disk is no reason to release to whom failed.
    this.#standings.set(standing.institution, standing);
    await this.#store.write([{ put: prefix + standing.institution, value }]);
  }

  /** It is no member any more. @throws AppError STORE_FAILED. */
  async forget(institution: InstitutionId): Promise<void> {
    await this.#store.write([{ delete: prefix + institution }]);
    this.#standings.delete(institution);
  }
}
