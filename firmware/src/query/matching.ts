/** Whether a value of an entity matches a key, by the key's VR (PS3.4 C.2.2.2). */
import { dateSpan, keySpan, overlap, timeSpan } from './dates.ts';
import { keyAlternativesMax, keyCharactersMax, keyUidsMax, valueCharactersMax } from './limits.ts';
import { personNameMatcher } from './person-name.ts';
import { characters, hasWildcard, matchesWildcard } from './wildcard.ts';

/** VRs of the attributes that are matched here. */
export type KeyVr = 'AE' | 'CS' | 'DA' | 'IS' | 'LO' | 'PN' | 'SH' | 'TM' | 'UI';

export type KeyMatch =
  /** Every entity matches, also one without a value (PS3.4 C.2.2.2.3). */
  | { readonly kind: 'universal' }
  /** For one value of an entity; of several values one must match, an entity without a value does not. */
  | {
      readonly kind: 'matcher';
      readonly matches: (value: string) => boolean;
      /** Comparisons that one value costs. */
      readonly cost: number;
    }
  /** `reason` never repeats the value. */
  | { readonly kind: 'malformed'; readonly reason: string };

const universal: KeyMatch = { kind: 'universal' };
const malformed = (reason: string): KeyMatch => ({ kind: 'malformed', reason });

/**
 * Several values of a key are alternatives: a list of UIDs by the standard, the others (CT\MR in Modalities in Study)
 * by wide custom, since the standard leaves them open unless Multiple Value Matching is negotiated, which is not here.
 */
export function compileKey(vr: KeyVr, given: readonly string[]): KeyMatch {
  const values = given.map((value) => value.trim());
  if (values.every((value) => value === '')) return universal;
  // For every VR: senders write it for dates and UIDs too.
  if (values.some((value) => /^\*+$/.test(value))) return universal;
  const alternatives = values.filter((value) => value !== '');
  const alternativesMax = vr === 'UI' ? keyUidsMax : keyAlternativesMax;
  if (alternatives.length > alternativesMax) return malformed(`has more than ${alternativesMax} values`);
  if (alternatives.some((value) => value.length > keyCharactersMax))
    return malformed(`is longer than ${keyCharactersMax} characters`);
  if (vr === 'UI') {
    const uids = new Set(alternatives);
    return { kind: 'matcher', cost: 1, matches: (value) => uids.has(value) };
  }
  const matchers: ((value: string) => boolean)[] = [];
  for (const alternative of alternatives) {
    const matcher = singleMatcher(vr, alternative);
    if (typeof matcher === 'string') return malformed(matcher);
    matchers.push(matcher);
  }
  return {
    kind: 'matcher',
    cost: matchers.length,
    matches: (value) => {
      const compared = value.slice(0, valueCharactersMax);
      return matchers.some((matches) => matches(compared));
    },
  };
}

/** The matcher, or why there is none. */
function singleMatcher(vr: Exclude<KeyVr, 'UI'>, key: string): ((value: string) => boolean) | string {
  switch (vr) {
    case 'DA': {
      const span = keySpan(key, dateSpan);
      if (span === undefined) return 'is no date and no range of dates';
      return (value) => overlap(dateSpan(value) ?? nothing, span);
    }
    case 'TM': {
      const span = keySpan(key, timeSpan);
      if (span === undefined) return 'is no time and no range of times';
      return (value) => overlap(timeSpan(value) ?? nothing, span);
    }
    case 'IS': {
      if (!/^[+-]?\d{1,12}$/.test(key)) return 'is no integer';
      const number = Number(key);
      return (value) => value.trim() !== '' && Number(value) === number;
    }
    case 'PN':
      return personNameMatcher(key);
    case 'AE':
    case 'CS':
    case 'LO':
    case 'SH':
      return textMatcher(key);
  }
}

/** Overlaps with nothing: what an object holds in place of a date is none. */
const nothing = { first: '~', last: '' };

/** Case counts (PS3.4 C.2.2.2.1); padding was removed from both. */
function textMatcher(key: string): (value: string) => boolean {
  const sought = key.normalize('NFC');
  if (!hasWildcard(sought)) return (value) => value.normalize('NFC') === sought;
  const pattern = characters(sought);
  return (value) => matchesWildcard(pattern, characters(value.normalize('NFC')));
}
