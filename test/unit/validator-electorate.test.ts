import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { encodeTransaction, formatKnown, idBytes, proposalId } from '../../firmware/src/ledger/index.ts';
import type { InstitutionPropose, ProposalAction, TransactionBody } from '../../firmware/src/ledger/types.ts';
import { quorum } from '../../firmware/src/consensus/types.ts';
import { voteMessage } from '../../firmware/src/consensus/signatures.ts';
import { toHex } from '../../firmware/src/encoding/bytes.ts';
import { AppError } from '../../firmware/src/errors.ts';
import { activationBlocksMin } from '../../firmware/src/ledger/limits.ts';
import { encodeMessage } from '../../firmware/src/validator/messages.ts';
import { Cluster } from '../fakes/cluster.ts';
import {
  assertEqualHeads,
  assertInEpoch,
  epochMs,
  recordsOf,
  startedCluster,
  untilEpoch,
} from '../support/epochs.ts';

/** All members approve; it takes effect at the epoch's end. */
async function decide(cluster: Cluster, action: ProposalAction): Promise<void> {
  const base = { chain: cluster.fixture.chain, validUntil: cluster.time.now + 600_000 };
  const [proposer, ...others] = cluster.ids;
  const submit = async (id: string, body: TransactionBody): Promise<void> => {
    const transaction = cluster.fixture.sign(body, cluster.fixture.box(id).transaction);
    const submitted = cluster.box(id).validator.submit(encodeTransaction(transaction));
    await cluster.time.pass(1000);
    assert.equal((await submitted).kind, 'final');
  };
  const proposal: InstitutionPropose = {
    ...base,
    type: 'institution.propose',
    proposer: proposer ?? assert.fail(),
    action,
  };
  await submit(proposal.proposer, proposal);
  const id = idBytes(proposalId(proposal));
  for (const institution of others.slice(0, quorum(cluster.ids.length) - 1))
    await submit(institution, {
      ...base,
      type: 'institution.vote',
      institution,
      proposalId: id,
      approve: true,
    });
}

test('who becomes a validator votes from the epoch’s start on, who is one no more follows', async (t) => {
  const ids = ['north', 'south', 'east', 'west', 'isle'];
  const cluster = new Cluster(ids, { parameters: { epochMs }, validators: 4 });
  await cluster.startAll();
  t.after(() => cluster.stopAll());
  await cluster.time.pass(1000);
  const isVoting = () => ids.filter((id) => cluster.box(id).validator.consensus().isVoting);
  assert.deepEqual(isVoting(), ['north', 'south', 'east', 'west']);
  await decide(cluster, { kind: 'validators', add: ['isle'], remove: ['west'] });
  assert.deepEqual(isVoting(), ['north', 'south', 'east', 'west'], 'not before the epoch ends');
  await untilEpoch(cluster, 1);
  await cluster.time.pass(12_000);
  assertEqualHeads(cluster);
  assert.deepEqual(isVoting(), ['north', 'south', 'east', 'isle']);
  // The new one counts, the old one does not.
  cluster.crash('west');
  cluster.crash('south');
  const { height } = cluster.box('isle').validator.head();
  await cluster.time.pass(25_000);
  assert.ok(cluster.box('isle').validator.head().height > height);
  for (const { validator } of cluster.boxes.values()) assert.deepEqual(validator.misbehaviour(), []);
});

test('a box stops before a block of a format that it does not know, and says so', async (t) => {
  const cluster = await startedCluster(t, { activationBlocks: activationBlocksMin });
  await cluster.time.pass(1000);
  // The others have an update that this firmware knows nothing of.
  for (const id of ['north', 'south', 'east']) {
    const body = {
      chain: cluster.fixture.chain,
      validUntil: cluster.time.now + 600_000,
      type: 'format.signal',
      institution: id,
      format: formatKnown + 1,
    } as const;
    const transaction = cluster.fixture.sign(body, cluster.fixture.box(id).transaction);
    void cluster.box(id).validator.submit(encodeTransaction(transaction));
    await cluster.time.pass(1000);
  }
  const { activations } = cluster.box('west').validator.state().formats();
  const height = activations.find(({ format }) => format > formatKnown)?.height ?? assert.fail();
  await cluster.time.pass(11_000 * (activationBlocksMin + 2));
  for (const id of cluster.ids) {
    const { validator, health } = cluster.box(id);
    assert.equal(validator.head().height, height - 1);
    assert.ok(health.list().some(({ code }) => code === 'FORMAT_UNKNOWN'));
    assert.equal(validator.consensus().isVoting, false);
    await assert.rejects(validator.submit(Uint8Array.of(1)), { code: 'FORMAT_UNKNOWN' });
  }
  // Nor does it forget that at a restart.
  cluster.crash('south');
  const { health } = await cluster.start('south');
  await cluster.time.pass(100);
  assert.ok(health.list().some(({ code }) => code === 'FORMAT_UNKNOWN'));
});

describe('voting keys', () => {
  test('change with each epoch, and those of past ones are erased', async (t) => {
    const cluster = await startedCluster(t);
    await untilEpoch(cluster, 3, 'north', 240_000);
    await cluster.time.pass(1000);
    assertInEpoch(cluster, 3);
    const state = cluster.box('north').validator.state();
    const used = [0, 1, 2, 3].map(
      (epoch) => state.epochOf(epoch)?.validators.map(({ voting }) => toHex(voting)) ?? [],
    );
    assert.equal(new Set(used.flat()).size, 16, 'no key counts in two epochs');
    for (const [index, id] of cluster.ids.entries()) {
      const held = cluster.disksOf(id).keys.held().map(toHex);
      assert.ok(held.includes(used[3]?.[index] ?? ''));
      for (const epoch of [0, 1, 2])
        assert.ok(!held.includes(used[epoch]?.[index] ?? ''), `${id}, epoch ${epoch}`);
    }
  });

  test('of an epoch are kept until its end is on disk', async (t) => {
    const cluster = await startedCluster(t);
    const { keys } = cluster.disksOf('south');
    const first = cluster.fixture.box('south').voting.publicKey;
    const keepOnly = keys.keepOnly.bind(keys);
    let erasedAt: number | undefined;
    keys.keepOnly = (kept) => {
      const isErased = keys.signer(first) !== undefined && !kept.some((key) => toHex(key) === toHex(first));
      if (isErased) erasedAt = recordsOf(cluster, 'south').at(-1)?.block.header.height;
      return keepOnly(kept);
    };
    await untilEpoch(cluster, 1, 'south');
    await cluster.time.pass(100);
    const { startHeight } = cluster.box('south').validator.state().epoch();
    assert.equal(erasedAt, startHeight - 1);
    assert.equal(keys.signer(first), undefined);
  });

  test('that a box has lost cost it its vote for the epoch; it names another by itself', async (t) => {
    const cluster = await startedCluster(t);
    await untilEpoch(cluster, 1);
    await cluster.time.pass(1000);
    cluster.crash('south');
    await cluster.disksOf('south').keys.keepOnly([]);
    const { validator, health } = await cluster.start('south');
    await cluster.time.pass(100);
    assert.equal(validator.consensus().isVoting, false);
    assert.deepEqual(
      health.list().map(({ code }) => code),
      ['VOTING_KEY_LOST'],
    );
    await untilEpoch(cluster, 2);
    await cluster.time.pass(1000);
    assertInEpoch(cluster, 2);
    assert.deepEqual(health.list(), []);
  });

  test('are not missed where the TPM does not answer: the old one goes on', async (t) => {
    const cluster = await startedCluster(t);
    const { keys } = cluster.disksOf('south');
    keys.make = () => Promise.reject(new AppError('TPM_ABSENT', 'no TPM'));
    const first = toHex(cluster.fixture.box('south').voting.publicKey);
    await untilEpoch(cluster, 1);
    await cluster.time.pass(1000);
    assertInEpoch(cluster, 1);
    assert.deepEqual(keys.held().map(toHex), [first]);
  });
});

test('a validator that contradicts itself is named on the ledger, once, and nobody else', async (t) => {
  const cluster = await startedCluster(t);
  await untilEpoch(cluster, 1);
  await cluster.time.pass(500);
  const { chain, validators, number } = {
    chain: cluster.fixture.chain,
    ...cluster.box('north').validator.state().epoch(),
  };
  const validator = validators.findIndex(({ id }) => id === 'west');
  const west =
    cluster.disksOf('west').keys.signer(validators[validator]?.voting ?? new Uint8Array()) ?? assert.fail();
  cluster.crash('west');
  const view = cluster.box('north').validator.consensus().view;
  const seat = cluster.hub.join('west');
  for (const name of [1, 2]) {
    const content = { kind: 'notarize', epoch: number, view, digest: new Uint8Array(32).fill(name) } as const;
    const vote = { ...content, validator, signature: west.sign(voteMessage(chain, content)) };
    for (const id of ['north', 'south', 'east']) seat.send(id, encodeMessage({ type: 'vote', vote }));
  }
  await cluster.time.pass(15_000);
  for (const id of ['north', 'south', 'east']) {
    const { validator: box } = cluster.box(id);
    assert.deepEqual(box.state().guilty(), [{ epoch: 1, institution: 'west' }]);
    assert.equal(box.state().guilt(1, 'west')?.offence, 'conflicting-notarize');
    assert.equal(box.misbehaviour().length, 1);
    assert.equal(box.consensus().waiting, 0, 'no second report waits');
  }
});
