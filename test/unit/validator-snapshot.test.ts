/** Snapshots at the ends of epochs: who is new or was away for long begins from one, whatever peers send it. */
import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { toHex } from '../../firmware/src/encoding/bytes.ts';
import { encodeTransaction, stateFromEntries } from '../../firmware/src/ledger/index.ts';
import { stateRanges } from '../../firmware/src/ledger/state-range.ts';
import { decodeHeaderRecord } from '../../firmware/src/validator/final-records.ts';
import {
  decodeRange,
  encodeRange,
  encodeSnapshotOffer,
} from '../../firmware/src/validator/snapshot-records.ts';
import { snapshotProtocol } from '../../firmware/src/validator/snapshot-server.ts';
import { Cluster } from '../fakes/cluster.ts';
import { signerOf } from '../fakes/ledger.ts';

const epochMs = 20_000;
const all = ['north', 'south', 'east', 'west'];

/** Three of four run for some epochs, with studies registered in the first; then west, which saw nothing, may begin. */
async function grown(t: TestContext, epochs = 5): Promise<Cluster> {
  const cluster = new Cluster(all, { parameters: { epochMs }, bodiesKeptEpochs: 2 });
  for (const id of all.slice(0, 3)) await cluster.start(id);
  t.after(() => cluster.stopAll());
  await cluster.time.pass(100);
  for (let number = 0; number < 6; number++) {
    const owners = Array.from({ length: 20 }, (_, index) => signerOf(`owner ${index % 4}`));
    const { transaction } = cluster.fixture.register('south', `batch ${number}`, owners);
    void cluster.box('south').validator.submit(encodeTransaction(transaction));
    await cluster.time.pass(500);
  }
  await cluster.time.pass(epochs * epochMs + 15_000);
  return cluster;
}

function assertEqual(cluster: Cluster, one: string, other: string): void {
  const [a, b] = [cluster.box(one).validator, cluster.box(other).validator];
  assert.deepEqual(a.head(), b.head());
  assert.equal(toHex(a.state().root), toHex(b.state().root));
}

/** Makes what this box answers of snapshots into something else. */
function tamper(
  cluster: Cluster,
  id: string,
  change: (answer: Uint8Array, isOffer: boolean) => Uint8Array,
): { asked: number } {
  const network = cluster.hub.member(id);
  const honest = network?.requestHandler(snapshotProtocol);
  assert.ok(network !== undefined && honest !== undefined);
  const others = network.requestHandler.bind(network);
  const count = { asked: 0 };
  network.requestHandler = (protocol: string) => {
    if (protocol !== snapshotProtocol) return others(protocol);
    return async (from, body, signal) => {
      count.asked++;
      return change(await honest(from, body, signal), body.length < 12);
    };
  };
  return count;
}

test('old transactions are dropped where a snapshot leads over the gap; headers stay, linked', async (t) => {
  const cluster = await grown(t);
  const { validator } = cluster.box('north');
  const { blocks, headers, snapshots } = cluster.disksOf('north');
  const first = blocks.first ?? 0;
  const { number } = validator.state().epoch();
  assert.equal(validator.firstBlock(), first);
  assert.equal(first, validator.state().epochOf(number - 2)?.startHeight);
  assert.equal(snapshots.size, 2);
  const kept = headers.records.map(decodeHeaderRecord);
  assert.equal(kept.length, first);
  for (const [height, { header, certificate }] of kept.entries()) {
    assert.equal(header.height, height);
    const next = kept[height + 1]?.header;
    if (next !== undefined) assert.equal(certificate !== null, next.epoch !== header.epoch);
  }
  const heights: number[] = [];
  for await (const { block } of validator.blocks(0)) heights.push(block.header.height);
  assert.equal(heights[0], first);
  assert.ok((await validator.bytes()) > 0);
});

test('a new box begins from a snapshot, votes in its epoch, and serves it to the next', async (t) => {
  const cluster = await grown(t);
  const { validator, final } = await cluster.start('west');
  await cluster.time.pass(5000);
  assertEqual(cluster, 'west', 'north');
  assert.ok((final[0]?.block.header.height ?? 0) > validator.firstBlock());
  assert.equal(validator.consensus().isVoting, true);
  assert.equal(validator.consensus().catchingUp, undefined);
  // It votes: another one may be off.
  cluster.crash('east');
  const height = validator.head().height;
  await cluster.time.pass(epochMs);
  assert.ok(validator.head().height > height);
  cluster.crash('west');
  const again = await cluster.start('west');
  assert.ok(again.validator.head().height > height);
});

test('a box whose head lies before what others keep takes a snapshot when it returns', async (t) => {
  const cluster = new Cluster(all, { parameters: { epochMs }, bodiesKeptEpochs: 2 });
  await cluster.startAll();
  t.after(() => cluster.stopAll());
  await cluster.time.pass(12_000);
  const { height } = cluster.box('west').validator.head();
  assert.ok(height > 0);
  cluster.crash('west');
  await cluster.time.pass(6 * epochMs);
  assert.ok(cluster.box('north').validator.firstBlock() > height + 1);
  const { validator } = await cluster.start('west');
  await cluster.time.pass(10_000);
  assertEqual(cluster, 'west', 'north');
  assert.equal(validator.consensus().isVoting, true);
  assert.deepEqual(validator.misbehaviour(), []);
});

test('a box that crashes at any record of a snapshot goes on where it was', async (t) => {
  const cluster = await grown(t);
  let records = 0;
  let crashes = 0;
  for (;;) {
    const box = await cluster.start('west');
    let left = 1;
    box.snapshots.beforeAppend = () => {
      if (left-- > 0) records++;
      else cluster.crash('west');
    };
    await cluster.time.pass(3000, () => !cluster.boxes.has('west') || box.validator.head().height > 0);
    box.snapshots.beforeAppend = () => undefined;
    if (cluster.boxes.has('west')) break;
    crashes++;
    assert.ok(crashes < 100);
  }
  await cluster.time.pass(5000);
  assertEqual(cluster, 'west', 'north');
  const [, snapshot] = [...cluster.disksOf('west').snapshots].sort(([a], [b]) => a - b).reverse()[0] ?? [];
  assert.ok(crashes > 4, `${crashes} crashes`);
  assert.ok(records >= (snapshot?.records.length ?? 0));
});

for (const moment of ['beforeAppend', 'afterAppend'] as const) {
  test(`a crash while a snapshot is put in place is made good at the next start (${moment})`, async (t) => {
    const cluster = await grown(t);
    const { blocks, state } = cluster.disksOf('west');
    const { blockLog } = await cluster.start('west');
    // The first block that is written after all others were dropped is the snapshot's.
    blockLog[moment] = () => {
      if ((blocks.first ?? 0) > 0) cluster.crash('west');
    };
    await cluster.time.pass(5000);
    assert.ok(!cluster.boxes.has('west'));
    assert.equal(state.height, 0);
    const { validator } = await cluster.start('west');
    assert.equal(validator.head().height, validator.firstBlock());
    await cluster.time.pass(5000);
    assertEqual(cluster, 'west', 'north');
  });
}

test('the state that is lost is had again from the own snapshot and the blocks after it', async (t) => {
  const cluster = await grown(t);
  const { height } = cluster.box('north').validator.head();
  cluster.crash('north');
  const { state } = cluster.disksOf('north');
  state.height = undefined;
  state.entries.clear();
  for (const id of ['south', 'east']) cluster.hub.setConnected('north', id, false);
  const { validator } = await cluster.start('north');
  assert.equal(validator.head().height, height);
});

const lies: Readonly<Record<string, (answer: Uint8Array, isOffer: boolean) => Uint8Array>> = {
  'an epoch that never was': (answer, isOffer) =>
    isOffer ? encodeSnapshotOffer({ epoch: 1_000_000, height: 1e9, records: 3 }) : answer,
  'no snapshot': () => new Uint8Array(),
  rubbish: () => Uint8Array.of(1, 2, 3),
  'chunks with a changed value': (answer, isOffer) => {
    if (isOffer) return answer;
    const changed = answer.slice();
    const at = changed.length >> 1;
    changed[at] = (changed[at] ?? 0) ^ 1;
    return changed;
  },
  'chunks without their last entry': (answer, isOffer) => {
    if (isOffer) return answer;
    try {
      const range = decodeRange(answer);
      return encodeRange({ ...range, entries: range.entries.slice(0, -1) });
    } catch (error) {
      assert.ok(error instanceof RangeError);
      return answer;
    }
  },
};

for (const [name, change] of Object.entries(lies)) {
  test(`a peer that sends ${name} costs only itself`, async (t) => {
    const cluster = await grown(t, 4);
    // It is asked first, and the others lie not.
    const liar = tamper(cluster, 'north', change);
    await cluster.start('west');
    await cluster.time.pass(5000);
    assertEqual(cluster, 'west', 'south');
    assert.ok(liar.asked > 0);
    if (name.startsWith('chunks') || name === 'rubbish') assert.ok(liar.asked <= 3, `${liar.asked} requests`);
  });
}

test('if all peers lie about snapshots the box stays where it is, and takes one when the first does not', async (t) => {
  const cluster = await grown(t, 4);
  for (const id of all.slice(0, 3))
    tamper(cluster, id, lies['chunks with a changed value'] ?? ((answer) => answer));
  const { validator } = await cluster.start('west');
  await cluster.time.pass(5000);
  assert.equal(validator.head().height, 0);
  cluster.crash('south');
  await cluster.start('south');
  await cluster.time.pass(70_000);
  assertEqual(cluster, 'west', 'south');
});

/** Each entry of them is true, but no chunk of an honest box follows. */
for (const [name, bytesMax] of [
  ['entry by entry', 1],
  ['otherwise', 6000],
] as const) {
  test(`a peer that divides the state ${name} costs only itself, also when it says nothing more`, async (t) => {
    const cluster = await grown(t, 4);
    let cut = 0;
    tamper(cluster, 'north', (answer, isOffer) => {
      if (isOffer) return answer;
      if (cut > 0) return new Uint8Array();
      const short = firstChunk(cluster, answer, bytesMax);
      if (short !== undefined) cut++;
      return short ?? answer;
    });
    await cluster.start('west');
    await cluster.time.pass(5000);
    assert.equal(cut, 1);
    assertEqual(cluster, 'west', 'south');
  });
}

/** Undefined: the answer is no first chunk of a snapshot. */
function firstChunk(cluster: Cluster, answer: Uint8Array, bytesMax: number): Uint8Array | undefined {
  for (const { records } of cluster.disksOf('north').snapshots.values()) {
    const [, first] = records;
    if (first === undefined || toHex(first) !== toHex(answer)) continue;
    const entries = records.slice(1).flatMap((record) => decodeRange(record).entries);
    const state = stateFromEntries(cluster.fixture.chain, entries);
    const [short] = stateRanges(state, bytesMax);
    return short && encodeRange(short);
  }
  return undefined;
}
