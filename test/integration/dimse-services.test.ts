/** Services against dcmtk: its query and retrieve tools as our SCUs, its archive (dcmqrscp) as our SCP. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { test } from 'node:test';
import {
  type Association,
  type AssociationOptions,
  type DimseService,
  OperationCancelled,
  openAssociation,
  type ServiceOperation,
  uids,
} from '../../firmware/dimse/index.ts';
import type { DataSet } from '../../firmware/src/ports.ts';
import { realClock } from '../fakes/real-clock.ts';
import { startDcmqrscp } from '../support/dcmqrscp.ts';
import { ctImageStorage, MemoryStore } from '../support/dimse-peer.ts';
import { running, started } from '../support/dimse-scp-fixture.ts';
import {
  filesBelow,
  inPieces,
  pydicomFiles,
  readDicomFile,
  runTool,
  startStorescp,
  temporaryFolder,
} from '../support/dimse-tools.ts';

const options = { timeout: 60_000 };
const studyRoot = {
  find: '1.2.840.10008.5.1.4.1.2.2.1',
  move: '1.2.840.10008.5.1.4.1.2.2.2',
  get: '1.2.840.10008.5.1.4.1.2.2.3',
};
const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

type CtObject = Extract<Awaited<ReturnType<typeof readDicomFile>>, { kind: 'object' }>;

async function ct(): Promise<CtObject> {
  const object = await readDicomFile(join(pydicomFiles, 'CT_small.dcm'));
  assert(object.kind === 'object');
  return object;
}

const text = (vr: string, ...values: string[]): DataSet[string] => ({ vr, values });
const matches: readonly DataSet[] = ['Müller^Jürgen', '山田^太郎', 'Plain^Name'].map((name, index) => ({
  '00080052': text('CS', 'STUDY'),
  '00100010': text('PN', name),
  '0020000D': text('UI', `1.2.${index + 1}`),
}));

function service(sopClass: string, perform: DimseService['perform']): DimseService {
  const permission = sopClass === studyRoot.find ? 'query' : 'retrieve';
  return { sopClasses: [sopClass], requestorRole: 'scu', permission, perform };
}

const at = (port: number): string[] => ['-aec', 'HILUM', '127.0.0.1', String(port)];

test(
  'findscu gets every match in each transfer syntax; its names are read as they are',
  options,
  async () => {
    const seen: ServiceOperation[] = [];
    const server = await started(new MemoryStore(), {
      services: [
        service(studyRoot.find, async (operation) => {
          seen.push(operation);
          for (const dataSet of matches) await operation.pending({ status: 0xff00, dataSet });
          return { status: 0 };
        }),
      ],
    });
    const keys = ['-S', '-k', 'QueryRetrieveLevel=STUDY', '-k', 'PatientName=M*', '-k', 'StudyInstanceUID'];
    for (const [flag, syntax] of [
      ['-xi', uids.implicitVrLittleEndian],
      ['-xe', uids.explicitVrLittleEndian],
      ['-xb', uids.explicitVrBigEndian],
      ['-xd', uids.deflatedExplicitVrLittleEndian],
    ] as const) {
      const { code, output } = await runTool('findscu', ['-v', flag, ...keys, ...at(server.port)]);
      assert.equal(code, 0, output);
      for (const part of ['Müller^Jürgen', '山田^太郎', 'Plain^Name', '1.2.3'])
        assert(output.includes(part), `${flag} ${part}: ${output}`);
      const operation = seen.at(-1);
      assert.equal(operation?.transferSyntaxUid, syntax, flag);
      assert.deepEqual(operation.dataSet, {
        '00080052': text('CS', 'STUDY'),
        '00100010': text('PN', 'M*'),
        '0020000D': text('UI'),
      });
    }
  },
);

test('findscu --cancel ends the query with FE00', options, async () => {
  let reason: unknown;
  // So long that the buffers between the two hold only some.
  const long: DataSet = { ...matches[2], '00104000': text('LT', 'x'.repeat(60_000)) };
  const server = await started(new MemoryStore(), {
    services: [
      service(studyRoot.find, async (operation) => {
        try {
          for (;;) await operation.pending({ status: 0xff00, dataSet: long });
        } catch (error) {
          reason = error;
          throw error;
        }
      }),
    ],
  });
  const { output } = await runTool('findscu', [
    '-d',
    '--cancel',
    '2',
    '-S',
    '-k',
    'QueryRetrieveLevel=STUDY',
    ...at(server.port),
  ]);
  assert.match(output, /0xfe00/i);
  assert(reason instanceof OperationCancelled);
});

test('getscu gets the objects bit for bit on its own association', options, async () => {
  const object = await ct();
  const server = await started(new MemoryStore(), {
    services: [
      service(studyRoot.get, async (operation) => {
        const outcome = await operation.store(object, inPieces(object.dataSet, 4096));
        assert.deepEqual(outcome, { status: 0 });
        await operation.pending({
          status: 0xff00,
          subOperations: { remaining: 0, completed: 1, failed: 0, warning: 0 },
        });
        return { status: 0, subOperations: { completed: 1, failed: 0, warning: 0 } };
      }),
    ],
  });
  const folder = await temporaryFolder();
  const { code, output } = await runTool('getscu', [
    '-v',
    '-S',
    '+B',
    '-od',
    folder,
    '-k',
    'QueryRetrieveLevel=STUDY',
    '-k',
    'StudyInstanceUID=1.2',
    ...at(server.port),
  ]);
  assert.equal(code, 0, output);
  const [path] = await filesBelow(folder);
  assert(path !== undefined, output);
  const received = await readDicomFile(path);
  assert(received.kind === 'object');
  assert.equal(sha256(received.dataSet), sha256(object.dataSet));
});

test('movescu hears of its sub-operations', options, async () => {
  const seen: ServiceOperation[] = [];
  const server = await started(new MemoryStore(), {
    services: [
      service(studyRoot.move, async (operation) => {
        seen.push(operation);
        await operation.pending({
          status: 0xff00,
          subOperations: { remaining: 1, completed: 1, failed: 0, warning: 0 },
        });
        return { status: 0, subOperations: { completed: 2, failed: 0, warning: 0 } };
      }),
    ],
  });
  const { code, output } = await runTool('movescu', [
    '-d',
    '-S',
    '-aem',
    'DEST',
    '-k',
    'QueryRetrieveLevel=STUDY',
    '-k',
    'StudyInstanceUID=1.2',
    ...at(server.port),
  ]);
  assert.equal(code, 0, output);
  assert.match(output, /Remaining Suboperations\s*: 1/);
  assert.equal(seen[0]?.command.moveDestination, 'DEST');
});

test('storescu names its user, and hears that it was taken', options, async () => {
  const identities: unknown[] = [];
  const store = new MemoryStore();
  const server = await started(store, {
    admit: ({ userIdentity }) => {
      if (userIdentity !== undefined) {
        const { type, responseRequested, primary, secondary } = userIdentity;
        const [name, passcode] = [primary, secondary].map((bytes) => Buffer.from(bytes).toString());
        identities.push({ type, responseRequested, name, passcode });
      }
      return { may: new Set(['store'] as const), userIdentityResponse: new Uint8Array(0) };
    },
  });
  const path = join(pydicomFiles, 'CT_small.dcm');
  const user = ['-usr', 'radiographer', '-pwd', 'secret', '-rsp'];
  const { code, output } = await runTool('storescu', ['-d', ...user, ...at(server.port), path]);
  assert.equal(code, 0, output);
  assert.deepEqual(identities, [
    { type: 2, responseRequested: true, name: 'radiographer', passcode: 'secret' },
  ]);
  assert.match(output, /User Identity Negotiation Response/i);
  assert.equal(store.kept.length, 1);
});

test('termscu, which ends dcmtk servers, does not end us', options, async () => {
  const server = await started(new MemoryStore());
  await runTool('termscu', at(server.port));
  assert.equal((await runTool('echoscu', at(server.port))).code, 0);
});

async function opened(port: number, change: Partial<AssociationOptions> = {}): Promise<Association> {
  const association = await openAssociation({
    host: '127.0.0.1',
    port,
    callingAeTitle: 'HILUM',
    calledAeTitle: 'ARCHIVE',
    contexts: [
      ...Object.values(studyRoot).map((abstractSyntax) => ({
        abstractSyntax,
        transferSyntaxes: [uids.implicitVrLittleEndian],
      })),
      {
        abstractSyntax: ctImageStorage,
        transferSyntaxes: [uids.explicitVrLittleEndian],
        roles: { scu: true, scp: true },
      },
    ],
    clock: realClock,
    ...change,
  });
  running.push({ stop: () => association.abort() });
  return association;
}

test('we find, move and get what dcmqrscp holds', options, async () => {
  const destination = await startStorescp();
  running.push(destination);
  const archive = await startDcmqrscp({ aeTitle: 'DEST', port: destination.port });
  running.push(archive);
  const object = await ct();
  const store = new MemoryStore();
  const association = await opened(archive.port, {
    storage: { store: store.store, failed: (error) => assert.fail(String(error)) },
  });
  assert.equal((await association.store(object, inPieces(object.dataSet, 4096))).status, 0);

  const found: DataSet[] = [];
  const keys = {
    '00080052': text('CS', 'STUDY'),
    '00100010': text('PN', 'CompressedSamples*'),
    '0020000D': text('UI'),
  };
  for await (const match of association.find(studyRoot.find, keys)) found.push(match);
  assert.equal(found.length, 1);
  assert.match(JSON.stringify(found[0]?.['00100010']), /CompressedSamples/);
  const studyInstanceUid = found[0]?.['0020000D'];
  assert(studyInstanceUid !== undefined);

  const study = { '00080052': text('CS', 'STUDY'), '0020000D': studyInstanceUid };
  let last;
  for await (const progress of association.move(studyRoot.move, 'DEST', study)) last = progress;
  assert.deepEqual(last, { status: 0, completed: 1, failed: 0, warning: 0, failedSopInstanceUids: [] });
  const [moved] = (await filesBelow(destination.folder)).filter((path) => !path.endsWith('.cfg'));
  assert(moved !== undefined);

  for await (const progress of association.get(studyRoot.get, study)) last = progress;
  assert.equal(last.status, 0);
  assert.equal(last.completed, 1);
  assert.equal(store.kept[0]?.request.sopInstanceUid, object.sopInstanceUid);

  const unknown = { ...study, '0020000D': text('UI', '1.2.3.4') };
  for await (const match of association.find(studyRoot.find, unknown))
    assert.fail(`found ${JSON.stringify(match)}`);
  for await (const progress of association.move(studyRoot.move, 'NOWHERE', study)) last = progress;
  assert.equal(last.status, 0xa801);
  await association.release();
});
