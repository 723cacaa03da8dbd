/** That a validator voted for two things in one view: found by any box, checked by all. */
import { institutionIdField, integerField, listField, mapField, ShapeError, timeField } from '../fields.ts';
import { guiltyListedMax } from '../limits.ts';
import { counterField, recordFormat } from '../record-format.ts';
import type { CborValue } from '../../encoding/canonical-cbor.ts';

export const offences = ['conflicting-notarize', 'conflicting-finalize', 'nullify-and-finalize'] as const;
export type Offence = (typeof offences)[number];

/** Under `guilt/<epoch>/<institution>`: once for each epoch, however often it did it. */
export interface GuiltRecord {
  readonly offence: Offence;
  readonly view: number;
  readonly reporter: string;
  readonly at: number;
}

function offenceField(value: CborValue): Offence {
  const offence = offences.find((candidate) => candidate === value);
  if (offence === undefined) throw new ShapeError('offence: unknown');
  return offence;
}

export const guiltRecord = recordFormat<GuiltRecord>(
  (record) => ({ ...record }),
  (value) => {
    const map = mapField(value, 'guilt', ['offence', 'view', 'reporter', 'at']);
    return {
      offence: offenceField(map.offence),
      view: integerField(map.view, 'view', 1, Number.MAX_SAFE_INTEGER),
      reporter: institutionIdField(map.reporter, 'reporter'),
      at: timeField(map.at, 'at'),
    };
  },
);

/** Which records of guilt there are. */
export interface Guilty {
  readonly epoch: number;
  readonly institution: string;
}

/** The last ones, oldest first: what a console shows. Older ones stand under their keys only. */
export const guiltyRecord = recordFormat<readonly Guilty[]>(
  (list) => list.map((entry) => ({ ...entry })),
  (value) =>
    listField(value, 'guilty', 0, guiltyListedMax).map((item, index) => {
      const path = `guilty[${index}]`;
      const entry = mapField(item, path, ['epoch', 'institution']);
      return {
        epoch: counterField(entry.epoch, `${path}.epoch`),
        institution: institutionIdField(entry.institution, `${path}.institution`),
      };
    }),
);
