/** How what people hand each other stands in JSON: the same maps as in CBOR, with bytes as lower-case hexadecimal. */
import { fromHex, toHex } from '../encoding/bytes.ts';
import type { CborValue } from '../encoding/canonical-cbor.ts';
import { ShapeError } from './fields.ts';

/** Names of the document's fields that hold bytes; they stand as hexadecimal in its JSON. */
const byteFields = new Set([
  'voting',
  'transaction',
  'transport',
  'identity',
  'certificate',
  'spend',
  'view',
  'keys[]',
  'attestationKey',
  'endorsement',
  'endorsementRoots[]',
  'bootAuthorities[]',
]);

/** Document, institutions, institution, root, keys, key: deeper is no genesis document. */
const depthMax = 5;

/** From what JSON.parse gave. @throws ShapeError naming the field. */
export function fromJson(document: unknown): CborValue {
  return read(document, '', '', 0);
}

function read(value: unknown, path: string, name: string, depth: number): CborValue {
  if (depth > depthMax) throw new ShapeError(`${path}: nested too deep`);
  if (typeof value === 'string') {
    if (!byteFields.has(name)) return value;
    if (!/^([0-9a-f]{2})*$/.test(value)) throw new ShapeError(`${path}: lower-case hexadecimal expected`);
    return fromHex(value);
  }
  if (Array.isArray(value))
    return value.map((item, index) => read(item, `${path}[${index}]`, `${name}[]`, depth + 1));
  if (typeof value === 'object' && value !== null) {
    return Object.fromEntries(
      Object.entries(value).map(([key, item]) => [
        key,
        read(item, path === '' ? key : `${path}.${key}`, key, depth + 1),
      ]),
    );
  }
  if (typeof value === 'number' || typeof value === 'boolean' || value === null) return value;
  throw new ShapeError(`${path}: not JSON`);
}

/** What `fromJson` reads, for JSON.stringify. */
export function toJson(value: CborValue): unknown {
  if (value instanceof Uint8Array) return toHex(value);
  if (Array.isArray(value)) return (value as readonly CborValue[]).map(toJson);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, toJson(item)]));
}
