/** Ids of the validating institutions, in the order of their index. */
import { institutionIdField, listField } from '../fields.ts';
import { genesisInstitutionsMax } from '../limits.ts';
import { recordFormat } from '../record-format.ts';

export const validatorsRecord = recordFormat<readonly string[]>(
  (validators) => validators,
  (value) =>
    listField(value, 'validators', 1, genesisInstitutionsMax).map((id, index) =>
      institutionIdField(id, `validators[${index}]`),
    ),
);
