/** A real box between a modality and its PACS: inline, with a PACS that is down while the box is killed, and held back. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { readPart10Header } from '../../firmware/dimse/index.ts';
import type { Overview } from '../../firmware/src/http/contract.ts';
import { boxAeTitle } from '../../provisioning/demo/hospitals.ts';
import type { ConsoleClient } from '../../provisioning/demo/console-client.ts';
import { realClock } from '../fakes/real-clock.ts';
import {
  filesBelow,
  freePort,
  pydicomFiles,
  runTool,
  startStorescp,
  type Peer,
} from '../support/dimse-tools.ts';
import { fileCleanups } from '../support/file-cleanups.ts';
import { LoneBox } from '../support/lone-box.ts';

const names = ['CT_small.dcm', 'MR_small_RLE.dcm', 'JPEG2000.dcm', 'rtplan.dcm', 'SC_rgb_rle.dcm'].map(
  (name) => join(pydicomFiles, name),
);

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

async function sendAll(port: number): Promise<void> {
  const target = ['-aet', 'DCMSEND', '-aec', boxAeTitle, '127.0.0.1', String(port)];
  const { code, output } = await runTool('dcmsend', ['--decompress-never', ...target, ...names]);
  assert.equal(code, 0, output);
}

/** Digests of the data sets that a storescp wrote, without what its own group 0002 says. */
async function dataSetsAt(peer: Peer): Promise<readonly string[]> {
  const written = await Promise.all((await filesBelow(peer.folder)).map((path) => readFile(path)));
  return written
    .map((bytes) => {
      const header = readPart10Header(bytes);
      assert.ok(header.kind === 'complete');
      return sha256(bytes.subarray(header.dataSetOffset));
    })
    .sort();
}

/** What arrives without a box between: dcmsend writes some lengths anew. */
async function sentDataSets(): Promise<readonly string[]> {
  const direct = await startStorescp();
  try {
    await sendAll(direct.port);
    return await dataSetsAt(direct);
  } finally {
    await direct.stop();
  }
}

async function seen(console: ConsoleClient, condition: (overview: Overview) => boolean): Promise<Overview> {
  for (;;) {
    const overview = await console.overview();
    if (condition(overview)) return overview;
    await realClock.sleep(100);
  }
}

const waiting = (overview: Overview, name: string): number =>
  overview.destinations.find((destination) => destination.name === name)?.waitingObjects ?? -1;

test('what a modality sent reaches the PACS, though both are down in between, and the box by kill -9', async () => {
  const port = await freePort();
  const box = await LoneBox.make(fileCleanups, 'harrowmere');
  const archivePort = await freePort();
  const archive = { name: 'archive', host: '127.0.0.1', port: archivePort, aeTitle: 'ARCHIVE', inline: true };
  await box.configure({
    pacs: { host: '127.0.0.1', port, aeTitle: 'PACS' },
    destinations: [{ ...archive, paused: true }],
  });
  let console = await box.startFirst();
  await sendAll(box.process.hospital.ports.dicom);
  const failed = await seen(console, ({ health }) => health.some(({ code }) => code === 'DELIVERY_FAILED'));
  assert.equal(waiting(failed, 'pacs'), names.length, 'reception did not wait for the PACS');
  await box.process.kill();

  const pacs = await startStorescp([], port);
  fileCleanups.after(() => pacs.stop());
  await box.process.start();
  console = await box.logIn();
  const done = await seen(console, (overview) => waiting(overview, 'pacs') === 0);
  assert.deepEqual(await dataSetsAt(pacs), await sentDataSets());
  assert.ok(done.studies.every(({ deliveries }) => deliveries[0]?.state === 'delivered'));
  assert.equal(waiting(done, 'archive'), names.length, 'paused: all of it waits');

  const risen = await startStorescp([], archivePort);
  fileCleanups.after(() => risen.stop());
  assert.equal(await box.process.stop(), 0);
  await box.configure({ destinations: [archive] });
  await box.process.start();
  console = await box.logIn();
  await seen(console, (overview) => waiting(overview, 'archive') === 0);
  assert.deepEqual(await dataSetsAt(risen), await sentDataSets());
  assert.equal(
    (await dataSetsAt(pacs)).length,
    names.length,
    'and the PACS got nothing twice under another name',
  );
});
