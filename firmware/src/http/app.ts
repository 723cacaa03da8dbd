/** The Fastify instance that all routes of the box share: TLS, bounds, strict bodies, one form of errors. */
import type { Server } from 'node:https';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import fastify, { type FastifyBaseLogger, type FastifyInstance } from 'fastify';
import cookie from '@fastify/cookie';
import rateLimit from '@fastify/rate-limit';
import { AppError } from '../errors.ts';
import type { Logger } from '../ports.ts';
import { boundConnections } from './connection-bounds.ts';
import { answerBadUrl, answerErrors, answerParserError } from './error-answers.ts';
import {
  handshakeMsMax,
  keepAliveMsMax,
  requestBodyBytesMax,
  requestCheckMs,
  requestHeadMsMax,
  rateAddressesMax,
  rateWindowMs,
  requestMsMax,
  requestsPerMinuteMax,
  socketIdleMsMax,
} from './limits.ts';
import { addressGroup } from './login-throttle.ts';
import { addSecurityHeaders } from './security-headers.ts';
import type { TlsIdentity } from './tls-identity.ts';

export type App = FastifyInstance<
  Server,
  IncomingMessage,
  ServerResponse,
  FastifyBaseLogger,
  TypeBoxTypeProvider
>;

export async function createApp(tls: TlsIdentity, logger: Logger): Promise<App> {
  const app = fastify({
    https: {
      key: tls.privateKey,
      cert: tls.certificate,
      minVersion: 'TLSv1.2',
      handshakeTimeout: handshakeMsMax,
      headersTimeout: requestHeadMsMax,
      connectionsCheckingInterval: requestCheckMs,
      // The refusal below takes its place, in the form of all errors.
      requireHostHeader: false,
    },
    // Each request is either uneventful or logged by its handler without patient data; URLs and bodies never are.
    logger: false,
    bodyLimit: requestBodyBytesMax,
    requestTimeout: requestMsMax,
    connectionTimeout: socketIdleMsMax,
    keepAliveTimeout: keepAliveMsMax,
    clientErrorHandler: answerParserError,
    frameworkErrors: answerBadUrl,
    // A HEAD route of its own for each GET would need a right of its own.
    exposeHeadRoutes: false,
    forceCloseConnections: 'idle',
    // Fastify's defaults would drop unknown fields and turn "1" into 1: wrong requests would seem to succeed.
    ajv: { customOptions: { coerceTypes: false, removeAdditional: false, useDefaults: false } },
  }).withTypeProvider<TypeBoxTypeProvider>();
  boundConnections(app.server, logger);
  // Bodies are JSON; Fastify would take plain text too.
  app.removeContentTypeParser('text/plain');
  answerErrors(app, logger);
  addSecurityHeaders(app);
  // RFC 9112, section 3.2.
  app.addHook('onRequest', ({ headers }, _reply, done) => {
    if (headers.host === undefined) done(new AppError('REQUEST_INVALID', 'the request names no host'));
    else done();
  });
  await app.register(cookie);
  await app.register(rateLimit, {
    global: true,
    max: requestsPerMinuteMax,
    timeWindow: rateWindowMs,
    cache: rateAddressesMax,
    keyGenerator: (request) => addressGroup(request.ip),
    errorResponseBuilder: () => new AppError('TOO_MANY_REQUESTS', 'too many requests from this address'),
  });
  return app;
}
