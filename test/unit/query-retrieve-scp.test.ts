/** The C-GET and C-MOVE SCPs: counts, statuses, cancel, failures of objects and destinations (PS3.4 C.4.2, C.4.3). */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { commandField } from '../../firmware/dimse/command.ts';
import { destinationFailuresMax, retrievalsMax, retrieveObjectsMax } from '../../firmware/dimse/limits.ts';
import { AppError } from '../../firmware/src/errors.ts';
import {
  ct,
  explicitLittle,
  jpegLossless,
  Operation,
  studyGet,
  studyMove,
  world,
} from '../support/query-world.ts';

const get = (): Operation => new Operation(studyGet, commandField.getRequest);
const move = (to = 'PACS'): Operation => new Operation(studyMove, commandField.moveRequest, to);

describe('C-GET', () => {
  it('sends every object, with counts after each', async () => {
    const { archive, objects, perform } = world();
    archive.retrieveResult = {
      kind: 'objects',
      objects: ['1', '2', '3'].map((name) => objects.object(name)),
    };
    const operation = get();
    assert.deepEqual(await perform(operation), {
      status: 0x0000,
      subOperations: { completed: 3, failed: 0, warning: 0 },
    });
    assert.deepEqual(
      operation.stored.map(({ text }) => text),
      ['1', '2', '3'].map((name) => `${name} in ${explicitLittle}`),
    );
    assert.deepEqual(
      operation.responses.map(({ status, subOperations }) => [status, subOperations]),
      [
        [0xff00, { remaining: 2, completed: 1, failed: 0, warning: 0 }],
        [0xff00, { remaining: 1, completed: 2, failed: 0, warning: 0 }],
      ],
    );
    assert.equal(objects.open, 0);
  });

  it('finds nothing with success', async () => {
    const { perform } = world();
    assert.deepEqual(await perform(get()), {
      status: 0x0000,
      subOperations: { completed: 0, failed: 0, warning: 0 },
    });
  });

  it('sends another syntax only where the kept one is not taken, and fails where none is', async () => {
    const { archive, objects, perform } = world();
    archive.retrieveResult = {
      kind: 'objects',
      objects: [
        objects.object('1', [jpegLossless, explicitLittle]),
        objects.object('2', [jpegLossless]),
        objects.object('3', [explicitLittle, jpegLossless]),
      ],
    };
    const operation = get();
    const { status, dataSet, subOperations } = await perform(operation);
    assert.equal(status, 0xb000);
    assert.deepEqual(subOperations, { completed: 2, failed: 1, warning: 0 });
    assert.deepEqual(dataSet, { '00080058': { vr: 'UI', values: ['1.2.2'] } });
    assert.deepEqual(
      operation.stored.map(({ transferSyntaxUid, text }) => [transferSyntaxUid, text]),
      [
        [explicitLittle, `1 in ${explicitLittle}`],
        [explicitLittle, `3 in ${explicitLittle}`],
      ],
    );
  });

  it('counts failures and warnings of the peer, and says which failed', async () => {
    const { archive, objects, perform } = world();
    const all = ['1', '2', '3'].map((name) => objects.object(name));
    archive.retrieveResult = { kind: 'objects', objects: all };
    const operation = get();
    operation.statuses = [0xb000, 0xa700, 0x0000];
    const final = await perform(operation);
    assert.deepEqual(final, {
      status: 0xb000,
      subOperations: { completed: 1, failed: 1, warning: 1 },
      dataSet: { '00080058': { vr: 'UI', values: ['1.2.2'] } },
    });
    const nothing = get();
    nothing.statuses = [0xa700, 0xa900, 0x0110];
    assert.equal((await perform(nothing)).status, 0xa702);
    const doubtful = get();
    doubtful.statuses = [0xa700, 0xb007, 0x0110];
    assert.equal((await perform(doubtful)).status, 0xb000);
  });

  it('lets an object that cannot be read fail alone, before anything of it is sent', async () => {
    const { archive, objects, perform } = world();
    archive.retrieveResult = {
      kind: 'objects',
      objects: [objects.object('1', [explicitLittle], 'begin'), objects.object('2')],
    };
    const operation = get();
    assert.equal((await perform(operation)).status, 0xb000);
    assert.deepEqual(
      operation.stored.map(({ sopInstanceUid }) => sopInstanceUid),
      ['1.2.2'],
    );
    assert.deepEqual([operation.begun, objects.open], [1, 0]);
  });

  it('stops at a C-CANCEL with FE00, and counts what remains', async () => {
    const { archive, objects, perform } = world();
    const all = ['1', '2', '3'].map((name) => objects.object(name));
    archive.retrieveResult = { kind: 'objects', objects: all };
    const operation = get();
    operation.onPending = () => {
      operation.cancel();
    };
    assert.deepEqual(await perform(operation), {
      status: 0xfe00,
      subOperations: { remaining: 2, completed: 1, failed: 0, warning: 0 },
    });
    assert.equal(objects.open, 0);
  });

  it('a C-CANCEL while an object is being read leaves it among what remains', async () => {
    const { archive, objects, perform } = world();
    archive.retrieveResult = { kind: 'objects', objects: [objects.object('1'), objects.object('2')] };
    const operation = get();
    objects.onRead = () => {
      operation.cancel();
    };
    assert.deepEqual(await perform(operation), {
      status: 0xfe00,
      subOperations: { remaining: 2, completed: 0, failed: 0, warning: 0 },
    });
    assert.equal(objects.open, 0);
  });

  it('ends with the association', async () => {
    const { archive, objects, perform } = world();
    archive.retrieveResult = { kind: 'objects', objects: [objects.object('1'), objects.object('2')] };
    const operation = get();
    const reason = new AppError('DIMSE_PROTOCOL', 'gone');
    operation.onPending = () => {
      operation.end(reason);
    };
    await assert.rejects(perform(operation), reason);
    assert.equal(objects.open, 0);
  });

  it('refuses more objects than can be counted, and more retrievals than there are places', async () => {
    const { archive, objects, perform } = world();
    const one = objects.object('1');
    archive.retrieveResult = {
      kind: 'objects',
      objects: new Array(retrieveObjectsMax + 1).fill(one) as never,
    };
    assert.equal((await perform(get())).status, 0xa701);

    archive.retrieveResult = { kind: 'objects', objects: [one] };
    const waiting = Array.from({ length: retrievalsMax }, () => perform(get()));
    assert.equal((await perform(get())).status, 0xa702);
    await Promise.all(waiting);
    assert.equal((await perform(get())).status, 0x0000);
  });
});

describe('C-MOVE', () => {
  it('goes to configured destinations only', async () => {
    const { perform } = world();
    for (const stranger of ['OTHER', '']) assert.equal((await perform(move(stranger))).status, 0xa801);
  });

  it('sends over one association, naming who asked', async () => {
    const { archive, destination, objects, perform } = world();
    archive.retrieveResult = {
      kind: 'objects',
      objects: [
        objects.object('1'),
        objects.object('2', [jpegLossless, explicitLittle]),
        objects.object('3'),
      ],
    };
    const operation = move();
    assert.deepEqual(await perform(operation), {
      status: 0x0000,
      subOperations: { completed: 3, failed: 0, warning: 0 },
    });
    // The kept syntax alone in a context of its own.
    assert.deepEqual(destination.associations, [
      [
        { sopClassUid: ct, transferSyntaxUids: [explicitLittle] },
        { sopClassUid: ct, transferSyntaxUids: [jpegLossless] },
        { sopClassUid: ct, transferSyntaxUids: [explicitLittle] },
      ],
    ]);
    assert.deepEqual(
      destination.stored.map(({ text, originator }) => [text, originator]),
      [`1 in ${explicitLittle}`, `2 in ${jpegLossless}`, `3 in ${explicitLittle}`].map((text) => [
        text,
        { aeTitle: 'WORKSTATION', messageId: 7 },
      ]),
    );
    assert.equal(operation.responses.length, 2);
    assert.equal(destination.associationsOpen, 0);
  });

  it('transcodes for a destination that does not take the kept syntax, and fails what it takes in no way', async () => {
    const { archive, destination, objects, perform } = world();
    destination.accepts = ({ transferSyntaxUid }) => transferSyntaxUid === explicitLittle;
    archive.retrieveResult = {
      kind: 'objects',
      objects: [objects.object('1', [jpegLossless, explicitLittle]), objects.object('2', [jpegLossless])],
    };
    const final = await perform(move());
    assert.equal(final.status, 0xb000);
    assert.deepEqual(final.dataSet?.['00080058']?.values, ['1.2.2']);
    assert.deepEqual(
      destination.stored.map(({ text }) => text),
      [`1 in ${explicitLittle}`],
    );
  });

  it('takes a further association for more kinds than one can carry contexts for', async () => {
    const { archive, destination, objects, perform } = world();
    const kinds = Array.from({ length: 200 }, (_, index) =>
      objects.object(String(index), [`1.2.840.10008.1.2.${index}`]),
    );
    archive.retrieveResult = { kind: 'objects', objects: kinds };
    assert.equal((await perform(move())).status, 0x0000);
    assert.deepEqual(
      destination.associations.map(({ length }) => length),
      [128, 72],
    );
    assert.equal(destination.stored.length, 200);
  });

  it('answers before its association is released, and ends it when the box stops', async () => {
    const { archive, destination, objects, perform, scp } = world();
    archive.retrieveResult = { kind: 'objects', objects: [objects.object('1')] };
    destination.isSilent = true;
    assert.equal((await perform(move())).status, 0x0000);
    assert.equal(destination.associationsOpen, 1);
    await scp.stop();
    assert.equal(destination.associationsOpen, 0);
  });

  it('goes on after a failure of the destination, on a new association', async () => {
    const { archive, destination, objects, perform } = world();
    const all = ['1', '2', '3'].map((name) => objects.object(name));
    archive.retrieveResult = { kind: 'objects', objects: all };
    destination.failures = 1;
    const final = await perform(move());
    assert.deepEqual(final.subOperations, { completed: 2, failed: 1, warning: 0 });
    assert.deepEqual(final.dataSet?.['00080058']?.values, ['1.2.1']);
  });

  it('gives a destination up that fails time and again, without reading on', async () => {
    const { archive, destination, objects, perform } = world();
    const all = Array.from({ length: 50 }, (_, index) => objects.object(String(index)));
    archive.retrieveResult = { kind: 'objects', objects: all };
    destination.failures = 1_000;
    const operation = move();
    const final = await perform(operation);
    assert.equal(final.status, 0xa702);
    assert.deepEqual(final.subOperations, { completed: 0, failed: 50, warning: 0 });
    assert.equal(1_000 - destination.failures, destinationFailuresMax);
    assert.ok(operation.responses.length <= destinationFailuresMax);
  });

  it('gives a destination up that takes associations but nothing else', async () => {
    const { archive, destination, objects, perform } = world();
    const all = Array.from({ length: 50 }, (_, index) => objects.object(String(index)));
    archive.retrieveResult = { kind: 'objects', objects: all };
    destination.breaksOff = true;
    assert.equal((await perform(move())).status, 0xa702);
    assert.equal(destination.associations.length, destinationFailuresMax);
    assert.deepEqual([destination.associationsOpen, objects.open], [0, 0]);
  });

  it('an object that breaks off in the middle ends its association, not the retrieval', async () => {
    const { archive, destination, objects, perform } = world();
    archive.retrieveResult = {
      kind: 'objects',
      objects: [
        ...Array.from({ length: destinationFailuresMax + 1 }, (_, index) =>
          objects.object(String(index), [explicitLittle], 'middle'),
        ),
        objects.object('9'),
      ],
    };
    const final = await perform(move());
    assert.equal(final.subOperations?.completed, 1);
    assert.deepEqual(
      destination.stored.map(({ uid }) => uid),
      ['1.2.9'],
    );
    assert.deepEqual([destination.associationsOpen, objects.open], [0, 0]);
  });

  it('finishes the object under way at a C-CANCEL, then stops with FE00', async () => {
    const { archive, destination, objects, perform } = world();
    const all = ['1', '2', '3'].map((name) => objects.object(name));
    archive.retrieveResult = { kind: 'objects', objects: all };
    const operation = move();
    destination.onStore = () => {
      operation.cancel();
    };
    assert.deepEqual(await perform(operation), {
      status: 0xfe00,
      subOperations: { remaining: 2, completed: 1, failed: 0, warning: 0 },
    });
    assert.equal(destination.lastSignal?.aborted, false);
    assert.equal(destination.associationsOpen, 0);
  });

  it('ends its association when the one that asked has ended', async () => {
    const { archive, destination, objects, perform } = world();
    archive.retrieveResult = { kind: 'objects', objects: [objects.object('1'), objects.object('2')] };
    const operation = move();
    const reason = new AppError('DIMSE_PROTOCOL', 'gone');
    destination.onStore = () => {
      operation.end(reason);
    };
    await assert.rejects(perform(operation), reason);
    assert.equal(destination.lastSignal?.reason, reason);
    assert.deepEqual([destination.associationsOpen, destination.stored.length], [0, 1]);
  });
});
