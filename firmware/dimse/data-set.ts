/** Small data sets in memory: identifiers of queries, requests of the N-services. Objects never come this way. */
import type { DataElement, DataSet } from '../src/ports.ts';

export type { DataElement, DataSet };
export { decodeDataSet, decodeLongDataSet, type DecodedDataSet } from './data-set-decode.ts';
export { encodeDataSet, encodeLongDataSet } from './data-set-encode.ts';
