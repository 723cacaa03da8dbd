import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { AppError } from '../../firmware/src/errors.ts';
import type { SizedLog } from '../../firmware/src/ports.ts';
import { ReadPiece } from '../../firmware/src/store/read-piece.ts';

/** A log whose reads end when the test says so. */
function slowLog() {
  const reads: PromiseWithResolvers<Uint8Array>[] = [];
  let isClosed = false;
  const log: SizedLog = {
    bytes: 0,
    length: 2,
    append: () => Promise.resolve(),
    read: () => assert.fail('is not read whole'),
    at: () => {
      assert.ok(!isClosed);
      const read = Promise.withResolvers<Uint8Array>();
      reads.push(read);
      return read.promise;
    },
    close: async () => {
      isClosed = true;
      await nextTurn();
    },
  };
  return { log, reads, isClosed: () => isClosed };
}

test('a piece is closed when its readers are done, also those who began before it was open', async () => {
  const opening = Promise.withResolvers<SizedLog>();
  const piece = new ReadPiece(opening.promise);
  const { log, reads, isClosed } = slowLog();
  const first = piece.at(0);
  opening.resolve(log);
  await nextTurn();
  const second = piece.at(1);
  const closed = piece.close();
  await nextTurn();
  assert.equal(reads.length, 2);
  reads[0]?.resolve(Uint8Array.of(1));
  assert.deepEqual(await first, Uint8Array.of(1));
  await nextTurn();
  assert.ok(!isClosed());
  reads[1]?.reject(new AppError('STORE_CORRUPT', 'a record is damaged'));
  await assert.rejects(second, { code: 'STORE_CORRUPT' });
  await closed;
  assert.ok(isClosed());
});

test('a piece that could not be opened tells its readers, and is closed without a word', async () => {
  const failed = Promise.reject(new AppError('STORE_FAILED', 'the disk fails'));
  const piece = new ReadPiece(failed);
  await assert.rejects(piece.at(0), { code: 'STORE_FAILED' });
  await piece.close();
});
