/** Who votes on the blocks of an epoch, with which keys. */
import { bytesField, institutionIdField, listField, mapField, timeField } from '../fields.ts';
import { validatorsMax } from '../limits.ts';
import { counterField, recordFormat } from '../record-format.ts';

export interface EpochValidator {
  readonly id: string;
  /** Ed25519, 32 bytes: the key of this epoch's votes, whatever the institution's record says meanwhile. */
  readonly voting: Uint8Array;
  /** P-256, uncompressed, 65 bytes: signs the handover at the epoch's end. */
  readonly identity: Uint8Array;
}

export interface EpochRecord {
  readonly number: number;
  /** Height of its first block: one more than that of the block that closed the epoch before. */
  readonly startHeight: number;
  /** Time of the block before its first, UTC milliseconds. */
  readonly startTime: number;
  /** In the order of their index in votes and certificates. */
  readonly validators: readonly EpochValidator[];
}

export const epochRecord = recordFormat<EpochRecord>(
  (record) => ({ ...record, validators: record.validators.map((validator) => ({ ...validator })) }),
  (value) => {
    const map = mapField(value, 'epoch', ['number', 'startHeight', 'startTime', 'validators']);
    return {
      number: counterField(map.number, 'number'),
      startHeight: counterField(map.startHeight, 'startHeight'),
      startTime: timeField(map.startTime, 'startTime'),
      validators: listField(map.validators, 'validators', 1, validatorsMax).map((item, index) => {
        const path = `validators[${index}]`;
        const validator = mapField(item, path, ['id', 'voting', 'identity']);
        return {
          id: institutionIdField(validator.id, `${path}.id`),
          voting: bytesField(validator.voting, `${path}.voting`, 32),
          identity: bytesField(validator.identity, `${path}.identity`, 65),
        };
      }),
    };
  },
);
