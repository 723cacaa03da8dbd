/** Reading small data sets (PS3.18 F.2 by tag): what a service needs of a request, or that it is not there. */
import type { DataElement, DataSet } from './data-set.ts';

/** The first value of an element as text; undefined if the element is absent, empty or a sequence. */
export function textOf(dataSet: DataSet | undefined, tag: string): string | undefined {
  const value = dataSet?.[tag]?.values[0];
  return typeof value === 'string' && value !== '' ? value : undefined;
}

/** The items of a sequence; none if it is absent, empty or no sequence. */
export function itemsOf(dataSet: DataSet | undefined, tag: string): readonly DataSet[] {
  return (dataSet?.[tag]?.values ?? []).filter((value) => typeof value !== 'string');
}

export function text(vr: string, ...values: readonly string[]): DataElement {
  return { vr, values };
}

export function sequence(items: readonly DataSet[]): DataElement {
  return { vr: 'SQ', values: items };
}
