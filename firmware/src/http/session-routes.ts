/** Login, logout, own password, who am I. */
import { AppError } from '../errors.ts';
import type { Logger } from '../ports.ts';
import { clearSessionCookie, everyRole, personOf, setSessionCookie } from './access.ts';
import type { Accounts } from './accounts.ts';
import type { App } from './app.ts';
import type { BoxView } from './box-view.ts';
import { loginBodySchema, passwordBodySchema, type Me } from './contract.ts';
import { loginsPerMinuteMax, passwordCharactersMin, rateWindowMs } from './limits.ts';
import type { LoginThrottle } from './login-throttle.ts';
import type { Sessions } from './sessions.ts';

export interface SessionModules {
  readonly accounts: Accounts;
  readonly sessions: Sessions;
  readonly throttle: LoginThrottle;
  readonly box: BoxView;
  readonly logger: Logger;
}

const rateLimit = { max: loginsPerMinuteMax, timeWindow: rateWindowMs };

export function addSessionRoutes(app: App, modules: SessionModules): void {
  const { accounts, sessions, throttle, box, logger } = modules;

  app.get('/api/v1/me', { config: { access: 'public' } }, (request): Me => {
    const { id, name } = box.institution;
    return { institution: { id, name }, account: request.person?.account ?? null, passwordCharactersMin };
  });

  app.post(
    '/api/v1/login',
    { config: { access: 'public', rateLimit }, schema: { body: loginBodySchema } },
    async (request, reply) => {
      const { name, password } = request.body;
      const waitMs = throttle.waitMs(name, request.ip);
      if (waitMs > 0) {
        reply.header('retry-after', Math.ceil(waitMs / 1000));
        throw new AppError('TOO_MANY_REQUESTS', 'too many wrong passwords');
      }
      throttle.attempted(name, request.ip);
      const account = await accounts.authenticate(name, password);
      if (account === undefined) {
        // A name that no account has may be a password typed into the wrong field: it is not logged.
        const known = accounts.find(name) !== undefined;
        logger.warn({ account: known ? name : 'unknown', address: request.ip }, 'login failed');
        throw new AppError('LOGIN_FAILED', 'name or password is wrong');
      }
      throttle.succeeded(name, request.ip);
      if (request.person !== null) await sessions.end(request.person.sessionId);
      setSessionCookie(request, reply, await sessions.begin(name));
      logger.info({ account: name, address: request.ip }, 'logged in');
      return { account };
    },
  );

  app.post(
    '/api/v1/logout',
    { config: { access: everyRole, beforePasswordChange: true } },
    async (request, reply) => {
      const { account, sessionId } = personOf(request);
      await sessions.end(sessionId);
      clearSessionCookie(request, reply);
      logger.info({ account: account.name }, 'logged out');
      return reply.code(204).send();
    },
  );

  app.post(
    '/api/v1/password',
    {
      config: { access: everyRole, beforePasswordChange: true, rateLimit },
      schema: { body: passwordBodySchema },
    },
    async (request, reply) => {
      const { name } = personOf(request).account;
      const changed = await accounts.changePassword(name, request.body.current, request.body.next);
      switch (changed) {
        case 'wrong-password':
          throw new AppError('LOGIN_FAILED', 'the current password is wrong');
        case 'same-password':
          throw new AppError('REQUEST_INVALID', 'the field next of the body is the current password');
        case 'contains-name':
          throw new AppError('REQUEST_INVALID', 'the field next of the body contains the account name');
        case 'changed':
          break;
      }
      await sessions.endAllOf(name);
      setSessionCookie(request, reply, await sessions.begin(name));
      logger.info({ account: name }, 'password changed');
      return reply.code(204).send();
    },
  );
}
