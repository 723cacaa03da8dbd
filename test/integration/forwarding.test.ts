/** Forwarding to real peers: dcmtk's storescp, dead, slow and choosy ones, and Orthanc with storage commitment. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import {
  availabilityService,
  commitmentResultService,
  DicomServer,
  readPart10Header,
  type DimseService,
} from '../../firmware/dimse/index.ts';
import { ThreadTranscoder } from '../../firmware/dimse/transcoding/thread-transcoder.ts';
import { destinationsOf } from '../../firmware/src/box/destinations.ts';
import type { Destination } from '../../firmware/src/forwarding/destination.ts';
import { decodeConfig } from '../../firmware/src/config.ts';
import type { AvailabilityNotification } from '../../firmware/src/ports.ts';
import { silentLogger } from '../fakes/consortium.ts';
import { realClock } from '../fakes/real-clock.ts';
import {
  filesBelow,
  freePort,
  pydicomFiles,
  readDicomFile,
  startOrthanc,
  startStorescp,
  type Peer,
} from '../support/dimse-tools.ts';
import { ForwardingScene, implicitLittle, type RealObject } from '../support/forwarding-scene.ts';

const options = { timeout: 120_000 };

async function objectsOf(names: readonly string[]): Promise<RealObject[]> {
  return Promise.all(
    names.map(async (name) => {
      const object = await readDicomFile(join(pydicomFiles, name));
      assert.ok(object.kind === 'object', name);
      return object;
    }),
  );
}

interface Plan {
  readonly name: string;
  readonly port: number;
  readonly aeTitle?: string;
  readonly commitment?: boolean;
  readonly notify?: boolean;
  readonly callingAeTitle?: string;
}

/** As the configuration makes it. */
function destinationTo(plan: Plan): Destination {
  const raw = {
    institution: { id: 'north', name: 'North' },
    dataDir: 'data',
    destinations: [{ host: '127.0.0.1', aeTitle: 'ANY-SCP', inline: true, ...plan }],
  };
  const sources = { config: decodeConfig(raw, '.'), clock: realClock, certificates: undefined };
  const [destination] = destinationsOf(sources);
  assert.ok(destination !== undefined);
  return destination;
}

/** Over the configuration and the associations that a box has. */
async function forwardingTo(t: TestContext, plans: readonly Plan[]): Promise<ForwardingScene> {
  const scene = new ForwardingScene(realClock);
  const transcoder = new ThreadTranscoder(realClock);
  scene.transcoder = transcoder;
  scene.quietMs = 300;
  await scene.start(...plans.map(destinationTo));
  t.after(async () => {
    await scene.forwarding.stop();
    await transcoder.stop();
  });
  return scene;
}

/** An SCP of ours that takes these services and keeps nothing. */
async function serving(
  t: TestContext,
  port: number,
  aeTitle: string,
  services: readonly DimseService[],
): Promise<DicomServer> {
  const server = new DicomServer({
    host: '127.0.0.1',
    port,
    aeTitles: [aeTitle],
    callingAeTitles: 'any',
    store: () => ({
      write: () => undefined,
      finish: () => Promise.resolve({ status: 0 }),
      abort: () => Promise.resolve(),
    }),
    services,
    clock: realClock,
    logger: silentLogger,
  });
  await server.start();
  t.after(() => server.stop());
  return server;
}

async function untilTrue(condition: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await condition())) await realClock.sleep(30);
}

const waitingAt = (scene: ForwardingScene, name: string): number =>
  scene.forwarding.destinations().find((destination) => destination.name === name)?.waiting.objects ?? -1;

/** What a storescp wrote: its transfer syntax and the digest of its data set, by SOP Instance UID. */
async function receivedBy(
  peer: Peer,
): Promise<Map<string, { readonly syntax: string; readonly digest: string }>> {
  const received = new Map<string, { readonly syntax: string; readonly digest: string }>();
  for (const path of await filesBelow(peer.folder)) {
    const bytes = await readFile(path);
    const header = readPart10Header(bytes);
    assert.ok(header.kind === 'complete', path);
    received.set(header.meta.sopInstanceUid, {
      syntax: header.meta.transferSyntaxUid,
      digest: sha256(bytes.subarray(header.dataSetOffset)),
    });
  }
  return received;
}

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

const names = [
  'CT_small.dcm',
  'MR_small.dcm',
  'JPEG2000.dcm',
  'SC_rgb_rle.dcm',
  'rtplan.dcm',
  'reportsi.dcm',
];

test(
  'a live destination has everything, bit for bit, while a dead and a slow one are behind',
  options,
  async (t) => {
    const live = await startStorescp();
    t.after(() => live.stop());
    const slow = await startStorescp(['--sleep-during', '1']);
    t.after(() => slow.stop());
    const deadPort = await freePort();
    const scene = await forwardingTo(t, [
      { name: 'dead', port: deadPort },
      { name: 'slow', port: slow.port },
      { name: 'live', port: live.port },
    ]);
    const objects = await objectsOf(names);
    const study = await scene.realStudy(objects);
    await untilTrue(() => waitingAt(scene, 'live') === 0);
    assert.equal(scene.stateOf(study, 'live'), 'delivered');
    assert.equal(waitingAt(scene, 'dead'), objects.length);
    assert.ok(waitingAt(scene, 'slow') > 0, 'the slow one holds up nobody');
    const received = await receivedBy(live);
    for (const { sopInstanceUid, transferSyntaxUid, dataSet } of objects)
      assert.deepEqual(received.get(sopInstanceUid), { syntax: transferSyntaxUid, digest: sha256(dataSet) });
    assert.match(scene.healthOf('DELIVERY_FAILED') ?? '', /ECONNREFUSED|refuse/);

    const risen = await startStorescp([], deadPort);
    t.after(() => risen.stop());
    await untilTrue(() => waitingAt(scene, 'dead') === 0);
    assert.equal((await receivedBy(risen)).size, objects.length, 'and it needed nobody');
  },
);

test(
  'a destination that takes Implicit VR only gets everything that can be brought into it',
  options,
  async (t) => {
    const choosy = await startStorescp(['+xi']);
    t.after(() => choosy.stop());
    const scene = await forwardingTo(t, [{ name: 'choosy', port: choosy.port }]);
    const broken = 'JPEG2000-embedded-sequence-delimiter.dcm';
    const objects = await objectsOf([...names, 'image_dfl.dcm', broken, 'CT_small.dcm']);
    // The same object twice is one file, and both are sent.
    await scene.realStudy(objects);
    await untilTrue(() => waitingAt(scene, 'choosy') === 0);
    const received = await receivedBy(choosy);
    assert.equal(received.size, names.length + 1);
    assert.ok([...received.values()].every(({ syntax }) => syntax === implicitLittle));
    const [aside, ...rest] = scene.forwarding.setAside();
    assert.match(aside?.reason ?? '', /cannot be transcoded: the codec refuses a frame/);
    assert.deepEqual(rest, []);
  },
);

test('Orthanc commits to what it was sent; what it lost meanwhile it gets again', options, async (t) => {
  const scpPort = await freePort();
  const orthanc = await startOrthanc({
    DicomModalities: { hilum: { AET: 'HILUM_BOX', Host: '127.0.0.1', Port: scpPort } },
  });
  t.after(() => orthanc.stop());
  const scene = await forwardingTo(t, [
    {
      name: 'orthanc',
      port: orthanc.port,
      aeTitle: 'ORTHANC',
      commitment: true,
      callingAeTitle: 'HILUM_BOX',
    },
  ]);
  const results: (readonly [committed: number, failed: number])[] = [];
  await serving(t, scpPort, 'HILUM_BOX', [
    commitmentResultService(async (result) => {
      await scene.forwarding.takeCommitment(result);
      results.push([result.committed.length, result.failed.length]);
    }),
  ]);

  await scene.realStudy(await objectsOf(['CT_small.dcm', 'MR_small.dcm']));
  await untilTrue(() => results.length === 1);
  assert.deepEqual(results, [[2, 0]]);
  assert.deepEqual(scene.health.list(), []);

  // Gone between the C-STORE and the question.
  scene.quietMs = 2_000;
  const [lost] = await objectsOf(['liver_1frame.dcm']);
  assert.ok(lost !== undefined);
  await scene.realStudy([lost, ...(await objectsOf(['SC_rgb_rle.dcm']))]);
  await untilTrue(() => waitingAt(scene, 'orthanc') === 0);
  const find = async (): Promise<string[]> => {
    const query = { Level: 'Instance', Query: { SOPInstanceUID: lost.sopInstanceUid } };
    const answer = await fetch(`${orthanc.http}/tools/find`, { method: 'POST', body: JSON.stringify(query) });
    return (await answer.json()) as string[];
  };
  const [instance] = await find();
  assert.ok(instance !== undefined);
  assert.equal((await fetch(`${orthanc.http}/instances/${instance}`, { method: 'DELETE' })).status, 200);
  await untilTrue(() => results.length === 2);
  assert.deepEqual(results[1], [1, 1]);
  await untilTrue(async () => (await find()).length === 1);
  assert.match(scene.healthOf('COMMITMENT_FAILED') ?? '', /1/);
});

test('a destination is told of a complete study over a real association', options, async (t) => {
  const notifications: AvailabilityNotification[] = [];
  const { port } = await serving(t, 0, 'ARCHIVE', [
    availabilityService((notification) => {
      notifications.push(notification);
      return Promise.resolve();
    }),
  ]);
  const scene = await forwardingTo(t, [{ name: 'archive', port, aeTitle: 'ARCHIVE', notify: true }]);
  const objects = await objectsOf(['CT_small.dcm', 'rtplan.dcm']);
  const study = await scene.realStudy(objects);
  await untilTrue(() => notifications.length === 1);
  const [notification] = notifications;
  assert.equal(notification?.callingAeTitle, 'HILUM');
  assert.equal(notification.studyInstanceUid, study.created.studyInstanceUid);
  assert.deepEqual(
    notification.series.flatMap(({ instances }) => instances),
    objects.map(({ sopClassUid, sopInstanceUid }) => ({
      sopClassUid,
      sopInstanceUid,
      availability: 'ONLINE',
      retrieveAeTitle: 'HILUM',
    })),
  );
});

test(
  'a peer that takes neither notifications nor requests for commitment keeps no association',
  options,
  async (t) => {
    const server = await serving(t, 0, 'ARCHIVE', []);
    const { workflow } = destinationTo({ name: 'archive', port: server.port, aeTitle: 'ARCHIVE' });
    const { signal } = new AbortController();
    const refused = { code: 'DELIVERY_FAILED', message: /does not accept 1\.2\.840\.10008/ };
    await assert.rejects(workflow.notify({ studyInstanceUid: '1.2', series: [] }, signal), refused);
    const request = { transactionUid: '1.2', instances: [] };
    await assert.rejects(
      workflow.askCommitment(request, () => Promise.resolve(), signal),
      refused,
    );
    await untilTrue(() => server.associations === 0);
  },
);
