import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { toHex } from '../../firmware/src/encoding/bytes.ts';
import { decodeBlock, encodeBlock, encodeTransaction } from '../../firmware/src/ledger/index.ts';
import type { Certificate } from '../../firmware/src/consensus/types.ts';
import { blockProtocol } from '../../firmware/src/validator/catch-up.ts';
import {
  decodeBlockAnswer,
  decodeBlockRequest,
  encodeBlockAnswer,
  encodeFinalRecord,
} from '../../firmware/src/validator/final-records.ts';
import type { FinalRecord } from '../../firmware/src/validator/final-records.ts';
import type { KeptRecord } from '../../firmware/src/validator/kept-records.ts';
import { decodeKeptRecord, encodeKeptRecord } from '../../firmware/src/validator/kept-records.ts';
import { blocksAskedMax } from '../../firmware/src/validator/limits.ts';
import { decodeMessage, encodeMessage } from '../../firmware/src/validator/messages.ts';
import { Cluster } from '../fakes/cluster.ts';
import { signerOf } from '../fakes/ledger.ts';
import { MemoryVotingKeys } from '../fakes/voting-keys.ts';

async function clusterWithBlocks(t: TestContext, blocks: number): Promise<Cluster> {
  const cluster = new Cluster();
  await cluster.startAll();
  t.after(() => cluster.stopAll());
  await addBlocks(cluster, blocks);
  return cluster;
}

let batches = 0;

async function addBlocks(cluster: Cluster, blocks: number): Promise<void> {
  for (let number = 0; number < blocks; number++) {
    const batch = `recovery ${batches++}`;
    const { transaction } = cluster.fixture.register('north', batch, [signerOf(batch)]);
    const submitted = cluster.box('north').validator.submit(encodeTransaction(transaction));
    await cluster.time.pass(
      2500,
      () => new Set(cluster.heights()).size === 1 && cluster.heights()[0] === number + 1,
    );
    await cluster.time.pass(20);
    assert.equal((await submitted).kind, 'final');
  }
}

function changedRecord(
  cluster: Cluster,
  id: string,
  height: number,
  change: (record: KeptRecord) => FinalRecord,
): void {
  const { records } = cluster.disksOf(id).blocks;
  const record = records[height];
  assert.ok(record !== undefined);
  const kept = decodeKeptRecord(record);
  records[height] = encodeKeptRecord({ ...kept, ...change(kept) });
}

test('state that is gone, or older than the log, is built anew from the block log', async (t) => {
  const cluster = await clusterWithBlocks(t, 3);
  const head = cluster.box('south').validator.head();
  const root = toHex(cluster.box('south').validator.state().root);
  const { state } = cluster.disksOf('south');
  const older = { height: state.height, digest: state.digest, entries: new Map(state.entries) };
  await addBlocks(cluster, 0);
  for (const damage of [
    () => (state.height = undefined),
    () => {
      // As if a save was lost with the power.
      state.height = older.height;
      for (const key of [...state.entries.keys()].filter((name) => name.startsWith('study/')))
        state.entries.delete(key);
    },
    () => state.entries.clear(),
  ]) {
    cluster.crash('south');
    damage();
    const { validator } = await cluster.start('south');
    assert.deepEqual(validator.head(), head);
    assert.equal(toHex(validator.state().root), root);
    assert.equal(state.height, head.height);
    assert.deepEqual(new Map([...state.entries].sort()), new Map([...older.entries].sort()));
  }
});

test('a crash between block log and state is made good', async (t) => {
  const cluster = await clusterWithBlocks(t, 2);
  const box = cluster.box('south');
  cluster.disksOf('south').state.failSaves = true;
  const { transaction } = cluster.fixture.register('north', 'unsaved', [signerOf('unsaved')]);
  void cluster.box('north').validator.submit(encodeTransaction(transaction));
  await cluster.time.pass(2500);
  assert.deepEqual(
    box.health.list().map(({ code }) => code),
    ['STORE_FAILED'],
  );
  assert.equal(cluster.disksOf('south').state.height, 2);
  assert.equal(cluster.disksOf('south').blocks.records.length, 4);
  cluster.crash('south');
  cluster.disksOf('south').state.failSaves = false;
  const { validator } = await cluster.start('south');
  assert.equal(validator.head().height, 3);
  assert.equal(toHex(validator.state().root), toHex(cluster.box('north').validator.state().root));
});

test('a block log that does not fit is refused, and nothing is changed', async (t) => {
  const cluster = await clusterWithBlocks(t, 3);
  cluster.crash('south');
  const { blocks, state } = cluster.disksOf('south');
  const intact = [...blocks.records];
  const cases: Readonly<Record<string, () => void>> = {
    'a shorter log than the state': () => blocks.records.pop(),
    'a block that another height holds': () => blocks.records.splice(2, 1),
    'other transactions': () => {
      state.height = undefined;
      changedRecord(cluster, 'south', 2, (record) => ({
        ...record,
        block: { ...record.block, transactions: [] },
      }));
    },
    'a certificate of too few': () =>
      changedRecord(cluster, 'south', 3, ({ block, certificate }) => ({
        block,
        certificate: certificate && { ...certificate, signatures: certificate.signatures.slice(1) },
      })),
    'another genesis': () =>
      changedRecord(cluster, 'south', 0, ({ block }) => ({
        block: { ...block, header: { ...block.header, time: block.header.time + 1 } },
        certificate: null,
      })),
  };
  const height = state.height;
  for (const [name, damage] of Object.entries(cases)) {
    blocks.records = [...intact];
    state.height = height;
    damage();
    const before = blocks.records.map(toHex);
    await assert.rejects(cluster.start('south'), { code: 'STORE_CORRUPT' }, name);
    assert.deepEqual(blocks.records.map(toHex), before);
  }
});

test('a box without the voting key that the ledger lists follows without a vote, and says so', async (t) => {
  const cluster = new Cluster();
  t.after(() => cluster.stopAll());
  const keys = new MemoryVotingKeys('south', signerOf('a stranger'));
  cluster.disks.set('south', { ...cluster.disksOf('south'), keys });
  const { validator, health } = await cluster.start('south');
  assert.equal(validator.consensus().isVoting, false);
  assert.deepEqual(
    health.list().map(({ code }) => code),
    ['VOTING_KEY_LOST'],
  );
});

/** Makes the answers of a box to requests by height, or by digest, into something else. */
function lie(
  cluster: Cluster,
  id: string,
  by: 'from' | 'digest',
  change: (records: readonly FinalRecord[]) => readonly FinalRecord[],
): { asked: number } {
  const network = cluster.hub.member(id);
  assert.ok(network !== undefined);
  const honest = network.requestHandler(blockProtocol);
  assert.ok(honest !== undefined);
  const count = { asked: 0 };
  network.requestHandler = (protocol: string) => {
    if (protocol !== blockProtocol) return undefined;
    return async (from, body, signal) => {
      const answer = await honest(from, body, signal);
      if (!(by in decodeBlockRequest(body))) return answer;
      count.asked++;
      const { first, records } = decodeBlockAnswer(answer);
      return encodeBlockAnswer(first, change(records).map(encodeFinalRecord));
    };
  };
  return count;
}

const lies: Readonly<Record<string, (records: readonly FinalRecord[]) => readonly FinalRecord[]>> = {
  'other transactions': (records) =>
    records.map(({ block, certificate }) => ({ block: { ...block, transactions: [] }, certificate })),
  'another block under the certificate': (records) =>
    records.map(({ block, certificate }) => ({
      block: { ...block, header: { ...block.header, time: block.header.time + 1 } },
      certificate,
    })),
  'a certificate with a signature of another': (records) =>
    records.map(({ block, certificate }) => ({
      block,
      certificate: certificate && withSwappedSignature(certificate),
    })),
  'a certificate of two': (records) =>
    records.map(({ block, certificate }) => ({
      block,
      certificate: certificate && { ...certificate, signatures: certificate.signatures.slice(0, 2) },
    })),
  'blocks of other heights': (records) => records.toReversed(),
  'no certificate at all': (records) => records.map(({ block }) => ({ block, certificate: null })),
};

function withSwappedSignature(certificate: Certificate): Certificate {
  const [first, second, ...rest] = certificate.signatures;
  assert.ok(first !== undefined && second !== undefined);
  const swapped = [
    { ...first, signature: second.signature },
    { ...second, signature: first.signature },
    ...rest,
  ];
  return { ...certificate, signatures: swapped };
}

for (const [name, change] of Object.entries(lies)) {
  test(`a peer that lies to a box that catches up costs only itself: ${name}`, async (t) => {
    // More blocks than a box asks for one by one.
    const cluster = await clusterWithBlocks(t, blocksAskedMax + 4);
    const head = cluster.box('north').validator.head();
    cluster.crash('south');
    cluster.disksOf('south').blocks.records.length = 0;
    cluster.disksOf('south').state.height = undefined;
    const liars = ['north', 'east'].map((id) => lie(cluster, id, 'from', change));
    const { validator } = await cluster.start('south');
    await cluster.time.pass(3000);
    assert.deepEqual(validator.head(), head);
    assert.ok(liars.some(({ asked }) => asked > 0));
  });
}

test('a peer that answers a request for one block with other transactions costs only itself', async (t) => {
  const cluster = new Cluster();
  await cluster.startAll();
  t.after(() => cluster.stopAll());
  losesProposals(cluster, 'south');
  const swap = lies['other transactions'] ?? assert.fail();
  const liars = ['north', 'east'].map((id) => lie(cluster, id, 'digest', swap));
  await addBlocks(cluster, 3);
  assert.deepEqual(cluster.box('south').health.list(), []);
  assert.ok(liars.some(({ asked }) => asked > 0));
});

test('a leader that sends one box other transactions than its block names costs nobody the ledger', async (t) => {
  const cluster = new Cluster();
  await cluster.startAll();
  t.after(() => cluster.stopAll());
  const south = cluster.hub.member('south');
  assert.ok(south !== undefined);
  const arrive = south.arrive.bind(south);
  let changed = 0;
  south.arrive = (from, bytes) => {
    const decoded = decodeMessage(bytes);
    if (decoded.kind !== 'message' || decoded.message.type !== 'proposal') return arrive(from, bytes);
    const block = decodeBlock(decoded.message.block);
    assert.ok(block.kind === 'block');
    changed++;
    arrive(
      from,
      encodeMessage({ ...decoded.message, block: encodeBlock({ ...block.block, transactions: [] }) }),
    );
  };
  await addBlocks(cluster, 4);
  assert.ok(changed >= 3);
  assert.deepEqual(cluster.heights(), [4, 4, 4, 4]);
  assert.equal(cluster.box('south').validator.consensus().isVoting, true);
});

/** The box hears no proposal. */
function losesProposals(cluster: Cluster, id: string): { lost: number } {
  const network = cluster.hub.member(id);
  assert.ok(network !== undefined);
  const arrive = network.arrive.bind(network);
  const count = { lost: 0 };
  network.arrive = (from, bytes) => {
    const decoded = decodeMessage(bytes);
    if (decoded.kind === 'message' && decoded.message.type === 'proposal') count.lost++;
    else arrive(from, bytes);
  };
  return count;
}

test('a block whose proposal was lost is fetched when a certificate names it', async (t) => {
  const cluster = new Cluster();
  await cluster.startAll();
  t.after(() => cluster.stopAll());
  const count = losesProposals(cluster, 'south');
  await addBlocks(cluster, 3);
  assert.ok(count.lost >= 2);
  assert.deepEqual(cluster.heights(), [3, 3, 3, 3]);
});

test('a group of blocks that became final together is stored, served and taken over', async (t) => {
  const cluster = new Cluster();
  await cluster.startAll();
  t.after(() => cluster.stopAll());
  // Finalize votes get lost for a while, so that several blocks wait for one certificate.
  let isLossy = true;
  for (const id of cluster.ids) {
    const network = cluster.hub.member(id);
    assert.ok(network !== undefined);
    const arrive = network.arrive.bind(network);
    network.arrive = (from, bytes) => {
      const decoded = decodeMessage(bytes);
      const isFinalize =
        decoded.kind === 'message' &&
        decoded.message.type === 'vote' &&
        decoded.message.vote.kind === 'finalize';
      if (!isLossy || !isFinalize) arrive(from, bytes);
    };
  }
  const { transaction } = cluster.fixture.register('north', 'group', [signerOf('group')]);
  const submitted = cluster.box('north').validator.submit(encodeTransaction(transaction));
  await cluster.time.pass(1800);
  assert.deepEqual(cluster.heights(), [0, 0, 0, 0]);
  isLossy = false;
  await cluster.time.pass(2000);
  assert.equal((await submitted).kind, 'final');
  const records = cluster.disksOf('north').blocks.records.map(decodeKeptRecord);
  assert.ok(
    records.slice(1).some(({ certificate }) => certificate === null),
    'some block has no certificate of its own',
  );
  assert.ok(records.at(-1)?.certificate);
  cluster.crash('south');
  cluster.disksOf('south').blocks.records.length = 0;
  cluster.disksOf('south').state.height = undefined;
  const { validator } = await cluster.start('south');
  await cluster.time.pass(1000);
  assert.deepEqual(validator.head(), cluster.box('north').validator.head());
  const last = records.at(-1);
  assert.ok(last !== undefined && encodeBlock(last.block).length > 0);
});
