/** Padding of a length that its sender decides: taken off in parts, so that everybody else has a turn in between. */
import { withoutPadding, withoutTrailingPadding } from '../src/encoding/padding.ts';
import { paddingWithoutRestMax } from './limits.ts';

/** Like `withoutTrailingPadding`. Yields where a rest is due. */
export function* trimmingEnd(text: string): Generator<undefined, string> {
  let rest = text;
  while (
    rest.length > paddingWithoutRestMax &&
    withoutTrailingPadding(rest.slice(-paddingWithoutRestMax)) === ''
  ) {
    rest = rest.slice(0, -paddingWithoutRestMax);
    yield;
  }
  return withoutTrailingPadding(rest);
}

const spaces = ' '.repeat(paddingWithoutRestMax);

/** Like `withoutPadding`. Yields where a rest is due. */
export function* trimming(text: string): Generator<undefined, string> {
  let rest = yield* trimmingEnd(text);
  while (rest.startsWith(spaces)) {
    rest = rest.slice(paddingWithoutRestMax);
    yield;
  }
  return withoutPadding(rest);
}
