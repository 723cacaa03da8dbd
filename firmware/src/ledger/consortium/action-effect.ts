/** What a passed proposal does, and why it cannot. */
import { equalBytes } from '../../encoding/bytes.ts';
import type { ExtraWork } from '../block-work.ts';
import { institutionsMax, seatsMax, validatorsMax } from '../limits.ts';
import { isPrimeOrderKey } from '../public-keys.ts';
import type { RuleReason } from '../refusals.ts';
import type { Outcome, RuleContext } from '../rule.ts';
import { releasesRecord } from '../releases/release-record.ts';
import { stateKeys } from '../state-keys.ts';
import type { LedgerSnapshot } from '../state.ts';
import type { ProposalAction } from './action.ts';
import { keysRefusal, newKeysWork } from './certified-keys.ts';
import { idListRecord } from './id-list-record.ts';
import type { Institution } from './institution-record.ts';
import { keyQuorumRecord, type KeyQuorum } from './key-quorum.ts';
import { admitted, removed } from './members.ts';
import { parametersRecord } from './parameters.ts';

type ActionContext = Pick<RuleContext, 'time' | 'verify'>;
type ValidatorsAction = Extract<ProposalAction, { readonly kind: 'validators' }>;

function admissionRefusal(
  state: LedgerSnapshot,
  institution: Institution,
  validates: boolean,
  context: ActionContext,
): RuleReason | undefined {
  if (state.institution(institution.id) !== undefined) return 'institution-exists';
  const { ids, seatsGiven } = state.members();
  if (ids.length >= institutionsMax || seatsGiven >= seatsMax) return 'too-many-institutions';
  const refusal = keysRefusal(state, institution, context);
  if (refusal !== undefined) return refusal;
  // With the key of then, anybody could bring again what it signed before it was removed, and what was taken back with it.
  const before = state.departed(institution.id);
  if (before !== undefined && equalBytes(before.keys.transaction, institution.keys.transaction))
    return 'key-in-use';
  return validates && state.nextValidators().length >= validatorsMax ? 'too-many-validators' : undefined;
}

function admit(
  state: LedgerSnapshot,
  institution: Institution,
  validates: boolean,
  time: number,
): LedgerSnapshot {
  const member = admitted(state, institution, time);
  if (!validates) return member;
  return member.put(idListRecord, stateKeys.nextValidators, [...state.nextValidators(), institution.id]);
}

function removalRefusal(state: LedgerSnapshot, id: string): RuleReason | undefined {
  if (state.institution(id) === undefined) return 'unknown-institution';
  // A consortium without members, or an epoch without validators, would never make a block again.
  if (state.members().ids.length === 1) return 'last-institution';
  if (state.nextValidators().every((validator) => validator === id)) return 'last-validator';
  return undefined;
}

function validatorsRefusal(state: LedgerSnapshot, { add, remove }: ValidatorsAction): RuleReason | undefined {
  const before = state.nextValidators();
  if (add.some((id) => state.institution(id) === undefined)) return 'unknown-institution';
  if (add.some((id) => before.includes(id))) return 'already-a-validator';
  if (remove.some((id) => !before.includes(id))) return 'not-a-validator';
  const count = before.length - remove.length + add.length;
  if (count === 0) return 'last-validator';
  return count > validatorsMax ? 'too-many-validators' : undefined;
}

/** Those who stay keep their order; the new ones follow. */
function changeValidators(state: LedgerSnapshot, { add, remove }: ValidatorsAction): LedgerSnapshot {
  const staying = state.nextValidators().filter((id) => !remove.includes(id));
  return state.put(idListRecord, stateKeys.nextValidators, [...staying, ...add]);
}

/**
 * Releases that are gone are forgotten when all keys are others: nobody can bring them again, and whoever stole the keys
 * of before and published the highest of versions shall not stop the releases of the next vendor.
 */
function changeVendor(state: LedgerSnapshot, vendor: KeyQuorum): LedgerSnapshot {
  const changed = state.put(keyQuorumRecord, stateKeys.vendor, vendor);
  // Of a time without a vendor, what is gone is still that of the vendor before.
  if (vendor.keys.length === 0) return changed;
  const releases = state.releaseList();
  const isSame = vendor.keys.some((key) => releases.vendorKeys.some((old) => equalBytes(old, key)));
  const isAnother = releases.vendorKeys.length > 0 && !isSame;
  return changed.put(releasesRecord, stateKeys.releases, {
    ...releases,
    dropped: isAnother ? null : releases.dropped,
    vendorKeys: vendor.keys,
  });
}

/** What judging the action costs. */
export function actionWork(action: ProposalAction): ExtraWork {
  switch (action.kind) {
    case 'admit': {
      const keys = newKeysWork(action.institution.root);
      return { ...keys, records: keys.records + 4 };
    }
    case 'vendor':
      return { keys: action.vendor.keys.length, records: 2 };
    case 'remove':
    case 'validators':
    case 'parameters':
      return { records: 2 };
  }
}

/** Why the action cannot be done: asked when it is proposed, and again when it has passed. */
export function actionRefusal(
  state: LedgerSnapshot,
  action: ProposalAction,
  context: ActionContext,
): RuleReason | undefined {
  switch (action.kind) {
    case 'admit':
      return admissionRefusal(state, action.institution, action.validator, context);
    case 'remove':
      return removalRefusal(state, action.id);
    case 'validators':
      return validatorsRefusal(state, action);
    case 'parameters':
      return undefined;
    case 'vendor':
      return action.vendor.keys.every(isPrimeOrderKey) ? undefined : 'bad-key';
  }
}

/** The state after the action, or why it cannot be done. */
export function actionEffect(state: LedgerSnapshot, action: ProposalAction, context: ActionContext): Outcome {
  const refusal = actionRefusal(state, action, context);
  if (refusal !== undefined) return refusal;
  switch (action.kind) {
    case 'admit':
      return admit(state, action.institution, action.validator, context.time);
    case 'remove':
      return removed(state, action.id, context.time);
    case 'validators':
      return changeValidators(state, action);
    case 'parameters':
      return state.put(parametersRecord, stateKeys.nextParameters, action.parameters);
    case 'vendor':
      return changeVendor(state, action.vendor);
  }
}
