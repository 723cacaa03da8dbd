/** Data sets of thousands of elements on their way in and out: nobody else waits for more than a part of them. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encodeText } from '../../firmware/dimse/character-set.ts';
import {
  type DataSet,
  decodeDataSet,
  encodeDataSet,
  encodeLongDataSet,
} from '../../firmware/dimse/data-set.ts';
import { uids } from '../../firmware/dimse/index.ts';
import { elementsWithoutRestMax, textBytesWithoutRestMax } from '../../firmware/dimse/limits.ts';
import { relayProcedureStep } from '../../firmware/dimse/procedure-step.ts';
import type { DimseService, ServiceOperation } from '../../firmware/dimse/service.ts';
import { realClock } from '../fakes/real-clock.ts';
import { countingTurns } from '../support/counting-turns.ts';
import { MemoryStore } from '../support/dimse-peer.ts';
import { started } from '../support/dimse-scp-fixture.ts';
import { commitment, getting, opened, service, studyRootGet } from '../support/dimse-service-fixture.ts';
import { mostCallsInOneTurn } from '../support/work-in-one-turn.ts';

const options = { timeout: 20_000 };
const { implicitVrLittleEndian, explicitVrLittleEndian } = uids;
const syntaxes = [
  implicitVrLittleEndian,
  explicitVrLittleEndian,
  uids.explicitVrBigEndian,
  uids.deflatedExplicitVrLittleEndian,
];

/** Referenced SOP Sequence of so many objects, three elements and items each. */
const referring = (objects: number): DataSet => ({
  '00081199': {
    vr: 'SQ',
    values: Array.from({ length: objects }, (_, index) => ({
      '00081150': { vr: 'UI', values: ['1.2.840.10008.5.1.4.1.1.2'] },
      '00081155': { vr: 'UI', values: [`1.2.3.${index}`] },
    })),
  },
});

const long = referring(5_000);

/** The most elements that were written, and read, before everybody else had a turn: a u32 of length for each. */
async function mostElements(work: () => Promise<unknown>): Promise<{ written: number; read: number }> {
  let read = 0;
  const reading = async (): Promise<void> => {
    read = await mostCallsInOneTurn(DataView.prototype, 'getUint32', work);
  };
  const written = await mostCallsInOneTurn(DataView.prototype, 'setUint32', reading);
  return { written, read };
}

/** Both ends are in this process and may have a part each; the heads of PDUs come to it. */
const elementsInOneTurnMax = 2 * elementsWithoutRestMax;

function assertInParts({ written, read }: { readonly written: number; readonly read: number }): void {
  assert(written > 0 && written <= elementsInOneTurnMax, `${written} elements were written at one go`);
  assert(read > 0 && read <= elementsInOneTurnMax, `${read} elements were read at one go`);
}

test('a long data set is encoded like a short one, and everybody else has a turn meanwhile', async () => {
  const list = { '00081155': { vr: 'UI', values: Array.from({ length: 250 }, (_, n) => `1.2.${n}`) } };
  const lists = { '00081199': { vr: 'SQ', values: Array.from({ length: 40 }, () => list) } };
  const empty = { '00081199': { vr: 'SQ', values: Array.from({ length: 10_000 }, () => ({})) } };
  for (const [dataSet, elements] of [
    [long, 15_000],
    [lists, 10_000],
    [empty, 10_000],
  ] as const) {
    for (const syntax of syntaxes) {
      const { result, turns } = await countingTurns(() => encodeLongDataSet(dataSet, syntax));
      assert.deepEqual(result, encodeDataSet(dataSet, syntax));
      assert(turns >= elements / elementsWithoutRestMax - 2, `${turns} turns for ${elements}`);
    }
  }
});

test('everybody else has a turn while long text is encoded, also if it turns out to need UTF-8', async () => {
  const texts = (characterSet: string, last: string): DataSet => ({
    '00080005': { vr: 'CS', values: [characterSet] },
    '00081199': {
      vr: 'SQ',
      values: Array.from({ length: 100 }, (_, n) => ({
        '00081030': { vr: 'UT', values: [n === 99 ? last : 'ü'.repeat(512)] },
      })),
    },
  });
  const rests = (100 * 512) / textBytesWithoutRestMax;
  for (const [dataSet, restsMin] of [
    [texts('ISO_IR 100', 'ü'), rests],
    [texts('ISO_IR 192', 'Ж'), 2 * rests],
    [texts('ISO_IR 100', 'Ж'), 3 * rests],
  ] as const) {
    const { result, turns } = await countingTurns(() => encodeLongDataSet(dataSet, explicitVrLittleEndian));
    assert.deepEqual(result, encodeDataSet(dataSet, explicitVrLittleEndian));
    assert(turns >= restsMin - 3, `${turns} turns`);
  }
});

test('a character set is made ready once, not for each value', async () => {
  encodeText('ü', 'ISO_IR 144');
  const decoded = await mostCallsInOneTurn(TextDecoder.prototype, 'decode', async () => {
    for (let n = 0; n < 100; n++) assert.deepEqual(encodeText('Ж', 'ISO_IR 144'), Uint8Array.of(0xb6));
  });
  assert.equal(decoded, 0);
});

test('a request and its response are encoded and decoded in parts at both ends', options, async () => {
  const came: (DataSet | undefined)[] = [];
  const answering: DimseService = service(
    async ({ dataSet }: ServiceOperation) => {
      came.push(dataSet);
      return { status: 0, dataSet: long };
    },
    { sopClasses: [commitment], permission: 'commitment' },
  );
  const services = [answering, getting(async () => ({ status: 0 }))];
  const association = await opened(await started(new MemoryStore(), { services }));
  assertInParts(
    await mostElements(async () => {
      const answer = await association.action(commitment, '1.2.3', 1, long);
      assert.deepEqual([answer.status, answer.dataSet, came], [0, long, [long]]);
    }),
  );
  assertInParts(
    await mostElements(async () => {
      for await (const { status } of association.get(studyRootGet, long)) assert.equal(status, 0);
    }),
  );
});

test(
  'a procedure step goes on in parts to a system that does not take its transfer syntax',
  options,
  async () => {
    const taken: (Uint8Array | undefined)[] = [];
    const department = service(
      async ({ dataSetBytes }) => {
        taken.push(dataSetBytes);
        return { status: 0 };
      },
      { sopClasses: [uids.procedureStepSopClass], permission: 'procedure-step' },
    );
    const { port } = await started(new MemoryStore(), { services: [department] });
    const message = {
      kind: 'create' as const,
      sopInstanceUid: '1.2.3',
      // JPEG, which is for images and laid out like Explicit VR Little Endian: no SCP of N-services accepts it.
      transferSyntaxUid: '1.2.840.10008.1.2.4.50',
      dataSetBytes: encodeDataSet(long, explicitVrLittleEndian),
    };
    const peer = { host: '127.0.0.1', port, callingAeTitle: 'HILUM', calledAeTitle: 'HILUM' };
    assertInParts(
      await mostElements(async () => {
        assert.equal(await relayProcedureStep({ ...peer, clock: realClock }, message), 0);
      }),
    );
    const decoded = decodeDataSet(taken[0] ?? new Uint8Array(0), implicitVrLittleEndian);
    assert.deepEqual(decoded.kind === 'data-set' && decoded.dataSet, long);
  },
);
