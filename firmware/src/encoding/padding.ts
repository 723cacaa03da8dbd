/**
 * Text without what only fills it up. One pass from each end: a regular expression that ends in `[ \0]+$` begins anew at
 * each run of spaces and reads it to its end, which makes a peer's 60 KB of spaces cost seconds, and 1 MB many minutes.
 */

/** Without the characters at its end that are among `padding`. */
export function withoutTrailing(text: string, padding: string): string {
  let end = text.length;
  while (end > 0 && padding.includes(text.charAt(end - 1))) end--;
  return text.slice(0, end);
}

/** Without the trailing NULs and spaces, where leading spaces mean something (PS3.5 6.2: LT, ST, UT, UR). */
export function withoutTrailingPadding(text: string): string {
  return withoutTrailing(text, ' \0');
}

/** Without the trailing NULs and the leading and trailing spaces, which are padding in most VRs (PS3.5 6.2). */
export function withoutPadding(text: string): string {
  const whole = withoutTrailingPadding(text);
  let start = 0;
  while (whole.charAt(start) === ' ') start++;
  return whole.slice(start);
}
