/** C-GET: C-STORE sub-operations on the association that asked for them (PS3.4 C.4.3), at both sides. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { commandField, encodeCommand } from '../../firmware/dimse/command.ts';
import { type RetrieveProgress, uids } from '../../firmware/dimse/index.ts';
import { responseMsMax } from '../../firmware/dimse/limits.ts';
import { AppError } from '../../firmware/src/errors.ts';
import { concatBytes } from '../../firmware/src/encoding/bytes.ts';
import type { DataSet } from '../../firmware/src/ports.ts';
import { ctImageStorage, dataPdu, MemoryStore, pdv, settle } from '../support/dimse-peer.ts';
import { abort, associated, started } from '../support/dimse-scp-fixture.ts';
import {
  all,
  getting,
  identifier,
  level,
  nextCommand,
  opened,
  studyRootGet,
} from '../support/dimse-service-fixture.ts';
import { inPieces } from '../support/dimse-tools.ts';
import { ManualClock } from '../support/manual-clock.ts';

const options = { timeout: 20_000 };
const object = {
  sopClassUid: ctImageStorage,
  sopInstanceUid: '1.2.3',
  transferSyntaxUid: uids.explicitVrLittleEndian,
};
const pixels = Uint8Array.from({ length: 300_000 }, (_, index) => (index * 13) & 0xff);

test(
  'C-GET: its sub-operations come on the same association, each answered with what the sink says',
  options,
  async () => {
    const outcomes: unknown[] = [];
    const scp = await started(new MemoryStore(), {
      services: [
        getting(async (operation) => {
          const counts = { completed: 0, failed: 0, warning: 0 };
          for (const sopInstanceUid of ['1.2.1', '1.2.2']) {
            outcomes.push(await operation.store({ ...object, sopInstanceUid }, inPieces(pixels, 9_999)));
            counts.completed++;
            await operation.pending({
              status: 0xff00,
              subOperations: { ...counts, remaining: 2 - counts.completed },
            });
          }
          outcomes.push(
            await operation.store(
              { ...object, transferSyntaxUid: '1.2.840.10008.1.2.4.50' },
              inPieces(pixels, 10),
            ),
          );
          const dataSet: DataSet = { '00080058': { vr: 'UI', values: ['1.2.3'] } };
          return { status: 0xb000, subOperations: { ...counts, failed: 1 }, dataSet };
        }),
      ],
    });
    const store = new MemoryStore();
    const association = await opened(scp, {
      storage: { store: store.store, failed: (error) => assert.fail(String(error)) },
    });
    const progress = await all<RetrieveProgress>(association.get(studyRootGet, level));
    const counts = { failed: 0, warning: 0, failedSopInstanceUids: [] };
    assert.deepEqual(progress, [
      { ...counts, status: 0xff00, remaining: 1, completed: 1 },
      { ...counts, status: 0xff00, remaining: 0, completed: 2 },
      { ...counts, status: 0xb000, completed: 2, failed: 1, failedSopInstanceUids: ['1.2.3'] },
    ]);
    assert.deepEqual(outcomes, [{ status: 0 }, { status: 0 }, undefined]);
    assert.deepEqual(
      store.kept.map(({ bytes }) => bytes),
      [pixels, pixels],
    );
    assert.equal(store.kept[1]?.request.callingAeTitle, 'HILUM');
    assert.equal(store.kept[1]?.request.sopInstanceUid, '1.2.2');
  },
);

test(
  'a sink that fails during a C-GET is answered with its status, and its owner told',
  options,
  async () => {
    let outcome: unknown;
    const failures: unknown[] = [];
    const scp = await started(new MemoryStore(), {
      services: [
        getting(async (operation) => {
          outcome = await operation.store(object, inPieces(pixels, 9_999));
          return { status: 0xa702 };
        }),
      ],
    });
    const store = new MemoryStore();
    store.beforeWrite = () => Promise.reject(new AppError('STORE_FAILED', 'disk'));
    const association = await opened(scp, {
      storage: { store: store.store, failed: (error) => failures.push(error) },
    });
    await all(association.get(studyRootGet, level));
    assert.deepEqual(outcome, { status: 0xa700, comment: 'STORE_FAILED' });
    assert.equal(failures.length, 1);
  },
);

test('an object that comes without a C-GET, or a report that nobody takes, is refused', options, async () => {
  const outcomes: unknown[] = [];
  const scp = await started(new MemoryStore(), {
    services: [
      getting(async (operation) => {
        outcomes.push(await operation.store(object, inPieces(pixels, 9_999)));
        return { status: 0 };
      }),
    ],
  });
  const association = await opened(scp);
  await all(association.get(studyRootGet, level));
  assert.deepEqual(outcomes, [{ status: 0x0211 }]);
});

test('a sub-operation that is not answered, or whose data fail, ends the association', options, async () => {
  const clock = new ManualClock();
  for (const failing of ['answer', 'data'] as const) {
    const failures: unknown[] = [];
    const data = async function* (): AsyncGenerator<Uint8Array> {
      await Promise.resolve();
      yield pixels;
      if (failing === 'data') throw new AppError('STORE_CORRUPT', 'segment 1');
    };
    const scp = await started(new MemoryStore(), {
      clock,
      services: [
        getting(async (operation) => {
          try {
            await operation.store(object, data());
          } catch (error) {
            failures.push((error as AppError).code);
          }
          return { status: 0 };
        }),
      ],
    });
    const peer = await associated(scp, {
      contexts: [
        { id: 1, abstractSyntax: studyRootGet, transferSyntaxes: [uids.implicitVrLittleEndian] },
        { id: 3, abstractSyntax: ctImageStorage, transferSyntaxes: [uids.explicitVrLittleEndian] },
      ],
      user: { roles: [{ sopClassUid: ctImageStorage, scu: true, scp: true }], pduBytesMax: 0 },
    });
    const get = encodeCommand({
      commandField: commandField.getRequest,
      hasDataSet: true,
      messageId: 1,
      affectedSopClassUid: studyRootGet,
    });
    peer.send(dataPdu(pdv(1, 'command', true, get), pdv(1, 'data', true, identifier)));
    assert.equal((await nextCommand(peer)).commandField, commandField.storeRequest);
    await settle();
    clock.advance(responseMsMax);
    let event = await peer.next();
    while (event?.kind === 'data') event = await peer.next();
    assert.deepEqual(event, abort(0, 0));
    await settle();
    assert.deepEqual(failures, [failing === 'data' ? 'STORE_CORRUPT' : 'DIMSE_PROTOCOL']);
  }
});

test('during a C-GET a request, or an answer to nothing, is against the protocol', options, async () => {
  for (const message of [
    dataPdu(
      pdv(
        1,
        'command',
        true,
        encodeCommand({ commandField: commandField.findRequest, hasDataSet: true, messageId: 2 }),
      ),
    ),
    dataPdu(
      pdv(
        1,
        'command',
        true,
        encodeCommand({ commandField: 0x8001, hasDataSet: false, messageIdBeingRespondedTo: 99, status: 0 }),
      ),
    ),
  ]) {
    const scp = await started(new MemoryStore(), {
      services: [
        getting(
          ({ signal }) =>
            new Promise((resolve) => {
              signal.addEventListener('abort', () => resolve({ status: 0 }));
            }),
        ),
      ],
    });
    const peer = await associated(scp, {
      contexts: [{ id: 1, abstractSyntax: studyRootGet, transferSyntaxes: [uids.implicitVrLittleEndian] }],
    });
    const get = encodeCommand({
      commandField: commandField.getRequest,
      hasDataSet: true,
      messageId: 1,
      affectedSopClassUid: studyRootGet,
    });
    peer.send(concatBytes(dataPdu(pdv(1, 'command', true, get), pdv(1, 'data', true, identifier)), message));
    assert.deepEqual(await peer.next(), abort(0, 0));
  }
});

test('objects are not taken on a context that is open for sub-operations only', options, async () => {
  const store = new MemoryStore();
  const scp = await started(store, {
    admit: () => ({ may: new Set(['retrieve'] as const) }),
    services: [getting(async () => ({ status: 0 }))],
  });
  const association = await opened(scp);
  assert.deepEqual(await association.store(object, inPieces(pixels, 9_999)), { status: 0x0124 });
  assert.equal(store.opened, 0);
});
