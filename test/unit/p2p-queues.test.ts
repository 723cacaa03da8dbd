import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { queueBytesMax, queueMessagesMax } from '../../firmware/src/p2p/limits.ts';
import { SendQueue } from '../../firmware/src/p2p/send-queue.ts';
import { Slots } from '../../firmware/src/p2p/slots.ts';

describe('the queue for one peer', () => {
  it('takes nothing while there is no connection', async () => {
    const queue = new SendQueue();
    assert.equal(queue.push(Uint8Array.of(1)), 1);
    queue.open();
    assert.equal(queue.push(Uint8Array.of(2)), 0);
    assert.deepEqual(await queue.take(), Uint8Array.of(2));
  });

  it('drops the oldest beyond its count', async () => {
    const queue = new SendQueue();
    queue.open();
    for (let i = 0; i < queueMessagesMax; i++) assert.equal(queue.push(Uint8Array.of(i & 0xff)), 0);
    assert.equal(queue.push(Uint8Array.of(9)), 1);
    assert.deepEqual(await queue.take(), Uint8Array.of(1));
  });

  it('drops the oldest beyond its bytes', async () => {
    const queue = new SendQueue();
    queue.open();
    const half = new Uint8Array(queueBytesMax / 2);
    assert.equal(queue.push(half), 0);
    assert.equal(queue.push(half), 0);
    assert.equal(queue.push(Uint8Array.of(5)), 1);
    assert.equal((await queue.take())?.length, half.length);
    assert.deepEqual(await queue.take(), Uint8Array.of(5));
  });

  it('wakes the taker for a message and for its end', async () => {
    const queue = new SendQueue();
    queue.open();
    const message = queue.take();
    queue.push(Uint8Array.of(1));
    assert.deepEqual(await message, Uint8Array.of(1));
    const end = queue.take();
    queue.close();
    assert.equal(await end, undefined);
  });
});

describe('slots', () => {
  it('go to those who wait in order, and to no more than wait may', async () => {
    const slots = new Slots(1, 2);
    const { signal } = new AbortController();
    const order: string[] = [];
    assert.equal(await slots.take(signal), true);
    const first = slots.take(signal).then(() => order.push('first'));
    const second = slots.take(signal).then(() => order.push('second'));
    assert.equal(await slots.take(signal), false);
    slots.release();
    await first;
    slots.release();
    await second;
    assert.deepEqual(order, ['first', 'second']);
    assert.equal(slots.tryTake(), false);
    slots.release();
    assert.equal(slots.tryTake(), true);
  });

  it('forget those who give up', async () => {
    const slots = new Slots(1, 2);
    const impatient = new AbortController();
    assert.equal(slots.tryTake(), true);
    const given = slots.take(impatient.signal);
    impatient.abort(new Error('too late'));
    await assert.rejects(given, /too late/);
    await assert.rejects(slots.take(impatient.signal), /too late/);
    slots.release();
    assert.equal(slots.tryTake(), true);
  });
});
