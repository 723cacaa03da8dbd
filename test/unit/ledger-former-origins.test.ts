/** What a consortium named and accepted before counts for the boxes that it took then, and for no other. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { FormerOrigins } from '../../firmware/src/attestation/expectation.ts';
import { expectationOf } from '../../firmware/src/box/attesting.ts';
import { buildBlock, defaultParameters } from '../../firmware/src/ledger/index.ts';
import { formerOriginsMax, releasesListedMax } from '../../firmware/src/ledger/limits.ts';
import {
  formerOriginsRecord,
  noFormerOrigins,
  withDropped,
  type FormerValue,
} from '../../firmware/src/ledger/releases/former-origins-record.ts';
import type { Institution, LedgerState, ProposalAction } from '../../firmware/src/ledger/types.ts';
import { bytesOf, genesisTime, LedgerFixture, verifySignature } from '../fakes/ledger.ts';
import { candidate, certifiedKeys, ConsortiumFixture } from '../fakes/ledger-consortium.ts';
import { applied, soon } from '../support/ledger-outcome.ts';

const [oldAuthority, newAuthority] = [bytesOf('old authority'), bytesOf('new authority')];
const parameters = { ...defaultParameters, bootAuthorities: [oldAuthority] };
const ledger = new LedgerFixture(undefined, { parameters });
const consortium = new ConsortiumFixture(ledger);
const { initial } = ledger;

function agreed(state: LedgerState, action: ProposalAction, time: number, proposer = 'north'): LedgerState {
  const body = consortium.proposeBody(proposer, action);
  const proposed = applied(state, consortium.propose(proposer, action), time);
  return ['south', 'east'].reduce((after, id) => applied(after, consortium.vote(id, body), time), proposed);
}

/** By the block that closes the epoch, and its time. */
function nextEpoch(state: LedgerState): { readonly state: LedgerState; readonly time: number } {
  const time = state.epoch().startTime + state.parameters().epochMs;
  const { state: after } = buildBlock(state, ledger.genesisHeader, {
    view: 1,
    time,
    proposer: 'north',
    candidates: [],
    verify: verifySignature,
  });
  return { state: after, time };
}

const naming = (...bootAuthorities: readonly Uint8Array[]): ProposalAction => ({
  kind: 'parameters',
  parameters: { ...parameters, bootAuthorities },
});

function formerOf(state: LedgerState, id: string, proposed?: Institution): FormerOrigins {
  const question = { verifier: 'south', candidate: id, now: soon, provenTpms: [] };
  return expectationOf(state, { development: false }, question, proposed).former;
}

test('a boot authority that is named no more counts for boxes that were members when it was dropped', () => {
  assert.deepEqual(formerOf(initial, 'north'), noFormerOrigins);
  const { state: dropped, time } = nextEpoch(agreed(initial, naming(newAuthority), soon));
  assert.deepEqual(dropped.formerOrigins().bootAuthorities, [{ value: oldAuthority, until: time }]);
  assert.deepEqual(formerOf(dropped, 'north'), { bootAuthorities: [oldAuthority], releases: [] });

  // Whoever comes later made his keys when nobody accepted it any more, as far as anybody knows.
  const fifth = candidate(ledger.chain, 'fifth');
  assert.deepEqual(formerOf(dropped, 'fifth', fifth), noFormerOrigins);
  const admitted = agreed(dropped, { kind: 'admit', institution: fifth, validator: false }, time + 1);
  assert.equal(admitted.institution('fifth')?.deviceSince, time + 1);
  assert.deepEqual(formerOf(admitted, 'fifth'), noFormerOrigins);
  // Of a member too, whose record somebody brings as a proposal.
  assert.deepEqual(formerOf(dropped, 'north', fifth), noFormerOrigins);
});

test('another box in the place of one that counted does not, a renewal of its keys does', () => {
  const { state: dropped, time } = nextEpoch(agreed(initial, naming(newAuthority), soon));
  const own = certifiedKeys(ledger.chain, 'north', 'renewed');
  const renewed = applied(dropped, consortium.replace('north', 2, own, [1, 2]), time + 1);
  assert.equal(renewed.institution('north')?.deviceSince, genesisTime);
  assert.deepEqual(formerOf(renewed, 'north').bootAuthorities, [oldAuthority]);
  const others = certifiedKeys(ledger.chain, 'north', 'another', { identityName: 'another box' });
  const replaced = applied(dropped, consortium.replace('north', 2, others, [1, 2]), time + 1);
  assert.deepEqual(formerOf(replaced, 'north'), noFormerOrigins);
  assert.deepEqual(formerOf(replaced, 'west').bootAuthorities, [oldAuthority]);
});

test('one that is named and dropped again counts to the later time; one that stays is no former one', () => {
  const first = nextEpoch(agreed(initial, naming(newAuthority), soon));
  const back = nextEpoch(agreed(first.state, naming(newAuthority, oldAuthority), first.time + 1));
  assert.deepEqual(back.state.formerOrigins(), first.state.formerOrigins());
  const again = nextEpoch(agreed(back.state, naming(newAuthority), back.time + 2, 'west'));
  assert.deepEqual(again.state.formerOrigins().bootAuthorities, [{ value: oldAuthority, until: again.time }]);
});

test('an accepted release that newer ones push off the list counts likewise; one that was only published does not', () => {
  let state = applied(initial, consortium.publish('1.0.0', [1, 2]));
  state = applied(state, consortium.publish('1.0.1', [1, 2]));
  for (const id of ['north', 'south', 'east']) state = applied(state, consortium.accept(id, '1.0.0'));
  for (let patch = 0; patch < releasesListedMax; patch++)
    state = applied(state, consortium.publish(`2.0.${patch}`, [1, 2]), soon + patch);
  assert.equal(state.releases().length, releasesListedMax);
  const until = soon + releasesListedMax - 2;
  assert.deepEqual(state.formerOrigins().releases, [{ value: bytesOf('release 1.0.0'), until }]);
  assert.deepEqual(formerOf(state, 'north').releases, [bytesOf('release 1.0.0')]);
});

test('what was dropped is bounded: the oldest go', () => {
  const values = Array.from({ length: formerOriginsMax + 2 }, (_, number) => bytesOf(`value ${number}`));
  const dropped = values.reduce<readonly FormerValue[]>(
    (former, value, number) => withDropped(former, [value], number),
    [],
  );
  assert.equal(dropped.length, formerOriginsMax);
  assert.deepEqual(dropped[0], { value: values[2], until: 2 });
  const record = { bootAuthorities: dropped, releases: dropped.slice(1) };
  assert.deepEqual(formerOriginsRecord.decode(formerOriginsRecord.encode(record)), {
    kind: 'decoded',
    value: record,
  });
});
