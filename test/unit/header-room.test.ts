/** Many objects at once, each of whose headers is as long as one may be: their memory is bounded together. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AppError, errorTable } from '../../firmware/src/errors.ts';
import { HeaderRoom } from '../../firmware/src/ingest/header-room.ts';
import type { Keeper } from '../../firmware/src/ingest/keeper.ts';
import { headersGatheredBytesMax } from '../../firmware/src/ingest/limits.ts';
import type { OpenHeaderScanner, StoreSink } from '../../firmware/src/ports.ts';
import { plainDataSet } from '../support/plain-data-set.ts';
import { header, Reception, request } from '../support/reception.ts';

const pieceBytes = 1_048_576;
const piecesOfOne = 4;
const together = headersGatheredBytesMax / (piecesOfOne * pieceBytes);

/** The reader says that it needs more, as it does within one long private element. */
const unending: OpenHeaderScanner = () => ({
  push: () => ({ kind: 'more' }),
  end: () => ({ kind: 'malformed', reason: 'it ended within an element' }),
  close: () => undefined,
});

const isBusy = (error: unknown): boolean => error instanceof AppError && error.code === 'BUSY';

async function fill(sink: StoreSink): Promise<void> {
  const piece = new Uint8Array(pieceBytes);
  for (let n = 0; n < piecesOfOne; n++) await sink.write(piece);
}

async function filled(keeper: Keeper): Promise<StoreSink> {
  const sink = keeper.receive(request);
  await fill(sink);
  return sink;
}

test('headers that are gathered have a room together, and give it back', async () => {
  const keeper = new Reception().keeper(unending);
  const sinks: StoreSink[] = [];
  for (let n = 0; n < together; n++) sinks.push(await filled(keeper));
  for (let n = 0; n < 2; n++) {
    const refused = keeper.receive(request);
    await assert.rejects(fill(refused), isBusy);
    await refused.abort(new Error('refused'));
  }
  assert.equal(errorTable.BUSY.dimse, 0xa700, 'the modality is to try again');
  await sinks.pop()?.abort(new Error('the association ended'));
  sinks.push(await filled(keeper));
  assert.equal((await sinks.pop()?.finish())?.status, 0xc000);
  sinks.push(await filled(keeper));
  for (const sink of sinks) await sink.abort(new Error('the test ends'));
});

test('what has its place takes no room any more', async () => {
  const keeper = new Reception().keeper();
  const placed = keeper.receive(request);
  await placed.write(plainDataSet(header, new Uint8Array(pieceBytes)));
  const sinks: StoreSink[] = [];
  for (let n = 0; n < together; n++) sinks.push(await filled(keeper));
  for (const sink of sinks) await sink.abort(new Error('the test ends'));
  assert.equal((await placed.finish()).status, 0);
});

test('room is given back once, however often it is said', () => {
  const room = new HeaderRoom(10);
  const [one, other] = [room.enter(), room.enter()];
  one.take(4);
  other.take(6);
  one.leave();
  one.leave();
  assert.throws(() => other.take(5), isBusy);
  other.take(4);
});
