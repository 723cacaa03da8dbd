/** A list of institutions' ids: the members, the validators of the next epoch. */
import { institutionIdField, listField } from '../fields.ts';
import { institutionsMax } from '../limits.ts';
import { recordFormat } from '../record-format.ts';

export const idListRecord = recordFormat<readonly string[]>(
  (ids) => ids,
  (value) =>
    listField(value, 'ids', 1, institutionsMax).map((id, index) => institutionIdField(id, `ids[${index}]`)),
);
