/** Live consoles over real HTTPS: what they are sent, when they end, how many there may be. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import test, { after, afterEach, before } from 'node:test';
import type { Overview } from '../../firmware/src/http/contract.ts';
import {
  eventHeartbeatMs,
  eventPushMsMin,
  eventStreamsPerSessionMax,
  sessionIdleMsMax,
} from '../../firmware/src/http/limits.ts';
import { adminPassword, ConsoleFixture } from '../support/console-fixture.ts';
import { exampleStudy } from '../support/fake-box.ts';
import type { HttpsClient } from '../support/https-client.ts';
import { ManualClock } from '../support/manual-clock.ts';

/** Reads a stream event by event. */
class EventReader {
  readonly #response: IncomingMessage;
  #text = '';

  constructor(response: IncomingMessage) {
    this.#response = response;
    response.setEncoding('utf8');
    response.on('data', (part: string) => {
      this.#text += part;
    });
  }

  /** The next block of the stream: an event or a comment. */
  async next(): Promise<string> {
    for (;;) {
      const end = this.#text.indexOf('\n\n');
      if (end >= 0) {
        const block = this.#text.slice(0, end);
        this.#text = this.#text.slice(end + 2);
        return block;
      }
      await once(this.#response, 'data');
    }
  }

  async overview(): Promise<Overview> {
    const [event, data = ''] = (await this.next()).split('\n');
    assert.equal(event, 'event: overview');
    return JSON.parse(data.slice('data: '.length)) as Overview;
  }

  /** Nothing but what was read has arrived. */
  get isDrained(): boolean {
    return this.#text === '';
  }

  async ended(): Promise<void> {
    if (!this.#response.readableEnded) await once(this.#response, 'end');
  }

  close(): void {
    this.#response.destroy();
  }
}

const clock = new ManualClock();
const readers: EventReader[] = [];
let box: ConsoleFixture;
let person: HttpsClient;

before(async () => {
  box = await ConsoleFixture.start({ clock });
  person = await box.administrator();
});

after(async () => box.stop());

afterEach(() => {
  for (const reader of readers.splice(0)) reader.close();
});

async function watch(client = person): Promise<EventReader> {
  const response = await client.open('GET', '/api/v1/events');
  assert.equal(response.headers['content-type'], 'text/event-stream; charset=utf-8');
  assert.match(response.headers['content-security-policy'] as string, /^default-src 'none'/);
  const reader = new EventReader(response);
  readers.push(reader);
  assert.equal(await reader.next(), 'retry: 2000');
  return reader;
}

test('a console is sent what is, and then each change', async () => {
  const reader = await watch();
  assert.deepEqual((await reader.overview()).studies, []);
  clock.advance(eventPushMsMin);
  const study = exampleStudy(clock.now());
  box.box.change({ studies: [study] });
  clock.advance(0);
  assert.deepEqual((await reader.overview()).studies, [study]);
});

test('changes in quick succession are sent as one, the last state', async () => {
  const reader = await watch();
  await reader.overview();
  clock.advance(eventPushMsMin);
  for (let objects = 1; objects <= 500; objects++) {
    box.box.change({ studies: [exampleStudy(clock.now(), { objects })] });
    if (objects === 1) clock.advance(0);
  }
  assert.equal((await reader.overview()).studies[0]?.objects, 1);
  clock.advance(eventPushMsMin - 1);
  clock.advance(1);
  assert.equal((await reader.overview()).studies[0]?.objects, 500);
  clock.advance(eventHeartbeatMs);
  assert.equal(await reader.next(), ': alive');
  assert.ok(reader.isDrained);
});

test('a stream ends with its session: watching is no act', async () => {
  const client = box.client();
  await client.call('POST', '/api/v1/login', { body: { name: 'admin', password: adminPassword } });
  const reader = await watch(client);
  clock.advance(sessionIdleMsMax);
  // The heartbeat after that notices.
  clock.advance(eventHeartbeatMs);
  await reader.ended();
  assert.equal((await client.call('GET', '/api/v1/events')).status, 401);
  // Everybody was idle for as long.
  person = client;
  await person.call('POST', '/api/v1/login', { body: { name: 'admin', password: adminPassword } });
});

test('a session has a few streams at once', async () => {
  const open: EventReader[] = [];
  for (let i = 0; i < eventStreamsPerSessionMax; i++) open.push(await watch());
  assert.equal((await person.call('GET', '/api/v1/events')).status, 503);
  open[0]?.close();
  for (;;) {
    const response = await person.open('GET', '/api/v1/events');
    const { statusCode } = response;
    response.destroy();
    // The server notices the closed socket a moment later.
    if (statusCode === 200) break;
  }
});

test('a console that does not read is sent the newest state when it does, not everything in between', async () => {
  const response = await person.open('GET', '/api/v1/events');
  response.pause();
  const many = Array.from({ length: 100 }, (_, i) =>
    exampleStudy(clock.now(), { studyInstanceUid: `1.${i}`, description: 'x'.repeat(2000) }),
  );
  // Some 200 kB each: 100 of them are far beyond what the sockets hold between them.
  for (let objects = 1; objects <= 100; objects++) {
    box.box.change({ studies: many.map((study) => ({ ...study, objects })) });
    clock.advance(eventPushMsMin);
    await new Promise((resolve) => setImmediate(resolve));
  }
  const reader = new EventReader(response);
  readers.push(reader);
  response.resume();
  let received = 0;
  for (;;) {
    const block = await reader.next();
    received += 1;
    if (block.includes('"objects":100,')) break;
  }
  assert.ok(received < 90, `${received} of 100 states were kept for a console that did not read`);
});

test('a stopped server has ended its streams', async () => {
  const other = await ConsoleFixture.start();
  const reader = await watch(await other.administrator());
  await reader.overview();
  assert.equal(other.box.listeners, 1);
  await other.server.stop();
  await reader.ended();
  assert.equal(other.box.listeners, 0);
  await other.stop();
});
