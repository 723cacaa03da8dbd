/** A real box that was told of modality networks looks at its routes to them: in a network of its own, which has none. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { boxAeTitle } from '../../provisioning/demo/hospitals.ts';
import { LoneBox } from '../support/lone-box.ts';

test('a box as it is started serves its modality networks, and says where there is no route', async (t) => {
  const box = await LoneBox.make(t, 'harrowmere');
  const { dicom: port } = box.process.hospital.ports;
  const dicom = { host: '127.0.0.1', port, aeTitle: boxAeTitle, modalityNetworks: ['10.9.1.0/24'] };
  await box.configure({ dicom });
  const { status, log, words } = await box.runAlone();
  assert.equal(status, null, words.join('\n'));
  const said = log.filter((line) => line.includes('QUICKACK_NOT_SET'));
  assert.equal(said.length, 1);
  assert.match(said[0] ?? '', /modality network 10\.9\.1\.0\/24/);
});
