/**
 * Who may do what: decided at the root, before any handler, and denied by default. Each route declares its access;
 * one that does not is not registered at all, so that none is open by omission.
 */
import { strict as assert } from 'node:assert';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { AppError } from '../errors.ts';
import type { Accounts } from './accounts.ts';
import type { App } from './app.ts';
import type { AccountView, Role } from './contract.ts';
import type { OwnOrigins } from './own-origins.ts';
import type { Sessions } from './sessions.ts';

/** `public`: without a login. Otherwise the roles that may. */
export type Access = 'public' | readonly Role[];

export const everyRole: readonly Role[] = ['administrator', 'reception', 'clinician', 'auditor'];

/** The person behind a request. */
export interface Person {
  readonly account: AccountView;
  readonly sessionId: string;
}

declare module 'fastify' {
  interface FastifyContextConfig {
    access?: Access;
    /** Also while the password is the box's own: what it takes to change it. */
    beforePasswordChange?: boolean;
    /** Whatever page asks, under whatever name of the box: nothing here is done in a person's name. */
    anyOrigin?: boolean;
  }
  interface FastifyRequest {
    person: Person | null;
  }
}

export interface RouteAccess {
  readonly method: string;
  readonly url: string;
  readonly access: Access;
}

/** Must be called before any route is added. Returns the list of routes, filled as they are. */
export function guardRoutes(
  app: App,
  accounts: Accounts,
  sessions: Sessions,
  origins: OwnOrigins,
): readonly RouteAccess[] {
  const routes: RouteAccess[] = [];
  app.addHook('onRoute', ({ method, url, config }) => {
    const access = config?.access;
    assert(access !== undefined, `the route ${String(method)} ${url} declares no access`);
    assert(
      access === 'public' || config?.anyOrigin !== true,
      `the route ${String(method)} ${url} acts for a person, and from any origin`,
    );
    for (const each of [method].flat()) routes.push({ method: each, url, access });
  });
  app.decorateRequest('person', null);
  app.addHook('onRequest', async (request) => {
    // Nothing was found: the answer is the same for everybody.
    if (request.is404) return;
    refuseForeignOrigin(request, origins);
    request.person = identify(request, accounts, sessions);
    permit(request);
    // Watching is no act: a console left open ends with its session.
    if (request.person !== null && !request.routeOptions.url?.endsWith('/events')) {
      await sessions.touch(request.person.sessionId);
    }
  });
  return routes;
}

/** The person of a request to a route that is not public. */
export function personOf(request: FastifyRequest): Person {
  assert(request.person !== null, 'a route that is not public was reached without a login');
  return request.person;
}

function identify(request: FastifyRequest, accounts: Accounts, sessions: Sessions): Person | null {
  const session = sessions.find(request.cookies[cookieName(request)]);
  if (session === undefined) return null;
  const account = accounts.find(session.account);
  return account === undefined ? null : { account, sessionId: session.id };
}

function permit(request: FastifyRequest): void {
  const { access, beforePasswordChange } = request.routeOptions.config;
  assert(access !== undefined);
  if (access === 'public') return;
  if (request.person === null) throw new AppError('NOT_AUTHENTICATED', 'this needs a login');
  const { account } = request.person;
  if (account.mustChangePassword && beforePasswordChange !== true) {
    throw new AppError('PASSWORD_CHANGE_REQUIRED', 'the password was made by the box and is for one login');
  }
  if (!access.includes(account.role)) {
    throw new AppError('NOT_AUTHORISED', `the role ${account.role} may not do this`);
  }
}

/**
 * Against requests that another page makes in the person's name: browsers name the page's origin with every request
 * that changes something, and with every request the host that the page believes to talk to. Decided by the route that
 * was found, not by the path as it was written: that has many spellings. Wallets have no cookie to misuse, and need not
 * be browsers.
 */
function refuseForeignOrigin(request: FastifyRequest, origins: OwnOrigins): void {
  if (request.routeOptions.config.anyOrigin === true) return;
  const own = origins(request.raw.socket);
  const { host, origin } = request.headers;
  if (!own.includes(`https://${host ?? ''}`)) {
    throw new AppError('ORIGIN_REFUSED', 'the request names a host that is not this box');
  }
  const safe = request.method === 'GET' || request.method === 'HEAD';
  if (!safe && !own.includes(origin ?? '')) {
    throw new AppError('ORIGIN_REFUSED', 'the request does not come from the console page of this box');
  }
}

/**
 * Cookies are not bound to ports: boxes that share a host (a development consortium) would log each other's people
 * out, so the port is in the name. `__Host-`: Secure, this host only, whole path.
 */
function cookieName(request: FastifyRequest): string {
  return `__Host-hilum-${request.socket.localPort ?? 0}`;
}

const cookieOptions = { path: '/', secure: true, httpOnly: true, sameSite: 'strict' } as const;

/** Without an age: it ends with the browser, or when the box ends the session. */
export function setSessionCookie(request: FastifyRequest, reply: FastifyReply, token: string): void {
  reply.setCookie(cookieName(request), token, cookieOptions);
}

export function clearSessionCookie(request: FastifyRequest, reply: FastifyReply): void {
  reply.clearCookie(cookieName(request), cookieOptions);
}
