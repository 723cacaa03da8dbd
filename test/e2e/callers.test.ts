/** A real box and a modality that it does not know: refused, seen, admitted, tried, removed; and so again after a restart. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import type { AccessView, CallerBody, EchoAnswer } from '../../firmware/src/http/dicom-contract.ts';
import { ConsoleRefused, type ConsoleClient } from '../../provisioning/demo/console-client.ts';
import { boxAeTitle } from '../../provisioning/demo/hospitals.ts';
import { pydicomFiles, runTool, startStorescp } from '../support/dimse-tools.ts';
import { fileCleanups } from '../support/file-cleanups.ts';
import { LoneBox } from '../support/lone-box.ts';

const caller: CallerBody = {
  callingAeTitle: 'MR_ROOM_4',
  addresses: ['127.0.0.0/8'],
  certificates: [],
  calledAeTitles: [],
  may: ['store'],
  mayCorrect: false,
  reachedAt: null,
};

/** The words of dcmtk for how it ended; empty for success. */
async function calls(
  box: LoneBox,
  tool: string,
  aeTitle: string,
  called = boxAeTitle,
  more: readonly string[] = [],
) {
  const peer = ['127.0.0.1', String(box.process.hospital.ports.dicom)];
  const { code, output } = await runTool(tool, ['-aet', aeTitle, '-aec', called, ...peer, ...more]);
  return code === 0 ? '' : output;
}

async function accessOf(console: ConsoleClient): Promise<AccessView> {
  return (await console.overview()).access;
}

const titles = (access: AccessView): string[] =>
  access.pending.map(({ callingAeTitle, ground }) => `${callingAeTitle} ${ground}`);

test('a modality that nobody knows is refused, seen on the console, admitted there, and removed', async () => {
  const box = await LoneBox.make(fileCleanups, 'harrowmere');
  let console = await box.startFirst();
  assert.match(await calls(box, 'echoscu', 'MR_ROOM_4'), /Calling AE Title Not Recognized/);
  assert.match(await calls(box, 'echoscu', 'ECHOSCU', 'HILUN'), /Called AE Title Not Recognized/);
  assert.deepEqual(titles(await accessOf(console)), ['ECHOSCU called-ae-title', 'MR_ROOM_4 unknown']);

  await console.call('POST', '/api/v1/callers', caller);
  assert.equal(await calls(box, 'echoscu', 'MR_ROOM_4'), '');
  const image = join(pydicomFiles, 'CT_small.dcm');
  assert.equal(await calls(box, 'storescu', 'MR_ROOM_4', boxAeTitle, [image]), '');
  assert.equal((await console.overview()).studies[0]?.origin.kind, 'received');
  const query = ['-S', '-k', '0008,0052=STUDY', '-k', '0010,0010=*'];
  assert.match(
    await calls(box, 'findscu', 'MR_ROOM_4', boxAeTitle, query),
    /No Acceptable Presentation Contexts/i,
  );

  const { callers, pending } = await accessOf(console);
  const admitted = callers.find(({ callingAeTitle }) => callingAeTitle === 'MR_ROOM_4');
  assert.ok(admitted);
  assert.equal(admitted.admitted?.by, 'admin');
  assert.equal(admitted.seen?.remoteAddress, '127.0.0.1');
  assert.ok((admitted.seen?.count ?? 0) >= 2);
  assert.deepEqual(admitted.seen?.lacked, ['query'], 'what it asked for last and may not');
  assert.equal(pending.length, 1);
  await console.call('DELETE', `/api/v1/refused-callers/${pending[0]?.id}`);
  assert.deepEqual(titles(await accessOf(console)), []);

  assert.equal(await box.process.stop(), 0);
  await box.process.start();
  console = await box.logIn();
  assert.equal(await calls(box, 'echoscu', 'MR_ROOM_4'), '', 'admitted over a restart');
  const fixed = callers.find(({ admitted }) => admitted === null);
  const refused = console.call('DELETE', `/api/v1/callers/${fixed?.id}`);
  await assert.rejects(
    refused,
    (error) => error instanceof ConsoleRefused && error.code === 'PEER_ACT_REFUSED',
  );
  await console.call('DELETE', `/api/v1/callers/${admitted.id}`);
  assert.match(await calls(box, 'echoscu', 'MR_ROOM_4'), /Calling AE Title Not Recognized/);
});

test('the console tries a caller and a destination by C-ECHO', async () => {
  const box = await LoneBox.make(fileCleanups, 'tarn-valley');
  const peer = await startStorescp();
  fileCleanups.after(() => peer.stop());
  const dead = await startStorescp();
  await dead.stop();
  const destination = { name: 'archive', host: '127.0.0.1', aeTitle: 'ARCHIVE' };
  await box.configure({ destinations: [{ ...destination, port: peer.port }] });
  const console = await box.startFirst();
  const echo = (path: string): Promise<EchoAnswer> => console.call('POST', `/api/v1/${path}/echo`);
  assert.equal((await echo('destinations/archive')).kind, 'answered');
  await assert.rejects(echo('destinations/other'), (error) => {
    return error instanceof ConsoleRefused && error.code === 'NOT_FOUND';
  });
  await console.call('POST', '/api/v1/callers', {
    ...caller,
    reachedAt: { host: '127.0.0.1', port: dead.port, tls: false },
  });
  const [added] = (await accessOf(console)).callers;
  const answer = await echo(`callers/${added?.id}`);
  assert.match(answer.kind === 'failed' ? answer.reason : '', /MR_ROOM_4 at 127\.0\.0\.1:\d+.*ECONNREFUSED/);
});
