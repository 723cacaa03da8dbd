/** What administrators do about DICOM peers: callers, quarantine, destinations. Each act is logged with its person. */
import { Type } from 'typebox';
import { AppError } from '../errors.ts';
import type { Logger } from '../ports.ts';
import { personOf } from './access.ts';
import type { App } from './app.ts';
import {
  callerBodySchema,
  destinationNameSchema,
  giveUpBodySchema,
  idSchema,
  resendBodySchema,
  studyRefSchema,
  type EchoAnswer,
  type ObjectsAnswer,
} from './dicom-contract.ts';
import type { DicomDesk, Done } from './dicom-desk.ts';
import { echoMsMax } from './limits.ts';

export interface DicomRouteModules {
  readonly desk: DicomDesk;
  readonly logger: Logger;
}

const config = { access: ['administrator'] } as const;
const idParams = Type.Object({ id: idSchema });
const nameParams = Type.Object({ name: destinationNameSchema });

export function addDicomRoutes(app: App, modules: DicomRouteModules): void {
  addCallerRoutes(app, modules);
  addQuarantineRoutes(app, modules);
  addDestinationRoutes(app, modules);
  addSidecarRoutes(app, modules);
}

function addCallerRoutes(app: App, { desk }: DicomRouteModules): void {
  app.post('/api/v1/callers', { config, schema: { body: callerBodySchema } }, async (request, reply) => {
    const by = { account: personOf(request).account.name };
    throwIfRefused(await desk.admitCaller(request.body, by));
    return reply.code(204).send();
  });
  app.put(
    '/api/v1/callers/:id',
    { config, schema: { params: idParams, body: callerBodySchema } },
    async (request, reply) => {
      const by = { account: personOf(request).account.name };
      throwIfRefused(await desk.replaceCaller(request.params.id, request.body, by));
      return reply.code(204).send();
    },
  );
  app.delete('/api/v1/callers/:id', { config, schema: { params: idParams } }, async (request, reply) => {
    throwIfRefused(await desk.removeCaller(request.params.id, { account: personOf(request).account.name }));
    return reply.code(204).send();
  });
  app.post('/api/v1/callers/:id/echo', { config, schema: { params: idParams } }, async (request) =>
    answered(await desk.echoCaller(request.params.id, AbortSignal.timeout(echoMsMax))),
  );
  app.delete(
    '/api/v1/refused-callers/:id',
    { config, schema: { params: idParams } },
    async (request, reply) => {
      throwIfRefused(
        await desk.dismissCaller(request.params.id, { account: personOf(request).account.name }),
      );
      return reply.code(204).send();
    },
  );
}

function addQuarantineRoutes(app: App, { desk }: DicomRouteModules): void {
  app.post(
    '/api/v1/quarantine/:id/release',
    { config, schema: { params: idParams } },
    async (request, reply) => {
      const by = { account: personOf(request).account.name };
      throwIfRefused(await desk.releaseFromQuarantine(request.params.id, by));
      return reply.code(204).send();
    },
  );
  app.delete('/api/v1/quarantine/:id', { config, schema: { params: idParams } }, async (request, reply) => {
    const by = { account: personOf(request).account.name };
    throwIfRefused(await desk.discardFromQuarantine(request.params.id, by));
    return reply.code(204).send();
  });
}

function addDestinationRoutes(app: App, { desk, logger }: DicomRouteModules): void {
  app.post(
    '/api/v1/destinations/:name/resend',
    { config, schema: { params: nameParams, body: resendBodySchema } },
    async (request): Promise<ObjectsAnswer> => {
      const by = { account: personOf(request).account.name };
      const { name } = request.params;
      const { what } = request.body;
      const objects = known(await desk.resend(name, request.body, by));
      logger.info({ ...by, destination: name, what, objects }, 'objects queued again');
      return { objects };
    },
  );
  app.post(
    '/api/v1/destinations/:name/give-up',
    { config, schema: { params: nameParams, body: giveUpBodySchema } },
    async (request): Promise<ObjectsAnswer> => {
      const by = { account: personOf(request).account.name };
      const { name } = request.params;
      const objects = known(await desk.giveUp(name, request.body.studyRef, by));
      logger.info({ ...by, destination: name, objects }, 'objects that were set aside are given up');
      return { objects };
    },
  );
  app.post('/api/v1/destinations/:name/echo', { config, schema: { params: nameParams } }, async (request) =>
    answered(await desk.echoDestination(request.params.name, AbortSignal.timeout(echoMsMax))),
  );
}

function addSidecarRoutes(app: App, { desk }: DicomRouteModules): void {
  app.post(
    '/api/v1/incomplete-studies/:studyRef/accept',
    { config, schema: { params: Type.Object({ studyRef: studyRefSchema }) } },
    async (request, reply) => {
      const by = { account: personOf(request).account.name };
      throwIfRefused(await desk.acceptIncomplete(request.params.studyRef, by));
      return reply.code(204).send();
    },
  );
}

/** @throws AppError PEER_ACT_REFUSED with the reason of the refusal. */
function throwIfRefused(done: Done): void {
  if (done.kind === 'refused') throw new AppError('PEER_ACT_REFUSED', done.reason);
}

function known(objects: number | undefined): number {
  if (objects === undefined) throw new AppError('NOT_FOUND', 'there is no such destination');
  return objects;
}

function answered(answer: EchoAnswer | undefined): EchoAnswer {
  if (answer === undefined)
    throw new AppError('NOT_FOUND', 'there is no such peer, or it is not known where it is reached');
  return answer;
}
