/** A list of institutions' ids: the validators of the next epoch. */
import { institutionIdField, listField } from '../fields.ts';
import { validatorsMax } from '../limits.ts';
import { recordFormat } from '../record-format.ts';

export const idListRecord = recordFormat<readonly string[]>(
  (ids) => ids,
  (value) =>
    listField(value, 'ids', 1, validatorsMax).map((id, index) => institutionIdField(id, `ids[${index}]`)),
);
