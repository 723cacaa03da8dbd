/** The desk under the ledger's real rules: nobody is admitted whose box has not proved itself to those who vote. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkNames, failed, passed, verdictOf } from '../../firmware/src/attestation/verdict.ts';
import type { Attestation } from '../../firmware/src/attestation/verify.ts';
import { openConsortiumDesk, type OpenConsortiumDesk } from '../../firmware/src/box/consortium-desk.ts';
import { MemoryHealthBoard } from '../fakes/health.ts';
import { candidateVerdictMsMax } from '../../firmware/src/box/limits.ts';
import { AppError } from '../../firmware/src/errors.ts';
import { Governance } from '../../firmware/src/governance/governance.ts';
import { formatInstitution } from '../../firmware/src/ledger/index.ts';
import type { Institution } from '../../firmware/src/ledger/types.ts';
import { FinalLedger } from '../fakes/final-ledger.ts';
import { candidate } from '../fakes/ledger-consortium.ts';
import { genesisTime, LedgerFixture } from '../fakes/ledger.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { MemoryStore } from '../support/memory-store.ts';
import { RecordingLogger } from '../support/recording-logger.ts';

const found = {
  development: false,
  registers: undefined,
  resetCount: undefined,
  endorsementKey: undefined,
};
const pass: Attestation = {
  kind: 'judged',
  verdict: verdictOf(
    checkNames.map((name) => passed(name, 'As it should be.')),
    found,
  ),
  record: undefined,
};
const failure: Attestation = {
  kind: 'judged',
  verdict: verdictOf([failed('endorsement-chain', 'Nobody vouches for its TPM.')], found),
  record: undefined,
};

class Desks {
  readonly fixture = new LedgerFixture();
  readonly clock = new ManualClock(genesisTime + 1_000);
  readonly ledger = new FinalLedger(this.fixture.genesis, this.clock);
  readonly delta = candidate(this.fixture.chain, 'delta');
  answer: Attestation | undefined = pass;
  readonly asked: Institution[] = [];

  open(id: string): Promise<OpenConsortiumDesk> {
    const { clock, ledger } = this;
    const governance = new Governance({
      self: id,
      ledger,
      signer: this.fixture.box(id).transaction,
      store: new MemoryStore(),
      clock,
      logger: new RecordingLogger(),
      health: new MemoryHealthBoard(),
    });
    return openConsortiumDesk(
      {
        self: id,
        ledger,
        governance,
        clock,
        rotation: {
          view: () => ({ since: 0, validUntil: 0, dueAt: 0 }),
          rotate: () => Promise.resolve({ kind: 'done' }),
        },
        attest: (institution) => {
          this.asked.push(institution);
          return this.answer === undefined
            ? Promise.reject(new AppError('PEER_UNREACHABLE', 'delta does not answer'))
            : Promise.resolve(this.answer);
        },
      },
      (service) => service.start(),
    );
  }

  propose(desk: OpenConsortiumDesk, institution = this.delta) {
    const record = formatInstitution(institution);
    return desk.propose({ kind: 'admit', record, validator: false }, by);
  }
}

const by = { account: 'admin' };

function onlyProposal(desk: OpenConsortiumDesk) {
  const [proposal] = desk.view()?.proposals ?? [];
  return proposal ?? assert.fail('there is no proposal');
}

test('a proposal to admit somebody is a yes: the box asks the candidate first', async () => {
  const desks = new Desks();
  const north = await desks.open('north');
  for (const [answer, reason] of [
    [undefined, /before it is proposed\. The box of the candidate did not answer\.$/],
    [failure, /Nobody vouches for its TPM\.$/],
    [{ kind: 'refused', reason: 'busy' } as const, /does not prove itself: busy\.$/],
  ] as const) {
    desks.answer = answer;
    const refused = await desks.propose(north);
    assert.match(refused.kind === 'refused' ? refused.reason : '', reason);
  }
  assert.deepEqual(desks.ledger.submitted, []);
  desks.answer = pass;
  assert.deepEqual(await desks.propose(north), { kind: 'done' });
  assert.equal(desks.asked.at(-1)?.id, 'delta');
});

test('a yes is refused until the candidate’s box has proved this record here, and lately', async () => {
  const desks = new Desks();
  const [north, south, east] = [
    await desks.open('north'),
    await desks.open('south'),
    await desks.open('east'),
  ];
  await desks.propose(north);
  const { id, provedUntil } = onlyProposal(south);
  assert.equal(provedUntil, null);
  const toldToAsk = async (): Promise<void> => {
    const refused = await south.vote(id, true, by);
    assert.match(refused.kind === 'refused' ? refused.reason : '', /Have its box prove itself, then approve/);
  };
  await toldToAsk();
  desks.answer = failure;
  assert.equal((await south.attestCandidate(id, AbortSignal.timeout(1_000)))?.kind, 'judged');
  await toldToAsk();

  desks.answer = pass;
  await south.attestCandidate(id, AbortSignal.timeout(1_000));
  assert.equal(onlyProposal(south).provedUntil, desks.clock.now() + candidateVerdictMsMax);
  // A question that fails later takes it back, and so does time.
  desks.answer = undefined;
  assert.equal((await south.attestCandidate(id, AbortSignal.timeout(1_000)))?.kind, 'none');
  await toldToAsk();
  desks.answer = pass;
  await south.attestCandidate(id, AbortSignal.timeout(1_000));
  desks.clock.advance(candidateVerdictMsMax);
  assert.equal(onlyProposal(south).provedUntil, null);
  await toldToAsk();

  await south.attestCandidate(id, AbortSignal.timeout(1_000));
  assert.deepEqual(await south.vote(id, true, by), { kind: 'done' });
  assert.deepEqual(await east.vote(id, false, by), { kind: 'done' }, 'a no needs nothing');
});

test('a pass is for one record, and other proposals need none', async () => {
  const desks = new Desks();
  const [north, south] = [await desks.open('north'), await desks.open('south')];
  await desks.propose(north);
  await south.attestCandidate(onlyProposal(south).id, AbortSignal.timeout(1_000));
  const moved = { ...desks.delta, endpoints: { ...desks.delta.endpoints, https: 'https://127.0.0.1:9' } };
  desks.clock.advance(1);
  await desks.propose(north, moved);
  const other = south
    .view()
    ?.proposals.find(
      ({ action }) => action.kind === 'admit' && action.institution.https === moved.endpoints.https,
    );
  assert.ok(other);
  assert.equal(other.provedUntil, null);
  assert.equal((await south.vote(other.id, true, by)).kind, 'refused');
  desks.answer = undefined;
  assert.deepEqual(await north.propose({ kind: 'remove', institution: 'west' }, by), { kind: 'done' });
  const removal = south.view()?.proposals.find(({ action }) => action.kind === 'remove');
  assert.deepEqual(await south.vote(removal?.id ?? '', true, by), { kind: 'done' });
});
