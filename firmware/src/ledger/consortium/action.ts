/** What institutions propose and vote on. */
import type { CborValue } from '../../encoding/canonical-cbor.ts';
import { booleanField, institutionIdField, listField, mapField, ShapeError } from '../fields.ts';
import { validatorsMax } from '../limits.ts';
import { institutionValue, readInstitution, type Institution } from './institution-record.ts';
import { keyQuorumValue, readKeyQuorum, type KeyQuorum } from './key-quorum.ts';
import { readParameters, type Parameters } from './parameters.ts';

export type ProposalAction =
  /** At once a member; from the next epoch on a validator, if it says so. */
  | { readonly kind: 'admit'; readonly institution: Institution; readonly validator: boolean }
  /** At once no member; the epoch that has begun goes on with its validators. */
  | { readonly kind: 'remove'; readonly id: string }
  /** From the next epoch on. */
  | { readonly kind: 'validators'; readonly add: readonly string[]; readonly remove: readonly string[] }
  /** From the next epoch on, all of them anew. */
  | { readonly kind: 'parameters'; readonly parameters: Parameters }
  /** At once: other keys that sign releases. */
  | { readonly kind: 'vendor'; readonly vendor: KeyQuorum };

export function actionValue(action: ProposalAction): CborValue {
  switch (action.kind) {
    case 'admit':
      return { ...action, institution: institutionValue(action.institution) };
    case 'parameters':
      return { ...action, parameters: { ...action.parameters } };
    case 'vendor':
      return { ...action, vendor: keyQuorumValue(action.vendor) };
    case 'remove':
    case 'validators':
      return { ...action };
  }
}

function idsField(value: CborValue, path: string): readonly string[] {
  const ids = listField(value, path, 0, validatorsMax).map((id, index) =>
    institutionIdField(id, `${path}[${index}]`),
  );
  if (new Set(ids).size < ids.length) throw new ShapeError(`${path}: one stands there twice`);
  return ids;
}

function readValidators(value: CborValue, path: string): ProposalAction {
  const map = mapField(value, path, ['kind', 'add', 'remove']);
  const add = idsField(map.add, `${path}.add`);
  const remove = idsField(map.remove, `${path}.remove`);
  if (add.length + remove.length === 0) throw new ShapeError(`${path}: a change expected`);
  if (add.some((id) => remove.includes(id))) throw new ShapeError(`${path}: one is added and removed`);
  return { kind: 'validators', add, remove };
}

function readAdmission(value: CborValue, path: string): ProposalAction {
  const map = mapField(value, path, ['kind', 'institution', 'validator']);
  return {
    kind: 'admit',
    institution: readInstitution(map.institution, `${path}.institution`),
    validator: booleanField(map.validator, `${path}.validator`),
  };
}

type Reader = (value: CborValue, path: string) => ProposalAction;

const readers: { readonly [Kind in ProposalAction['kind']]: Reader } = {
  admit: readAdmission,
  remove: (value, path) => {
    const { id } = mapField(value, path, ['kind', 'id']);
    return { kind: 'remove', id: institutionIdField(id, `${path}.id`) };
  },
  validators: readValidators,
  parameters: (value, path) => {
    const { parameters } = mapField(value, path, ['kind', 'parameters']);
    return { kind: 'parameters', parameters: readParameters(parameters, `${path}.parameters`) };
  },
  vendor: (value, path) => {
    const { vendor } = mapField(value, path, ['kind', 'vendor']);
    return { kind: 'vendor', vendor: readKeyQuorum(vendor, `${path}.vendor`) };
  },
};

function isKind(value: unknown): value is ProposalAction['kind'] {
  return typeof value === 'string' && Object.hasOwn(readers, value);
}

/** @throws ShapeError */
export function readAction(value: CborValue, path: string): ProposalAction {
  if (typeof value !== 'object' || value === null) throw new ShapeError(`${path}: map expected`);
  const { kind } = value as { readonly kind?: CborValue };
  if (!isKind(kind)) throw new ShapeError(`${path}.kind: unknown`);
  return readers[kind](value, path);
}
