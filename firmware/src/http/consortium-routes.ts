/** The consortium on the console: administrators act for their hospital, auditors look. Each act is logged by name. */
import { Type } from 'typebox';
import { fromHex } from '../encoding/bytes.ts';
import { AppError } from '../errors.ts';
import type { Logger } from '../ports.ts';
import { personOf } from './access.ts';
import type { App } from './app.ts';
import {
  proposalIdSchema,
  proposeBodySchema,
  signedDocumentBodySchema,
  voteBodySchema,
  type ActedAnswer,
  type AttestationAnswer,
  type ConsortiumView,
} from './consortium-contract.ts';
import type { Acted, ConsortiumDesk } from './consortium-desk.ts';
import { candidateAttestationMsMax } from './limits.ts';

export interface ConsortiumRouteModules {
  readonly desk: ConsortiumDesk;
  readonly logger: Logger;
}

const config = { access: ['administrator'] } as const;

export function addConsortiumRoutes(app: App, { desk, logger }: ConsortiumRouteModules): void {
  app.get('/api/v1/consortium', { config: { access: ['administrator', 'auditor'] } }, (): ConsortiumView => {
    const view = desk.view();
    if (view === undefined) throw new AppError('NOT_ADMITTED', 'this box is in no consortium yet');
    return view;
  });
  app.post('/api/v1/proposals', { config, schema: { body: proposeBodySchema } }, async (request) => {
    const by = { account: personOf(request).account.name };
    const { kind } = request.body;
    const acted = answered(await desk.propose(request.body, by));
    logger.info({ ...by, kind, outcome: acted.kind }, 'proposal made');
    return acted;
  });
  app.post(
    '/api/v1/proposals/:id/vote',
    { config, schema: { params: Type.Object({ id: proposalIdSchema }), body: voteBodySchema } },
    async (request) => {
      const by = { account: personOf(request).account.name };
      const { id } = request.params;
      const { approve } = request.body;
      const acted = answered(await desk.vote(id, approve, by));
      logger.info({ ...by, proposal: id, approve, outcome: acted.kind }, 'voted on a proposal');
      return acted;
    },
  );
  app.post(
    '/api/v1/proposals/:id/attestation',
    { config, schema: { params: Type.Object({ id: proposalIdSchema }) } },
    async (request): Promise<AttestationAnswer> => {
      const by = { account: personOf(request).account.name };
      const { id } = request.params;
      const answer = await desk.attestCandidate(id, AbortSignal.timeout(candidateAttestationMsMax));
      if (answer === undefined)
        throw new AppError('NOT_FOUND', 'there is no open proposal to admit somebody');
      const passed = answer.kind === 'judged' && answer.passed;
      logger.info({ ...by, proposal: id, passed }, 'a candidate was asked to attest');
      return answer;
    },
  );
  app.post('/api/v1/keys/rotate', { config }, async (request) => {
    const by = { account: personOf(request).account.name };
    const acted = answered(await desk.rotateKeys(by));
    logger.info({ ...by, outcome: acted.kind }, 'keys of the box rotated');
    return acted;
  });
  app.post(
    '/api/v1/consortium/documents',
    { config, schema: { body: signedDocumentBodySchema } },
    async (request) => {
      const by = { account: personOf(request).account.name };
      const acted = answered(await desk.bring(fromHex(request.body.document), by));
      logger.info({ ...by, outcome: acted.kind }, 'a document signed offline was brought to the ledger');
      return acted;
    },
  );
}

/** @throws AppError CONSORTIUM_ACT_REFUSED with the reason of the refusal. */
function answered(acted: Acted): ActedAnswer {
  if (acted.kind === 'refused') throw new AppError('CONSORTIUM_ACT_REFUSED', acted.reason);
  return { kind: acted.kind };
}
