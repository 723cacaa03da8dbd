/** Query/Retrieve over real associations: what is negotiated holds, large objects pass, a C-CANCEL is heard. */
import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { openAssociation, type Association, uids } from '../../firmware/dimse/index.ts';
import { QueryRetrieveScp } from '../../firmware/dimse/query-retrieve.ts';
import type { DataSet, FindQuery, QueryArchive, RetrievableObject } from '../../firmware/src/ports.ts';
import { silentLogger } from '../fakes/consortium.ts';
import { realClock } from '../fakes/real-clock.ts';
import { ctImageStorage, MemoryStore } from '../support/dimse-peer.ts';
import { running, started } from '../support/dimse-scp-fixture.ts';

const options = { timeout: 20_000 };
const studyFind = '1.2.840.10008.5.1.4.1.2.2.1';
const studyGet = '1.2.840.10008.5.1.4.1.2.2.3';
const identifier: DataSet = { '00080052': { vr: 'CS', values: ['STUDY'] } };

/** An SCP over this archive, and an association with it. */
async function opened(
  archive: Partial<QueryArchive>,
  change: Partial<Parameters<typeof openAssociation>[0]> = {},
): Promise<Association> {
  const scp = new QueryRetrieveScp({
    archive: { find: () => assert.fail(), select: () => assert.fail(), ...archive },
    destinationOf: () => undefined,
    logger: silentLogger,
  });
  const server = await started(new MemoryStore(), { services: scp.services });
  const association = await openAssociation({
    host: '127.0.0.1',
    port: server.port,
    callingAeTitle: 'WORKSTATION',
    calledAeTitle: 'HILUM',
    contexts: [
      ...[studyFind, studyGet].map((abstractSyntax) => ({
        abstractSyntax,
        transferSyntaxes: [uids.explicitVrLittleEndian],
      })),
      {
        abstractSyntax: ctImageStorage,
        transferSyntaxes: [uids.explicitVrLittleEndian],
        roles: { scu: false, scp: true },
      },
    ],
    clock: realClock,
    ...change,
  });
  running.push({ stop: () => association.abort() });
  return association;
}

async function all<Item>(items: AsyncIterable<Item>): Promise<Item[]> {
  const found: Item[] = [];
  for await (const item of items) found.push(item);
  return found;
}

test('relational queries and date-time matching hold where they were negotiated', options, async () => {
  for (const [proposed, relational, combinedDateTime] of [
    [undefined, false, false],
    [[1], true, false],
    [[1, 1, 1], true, true],
    [[0, 1], false, true],
  ] as const) {
    const queries: FindQuery[] = [];
    const association = await opened(
      {
        find: (query) => {
          queries.push(query);
          return { kind: 'refused', reason: 'identifier', detail: 'enough' };
        },
      },
      proposed === undefined
        ? {}
        : { extendedNegotiation: [{ sopClassUid: studyFind, information: Uint8Array.from(proposed) }] },
    );
    await assert.rejects(all(association.find(studyFind, identifier)), /0xA900/);
    assert.deepEqual(
      queries.map((query) => [query.relational, query.combinedDateTime, query.retrieveAeTitle]),
      [[relational, combinedDateTime, 'HILUM']],
    );
    const answered = association.extendedNegotiation(studyFind);
    assert.deepEqual(answered && [...answered], proposed?.slice(0, 2));
  }
});

test('a C-CANCEL ends a search without end, and the association serves the next', options, async () => {
  let ended = 0;
  const association = await opened({
    find: () => ({
      kind: 'matches',
      hasUnsupportedKeys: false,
      matches: (async function* () {
        try {
          for (let number = 0; ; number++) {
            yield { '0020000D': { vr: 'UI', values: [`1.2.${number}`] } };
            await new Promise(setImmediate);
          }
        } finally {
          ended += 1;
        }
      })(),
    }),
  });
  for (const round of [1, 2]) {
    const uidsSeen: unknown[] = [];
    for await (const match of association.find(studyFind, identifier)) {
      uidsSeen.push(match['0020000D']?.values[0]);
      if (uidsSeen.length === 3) break;
    }
    assert.deepEqual(uidsSeen, ['1.2.0', '1.2.1', '1.2.2']);
    // The final response has come by now.
    assert.equal(ended, round);
  }
  await association.release();
});

/** 12 MiB in pieces of 1 MiB, as from disk. */
function large(sopInstanceUid: string): RetrievableObject & { readonly sha256: () => string } {
  const hash = createHash('sha256');
  return {
    sopClassUid: ctImageStorage,
    sopInstanceUid,
    transferSyntaxUids: [uids.explicitVrLittleEndian],
    dataSet: async function* () {
      for (let piece = 0; piece < 12; piece++) {
        const bytes = randomBytes(1_048_576);
        hash.update(bytes);
        yield await Promise.resolve(bytes);
      }
    },
    sha256: () => hash.digest('hex'),
  };
}

test('C-GET: large objects arrive whole on the same association', options, async () => {
  const received: string[] = [];
  const objects = [large('1.2.1'), large('1.2.2')];
  const association = await opened(
    { select: () => Promise.resolve({ kind: 'objects', objects }) },
    {
      storage: {
        store: () => {
          const hash = createHash('sha256');
          return {
            write: (chunk) => {
              hash.update(chunk);
              return undefined;
            },
            finish: () => {
              received.push(hash.digest('hex'));
              return Promise.resolve({ status: 0 });
            },
            abort: () => Promise.resolve(),
          };
        },
        failed: (error) => assert.fail(String(error)),
      },
    },
  );
  const progress = await all(association.get(studyGet, identifier));
  assert.deepEqual(
    received,
    objects.map(({ sha256 }) => sha256()),
  );
  assert.deepEqual(
    progress.map(({ status, completed, remaining }) => [status, completed, remaining]),
    [
      [0xff00, 1, 1],
      [0x0000, 2, undefined],
    ],
  );
  await association.release();
});
