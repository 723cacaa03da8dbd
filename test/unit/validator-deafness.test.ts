/** A member sends what does not decode: it costs the box little, and the others nothing. */
import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { viewsAheadMax } from '../../firmware/src/consensus/limits.ts';
import { noDigest } from '../../firmware/src/consensus/signatures.ts';
import { encodeMessage } from '../../firmware/src/validator/messages.ts';
import { deafNsPerByte, deafToForgersMs, retransmitMs } from '../../firmware/src/validator/limits.ts';
import type { Validator } from '../../firmware/src/validator/validator.ts';
import { Cluster } from '../fakes/cluster.ts';
import { vote } from '../fakes/core-box.ts';

/** As many items as bytes. */
function dense(bytes: number): Uint8Array {
  const message = new Uint8Array(bytes).fill(0x80);
  message[0] = 0x9a;
  new DataView(message.buffer).setUint32(1, bytes - 5);
  return message;
}

/** North, and how it is told what the others send: the answer is when it reads them further. */
async function listening(t: TestContext) {
  const cluster = new Cluster();
  t.after(() => cluster.stopAll());
  const { hub } = cluster;
  const join = hub.join.bind(hub);
  let hear: ((from: string, message: Uint8Array) => void | Promise<void>) | undefined;
  hub.join = (id) => {
    const network = join(id);
    const onMessage = network.onMessage.bind(network);
    network.onMessage = (handler) => {
      if (id === 'north') hear = handler;
      return onMessage(handler);
    };
    return network;
  };
  await cluster.startAll();
  await cluster.time.pass(15_000);
  assert.ok(hear !== undefined);
  const { validator } = cluster.box('north');
  return { cluster, validator, hear };
}

/** A message that every box takes. */
const standing = (validator: Validator): Uint8Array =>
  encodeMessage({
    type: 'standing',
    standing: { epoch: validator.state().epoch().number, finalView: 0, from: 1 },
    height: 0,
  });

test('who sends a long message that does not decode is read again after a time that goes by its length', async (t) => {
  const { cluster, hear, validator } = await listening(t);
  const bytes = 500_000;
  const deafMs = (bytes * deafNsPerByte) / 1e6;
  assert.ok(deafMs > 2 * retransmitMs);
  let isRead = false;
  const read = hear('west', dense(bytes));
  assert.ok(read !== undefined);
  void read.then(() => (isRead = true));
  await cluster.time.pass(deafMs - 1000);
  assert.equal(isRead, false);
  // On a new connection too.
  assert.notEqual(hear('west', standing(validator)), undefined);
  assert.equal(hear('south', standing(validator)), undefined);
  await cluster.time.pass(2000);
  assert.equal(isRead, true);
  assert.equal(hear('west', standing(validator)), undefined);
});

test('who sends a vote whose signature does not verify is not read for a moment; one far ahead is not looked at', async (t) => {
  const { cluster, hear, validator } = await listening(t);
  const { view } = validator.consensus();
  const forged = (ahead: number): Uint8Array =>
    encodeMessage({ type: 'vote', vote: vote('nullify', view + ahead, 3, noDigest) });
  void hear('west', forged(viewsAheadMax + 1));
  assert.equal(hear('west', standing(validator)), undefined);
  const read = hear('west', forged(1));
  assert.ok(read !== undefined);
  await cluster.time.pass(deafToForgersMs + 1);
  await read;
  assert.equal(hear('west', standing(validator)), undefined);
});

test('a short message of a version to come costs its sender a moment', async (t) => {
  const { cluster, hear, validator } = await listening(t);
  void hear('west', dense(300));
  await cluster.time.pass(10);
  assert.equal(hear('west', standing(validator)), undefined);
});

test('the others go on while one is not read, and a box that stops waits for nobody', async (t) => {
  const { cluster, hear, validator } = await listening(t);
  const { height } = validator.head();
  const read = hear('west', dense(4_000_000));
  await cluster.time.pass(25_000);
  assert.ok(validator.head().height > height);
  await validator.stop();
  await read;
  cluster.crash('north');
});
