/** The storage SCP and the requestor against dcmtk and Orthanc, with the real objects of python3-pydicom. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { test } from 'node:test';
import {
  openAssociation,
  scanHeader,
  status,
  uids,
  type Association,
  type AssociationOptions,
} from '../../firmware/dimse/index.ts';
import { concatBytes } from '../../firmware/src/encoding/bytes.ts';
import { realClock } from '../fakes/real-clock.ts';
import { MemoryStore } from '../support/dimse-peer.ts';
import { running, started } from '../support/dimse-scp-fixture.ts';
import {
  filesBelow,
  inPieces,
  pydicomFiles,
  readDicomFile,
  runTool,
  startOrthanc,
  startStorescp,
} from '../support/dimse-tools.ts';

const options = { timeout: 120_000 };

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

/** The objects that a requestor can send: files with group 0002, one per SOP Instance UID. */
async function sendableObjects(): Promise<
  Extract<Awaited<ReturnType<typeof readDicomFile>>, { kind: 'object' }>[]
> {
  const objects = new Map<string, Extract<Awaited<ReturnType<typeof readDicomFile>>, { kind: 'object' }>>();
  for (const path of await filesBelow(pydicomFiles)) {
    const object = await readDicomFile(path);
    if (object.kind !== 'object' || !uids.isStorageSopClass(object.sopClassUid)) continue;
    // A data set that was cut off at an odd length: dcmtk takes no odd fragments.
    if (object.dataSet.length % 2 === 1 && object.transferSyntaxUid !== uids.deflatedExplicitVrLittleEndian)
      continue;
    objects.set(object.sopInstanceUid, object);
  }
  return [...objects.values()];
}

async function opened(
  peer: { readonly port: number },
  change: Partial<AssociationOptions> = {},
): Promise<Association> {
  const association = await openAssociation({
    host: '127.0.0.1',
    port: peer.port,
    callingAeTitle: 'HILUM',
    calledAeTitle: 'ANY-SCP',
    contexts: [
      { abstractSyntax: uids.verificationSopClass, transferSyntaxes: [uids.implicitVrLittleEndian] },
      { abstractSyntax: '1.2.840.10008.5.1.4.1.1.2', transferSyntaxes: [uids.explicitVrLittleEndian] },
    ],
    clock: realClock,
    ...change,
  });
  running.push({ stop: () => association.abort() });
  return association;
}

const ct = async (): Promise<Extract<Awaited<ReturnType<typeof readDicomFile>>, { kind: 'object' }>> => {
  const object = await readDicomFile(join(pydicomFiles, 'CT_small.dcm'));
  assert(object.kind === 'object');
  return object;
};

const deliveryFailed = (message: RegExp) => ({ code: 'DELIVERY_FAILED', message });

/** The same lines, as often and in any order; a failure shows the difference only. */
function assertSame(actual: readonly string[], expected: readonly string[]): void {
  const rest = [...expected];
  const extra = actual.filter((line) => {
    const at = rest.indexOf(line);
    if (at >= 0) rest.splice(at, 1);
    return at < 0;
  });
  assert.deepEqual({ extra, missing: rest }, { extra: [], missing: [] });
}

test('echoscu is answered; a wrong called AE title is rejected', options, async () => {
  const scp = await started(new MemoryStore());
  assert.equal((await runTool('echoscu', ['-aec', 'HILUM', '127.0.0.1', String(scp.port)])).code, 0);
  const rejected = await runTool('echoscu', ['-aec', 'OTHER', '127.0.0.1', String(scp.port)]);
  assert.notEqual(rejected.code, 0);
  assert.match(rejected.output, /Called AE Title Not Recognized/);
});

const senders: readonly (readonly [name: string, command: string, args: readonly string[]])[] = [
  ['dcmsend, every syntax as it is', 'dcmsend', ['-nh', '--decompress-never', '+sd', '+r', '-nuc']],
  ['storescu, lossless JPEG', 'storescu', ['-nh', '+sd', '+r', '-xs']],
  ['storescu, implicit VR', 'storescu', ['-nh', '+sd', '+r', '-xi']],
  ['storescu, big endian', 'storescu', ['-nh', '+sd', '+r', '-xb']],
  ['storescu, deflated', 'storescu', ['-nh', '+sd', '+r', '-xd']],
  ['storescu, RLE in combined contexts', 'storescu', ['-nh', '+sd', '+r', '-xr', '+C']],
];

for (const [name, command, args] of senders) {
  test(`${name}: what arrives is what storescp +B gets, bit for bit`, options, async () => {
    const store = new MemoryStore();
    const scp = await started(store);
    const storescp = await startStorescp();
    running.push(storescp);
    for (const { port } of [scp, storescp]) {
      await runTool(command, [...args, '-aec', 'HILUM', '127.0.0.1', String(port), pydicomFiles]);
    }
    const expected: string[] = [];
    for (const path of await filesBelow(storescp.folder)) {
      const object = await readDicomFile(path);
      assert(object.kind === 'object', path);
      expected.push(`${object.sopInstanceUid} ${object.transferSyntaxUid} ${sha256(object.dataSet)}`);
    }
    const kept = store.kept.map(
      ({ request, bytes }) => `${request.sopInstanceUid} ${request.transferSyntaxUid} ${sha256(bytes)}`,
    );
    assert(expected.length > 20, `storescp got ${expected.length} objects`);
    assertSame(kept, expected);
    for (const { request, bytes } of store.kept) {
      const scanned = scanHeader(bytes, request.transferSyntaxUid, { atEnd: true });
      assert(scanned.kind === 'complete', JSON.stringify(scanned));
      assert(uids.isUid(scanned.elements.sopInstanceUid ?? ''));
    }
  });
}

test('our C-STORE to storescp: every object arrives as it is', options, async () => {
  const objects = await sendableObjects();
  const storescp = await startStorescp(['-pdu', '4096']);
  running.push(storescp);
  const contexts = new Map(
    objects.map(({ sopClassUid, transferSyntaxUid }) => [
      `${sopClassUid} ${transferSyntaxUid}`,
      { abstractSyntax: sopClassUid, transferSyntaxes: [transferSyntaxUid] },
    ]),
  );
  const association = await opened(storescp, { contexts: [...contexts.values()] });
  const sent: string[] = [];
  for (const object of objects) {
    assert(association.accepts(object.sopClassUid, object.transferSyntaxUid));
    const outcome = await association.store(object, inPieces(object.dataSet, 1000));
    assert.equal(outcome.status, status.success);
    const { dataSet } = object;
    const padded = dataSet.length % 2 === 0 ? dataSet : concatBytes(dataSet, Uint8Array.of(0));
    sent.push(`${object.sopInstanceUid} ${object.transferSyntaxUid} ${sha256(padded)}`);
  }
  await association.release();
  const arrived: string[] = [];
  for (const path of await filesBelow(storescp.folder)) {
    const object = await readDicomFile(path);
    assert(object.kind === 'object', path);
    arrived.push(`${object.sopInstanceUid} ${object.transferSyntaxUid} ${sha256(object.dataSet)}`);
  }
  assert(sent.length > 40, `${sent.length} objects sent`);
  assertSame(arrived, sent);
});

test('our C-ECHO and C-STORE to Orthanc: it holds the bytes that were sent', options, async () => {
  const orthanc = await startOrthanc({ DicomAlwaysAllowEcho: true, DicomAlwaysAllowStore: true });
  running.push(orthanc);
  const association = await opened(orthanc, { calledAeTitle: 'ORTHANC' });
  assert.equal((await association.echo()).status, 0);
  const object = await ct();
  assert.equal((await association.store(object, inPieces(object.dataSet, 65_536))).status, 0);
  await association.release();
  const instances = (await (await fetch(`${orthanc.http}/instances`)).json()) as string[];
  assert.equal(instances.length, 1);
  const file = new Uint8Array(
    await (await fetch(`${orthanc.http}/instances/${instances[0]}/file`)).arrayBuffer(),
  );
  assert.equal(sha256(file.subarray(file.length - object.dataSet.length)), sha256(object.dataSet));
});

test(
  'Orthanc rejects a wrong called AE title, and a caller that it does not know may not store',
  options,
  async () => {
    const orthanc = await startOrthanc({ DicomAlwaysAllowStore: false });
    running.push(orthanc);
    await assert.rejects(
      opened(orthanc, { calledAeTitle: 'OTHER' }),
      deliveryFailed(
        /rejects the association: called AE title not recognized \(permanent; result 1, source 1, reason 7\)/,
      ),
    );
    const object = await ct();
    await assert.rejects(async () => {
      const association = await opened(orthanc, { calledAeTitle: 'ORTHANC' });
      await association.store(object, inPieces(object.dataSet, 65_536));
    }, deliveryFailed(/./));
  },
);

test(
  'a peer that refuses, aborts or is absent is an error that says so, and never a success',
  options,
  async () => {
    const object = await ct();
    const refusing = await startStorescp(['--refuse']);
    running.push(refusing);
    await assert.rejects(opened(refusing), deliveryFailed(/rejects the association/));
    for (const [when, pattern] of [
      ['--abort-during', /A-ABORT by the peer|closed the connection|connection lost/],
      ['--abort-after', /A-ABORT by the peer|closed the connection|connection lost/],
    ] as const) {
      const aborting = await startStorescp([when]);
      running.push(aborting);
      const association = await opened(aborting);
      await assert.rejects(
        association.store(object, inPieces(object.dataSet, 65_536)),
        deliveryFailed(pattern),
      );
      assert(!association.isOpen);
      await assert.rejects(association.echo(), deliveryFailed(pattern));
    }
    await refusing.stop();
    await assert.rejects(opened(refusing), deliveryFailed(/ECONNREFUSED/));
  },
);
