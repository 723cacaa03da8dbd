/** The C-FIND SCP, and what all six services have in common (PS3.4 annex C). */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { commandField } from '../../firmware/dimse/command.ts';
import { OperationCancelled } from '../../firmware/dimse/service.ts';
import type { DataSet, FindEnd, FindQuery, FindResult } from '../../firmware/src/ports.ts';
import {
  matching,
  Operation,
  patientFind,
  studyFind,
  studyGet,
  studyMove,
  world,
} from '../support/query-world.ts';

const find = (): Operation => new Operation(studyFind, commandField.findRequest);
const refusedAs = (reason: 'identifier' | 'value'): FindResult => ({
  kind: 'refused',
  reason,
  detail: 'why',
});

describe('the services', () => {
  it('are the six SOP classes, with what a caller must be permitted', () => {
    const { serviceOf } = world();
    const roots = ['1.2.840.10008.5.1.4.1.2.1', '1.2.840.10008.5.1.4.1.2.2'];
    for (const root of roots) {
      assert.equal(serviceOf(`${root}.1`).permission, 'query');
      assert.equal(serviceOf(`${root}.2`).permission, 'retrieve');
      assert.equal(serviceOf(`${root}.3`).permission, 'retrieve');
    }
  });

  it('accept of extended negotiation what is offered here, and no more', () => {
    const { serviceOf } = world();
    const answer = (sopClass: string, ...proposed: number[]): readonly number[] | undefined => {
      const bytes = serviceOf(sopClass).answerExtendedNegotiation?.(sopClass, Uint8Array.from(proposed));
      return bytes && [...bytes];
    };
    assert.deepEqual(answer(studyFind, 1), [1]);
    assert.deepEqual(answer(studyFind, 1, 1, 1, 1, 1, 1, 1), [1, 1]);
    assert.deepEqual(answer(studyFind, 0, 1), [0, 1]);
    assert.deepEqual(answer(studyGet, 1, 1), [1]);
    assert.deepEqual(answer(studyMove, 0), [0]);
    assert.equal(answer(studyMove), undefined);
  });

  it('answer a request of another service as unrecognized, and one without identifier as a mismatch', async () => {
    const { perform } = world();
    const other = new Operation(studyFind, commandField.moveRequest);
    assert.equal((await perform(other)).status, 0x0211);
    const empty = find();
    empty.dataSet = undefined;
    assert.equal((await perform(empty)).status, 0xa900);
  });
});

describe('C-FIND', () => {
  const answers: DataSet[] = [1, 2, 3].map((n) => ({ '0020000D': { vr: 'UI', values: [`1.${n}`] } }));

  it('asks for what was negotiated, under the AE title that was called', async () => {
    const { archive, perform } = world();
    for (const [negotiated, relational, combinedDateTime] of [
      [undefined, false, false],
      [[1], true, false],
      [[0, 1], false, true],
      [[1, 1], true, true],
    ] as const) {
      archive.findResult = { kind: 'matches', hasUnsupportedKeys: false, matches: matching([], 'complete') };
      const operation = new Operation(patientFind, commandField.findRequest);
      operation.extendedNegotiation = negotiated && Uint8Array.from(negotiated);
      await perform(operation);
      const { root, retrieveAeTitle, ...query } = archive.queries.at(-1) as FindQuery;
      assert.deepEqual([root, retrieveAeTitle], ['PATIENT', 'HILUM']);
      assert.deepEqual([query.relational, query.combinedDateTime], [relational, combinedDateTime]);
    }
  });

  it('sends each match with FF00, then success', async () => {
    const { archive, perform } = world();
    archive.findResult = {
      kind: 'matches',
      hasUnsupportedKeys: false,
      matches: matching(answers, 'complete'),
    };
    const operation = find();
    assert.deepEqual(await perform(operation), { status: 0x0000 });
    assert.deepEqual(
      operation.responses,
      answers.map((dataSet) => ({ status: 0xff00, dataSet })),
    );
  });

  it('says FF01 where a key is not supported', async () => {
    const { archive, perform } = world();
    archive.findResult = {
      kind: 'matches',
      hasUnsupportedKeys: true,
      matches: matching(answers, 'complete'),
    };
    const operation = find();
    await perform(operation);
    assert.deepEqual(new Set(operation.responses.map(({ status }) => status)), new Set([0xff01]));
  });

  it('ends with out of resources when there are more than are listed', async () => {
    const { archive, perform } = world();
    archive.findResult = { kind: 'matches', hasUnsupportedKeys: false, matches: matching(answers, 'limit') };
    assert.equal((await perform(find())).status, 0xa700);
  });

  it('stops at a C-CANCEL and lets go of the search', async () => {
    const { archive, perform } = world();
    let closed = false;
    async function* endless(): AsyncGenerator<DataSet, FindEnd> {
      try {
        for (;;) yield await Promise.resolve({});
      } finally {
        closed = true;
      }
    }
    archive.findResult = { kind: 'matches', hasUnsupportedKeys: false, matches: endless() };
    const operation = find();
    operation.onPending = () => {
      if (operation.responses.length === 2) operation.cancel();
    };
    // The association answers this with FE00.
    await assert.rejects(perform(operation), OperationCancelled);
    assert.equal(operation.responses.length, 2);
    assert.ok(closed);
  });

  it('takes a search that was cancelled for no success', async () => {
    const { archive, perform } = world();
    archive.findResult = {
      kind: 'matches',
      hasUnsupportedKeys: false,
      matches: matching([], 'cancelled'),
    };
    const operation = find();
    operation.cancel();
    await assert.rejects(perform(operation), OperationCancelled);
  });

  it('refuses what is no identifier of the SOP class, and what cannot be understood', async () => {
    const { archive, perform } = world();
    archive.findResult = refusedAs('identifier');
    assert.deepEqual(await perform(find()), { status: 0xa900, comment: 'why' });
    archive.findResult = refusedAs('value');
    assert.deepEqual(await perform(find()), { status: 0xc000, comment: 'why' });
  });
});
