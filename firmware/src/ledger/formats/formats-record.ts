/** Which format of the ledger holds from which height on, and which validators can go further. */
import { institutionIdField, integerField, listField, mapField } from '../fields.ts';
import { formatNumberMax, validatorsMax } from '../limits.ts';
import { counterField, recordFormat } from '../record-format.ts';

export interface FormatsRecord {
  /** In ascending order of format. The first is format 1 from height 0 on. */
  readonly activations: readonly { readonly format: number; readonly height: number }[];
  /** The highest format for which each validator signalled. */
  readonly signals: readonly { readonly institution: string; readonly format: number }[];
}

export const formatsRecord = recordFormat<FormatsRecord>(
  ({ activations, signals }) => ({
    activations: activations.map((activation) => ({ ...activation })),
    signals: signals.map((signal) => ({ ...signal })),
  }),
  (value) => {
    const map = mapField(value, 'formats', ['activations', 'signals']);
    return {
      activations: listField(map.activations, 'activations', 1, formatNumberMax).map((item, index) => {
        const path = `activations[${index}]`;
        const entry = mapField(item, path, ['format', 'height']);
        return {
          format: integerField(entry.format, `${path}.format`, 1, formatNumberMax),
          height: counterField(entry.height, `${path}.height`),
        };
      }),
      // A validator that leaves at an epoch's end leaves the list there, so it never holds more than one epoch's.
      signals: listField(map.signals, 'signals', 0, validatorsMax).map((item, index) => {
        const path = `signals[${index}]`;
        const entry = mapField(item, path, ['institution', 'format']);
        return {
          institution: institutionIdField(entry.institution, `${path}.institution`),
          format: integerField(entry.format, `${path}.format`, 1, formatNumberMax),
        };
      }),
    };
  },
);
