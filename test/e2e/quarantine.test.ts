/** A real box that is sent another image under a UID that it holds: nothing is overwritten, and a person decides. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import type { QuarantineView } from '../../firmware/src/http/dicom-contract.ts';
import type { ConsoleClient } from '../../provisioning/demo/console-client.ts';
import { boxAeTitle } from '../../provisioning/demo/hospitals.ts';
import { pydicomFiles, runPython, runTool } from '../support/dimse-tools.ts';
import { fileCleanups } from '../support/file-cleanups.ts';
import { LoneBox } from '../support/lone-box.ts';

const original = join(pydicomFiles, 'CT_small.dcm');

/** The same object but for its first pixels, or for its patient's comments. */
const alter = `
import sys, json, pydicom
ds = pydicom.dcmread(sys.argv[1])
if sys.argv[3] == 'pixels':
    ds.PixelData = bytes([1, 2, 3, int(sys.argv[4])]) + ds.PixelData[4:]
else:
    ds.PatientComments = sys.argv[4]
ds.save_as(sys.argv[2])
print(json.dumps(str(ds.PatientName)))
`;

async function quarantineOf(console: ConsoleClient): Promise<QuarantineView> {
  return (await console.overview()).quarantine;
}

test('other pixels under a known UID wait for a person; a trusted sender’s other attributes are a new version', async () => {
  const box = await LoneBox.make(fileCleanups, 'harrowmere');
  const { dicom: port } = box.process.hospital.ports;
  await box.configure({
    dicom: {
      host: '127.0.0.1',
      port,
      aeTitle: boxAeTitle,
      callingAeTitles: ['CT1'],
      callers: [{ aeTitle: 'PACS', mayCorrect: true }],
    },
  });
  const console = await box.startFirst();
  const send = async (aeTitle: string, file: string): Promise<number | null> => {
    const args = ['-aet', aeTitle, '-aec', boxAeTitle, '127.0.0.1', String(port), file];
    return (await runTool('storescu', args)).code;
  };
  const altered = async (name: string, what: string, value: string): Promise<string> => {
    const path = join(box.folder, name);
    await runPython(alter, [original, path, what, value]);
    return path;
  };
  assert.equal(await send('CT1', original), 0);
  assert.equal(await send('CT1', original), 0, 'the same again is no harm');
  assert.equal((await quarantineOf(console)).count, 0);

  await send('CT1', await altered('pixels.dcm', 'pixels', '4'));
  await send('CT1', await altered('pixels2.dcm', 'pixels', '5'));
  const attributes = await altered('attributes.dcm', 'attributes', 'doubtful');
  await send('CT1', attributes);
  const { count, bytes, objects } = await quarantineOf(console);
  assert.equal(count, 3);
  assert.ok(bytes > 100_000);
  assert.deepEqual(
    objects.map(({ reason, callingAeTitle, patientName, modality, releasable }) => ({
      reason,
      callingAeTitle,
      patientName,
      modality,
      releasable,
    })),
    [
      'It differs in attributes from the object that is held under its SOP Instance UID.',
      'Another image is held under its SOP Instance UID.',
      'Another image is held under its SOP Instance UID.',
    ].map((reason) => ({
      reason,
      callingAeTitle: 'CT1',
      patientName: 'CompressedSamples^CT1',
      modality: 'CT',
      releasable: true,
    })),
  );
  assert.ok((await console.overview()).health.some(({ code }) => code === 'OBJECT_QUARANTINED'));

  const [withOtherAttributes, ...withOtherPixels] = objects;
  await console.call('POST', `/api/v1/quarantine/${withOtherAttributes?.id}/release`);
  for (const { id } of withOtherPixels) await console.call('DELETE', `/api/v1/quarantine/${id}`);
  assert.equal((await quarantineOf(console)).count, 0);
  assert.equal(await send('CT1', attributes), 0, 'what was released is held');
  assert.equal(await send('PACS', await altered('corrected.dcm', 'attributes', 'corrected')), 0);
  const after = await console.overview();
  assert.equal(after.quarantine.count, 0, 'a correction of a trusted sender waits for nobody');
  assert.ok(!after.health.some(({ code }) => code === 'OBJECT_QUARANTINED'));
  assert.equal(after.studies.length, 1);
});
