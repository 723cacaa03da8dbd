/** format.signal: a validator's box says that it has the rules of a newer format. */
import { institutionIdField, integerField } from '../fields.ts';
import { formatNumberMax, validatorsMax } from '../limits.ts';
import { signingInstitution } from '../rule.ts';
import { stateKeys } from '../state-keys.ts';
import { readBody, type TransactionType } from '../transaction-type.ts';
import type { BodyBase } from '../types.ts';
import { formatsRecord } from './formats-record.ts';
import { newestFormat, withActivation } from './formats.ts';

export interface FormatSignal extends BodyBase {
  readonly type: 'format.signal';
  readonly institution: string;
  /** It has the rules of this format and of all before. */
  readonly format: number;
}

/** Signed by the institution, a validator of this epoch: with a quorum of them the format's height is set. */
export const formatSignal: TransactionType<FormatSignal> = {
  read(value) {
    const { map, base } = readBody(value, 'format.signal', ['institution', 'format']);
    return {
      ...base,
      institution: institutionIdField(map.institution, 'institution'),
      format: integerField(map.format, 'format', 2, formatNumberMax),
    };
  },
  signers: () => 1,
  // The list of all validators' signals is read and written.
  work: () => ({ entries: validatorsMax }),
  apply(state, body, context) {
    const institution = signingInstitution(state, body.institution, context.time);
    if (typeof institution === 'string') return institution;
    const validators = state.validators();
    if (!validators.includes(institution.id)) return 'not-a-validator';
    const formats = state.formats();
    if (body.format <= newestFormat(formats)) return 'format-stale';
    const before = formats.signals.find((signal) => signal.institution === institution.id);
    if (before !== undefined && body.format <= before.format) return 'already-signalled';
    if (!context.signedBy(institution.keys.transaction)) return 'bad-signature';
    const signals = [
      ...formats.signals.filter((signal) => signal !== before),
      { institution: institution.id, format: body.format },
    ];
    const height = context.height + state.parameters().activationBlocks;
    const after = withActivation({ ...formats, signals }, validators, height);
    return state.put(formatsRecord, stateKeys.formats, after);
  },
};

export const formatTransactions = { 'format.signal': formatSignal } as const;
