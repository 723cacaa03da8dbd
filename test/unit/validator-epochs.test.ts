import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { decodeHandover, encodeHandover } from '../../firmware/src/handover/handover.ts';
import { verifyHandover } from '../../firmware/src/handover/verify.ts';
import {
  blockDigest,
  decodeBlock,
  encodeTransaction,
  genesisState,
} from '../../firmware/src/ledger/index.ts';
import { voteMessage } from '../../firmware/src/consensus/signatures.ts';
import { toHex, utf8 } from '../../firmware/src/encoding/bytes.ts';
import { encodeKeptRecord } from '../../firmware/src/validator/kept-records.ts';
import { handoverProtocol } from '../../firmware/src/validator/handovers.ts';
import { HeldMessages } from '../../firmware/src/validator/held-messages.ts';
import {
  handoverResendMs,
  handoversAtOnceMax,
  heldBytesMax,
  heldMessagesMax,
  retransmitMs,
} from '../../firmware/src/validator/limits.ts';
import type { Message } from '../../firmware/src/validator/messages.ts';
import { decodeMessage, encodeMessage } from '../../firmware/src/validator/messages.ts';
import { decodeVoteRecord } from '../../firmware/src/validator/vote-records.ts';
import type { Cluster } from '../fakes/cluster.ts';
import { signerOf, verifyIdentity, verifySignature } from '../fakes/ledger.ts';
import {
  assertEqualHeads,
  assertInEpoch,
  epochMs,
  recordsOf,
  startedCluster,
  untilEpoch,
} from '../support/epochs.ts';

test('epochs follow each other by block time; views begin anew, heights do not', async (t) => {
  const cluster = await startedCluster(t);
  await untilEpoch(cluster, 3, 'north', 120_000);
  await cluster.time.pass(15_000);
  assertInEpoch(cluster, 3);
  const headers = recordsOf(cluster, 'south').map(({ block }) => block.header);
  for (const [index, header] of headers.entries()) {
    assert.equal(header.height, index);
    const before = headers[index - 1];
    if (before === undefined) continue;
    const begins = header.epoch !== before.epoch;
    assert.equal(header.parentView, begins ? 0 : before.view);
    if (begins) assert.equal(header.view, 1);
    else assert.ok(header.view > before.view);
  }
  const ends = headers.filter((header, index) => headers[index + 1]?.epoch === header.epoch + 1);
  assert.deepEqual(
    ends.map(({ epoch }) => epoch),
    [0, 1, 2],
  );
  const { startTime } = cluster.box('north').validator.state().epochOf(1) ?? assert.fail();
  assert.ok((ends[1]?.time ?? 0) - startTime >= epochMs);
});

test('a transaction of an epoch’s last moment is final in it or in the next', async (t) => {
  const cluster = await startedCluster(t);
  for (const batch of ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h']) {
    const { transaction } = cluster.fixture.register('north', batch, [signerOf(batch)]);
    const submitted = cluster.box('north').validator.submit(encodeTransaction(transaction));
    await cluster.time.pass(4000);
    assert.equal((await submitted).kind, 'final');
  }
  assert.ok(cluster.box('north').validator.state().epoch().number >= 1);
  assertEqualHeads(cluster);
});

test('votes of earlier epochs are dropped from the vote log, after the block log has the end', async (t) => {
  const cluster = await startedCluster(t);
  await untilEpoch(cluster, 2, 'north', 120_000);
  await cluster.time.pass(15_000);
  const records = cluster.disksOf('east').votes.records.map(decodeVoteRecord);
  assert.deepEqual(records[0], { type: 'floor', epoch: 2, view: 0 });
  for (const record of records) {
    if (record.type === 'vote') assert.equal(record.vote.epoch, 2);
    if (record.type === 'certificate') assert.equal(record.certificate.epoch, 2);
  }
});

describe('the end of an epoch that is notarized and not final', () => {
  /** Finalize votes of the closing block's first view reach nobody, nor certificates of them. */
  function losesFirstFinality(cluster: Cluster): { readonly proposed: Message[] } {
    const closing = new Map<string, number>();
    const proposed: Message[] = [];
    const epochEnd = cluster.time.now + epochMs - 1000;
    for (const id of cluster.ids) {
      cluster.onlyHears(id, (message) => {
        if (message.type === 'proposal') {
          const decoded = decodeBlock(message.block);
          assert.ok(decoded.kind === 'block');
          const { header } = decoded.block;
          if (header.epoch === 0 && header.time >= epochEnd) {
            proposed.push(message);
            const digest = toHex(blockDigest(header));
            closing.set(digest, closing.get(digest) ?? message.vote.view);
          }
        }
        if (message.type !== 'vote' && message.type !== 'certificate') return true;
        const { kind, digest, view } = message.type === 'vote' ? message.vote : message.certificate;
        return kind !== 'finalize' || closing.get(toHex(digest)) !== view;
      });
    }
    return { proposed };
  }

  test('is proposed again in the next view, and all begin the next epoch from the same block', async (t) => {
    const cluster = await startedCluster(t);
    const { proposed } = losesFirstFinality(cluster);
    await untilEpoch(cluster, 1);
    await cluster.time.pass(15_000);
    assertInEpoch(cluster, 1);
    const digests = new Set(
      proposed.map((message) => message.type === 'proposal' && toHex(message.vote.digest)),
    );
    const views = new Set(proposed.map((message) => message.type === 'proposal' && message.vote.view));
    assert.equal(digests.size, 1, 'one block, whatever the view');
    assert.ok(views.size >= 2, 'it was proposed again');
    const { startHeight } = cluster.box('north').validator.state().epoch();
    const end = recordsOf(cluster, 'north')[startHeight - 1];
    assert.ok(end?.certificate && end.certificate.view > end.block.header.view);
    // It is such a record that a box which was away takes over.
    cluster.crash('south');
    cluster.disksOf('south').blocks.records.length = 0;
    cluster.disksOf('south').state.height = undefined;
    await cluster.start('south');
    await cluster.time.pass(3000);
    assertEqualHeads(cluster);
  });

  test('is taken up again by boxes that lost their power meanwhile', async (t) => {
    const cluster = await startedCluster(t);
    losesFirstFinality(cluster);
    await cluster.time.pass(60_000, () => cluster.box('north').validator.consensus().view >= 5);
    for (const id of cluster.ids) cluster.crash(id);
    await cluster.startAll();
    await untilEpoch(cluster, 1);
    await cluster.time.pass(15_000);
    assertInEpoch(cluster, 1);
  });
});

test('a block that closes no epoch is not proposed again: nobody votes for it', async (t) => {
  const cluster = await startedCluster(t);
  // East leads view 2. The block of view 1 is notarized, and its finalize votes are lost.
  cluster.crash('east');
  const votes: string[] = [];
  let first: Message | undefined;
  for (const id of ['north', 'south', 'west']) {
    cluster.onlyHears(id, (message) => {
      if (message.type === 'proposal') first ??= message;
      if (message.type === 'vote') votes.push(`${message.vote.kind} ${message.vote.view}`);
      return message.type !== 'vote' || message.vote.kind !== 'finalize';
    });
  }
  const { transaction } = cluster.fixture.register('north', 'one', [signerOf('one')]);
  const submitted = cluster.box('north').validator.submit(encodeTransaction(transaction));
  const rejected = assert.rejects(submitted, { code: 'LEDGER_STALE' });
  await cluster.time.pass(400, () => cluster.box('north').validator.consensus().view === 2);
  assert.ok(first?.type === 'proposal' && first.vote.view === 1);
  const content = { kind: 'notarize', epoch: 0, view: 2, digest: first.vote.digest } as const;
  const signature = cluster.fixture.box('east').voting.sign(voteMessage(cluster.fixture.chain, content));
  const again: Message = { ...first, vote: { ...content, validator: 2, signature }, justification: [] };
  const east = cluster.hub.join('east');
  for (const id of ['north', 'south', 'west']) east.send(id, encodeMessage(again));
  await cluster.time.pass(3000, () => votes.includes('nullify 2'));
  assert.ok(votes.includes('nullify 2'));
  assert.ok(!votes.includes('notarize 2'));
  await cluster.stopAll();
  await rejected;
});

test('all boxes losing power around an epoch’s end come back and go on', async (t) => {
  const probe = await startedCluster(t);
  const startedAt = probe.time.now;
  await untilEpoch(probe, 1);
  const end = probe.time.now - startedAt;
  for (let moment = end - 6; moment <= end + 4; moment++) {
    const cluster = await startedCluster(t);
    await cluster.time.pass(moment);
    for (const id of cluster.ids) cluster.crash(id);
    await cluster.startAll();
    await untilEpoch(cluster, 2, 'north', 120_000);
    await cluster.time.pass(1000);
    assertInEpoch(cluster, 2);
    await cluster.stopAll();
  }
});

test('a box that misses the end of its epoch is told, also if it heard no block of it', async (t) => {
  const cluster = await startedCluster(t);
  cluster.onlyHears('south', (message) => message.type === 'standing' || message.type === 'certificate');
  await untilEpoch(cluster, 1);
  await cluster.time.pass(3000);
  assertEqualHeads(cluster);
  assert.equal(cluster.box('south').validator.state().epoch().number, 1);
});

test('a box that was off for several epochs catches up across them and votes again', async (t) => {
  const cluster = await startedCluster(t);
  await cluster.time.pass(1000);
  cluster.crash('south');
  await untilEpoch(cluster, 3, 'north', 240_000);
  await cluster.start('south');
  await cluster.time.pass(5000);
  assertInEpoch(cluster, 3);
  cluster.crash('west');
  await untilEpoch(cluster, 4, 'south');
  assert.equal(cluster.box('south').validator.state().epoch().number, 4);
});

test('a peer that shows blocks of a later epoch under another epoch’s votes is not believed', async (t) => {
  const cluster = await startedCluster(t);
  await untilEpoch(cluster, 1);
  await cluster.time.pass(12_000);
  const records = recordsOf(cluster, 'north');
  const { startHeight } = cluster.box('north').validator.state().epoch();
  const end = records[startHeight - 1];
  const next = records[startHeight];
  assert.ok(end?.certificate && next?.certificate);
  // The certificate of one epoch's end, shown for the next one's first block, and the other way round.
  for (const [wrong, height] of [
    [{ ...next.certificate, epoch: 0 }, startHeight],
    [{ ...end.certificate, epoch: 1, digest: next.certificate.digest }, startHeight],
    [{ ...end.certificate, epoch: 1 }, startHeight - 1],
  ] as const) {
    cluster.crash('south');
    cluster.disksOf('south').blocks.records.splice(height);
    const record = records[height];
    assert.ok(record !== undefined);
    cluster.disksOf('south').blocks.records.push(encodeKeptRecord({ ...record, certificate: wrong }));
    cluster.disksOf('south').state.height = undefined;
    await assert.rejects(cluster.start('south'), { code: 'STORE_CORRUPT' });
  }
});

describe('handovers', () => {
  function handoverOf(cluster: Cluster, id: string, epoch: number): Promise<Uint8Array | undefined> {
    return cluster.box(id).validator.handover(epoch);
  }

  /** Verifies the chain of handovers from the genesis set on, as a light client does. */
  async function assertHandedOver(cluster: Cluster, id: string, epochs: number): Promise<void> {
    let from = genesisState(cluster.genesis).epoch();
    for (let epoch = 0; epoch < epochs; epoch++) {
      const bytes = await handoverOf(cluster, id, epoch);
      assert.ok(bytes !== undefined, `${id} has the handover of epoch ${epoch}`);
      const verifiers = { verify: verifySignature, verifyIdentity };
      const verified = verifyHandover(cluster.fixture.chain, from, decodeHandover(bytes), verifiers);
      assert.ok(verified.kind === 'verified', `epoch ${epoch}`);
      from = verified.next;
    }
    assert.deepEqual(from, cluster.box(id).validator.state().epoch());
  }

  test('are signed by the identity keys and kept, one for each epoch', async (t) => {
    const cluster = await startedCluster(t);
    await untilEpoch(cluster, 2, 'north', 120_000);
    await cluster.time.pass(100);
    for (const id of cluster.ids) await assertHandedOver(cluster, id, 2);
    assert.equal(await handoverOf(cluster, 'north', 2), undefined);
    for (const id of cluster.ids) {
      const keys = [...cluster.disksOf(id).handovers.values.keys()];
      assert.deepEqual(keys.sort(), ['handover/0', 'handover/1'], 'no draft is left');
    }
  });

  test('wait for a quorum of identity keys, over restarts, and the epochs do not wait for them', async (t) => {
    const cluster = await startedCluster(t);
    for (const id of cluster.ids) cluster.onlyHears(id, ({ type }) => type !== 'handover');
    await untilEpoch(cluster, 1);
    await cluster.time.pass(handoverResendMs + 1000);
    assert.equal(await handoverOf(cluster, 'north', 0), undefined);
    for (const id of cluster.ids) {
      cluster.crash(id);
      await cluster.start(id);
    }
    await cluster.time.pass(handoverResendMs + 1000);
    for (const id of cluster.ids) await assertHandedOver(cluster, id, 1);
  });

  test('that lacked signatures for many epochs are completed when these come, so that nobody is locked out', async (t) => {
    const cluster = await startedCluster(t);
    const epochs = 10;
    for (const id of cluster.ids) cluster.onlyHears(id, ({ type }) => type !== 'handover');
    await untilEpoch(cluster, epochs, 'north', 600_000);
    assert.equal(await handoverOf(cluster, 'north', 0), undefined);
    for (const id of cluster.ids) {
      cluster.crash(id);
      await cluster.start(id);
    }
    await cluster.time.pass((epochs / handoversAtOnceMax + 1) * handoverResendMs + 1000);
    for (const id of cluster.ids) await assertHandedOver(cluster, id, epochs);
  });

  test('are fetched by a box that did not see the end, which believes no false one', async (t) => {
    const cluster = await startedCluster(t);
    await cluster.time.pass(1000);
    cluster.crash('south');
    await untilEpoch(cluster, 2, 'north', 120_000);
    await cluster.time.pass(1000);
    // Without the last signature it lacks a quorum; signatures of north under other names do not make one.
    const north = cluster.hub.member('north') ?? assert.fail();
    const honest = north.requestHandler(handoverProtocol) ?? assert.fail();
    north.requestHandler = (protocol) =>
      protocol !== handoverProtocol
        ? undefined
        : async (from, body, signal) => {
            const handover = decodeHandover(await honest(from, body, signal));
            const [first] = handover.signatures;
            const signature = first?.signature ?? assert.fail();
            const signatures = [0, 1, 2, 3].map((validator) => ({ validator, signature }));
            return encodeHandover({ ...handover, signatures });
          };
    cluster.disksOf('south').handovers.values.clear();
    await cluster.start('south');
    await cluster.time.pass(2 * handoverResendMs + 1000);
    await assertHandedOver(cluster, 'south', 2);
    const bytes = (await handoverOf(cluster, 'south', 1)) ?? assert.fail();
    assert.deepEqual(decodeHandover(bytes), decodeHandover((await handoverOf(cluster, 'east', 1)) ?? bytes));
  });
});

describe('messages of the next epoch', () => {
  test('are kept for it in their order, and no longer', () => {
    const held = new HeldMessages();
    held.hold('north', 1, utf8('a'));
    held.hold('south', 1, utf8('b'));
    held.hold('north', 1, utf8('c'));
    assert.deepEqual(held.release(0), []);
    assert.deepEqual(held.release(1), [
      { from: 'north', message: utf8('a') },
      { from: 'north', message: utf8('c') },
      { from: 'south', message: utf8('b') },
    ]);
    assert.deepEqual(held.release(1), []);
    held.hold('north', 1, utf8('old'));
    assert.deepEqual(held.release(2), []);
    held.hold('north', 3, utf8('a'));
    held.hold('north', 4, utf8('b'));
    assert.deepEqual(held.release(3), [], 'what came for a later epoch took its place');
  });

  test('of one sender are few, and the newest', () => {
    const held = new HeldMessages();
    for (let number = 0; number < 2 * heldMessagesMax; number++) held.hold('north', 1, Uint8Array.of(number));
    held.hold('south', 1, utf8('untouched'));
    held.hold('south', 1, new Uint8Array(heldBytesMax + 1));
    const kept = held.release(1);
    assert.equal(kept.length, heldMessagesMax + 1);
    assert.deepEqual(kept[0]?.message, Uint8Array.of(heldMessagesMax));
    assert.deepEqual(kept.at(-1)?.message, utf8('untouched'));
    for (let number = 0; number < 5; number++) held.hold('north', 1, new Uint8Array(heldBytesMax / 2));
    assert.equal(held.release(1).length, 2);
  });

  test('reach a box that is a moment behind: it votes in the first view', async (t) => {
    const cluster = await startedCluster(t);
    cluster.crash('west');
    // What ends the epoch comes to south a moment late, what begins the next at once. Without south is no quorum.
    const south = cluster.hub.member('south') ?? assert.fail();
    const arrive = south.arrive.bind(south);
    south.arrive = (from, bytes) => {
      const decoded = decodeMessage(bytes);
      const message = decoded.kind === 'message' ? decoded.message : undefined;
      const said =
        message?.type === 'vote'
          ? message.vote
          : message?.type === 'certificate'
            ? message.certificate
            : undefined;
      const isEarlier = message?.type === 'standing' || (said?.kind === 'finalize' && said.epoch === 0);
      cluster.time.events.after(isEarlier ? 40 : 0, () => arrive(from, bytes));
    };
    await untilEpoch(cluster, 1);
    assert.equal(cluster.box('south').validator.state().epoch().number, 0);
    const { transaction } = cluster.fixture.register('north', 'first', [signerOf('first')]);
    const submitted = cluster.box('north').validator.submit(encodeTransaction(transaction));
    const before = cluster.time.now;
    await cluster.time.pass(5000, () => cluster.box('south').validator.consensus().finalView === 1);
    assert.equal((await submitted).kind, 'final');
    assert.ok(cluster.time.now - before < retransmitMs, `${cluster.time.now - before} ms`);
  });
});
