/**
 * kill -9 of a whole box, with its TPM, while four associations send: what was answered 0x0000 is retrieved from the box
 * that is started again, bit for bit.
 */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { openAssociation, uids, type StoreSink } from '../../firmware/dimse/index.ts';
import { boxAeTitle } from '../../provisioning/demo/hospitals.ts';
import { fileCleanups } from '../support/file-cleanups.ts';
import { LoneBox } from '../support/lone-box.ts';
import { systemClock } from '../support/manual-clock.ts';
import { ctImageStorage, sampleObject, sha256Of, type SampleObject } from '../support/sample-object.ts';
import { send } from '../support/sample-sender.ts';
import { randomFrom } from '../sim/random.ts';

/** A start of a box costs seconds: one kill for twenty of those that integration/ingest-kill.test.ts does. */
const kills = Math.ceil(Number(process.env['HILUM_KILLS'] ?? 40) / 20);
const seed = Number(process.env['HILUM_KILL_SEED'] ?? Date.now() % 1_000_000);
const associations = 4;
const studyRootGet = '1.2.840.10008.5.1.4.1.2.2.3';

const studyOf = (kill: number, association: number): string =>
  `1.2.826.0.1.3680043.10.4.${seed}.${kill}.${association >> 1}`;

function* objectsOf(kill: number, association: number): Generator<SampleObject> {
  const random = randomFrom(seed + kill * associations + association);
  const studyInstanceUid = studyOf(kill, association);
  for (let number = association; ; number += associations) {
    const pixelBytes = random.chance(0.1) ? 2 * random.below(1_500_000) : 2 * random.below(20_000);
    yield sampleObject({ studyInstanceUid, number, pixelBytes, seed: random.below(2 ** 31) });
  }
}

/** SHA-256 of each object of a study, by C-GET. */
async function retrieve(port: number, studyInstanceUid: string): Promise<Map<string, string>> {
  const objects = new Map<string, string>();
  const association = await openAssociation({
    host: '127.0.0.1',
    port,
    callingAeTitle: 'CT_1',
    calledAeTitle: boxAeTitle,
    contexts: [
      { abstractSyntax: studyRootGet, transferSyntaxes: [uids.explicitVrLittleEndian] },
      {
        abstractSyntax: ctImageStorage,
        transferSyntaxes: [uids.explicitVrLittleEndian],
        roles: { scu: false, scp: true },
      },
    ],
    storage: {
      store: ({ sopInstanceUid }): StoreSink => {
        const hash = createHash('sha256');
        return {
          write: (chunk) => void hash.update(chunk),
          finish: () => {
            objects.set(sopInstanceUid, hash.digest('hex'));
            return Promise.resolve({ status: 0 });
          },
          abort: (reason) => Promise.reject(reason),
        };
      },
      failed: (error) => assert.fail(String(error)),
    },
    clock: systemClock,
  });
  const identifier = {
    '00080052': { vr: 'CS', values: ['STUDY'] },
    '0020000D': { vr: 'UI', values: [studyInstanceUid] },
  };
  for await (const { status, failed } of association.get(studyRootGet, identifier))
    assert.ok(status === 0 || (status === 0xff00 && failed === 0), `C-GET answered ${status.toString(16)}`);
  await association.release();
  return objects;
}

test(`${kills} kills of a box under load (seed ${seed})`, async (t) => {
  t.diagnostic(`HILUM_KILL_SEED=${seed}`);
  const box = await LoneBox.make(fileCleanups, 'killed');
  const { dicom } = box.process.hospital.ports;
  await box.configure({
    dicom: {
      host: '127.0.0.1',
      port: dicom,
      aeTitle: boxAeTitle,
      callers: [{ aeTitle: 'CT_1', may: ['store', 'query', 'retrieve'] }],
    },
  });
  const acknowledged = new Map<string, Map<string, string>>();
  await box.process.start();
  for (let kill = 0; kill < kills; kill++) {
    const begun = Array.from({ length: associations }, () => Promise.withResolvers<void>());
    const sending = begun.map(async ({ resolve }, association) => {
      const study = studyOf(kill, association);
      const objects = acknowledged.get(study) ?? new Map<string, string>();
      acknowledged.set(study, objects);
      for await (const { object, status } of send(dicom, objectsOf(kill, association))) {
        assert.equal(status, 0, `kill ${kill}: ${object.sopInstanceUid}`);
        objects.set(object.sopInstanceUid, sha256Of(object.dataSet));
        resolve();
      }
      assert.ok(objects.size > 0, `kill ${kill}: association ${association} ended before anything was kept`);
    });
    await Promise.race([Promise.all(begun.map(({ promise }) => promise)), Promise.all(sending)]);
    await delay(randomFrom(seed + kill).below(800));
    await box.process.kill();
    await Promise.all(sending);
    await box.process.start();
  }
  let count = 0;
  for (const [study, objects] of acknowledged) {
    const retrieved = await retrieve(dicom, study);
    for (const [uid, sha256] of objects) assert.equal(retrieved.get(uid), sha256, `${uid} was acknowledged`);
    count += objects.size;
  }
  t.diagnostic(`${count} acknowledged`);
  assert.equal(await box.process.stop(), 0);
  const left = await readdir(join(box.dataFolder, 'objects'), { recursive: true });
  assert.deepEqual(
    left.filter((path) => /\.(part|new|gone)$/.test(path)),
    [],
  );
});
