/** What the console shows and does, for the roles that may. */
import { Type } from 'typebox';
import { AppError } from '../errors.ts';
import type { Logger } from '../ports.ts';
import { everyRole, personOf } from './access.ts';
import type { Accounts } from './accounts.ts';
import type { App } from './app.ts';
import type { BoxView } from './box-view.ts';
import {
  accountNameSchema,
  newAccountBodySchema,
  requestBodySchema,
  ticketBodySchema,
  type NewAccount,
  type RequestAnswer,
  type TicketAnswer,
} from './contract.ts';
import { addConsortiumRoutes } from './consortium-routes.ts';
import { addDicomRoutes } from './dicom-routes.ts';
import type { EventStreams } from './event-streams.ts';
import { overviewOf } from './overview.ts';
import { encodeTicket } from './ticket-payload.ts';
import type { Sessions } from './sessions.ts';

export interface ConsoleModules {
  readonly accounts: Accounts;
  readonly sessions: Sessions;
  readonly events: EventStreams;
  readonly box: BoxView;
  readonly certificateSha256: string;
  readonly logger: Logger;
}

export function addConsoleRoutes(app: App, modules: ConsoleModules): void {
  const { box, events } = modules;

  app.get('/healthz', { config: { access: 'public', anyOrigin: true } }, () => ({ ok: true }));
  app.get('/api/v1/overview', { config: { access: everyRole } }, () => overviewOf(box));
  app.get('/api/v1/events', { config: { access: everyRole } }, (request, reply) => {
    events.open(request, reply, personOf(request));
  });
  addAccountRoutes(app, modules);
  addTicketRoute(app, modules);
  addRequestRoute(app, modules);
  addDicomRoutes(app, { desk: box.dicom, logger: modules.logger });
  addConsortiumRoutes(app, { desk: box.consortium, logger: modules.logger });
}

function addAccountRoutes(app: App, { accounts, sessions, logger }: ConsoleModules): void {
  app.get('/api/v1/accounts', { config: { access: ['administrator', 'auditor'] } }, () => accounts.list());

  app.post(
    '/api/v1/accounts',
    { config: { access: ['administrator'] }, schema: { body: newAccountBodySchema } },
    async (request, reply): Promise<NewAccount> => {
      const by = personOf(request).account.name;
      const { name, role } = request.body;
      const { account, oneTimePassword } = await accounts.create(name, role, by);
      logger.info({ account: by, created: name, role }, 'account created');
      reply.code(201);
      return { account, oneTimePassword };
    },
  );

  app.delete(
    '/api/v1/accounts/:name',
    { config: { access: ['administrator'] }, schema: { params: Type.Object({ name: accountNameSchema }) } },
    async (request, reply) => {
      const by = personOf(request).account.name;
      const { name } = request.params;
      await accounts.remove(name, by);
      await sessions.endAllOf(name);
      logger.info({ account: by, removed: name }, 'account removed');
      return reply.code(204).send();
    },
  );
}

function addTicketRoute(app: App, { box, certificateSha256, logger }: ConsoleModules): void {
  app.post(
    '/api/v1/tickets',
    { config: { access: ['reception'] }, schema: { body: ticketBodySchema } },
    async (request, reply): Promise<TicketAnswer> => {
      const by = personOf(request).account.name;
      const created = await box.createTicket(request.body, { account: by });
      if (created.kind === 'refused') throw new AppError('TICKET_REFUSED', created.reason);
      const { ticket } = created;
      logger.info({ account: by }, 'binding ticket created');
      reply.code(201);
      return {
        code: ticket.code,
        payload: encodeTicket(ticket, certificateSha256),
        expiresAt: ticket.expiresAt,
      };
    },
  );
}

function addRequestRoute(app: App, { box, logger }: ConsoleModules): void {
  app.post(
    '/api/v1/requests',
    { config: { access: ['clinician', 'administrator'] }, schema: { body: requestBodySchema } },
    async (request): Promise<RequestAnswer> => {
      const by = personOf(request).account.name;
      const { body } = request;
      const answer = await box.requestStudy(body, { account: by });
      logger.info({ account: by, source: body.source, answer: answer.kind }, 'study requested');
      return answer;
    },
  );
}
