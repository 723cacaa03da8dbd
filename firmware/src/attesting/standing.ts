/** What this box knows of each member's TPM, kept so that a restart ends no suspension. */
import { decodeIfCanonical, isBytes, isCount, isList, isText, mapWith } from '../encoding/cbor-fields.ts';
import { encodeCanonical, type CborValue } from '../encoding/canonical-cbor.ts';
import { AppError } from '../errors.ts';
import type { ResetCount } from '../attestation/attest.ts';
import { checkNames, type Check } from '../attestation/verdict.ts';
import type { DeviceRecord } from '../ledger/consortium/institution-record.ts';
import { institutionIdCharactersMax } from '../ledger/limits.ts';
import type { InstitutionId, KeyValueStore } from '../ports.ts';

/** A device as it showed itself: what it is called on the ledger, and what else tells it from others. */
export interface ShownDevice extends DeviceRecord {
  /** P-256, uncompressed, 65 bytes. An institution's next box has another, whatever TPM its record names. */
  readonly identity: Uint8Array;
  /** As `Verdict` has it, 32 bytes. Another member's TPM has another, however its certificate is written. */
  readonly endorsementKey: Uint8Array;
}

export interface MemberStanding {
  readonly institution: InstitutionId;
  /**
   * `unknown`: not heard yet. `replaced`: by a box that was not heard yet. `silent`: not heard for long. All that is no
   * pass lasts until it attests.
   */
  readonly result: 'unknown' | 'replaced' | 'passed' | 'failed' | 'silent';
  /** Since when the result is this, UTC milliseconds. */
  readonly since: number;
  /** When it was last heard, UTC milliseconds: a verdict, whatever it was. When the watch began, if there was none. */
  readonly heardAt: number;
  /** When the first question was asked that brought no verdict, since the last that did, UTC milliseconds. */
  readonly silentSince: number | null;
  /** Questions in a row that brought no verdict, though it was connected or had wanted a release since the one before. */
  readonly refusals: number;
  /** Of the last verdict, check by check; empty if there was none. */
  readonly checks: readonly Check[];
  /** Its TPM is a simulator. */
  readonly development: boolean;
  /** The TPM that it showed when the last verdict passed; null if that failed, or there was none. */
  readonly device: ShownDevice | null;
  /** Of that TPM, as it attested last; null like `device`. */
  readonly resetCount: ResetCount | null;
}

const prefix = 'attestation/';
/** A finding is one sentence. */
const findingBytesMax = 512;
const results = ['unknown', 'replaced', 'passed', 'failed', 'silent'] as const;

function readCheck(value: CborValue): Check | undefined {
  const { name, passed, finding } = mapWith(value, ['name', 'passed', 'finding']) ?? {};
  const known = checkNames.find((each) => each === name);
  if (known === undefined || typeof passed !== 'boolean' || !isText(finding, findingBytesMax))
    return undefined;
  return { name: known, passed, finding };
}

const deviceKeys = ['attestationKey', 'endorsement', 'identity', 'endorsementKey'] as const;

/** Undefined for what is neither a device nor null. */
function readDevice(value: CborValue | undefined): ShownDevice | null | undefined {
  if (value === null) return null;
  const { attestationKey, endorsement, identity, endorsementKey } = mapWith(value, deviceKeys) ?? {};
  if (!isBytes(attestationKey, 34) || !isBytes(endorsement, 32)) return undefined;
  if (!isBytes(identity, 65) || !isBytes(endorsementKey, 32)) return undefined;
  return { attestationKey, endorsement, identity, endorsementKey };
}

/** Undefined for what is neither a count nor null. */
function readResetCount(value: CborValue | undefined): ResetCount | null | undefined {
  if (value === null) return null;
  const { resets, resumes } = mapWith(value, ['resets', 'resumes']) ?? {};
  return isCount(resets, 0xffff_ffff) && isCount(resumes, 0xffff_ffff) ? { resets, resumes } : undefined;
}

const keys = [
  'institution',
  'result',
  'since',
  'heardAt',
  'silentSince',
  'refusals',
  'checks',
  'development',
  'device',
  'resetCount',
] as const;

function readStanding(bytes: Uint8Array): MemberStanding | undefined {
  const map = mapWith(decodeIfCanonical(bytes), keys) ?? {};
  const { institution, since, heardAt, silentSince, refusals, development } = map;
  const result = results.find((each) => each === map['result']);
  const read = isList(map['checks']) ? map['checks'].map(readCheck) : [undefined];
  const checks = read.filter((check) => check !== undefined);
  if (!isText(institution, institutionIdCharactersMax) || result === undefined || checks.length < read.length)
    return undefined;
  if (!isCount(since, Number.MAX_SAFE_INTEGER) || !isCount(heardAt, Number.MAX_SAFE_INTEGER))
    return undefined;
  if (silentSince !== null && !isCount(silentSince, Number.MAX_SAFE_INTEGER)) return undefined;
  if (typeof development !== 'boolean' || !isCount(refusals, Number.MAX_SAFE_INTEGER)) return undefined;
  const device = readDevice(map['device']);
  const resetCount = readResetCount(map['resetCount']);
  if (device === undefined || resetCount === undefined) return undefined;
  return {
    institution,
    result,
    since,
    heardAt,
    silentSince,
    refusals,
    checks,
    development,
    device,
    resetCount,
  };
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
    const device = standing.device && { ...standing.device };
    const resetCount = standing.resetCount && { ...standing.resetCount };
    const value = encodeCanonical({ ...standing, checks, device, resetCount });
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
