/** The end of an epoch: which block closes it, what its execution leaves, what may follow. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  buildBlock,
  defaultParameters,
  executeBlock,
  stateEntries,
  stateFromEntries,
} from '../../firmware/src/ledger/index.ts';
import { epochRecord } from '../../firmware/src/ledger/consortium/epoch-record.ts';
import { proposalRecord } from '../../firmware/src/ledger/consortium/proposal-record.ts';
import {
  epochsKeptMax,
  institutionIdCharactersMax,
  institutionsMax,
  validatorsMax,
} from '../../firmware/src/ledger/limits.ts';
import { decodeStateProof, encodeStateProof } from '../../firmware/src/ledger/state-proof.ts';
import type { Block, BlockHeader, LedgerState } from '../../firmware/src/ledger/types.ts';
import { genesisTime, LedgerFixture, verifySignature } from '../fakes/ledger.ts';

const epochMs = 60_000;
const ledger = new LedgerFixture(undefined, { parameters: { ...defaultParameters, epochMs } });
const { genesis } = ledger;

interface Tip {
  readonly state: LedgerState;
  readonly header: BlockHeader;
}

const start: Tip = { state: ledger.initial, header: ledger.genesisHeader };

/** An empty block on the tip, as its proposer builds it and every other box executes it. */
function extend({ state, header }: Tip, time: number): Tip {
  const view = header.epoch === state.epoch().number ? header.view + 1 : 1;
  const built = buildBlock(state, header, {
    view,
    time,
    proposer: 'north',
    candidates: [],
    verify: verifySignature,
  });
  const executed = executeBlock(state, header, built.block, { verify: verifySignature });
  assert.ok(executed.kind === 'valid', executed.kind === 'invalid' ? executed.detail : '');
  assert.deepEqual(executed.state.root, built.state.root);
  return { state: executed.state, header: built.block.header };
}

test('the first epoch is number 0, from the genesis document on', () => {
  const epoch = start.state.epoch();
  assert.equal(epoch.number, 0);
  assert.equal(epoch.startHeight, 1);
  assert.equal(epoch.startTime, genesisTime);
  assert.deepEqual(
    epoch.validators,
    genesis.validators.map((id) => {
      const keys = genesis.institutions.find((institution) => institution.id === id)?.keys;
      return { id, voting: keys?.voting, identity: keys?.identity };
    }),
  );
  assert.deepEqual(start.state.epochOf(0), epoch);
  assert.equal(start.state.epochOf(1), undefined);
  assert.deepEqual(start.state.parameters(), genesis.parameters);
  assert.deepEqual(start.state.vendor(), genesis.vendor);
});

test('block time alone closes an epoch: the first block at or after its end', () => {
  const last = extend(start, genesisTime + epochMs - 1);
  assert.equal(start.state.closesEpoch(last.header), false);
  assert.equal(last.state.closesEpoch(last.header), false);
  assert.equal(last.state.epoch().number, 0);
  const closing = extend(last, genesisTime + epochMs);
  assert.equal(last.state.closesEpoch(closing.header), true);
  assert.equal(closing.state.closesEpoch(closing.header), true, 'asked of the state after it, too');
  assert.equal(closing.header.epoch, 0);
  assert.deepEqual(closing.state.epoch(), {
    ...last.state.epoch(),
    number: 1,
    startHeight: 3,
    startTime: genesisTime + epochMs,
  });
  assert.deepEqual(closing.state.epochOf(0), last.state.epoch());
});

test('views begin anew after the closing block, which is view 0 of the next epoch', () => {
  let tip = start;
  for (const after of [1, 2, epochMs]) tip = extend(tip, genesisTime + after);
  assert.equal(tip.header.view, 3);
  const next = extend(tip, genesisTime + epochMs + 1);
  assert.equal(next.header.epoch, 1);
  assert.equal(next.header.view, 1);
  assert.equal(next.header.parentView, 0);
});

test('no block of the epoch follows the one that closed it', () => {
  const closing = extend(start, genesisTime + epochMs);
  const { block } = buildBlock(closing.state, closing.header, {
    view: 2,
    time: closing.header.time + 1,
    proposer: 'north',
    candidates: [],
    verify: verifySignature,
  });
  const changed = (header: Partial<BlockHeader>): Block => ({
    ...block,
    header: { ...block.header, ...header },
  });
  const reason = (candidate: Block): string => {
    const result = executeBlock(closing.state, closing.header, candidate, { verify: verifySignature });
    return result.kind === 'invalid' ? result.reason : result.kind;
  };
  assert.equal(reason(block), 'valid');
  assert.equal(reason(changed({ epoch: 0, parentView: 1 })), 'wrong-epoch');
  assert.equal(reason(changed({ epoch: 2 })), 'wrong-epoch');
  assert.equal(reason(changed({ parentView: 1 })), 'wrong-parent');
  assert.equal(reason(changed({ view: 0 })), 'wrong-view');
});

test('a block that closes an epoch without the state of the next is invalid', () => {
  const { block } = buildBlock(start.state, start.header, {
    view: 1,
    time: genesisTime + epochMs,
    proposer: 'north',
    candidates: [],
    verify: verifySignature,
  });
  const header = { ...block.header, stateRoot: start.state.root };
  const result = executeBlock(start.state, start.header, { ...block, header }, { verify: verifySignature });
  assert.ok(result.kind === 'invalid');
  assert.equal(result.reason, 'wrong-state-root');
});

test('epochs are numbered without a gap, also after a long silence, and old ones are dropped', () => {
  let tip = extend(start, genesisTime + 10 * epochMs);
  assert.equal(tip.state.epoch().number, 1, 'one block closes one epoch, however late it comes');
  for (let number = 2; number <= epochsKeptMax + 2; number++) {
    tip = extend(tip, tip.header.time + epochMs);
    assert.equal(tip.state.epoch().number, number);
    assert.equal(tip.state.epoch().startHeight, tip.header.height + 1);
    assert.equal(tip.state.epochOf(number - 1)?.number, number - 1);
  }
  assert.equal(tip.state.epochOf(1), undefined);
  assert.equal(tip.state.epochOf(2)?.number, 2);
  const again = stateFromEntries(ledger.chain, stateEntries(tip.state));
  assert.deepEqual(again.epoch(), tip.state.epoch());
  assert.deepEqual(again.root, tip.state.root);
});

test('the largest records that votes can bring about can be read again, and proved', () => {
  const idOf = (index: number): string => String(index).padStart(institutionIdCharactersMax, 'a');
  const ids = Array.from({ length: institutionsMax }, (_, index) => idOf(index));
  const validators = ids
    .slice(0, validatorsMax)
    .map((id) => ({ id, voting: new Uint8Array(32), identity: new Uint8Array(65) }));
  const counter = Number.MAX_SAFE_INTEGER;
  const epoch = epochRecord.encode({ number: counter, startHeight: counter, startTime: counter, validators });
  assert.equal(epochRecord.decode(epoch).kind, 'decoded');
  const siblings = Array.from({ length: 256 }, () => new Uint8Array(32));
  const proof = encodeStateProof({ key: 'epoch', value: epoch, siblings, otherLeaf: null });
  assert.equal(decodeStateProof(proof).kind, 'proof');
  const proposal = proposalRecord.encode({
    proposer: idOf(0),
    action: { kind: 'validators', add: ids.slice(0, validatorsMax), remove: ids.slice(validatorsMax) },
    proposedAt: counter,
    expiry: counter,
    outcome: { passed: true, at: counter },
  });
  assert.equal(proposalRecord.decode(proposal).kind, 'decoded');
});
