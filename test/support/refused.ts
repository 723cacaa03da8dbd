import assert from 'node:assert/strict';
import { AppError, type ErrorCode } from '../../firmware/src/errors.ts';

/** Waits for a fault with this code. @returns it, so that its text can be looked at. */
export async function refused(code: ErrorCode, attempt: Promise<unknown>): Promise<AppError> {
  const failure = await attempt.then(
    () => undefined,
    (error: unknown) => error,
  );
  assert.ok(failure instanceof AppError, `expected ${code}, got ${String(failure)}`);
  assert.equal(failure.code, code, failure.message);
  return failure;
}
