/** Wild card matching (PS3.4 C.2.2.2.4): `*` stands for any characters, also none, `?` for exactly one. */

export function hasWildcard(key: string): boolean {
  return /[*?]/.test(key);
}

/**
 * Whether a text has the form of a pattern. A mismatch goes back to the last `*` only, since an earlier one could gain
 * nothing by taking more: at worst pattern times text in steps, whatever the pattern is.
 */
export function matchesWildcard(pattern: readonly string[], text: readonly string[]): boolean {
  let p = 0;
  let t = 0;
  /** Where to go on when the last `*` is to take one character more. */
  let resumePattern = -1;
  let resumeText = 0;
  while (t < text.length) {
    if (pattern[p] === '*') {
      resumePattern = ++p;
      resumeText = t;
    } else if (p < pattern.length && (pattern[p] === '?' || pattern[p] === text[t])) {
      p++;
      t++;
    } else if (resumePattern >= 0) {
      p = resumePattern;
      t = ++resumeText;
    } else {
      return false;
    }
  }
  while (pattern[p] === '*') p++;
  return p === pattern.length;
}

/** Characters, not UTF-16 units: `?` is one character of any script. */
export function characters(text: string): readonly string[] {
  return [...text];
}
