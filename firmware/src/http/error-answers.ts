/** Errors as the error table words them. What a bug threw stays in the log; the answer names no internals. */
import { STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import type { FastifyError, FastifyReply, FastifyRequest, FastifySchemaValidationError } from 'fastify';
import { AppError, errorTable, type ErrorCode } from '../errors.ts';
import type { Logger } from '../ports.ts';
import type { App } from './app.ts';
import type { ErrorAnswer } from './contract.ts';
import { securityHeaders } from './security-headers.ts';

export function answerErrors(app: App, logger: Logger): void {
  app.setErrorHandler(async (error: FastifyError, request, reply) => {
    const answer = toAnswer(error);
    if (errorTable[answer.code].http >= 500) logFault(logger, request.routeOptions.url ?? 'unknown', error);
    return reply.code(errorTable[answer.code].http).send(answer);
  });
  app.setNotFoundHandler(async (_request, reply) => {
    return reply.code(errorTable.NOT_FOUND.http).send(answerOf('NOT_FOUND', 'there is nothing here'));
  });
}

/**
 * What the HTTP parser refused has no request that a handler could answer. Also called for TLS handshakes that failed,
 * and for connections that broke: those hear nothing.
 */
export function answerParserError(error: Error & { readonly code?: string }, socket: Socket): void {
  const { code = '' } = error;
  if (!socket.writable || !/^(HPE|ERR_HTTP)_/.test(code)) {
    socket.destroy();
    return;
  }
  const answer = tooLarge.has(code)
    ? answerOf('REQUEST_TOO_LARGE', 'the head of the request is too large')
    : answerOf(
        'REQUEST_INVALID',
        code === overdue ? 'the request took too long' : 'the request is not valid HTTP',
      );
  const body = JSON.stringify(answer);
  const { http } = errorTable[answer.code];
  const headers = {
    ...securityHeaders,
    connection: 'close',
    'content-type': 'application/json; charset=utf-8',
    'content-length': String(Buffer.byteLength(body)),
  };
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}`);
  const head = [`HTTP/1.1 ${http} ${STATUS_CODES[http] ?? ''}`, ...lines].join('\r\n');
  // Whoever does not read it does not keep the socket.
  socket.end(`${head}\r\n\r\n${body}`, () => socket.destroy());
}

const tooLarge = new Set(['HPE_HEADER_OVERFLOW', 'HPE_CHUNK_EXTENSIONS_OVERFLOW']);
const overdue = 'ERR_HTTP_REQUEST_TIMEOUT';

/** A path that is no valid URL finds no route, and so none of the hooks: its answer carries the headers all the same. */
export function answerBadUrl(_error: FastifyError, _request: FastifyRequest, reply: FastifyReply): void {
  const answer = answerOf('REQUEST_INVALID', 'the path of the request is not valid');
  reply.code(errorTable[answer.code].http).headers(securityHeaders).send(answer);
}

function toAnswer(error: FastifyError): ErrorAnswer & { readonly code: ErrorCode } {
  if (error instanceof AppError) return answerOf(error.code, error.message);
  if (error.validation !== undefined) return answerOf('REQUEST_INVALID', describe(error));
  if (error.statusCode === 413) return answerOf('REQUEST_TOO_LARGE', 'the body of the request is too large');
  if (error.statusCode === 415) return answerOf('REQUEST_INVALID', 'the body must be application/json');
  if (error.statusCode !== undefined && error.statusCode >= 400 && error.statusCode < 500) {
    return answerOf('REQUEST_INVALID', 'the request is not valid HTTP or its body not valid JSON');
  }
  return answerOf('INTERNAL', 'the request failed inside the box');
}

export function answerOf(code: ErrorCode, message: string): ErrorAnswer & { readonly code: ErrorCode } {
  return { code, message, remedy: errorTable[code].remedy };
}

/** Names the field and the rule, never the value: it may be a patient's. */
function describe(error: FastifyError): string {
  const [first] = error.validation ?? [];
  const where = error.validationContext === 'querystring' ? 'query' : (error.validationContext ?? 'body');
  return first === undefined ? `the ${where} is not valid` : describeField(where, first);
}

function describeField(where: string, error: FastifySchemaValidationError): string {
  const parent = error.instancePath.split('/').slice(1).join('.');
  const inside = (field: unknown) => (parent === '' ? String(field) : `${parent}.${String(field)}`);
  switch (error.keyword) {
    case 'additionalProperties':
      return `the ${where} holds the unknown field ${inside(error.params['additionalProperty'])}`;
    case 'required':
      return `the ${where} lacks the field ${inside(error.params['missingProperty'])}`;
    case 'pattern':
      return `the field ${parent} of the ${where} has a wrong form`;
    default:
      return parent === ''
        ? `the ${where} ${error.message ?? 'is not valid'}`
        : `the field ${parent} of the ${where} ${error.message ?? 'is not valid'}`;
  }
}

/** A message of a bug can quote what it was working on, so only its place is logged. */
function logFault(logger: Logger, route: string, error: Error): void {
  if (error instanceof AppError) {
    logger.warn({ route, error }, 'a request could not be answered');
    return;
  }
  const frames = (error.stack ?? '').split('\n').filter((line) => line.startsWith('    at '));
  logger.error({ route, kind: error.name, frames: frames.slice(0, 8) }, 'a console request failed');
}
