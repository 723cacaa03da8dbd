/** What a source says of its study's standing: frozen, rescinded, erased; and what that forbids. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { mayApplyLater } from '../../firmware/src/ledger/index.ts';
import type { LedgerState, StudyId, StudyStatus, Transaction } from '../../firmware/src/ledger/types.ts';
import { bytesOf, LedgerFixture, signerOf } from '../fakes/ledger.ts';
import { emergencyBody, referBody, statusAct, transferBody } from '../fakes/ledger-studies.ts';
import { applied, refusal } from '../support/ledger-outcome.ts';

const ledger = new LedgerFixture();
const owner = signerOf('owner');
const grantee = signerOf('grantee');
const source = ledger.box('north').transaction;
const registration = ledger.register('north', 'batch', [owner]);
const [study] = registration.ids as readonly [StudyId];
const registered = applied(ledger.initial, registration.transaction);
const head = bytesOf('commitment batch 0 1');

type Act = 'study.freeze' | 'study.unfreeze' | 'study.rescind' | 'study.erase';
const act = (type: Act, actSeq: number) => statusAct(ledger, type, 'north', study, actSeq);

/** The study after these acts, numbered from 1. */
function after(...types: readonly Act[]): LedgerState {
  return types.reduce((state, type, index) => applied(state, act(type, index + 1)), registered);
}

const states: readonly (readonly [StudyStatus, readonly Act[]])[] = [
  ['open', []],
  ['open', ['study.freeze', 'study.unfreeze']],
  ['frozen', ['study.freeze']],
  ['rescinded', ['study.rescind']],
  ['rescinded', ['study.freeze', 'study.rescind']],
  ['erased', ['study.erase']],
  ['erased', ['study.rescind', 'study.erase']],
];

/** Each act from each status: the status after it, or why not. */
const acts: Readonly<Record<Act, Readonly<Record<StudyStatus, string>>>> = {
  'study.freeze': {
    open: 'frozen',
    frozen: 'study-frozen',
    rescinded: 'study-rescinded',
    erased: 'study-erased',
  },
  'study.unfreeze': { open: 'not-frozen', frozen: 'open', rescinded: 'not-frozen', erased: 'not-frozen' },
  'study.rescind': {
    open: 'rescinded',
    frozen: 'rescinded',
    rescinded: 'study-rescinded',
    erased: 'study-erased',
  },
  'study.erase': { open: 'erased', frozen: 'erased', rescinded: 'erased', erased: 'study-erased' },
};

for (const [status, before] of states) {
  test(`${before.join(', ') || 'registered'}: the study is ${status}, and what may follow`, () => {
    const state = after(...before);
    assert.equal(state.study(study)?.status, status);
    assert.equal(state.study(study)?.actSeq, before.length);
    for (const type of Object.keys(acts) as Act[]) {
      const outcome = acts[type][status];
      const transaction = act(type, before.length + 1);
      if (['open', 'frozen', 'rescinded', 'erased'].includes(outcome)) {
        assert.equal(applied(state, transaction).study(study)?.status, outcome, type);
      } else {
        assert.equal(refusal(state, transaction), outcome, type);
      }
    }
  });
}

const grant = ledger.grantBody(study, 1, grantee.publicKey);
const next = signerOf('next');

/** What uses a study, and needs it to be open. */
const uses: Readonly<Record<string, Transaction>> = {
  grant: ledger.sign(ledger.grantBody(study, 2, grantee.publicKey), owner),
  referral: ledger.sign(referBody(ledger, 'north', study, 1, grantee.publicKey), source),
  emergency: ledger.sign(
    emergencyBody(ledger, 'south', study, grantee.publicKey),
    ledger.box('south').transaction,
  ),
  open: ledger.sign(ledger.openBody('north', grant, 1, head), grantee, source),
  transfer: ledger.sign(transferBody(ledger, study, next), owner, next),
};

for (const [status, before] of states) {
  test(`${before.join(', ') || 'registered'}: ${status === 'open' ? 'all uses apply' : 'no use applies'}`, () => {
    let state = applied(registered, ledger.sign(grant, owner));
    for (const [index, type] of before.entries()) state = applied(state, act(type, index + 1));
    for (const [name, transaction] of Object.entries(uses)) {
      if (status === 'open') assert.ok(applied(state, transaction), name);
      else assert.equal(refusal(state, transaction), `study-${status}`, name);
    }
  });
}

test('a study that is frozen may still be corrected, and its receipts closed', () => {
  const opened = applied(applied(registered, ledger.sign(grant, owner)), uses['open'] as Transaction);
  const close = ledger.sign(ledger.closeBody(ledger.openBody('north', grant, 1, head)), grantee, source);
  const frozen = applied(opened, act('study.freeze', 1));
  assert.ok(applied(frozen, ledger.amend('north', study, 2)));
  assert.equal(
    refusal(applied(frozen, act('study.rescind', 2)), ledger.amend('north', study, 2)),
    'study-rescinded',
  );
  assert.equal(
    refusal(applied(frozen, act('study.erase', 2)), ledger.amend('north', study, 2)),
    'study-erased',
  );
  for (const state of [
    frozen,
    applied(frozen, act('study.rescind', 2)),
    applied(frozen, act('study.erase', 2)),
  ]) {
    assert.ok(applied(state, close));
    assert.ok(applied(state, ledger.sign(ledger.revokeBody(study, { upTo: 1 }), owner)));
  }
});

test('what waits while a study is frozen may apply later; rescinded and erased are for ever', () => {
  assert.equal(mayApplyLater('study-frozen'), true);
  assert.equal(mayApplyLater('study-rescinded'), false);
  assert.equal(mayApplyLater('study-erased'), false);
});

test('acts are numbered, so that none is replayed after another undid it', () => {
  const thawed = after('study.freeze', 'study.unfreeze');
  assert.equal(refusal(thawed, act('study.freeze', 1)), 'act-stale');
  assert.equal(refusal(thawed, act('study.freeze', 4)), 'act-gap');
  assert.equal(mayApplyLater('act-gap'), true);
  assert.equal(applied(thawed, act('study.freeze', 3)).study(study)?.status, 'frozen');
});

test('only the source acts on its study', () => {
  for (const type of Object.keys(acts) as Act[]) {
    assert.equal(refusal(registered, statusAct(ledger, type, 'south', study, 1)), 'not-the-source');
    const { body } = act('study.freeze', 1);
    assert.equal(refusal(registered, ledger.sign(body, ledger.box('south').transaction)), 'bad-signature');
    assert.equal(refusal(registered, ledger.sign(body, owner)), 'bad-signature');
    assert.equal(refusal(ledger.initial, act(type, 1)), 'unknown-study');
  }
});
