import type { QueryRefused } from '../src/ports.ts';
import type { ServiceResponse } from './service.ts';
import { status } from './status.ts';

/** The final response to an identifier that is not answered (PS3.4 tables C.4-1 to C.4-3). */
export function refusal({ reason, detail }: QueryRefused): ServiceResponse {
  const code = reason === 'identifier' ? status.identifierMismatch : status.cannotUnderstand;
  return { status: code, comment: detail };
}
