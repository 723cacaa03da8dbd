/**
 * Matching of person names (PS3.4 C.2.2.2.1, PS3.5 6.2.1): letter case does not count, nor do trailing empty
 * components, nor whether an accent is a character of its own. Accents themselves count; there is no matching by sound.
 */
import { withoutTrailing } from '../encoding/padding.ts';
import { characters, hasWildcard, matchesWildcard } from './wildcard.ts';

/** Family, given, middle, prefix, suffix. */
const components = 5;

/** The component groups: alphabetic, ideographic, phonetic. */
function groupsOf(name: string): readonly string[] {
  return name
    .normalize('NFC')
    .toLowerCase()
    .split('=')
    .map((group) =>
      withoutTrailing(
        group
          .split('^')
          .map((component) => component.trim())
          .join('^'),
        '^',
      ),
    );
}

/** With all its delimiters, so that `doe^john^*` matches a name that ends after John. */
function withAllDelimiters(group: string): string {
  return group + '^'.repeat(Math.max(0, components - group.split('^').length));
}

function groupMatcher(key: string): (group: string) => boolean {
  if (!hasWildcard(key)) return (group) => group === key;
  const pattern = characters(key);
  return (group) =>
    matchesWildcard(pattern, characters(group)) ||
    matchesWildcard(pattern, characters(withAllDelimiters(group)));
}

/** A key of one component group is sought in every group of a name; one of several, group by group. */
export function personNameMatcher(key: string): (name: string) => boolean {
  const matchers = groupsOf(key).map((group) => (group === '' ? undefined : groupMatcher(group)));
  const [only] = matchers;
  if (matchers.length === 1 && only !== undefined)
    return (name) => groupsOf(name).some((group) => only(group));
  return (name) => {
    const groups = groupsOf(name);
    return matchers.every((matcher, index) => matcher?.(groups[index] ?? '') ?? true);
  };
}
