/** A real box whose disk is below its refusing mark: modalities are refused for now, everything else goes on. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { boxAeTitle } from '../../provisioning/demo/hospitals.ts';
import { openAssociation, uids } from '../../firmware/dimse/index.ts';
import { realClock } from '../fakes/real-clock.ts';
import { inPieces, pydicomFiles, readDicomFile, runTool } from '../support/dimse-tools.ts';
import { fileCleanups } from '../support/file-cleanups.ts';
import { LoneBox } from '../support/lone-box.ts';

/** More than any disk has. */
const refuseFreeBytes = Number.MAX_SAFE_INTEGER;
const studyRootFind = '1.2.840.10008.5.1.4.1.2.2.1';

test('below the refusing mark C-STORE is refused for now, C-ECHO is answered, and the console says why', async () => {
  const box = await LoneBox.make(fileCleanups, 'full');
  const { dicom: port } = box.process.hospital.ports;
  const dicom = { host: '127.0.0.1', port, aeTitle: boxAeTitle };
  const callers = [
    { aeTitle: 'CT1', may: ['store'] },
    { aeTitle: 'WORKSTATION', may: ['store', 'query'] },
  ];
  await box.configure({ storage: { refuseFreeBytes }, dicom: { ...dicom, callers } });
  const console = await box.startFirst();
  const peer = ['-aet', 'CT1', '-aec', boxAeTitle, '127.0.0.1', String(box.process.hospital.ports.dicom)];
  const image = join(pydicomFiles, 'CT_small.dcm');

  const refused = await runTool('storescu', [...peer, image]);
  assert.notEqual(refused.code, 0);
  assert.match(refused.output, /Rejected Transient.*\n.*Temporary Congestion/i);
  const echo = await runTool('echoscu', peer);
  assert.equal(echo.code, 0, echo.output);
  // Who searches too is admitted: its objects are refused one by one.
  const ct = await readDicomFile(image);
  assert.ok(ct.kind === 'object');
  const association = await openAssociation({
    ...{
      host: '127.0.0.1',
      port,
      callingAeTitle: 'WORKSTATION',
      calledAeTitle: boxAeTitle,
      clock: realClock,
    },
    contexts: [
      { abstractSyntax: studyRootFind, transferSyntaxes: [uids.implicitVrLittleEndian] },
      { abstractSyntax: ct.sopClassUid, transferSyntaxes: [ct.transferSyntaxUid] },
    ],
  });
  assert.equal((await association.store(ct, inPieces(ct.dataSet, 4_096))).status, 0xa700);
  await association.release();
  const { health, studies } = await console.overview();
  assert.ok(health.some(({ code }) => code === 'DISK_LOW'));
  assert.equal(studies.length, 0);

  assert.equal(await box.process.stop(), 0);
  await box.configure({ storage: { refuseFreeBytes: 0, alarmFreeBytes: 0 } });
  await box.process.start();
  const stored = await runTool('storescu', [...peer, image]);
  assert.equal(stored.code, 0, stored.output);
});
