/** A small data set in memory: identifiers of queries, requests of the N-services. Objects never come this way. */
import type { DataElement, DataSet } from '../src/ports.ts';

export type { DataElement, DataSet };
