/** One receive buffer for all reads of a connection: what is in use stays, what is kept was copied. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { test, type TestContext } from 'node:test';
import { receiveBufferBytes, receiveBufferBytesAtFirst } from '../../firmware/dimse/limits.ts';
import { type PduEvent, PduReader } from '../../firmware/dimse/pdu-reader.ts';
import { encodeAssociateRequest } from '../../firmware/dimse/pdu.ts';
import { readingIntoOneBuffer } from '../../firmware/dimse/receive-buffer.ts';
import { concatBytes, utf8 } from '../../firmware/src/encoding/bytes.ts';
import { associateRequest, MemoryStore, settle, storeMessage, until } from '../support/dimse-peer.ts';
import { associated, started } from '../support/dimse-scp-fixture.ts';

/** Not two bytes alike beside each other, and no period that a buffer has. */
function patterned(length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, index) => (index * 31 + (index >> 8) * 7 + (index >> 16)) & 0xff);
}

async function connected(t: TestContext): Promise<{ server: Server; ours: Socket; peer: Socket }> {
  const { promise, resolve } = Promise.withResolvers<Socket>();
  const server = createServer({ pauseOnConnect: true }, (socket) => resolve(readingIntoOneBuffer(socket)));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { readonly port: number };
  const peer = connect({ host: '127.0.0.1', port });
  peer.setNoDelay(true);
  t.after(() => {
    peer.destroy();
    server.close();
  });
  const ours = await promise;
  t.after(() => ours.destroy());
  return { server, ours, peer };
}

test('every read of an accepted socket lands in the same memory, which grows once', async (t) => {
  const { ours, peer } = await connected(t);
  const memories: ArrayBufferLike[] = [];
  let received = 0;
  ours.on('data', (chunk: Uint8Array) => {
    memories.push(chunk.buffer);
    received += chunk.length;
  });
  const total = 20 * receiveBufferBytes;
  peer.write(new Uint8Array(total));
  await until(() => received === total);
  assert.deepEqual(
    [...new Set(memories)].map(({ byteLength }) => byteLength),
    [receiveBufferBytesAtFirst, receiveBufferBytes],
  );
  assert(memories.length > 2);
});

test('nothing is read over bytes in use: a paused socket reads when it is resumed', async (t) => {
  const { ours, peer } = await connected(t);
  const chunks: Uint8Array[] = [];
  ours.on('data', (chunk: Uint8Array) => {
    ours.pause();
    chunks.push(chunk);
  });
  peer.write('first');
  await until(() => chunks.length === 1);
  peer.write('second');
  await settle();
  assert.equal(Buffer.from(chunks[0] as Uint8Array).toString(), 'first');
  assert.equal(chunks.length, 1);
  ours.resume();
  await until(() => chunks.length === 2);
  assert.equal(Buffer.from(chunks[1] as Uint8Array).toString(), 'second');
});

test('the end of a connection is seen at both of its ends, and its server can close', async (t) => {
  const { server, ours, peer } = await connected(t);
  ours.on('data', () => undefined);
  const ended = once(ours, 'end');
  peer.end();
  await ended;
  const closed = once(ours, 'close');
  const gone = once(peer, 'close');
  peer.resume();
  ours.destroy();
  await Promise.all([closed, gone]);
  await new Promise((resolve) => server.close(resolve));
  assert.equal(server.listening, false);
});

test('an object arrives as it was sent, in pieces of any size, while its sink holds the sender back', async () => {
  const store = new MemoryStore();
  const changed: number[] = [];
  let pieces = 0;
  store.beforeWrite = (chunk) => {
    if (pieces++ % 3 !== 0) return undefined;
    const before = new Uint8Array(chunk);
    return settle().then(() => {
      if (Buffer.compare(before, chunk) !== 0) changed.push(pieces);
    });
  };
  const peer = await associated(await started(store));
  const objects = [1, 2, 3].map((each) => patterned(16_000 - each));
  const bytes = concatBytes(...objects.map((object, index) => storeMessage(object, index + 1)));
  for (let at = 0, step = 1; at < bytes.length; at += step, step = (step * 7 + 5) % 5_000) {
    peer.send(bytes.subarray(at, at + step));
    await new Promise((resolve) => setImmediate(resolve));
  }
  for (const _ of objects) assert.equal(await peer.status(), 0);
  assert.deepEqual(
    store.kept.map((object) => object.bytes),
    objects,
  );
  assert.deepEqual(changed, []);
});

test('the head of a PDU that came in two reads is one head', async () => {
  const store = new MemoryStore();
  const peer = await associated(await started(store));
  const object = patterned(300);
  const bytes = storeMessage(object);
  const headOfPdu = 3;
  const headOfPdv = 6 + 4;
  for (const [from, to] of [
    [0, headOfPdu],
    [headOfPdu, headOfPdv],
    [headOfPdv, bytes.length],
  ]) {
    peer.send(bytes.subarray(from, to));
    await settle();
  }
  assert.equal(await peer.status(), 0);
  assert.deepEqual(store.kept[0]?.bytes, object);
});

test('a reader that was detached does not see its chunks change', () => {
  const user = { type: 1, responseRequested: false, primary: utf8('somebody'), secondary: new Uint8Array(0) };
  const request = associateRequest({ user: { userIdentity: user } });
  const bytes = concatBytes(encodeAssociateRequest(request), storeMessage(patterned(500)));
  const buffer = new Uint8Array(7);
  const reader = new PduReader(16_384);
  const events: PduEvent[] = [];
  const data: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; at += buffer.length) {
    const part = bytes.subarray(at, at + buffer.length);
    buffer.set(part);
    reader.push(buffer.subarray(0, part.length));
    for (let event = reader.next(); event !== undefined; event = reader.next()) {
      if (event.kind !== 'data') events.push(event);
      else if (!event.fragment.command) data.push(new Uint8Array(event.fragment.bytes));
    }
    reader.detach();
    buffer.fill(0xee);
  }
  assert.deepEqual(events, [
    { kind: 'whole-request', bytes: encodeAssociateRequest(request).length - 6 },
    { kind: 'associate-request', request },
  ]);
  assert.deepEqual(concatBytes(...data), patterned(500));
});
