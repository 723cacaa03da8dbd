/** Who is refused when the disk is full, and who is not. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { reject, type Admission } from '../../firmware/dimse/index.ts';
import { admitWithRoom } from '../../firmware/src/box/disk-admission.ts';

const verification = '1.2.840.10008.1.1';
const ctImage = '1.2.840.10008.5.1.4.1.1.2';
const privateStorage = '1.3.12.2.1107.5.9.1';
const studyRootGet = '1.2.840.10008.5.1.4.1.2.2.3';
const storageCommitment = '1.2.840.10008.1.20.1';

const admitted: Admission = { may: new Set(['store', 'retrieve']) };

function answer(hasRoom: boolean, sopClassUids: readonly string[], policy: Admission = admitted) {
  const disk = { admits: () => Promise.resolve(hasRoom) };
  return admitWithRoom(
    disk,
    () => policy,
  )({
    callingAeTitle: 'CT_1',
    calledAeTitle: 'HILUM',
    remoteAddress: '192.0.2.7',
    sopClassUids,
  });
}

test('with room everybody is admitted as before', async () => {
  assert.equal(await answer(true, [verification, ctImage]), admitted);
});

test('without room those who would only store are rejected for now, not for good', async () => {
  for (const proposed of [[ctImage], [verification, ctImage], [privateStorage, ctImage]]) {
    const answered = await answer(false, proposed);
    assert.deepEqual(answered, { result: 2, source: 3, reason: 1 });
  }
});

test('without room echoes, queries, retrievals and commitments are served', async () => {
  for (const proposed of [[verification], [studyRootGet, ctImage], [storageCommitment, ctImage]])
    assert.equal(await answer(false, proposed), admitted);
});

test('a rejection of the access list stays what it is', async () => {
  assert.equal(await answer(false, [ctImage], reject.callingAeTitle), reject.callingAeTitle);
});
