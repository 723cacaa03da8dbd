/** The archive stays first: its past is registered by reference, and a study comes from it when its patient grants it. */
import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Overview } from '../../firmware/src/http/contract.ts';
import { compareWithPacs } from '../../provisioning/demo/comparison.ts';
import { boxAeTitle } from '../../provisioning/demo/hospitals.ts';
import { writeCtPhantom } from '../../provisioning/demo/ct-phantom.ts';
import { sendStudy } from '../../provisioning/demo/modality.ts';
import { patientAtGrantee, patientAtSource } from '../../provisioning/demo/patient.ts';
import { logIn } from '../../provisioning/demo/staff.ts';
import { waitFor } from '../../provisioning/demo/waiting.ts';
import { WalletHolder } from '../../provisioning/demo/wallet-holder.ts';
import { startConsortium } from '../support/demo-consortium.ts';
import { filesBelow, runTool, startOrthanc } from '../support/dimse-tools.ts';
import { fileCleanups } from '../support/file-cleanups.ts';

const [a, b] = ['harrowmere', 'lindqvist'] as const;
const slices = 12;
/** For whatever a loaded machine may take long for; nothing here is about speed. */
const patienceSeconds = 120;

test('a study that only the archive has is registered by reference, granted, pulled, and released', async () => {
  const { consortium, logins } = await startConsortium(fileCleanups);
  const wallet = new WalletHolder(join(consortium.folder, 'patient.wallet'));
  await wallet.own();
  for (const [id, patient] of [
    [a, patientAtSource],
    [b, patientAtGrantee],
  ] as const) {
    const { patientId, name, birthDate, sex } = patient;
    const reception = await logIn(consortium.box(id), logins[id], 'reception');
    await wallet.bind((await reception.createTicket({ patientId, name, birthDate, sex })).payload);
  }
  const box = consortium.box(a);
  const archive = await startOrthanc({
    DicomAet: 'ARCHIVE',
    DicomAlwaysAllowStore: true,
    DicomModalities: { box: [boxAeTitle, '127.0.0.1', box.hospital.ports.dicom] },
  });
  fileCleanups.after(() => archive.stop());
  const study = await writeCtPhantom(join(consortium.folder, 'archived'), patientAtSource, slices);
  const target = ['-aec', 'ARCHIVE', '127.0.0.1', String(archive.port)];
  const sent = await runTool('dcmsend', [...target, ...(await filesBelow(study.folder))]);
  assert.equal(sent.code, 0, sent.output);

  await box.stop();
  const path = join(box.folder, 'config.json');
  const config = JSON.parse(await readFile(path, 'utf8')) as { dicom: object };
  const today = new Date();
  const day = (ms: number): string =>
    new Date(today.getTime() + ms).toISOString().slice(0, 10).replaceAll('-', '');
  const dayMs = 86_400_000;
  await writeFile(
    path,
    JSON.stringify({
      ...config,
      dicom: { ...config.dicom, callers: [{ aeTitle: 'ARCHIVE', may: ['store', 'availability'] }] },
      destinations: [{ name: 'archive', host: '127.0.0.1', port: archive.port, aeTitle: 'ARCHIVE' }],
      sidecar: {
        archive: 'archive',
        backfill: { from: day(-2 * dayMs), to: day(dayMs), studiesPerMinute: 6_000 },
      },
    }),
  );
  await box.start();

  const seenAt = async (id: string, what: string, isSo: (seen: Overview) => boolean): Promise<Overview> => {
    const admin = await logIn(consortium.box(id), logins[id], 'admin');
    return waitFor(`${what} at ${id}`, patienceSeconds, async () => {
      const seen = await admin.overview();
      return isSo(seen) ? seen : undefined;
    });
  };
  const viewIn = ({ studies }: Overview) =>
    studies.find(({ studyInstanceUid }) => studyInstanceUid === study.studyInstanceUid);

  const referenced = await seenAt(a, 'the study by reference on the ledger', (seen) => {
    return viewIn(seen)?.ledger.kind === 'final' && seen.sidecar?.backfill?.state === 'done';
  });
  const view = viewIn(referenced);
  assert.deepEqual(view?.origin, { kind: 'referenced', aeTitle: 'ARCHIVE', pulled: false });
  assert.deepEqual([view?.objects, view?.bytes, view?.owner], [slices, 0, 'wallet']);
  assert.equal(referenced.sidecar?.backfill?.registered, 1);

  await wallet.grant(study.studyInstanceUid, b, 7, 'Second opinion');
  await seenAt(a, 'the study pulled', (seen) => {
    const { origin } = viewIn(seen) ?? {};
    return origin?.kind === 'referenced' && origin.pulled;
  });
  await seenAt(b, 'the delivery', (seen) => {
    const at = viewIn(seen);
    return at?.objects === slices && at.deliveries.some(({ state }) => state === 'delivered');
  });
  const pacs = consortium.pacs.get(b);
  assert.ok(pacs !== undefined);
  const compared = await compareWithPacs(study, pacs, join(consortium.folder, 'comparison'));
  assert.deepEqual(compared.differences, []);
  assert.equal(compared.objects, slices);
  const after = await seenAt(a, 'nothing on its way', ({ sidecar }) => sidecar?.pulling === 0);
  assert.deepEqual(
    after.destinations.map(({ waitingObjects, setAsideObjects }) => [waitingObjects, setAsideObjects]),
    [[0, 0]],
    'what came from the archive is not sent back to it',
  );

  // The next study is announced by the archive itself, or found by the next backfill; here it is sent to the box inline.
  const late = await writeCtPhantom(join(consortium.folder, 'inline'), patientAtSource, 2);
  await sendStudy(late, box.hospital.ports.dicom, 'CT1', true);
  await seenAt(a, 'the inline study', ({ studies }) =>
    studies.some(
      (each) => each.studyInstanceUid === late.studyInstanceUid && each.origin.kind === 'received',
    ),
  );
});
