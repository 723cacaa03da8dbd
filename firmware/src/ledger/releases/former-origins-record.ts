/**
 * Boot authorities and releases that were dropped, under which keys were made that are still in use: until when they
 * counted for a device that came onto the ledger.
 */
import { equalBytes } from '../../encoding/bytes.ts';
import type { CborValue } from '../../encoding/canonical-cbor.ts';
import { bytesField, listField, mapField, timeField } from '../fields.ts';
import { formerOriginsMax } from '../limits.ts';
import { recordFormat } from '../record-format.ts';

export interface FormerValue {
  /** A value of PCR 7, or the digest of a release; 32 bytes. */
  readonly value: Uint8Array;
  /** Block time of the block in which it was dropped, UTC milliseconds. */
  readonly until: number;
}

export interface FormerOriginsRecord {
  /** Oldest first. */
  readonly bootAuthorities: readonly FormerValue[];
  readonly releases: readonly FormerValue[];
}

export const noFormerOrigins: FormerOriginsRecord = { bootAuthorities: [], releases: [] };

function readFormer(value: CborValue, path: string): readonly FormerValue[] {
  return listField(value, path, 0, formerOriginsMax).map((entry, index) => {
    const at = `${path}[${index}]`;
    const map = mapField(entry, at, ['value', 'until']);
    return {
      value: bytesField(map.value, `${at}.value`, 32),
      until: timeField(map.until, `${at}.until`),
    };
  });
}

export const formerOriginsRecord = recordFormat<FormerOriginsRecord>(
  ({ bootAuthorities, releases }) => ({
    bootAuthorities: bootAuthorities.map((former) => ({ ...former })),
    releases: releases.map((former) => ({ ...former })),
  }),
  (value) => {
    const map = mapField(value, 'formerOrigins', ['bootAuthorities', 'releases']);
    return {
      bootAuthorities: readFormer(map.bootAuthorities, 'bootAuthorities'),
      releases: readFormer(map.releases, 'releases'),
    };
  },
);

/** With these dropped at this time. One that was dropped before counts to the later time; of too many the oldest go. */
export function withDropped(
  former: readonly FormerValue[],
  dropped: readonly Uint8Array[],
  until: number,
): readonly FormerValue[] {
  const others = former.filter(({ value }) => !dropped.some((each) => equalBytes(each, value)));
  return [...others, ...dropped.map((value) => ({ value, until }))].slice(-formerOriginsMax);
}
