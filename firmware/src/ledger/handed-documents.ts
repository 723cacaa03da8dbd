/** What institutions hand each other outside the ledger, as JSON text: their records, and the parameters they propose. */
import { utf8 } from '../encoding/bytes.ts';
import type { CborValue } from '../encoding/canonical-cbor.ts';
import { institutionValue, readInstitution, type Institution } from './consortium/institution-record.ts';
import { parametersValue, readParameters, type Parameters } from './consortium/parameters.ts';
import { ShapeError } from './fields.ts';
import { fromJson, toJson } from './json-form.ts';
import { handedDocumentBytesMax } from './limits.ts';

/** What a person handed in is not what it should be: the field that is wrong, in words. A refusal, no fault of the box. */
export interface DocumentRefused {
  readonly kind: 'refused';
  readonly reason: string;
}

/** A record as `hilum enrol` writes it: one entry of a genesis document, and what a proposal to admit it holds. */
export function formatInstitution(institution: Institution): string {
  return `${JSON.stringify(toJson(institutionValue(institution)), null, 2)}\n`;
}

/** Whether its keys are certified and free, the ledger says. */
export function parseInstitution(
  json: string,
): { readonly kind: 'read'; readonly institution: Institution } | DocumentRefused {
  const read = parse(json, (value) => readInstitution(value, 'institution'));
  return 'refused' in read
    ? { kind: 'refused', reason: read.refused }
    : { kind: 'read', institution: read.value };
}

/** For a form: names and values as they stand in the genesis document. */
export function formatParameters(parameters: Parameters): string {
  return JSON.stringify(toJson(parametersValue(parameters)));
}

/** All of them, as `formatParameters` writes them. */
export function parseParameters(
  json: string,
): { readonly kind: 'read'; readonly parameters: Parameters } | DocumentRefused {
  const read = parse(json, (value) => readParameters(value, 'parameters'));
  return 'refused' in read
    ? { kind: 'refused', reason: read.refused }
    : { kind: 'read', parameters: read.value };
}

function parse<T>(
  json: string,
  read: (value: CborValue) => T,
): { readonly value: T } | { readonly refused: string } {
  if (utf8(json).length > handedDocumentBytesMax) {
    return { refused: `longer than ${handedDocumentBytesMax} bytes` };
  }
  let document: unknown;
  try {
    document = JSON.parse(json);
  } catch (cause) {
    if (cause instanceof SyntaxError) return { refused: 'not JSON' };
    throw cause;
  }
  try {
    return { value: read(fromJson(document)) };
  } catch (cause) {
    if (cause instanceof ShapeError) return { refused: cause.message };
    throw cause;
  }
}
