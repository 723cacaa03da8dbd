/** Query/Retrieve as the box composes it: fetched studies are found and sent under the patient ID of this hospital. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { HeaderScanner } from '../../firmware/dimse/index.ts';
import { openQuery } from '../../firmware/src/box/query.ts';
import type { Foundation } from '../../firmware/src/box/foundation.ts';
import type { Membership } from '../../firmware/src/box/membership.ts';
import { concatBytes } from '../../firmware/src/encoding/bytes.ts';
import type { DataSetHeader, Service } from '../../firmware/src/ports.ts';
import { instancePrefix } from '../../firmware/src/protocol/instance-prefix.ts';
import type { LocalPatient } from '../../firmware/src/studies/patient-identity.ts';
import { commandField } from '../../firmware/dimse/command.ts';
import { encodeDataSet } from '../../firmware/dimse/data-set.ts';
import { silentLogger } from '../fakes/consortium.ts';
import { realClock } from '../fakes/real-clock.ts';
import { ctImageStorage, explicitLittleEndian, HeldStudies, heldStudy } from '../support/held-studies.ts';
import { Operation, studyFind, studyGet } from '../support/query-world.ts';

const patient = { patientName: 'Canary^Winifred', patientBirthDate: '19790412', patientSex: 'F' };
const common: DataSetHeader = {
  ...patient,
  patientId: 'N-1001',
  issuerOfPatientId: '',
  studyInstanceUid: '1.2.3',
  seriesInstanceUid: '1.2.3.1',
  sopInstanceUid: '1.2.3.1.1',
};
const identity = {
  sopClassUid: ctImageStorage,
  sopInstanceUid: '1.2.3.1.1',
  transferSyntaxUid: explicitLittleEndian,
};

/** The object as the box keeps it: its identity, then the data set. */
const kept = concatBytes(
  instancePrefix(identity),
  encodeDataSet(
    {
      '00080016': { vr: 'UI', values: [ctImageStorage] },
      '00080018': { vr: 'UI', values: ['1.2.3.1.1'] },
      '00100010': { vr: 'PN', values: ['Canary^Winifred'] },
      '00100020': { vr: 'LO', values: ['N-1001'] },
      '0020000D': { vr: 'UI', values: ['1.2.3'] },
      '0020000E': { vr: 'UI', values: ['1.2.3.1'] },
    },
    explicitLittleEndian,
  ),
);

const local: LocalPatient = {
  patientId: 'L-7',
  issuer: '',
  name: 'CANARY^WINIFRED',
  birthDate: '19790412',
  sex: 'F',
};

/** Patient ID and issuer in the answer to a query, and in the object that a retrieval sends. */
async function shownAndSent(
  origin: Parameters<typeof heldStudy>[0]['origin'],
  boundHere: LocalPatient | undefined,
): Promise<{ readonly shown: (string | undefined)[]; readonly sent: (string | undefined)[] }> {
  const study = heldStudy({ ...(origin !== undefined && { origin }), common, objects: [{}] });
  study.folder.openObject = () =>
    Promise.resolve({
      segmentCount: 1,
      segment: () => Promise.resolve(kept),
      close: () => Promise.resolve(),
    });
  const foundation = {
    config: { institution: { id: 'south', name: 'South' }, destinations: [], dicom: { aeTitle: 'HILUM' } },
    clock: realClock,
    logger: silentLogger,
    catalogue: new HeldStudies(study),
  } as unknown as Foundation;
  const membership = { localPatientOf: () => boundHere } as unknown as Membership;
  const running: Service[] = [];
  const services = await openQuery(foundation, membership, async (service) => {
    running.push(service);
    await service.start();
  });
  try {
    const perform = async (operation: Operation): Promise<void> => {
      const service = services.find(({ sopClasses }) => sopClasses.includes(operation.abstractSyntax));
      assert.equal((await service?.perform(operation))?.status, 0x0000);
    };
    const keys = { '00080052': { vr: 'CS', values: ['STUDY'] }, '0020000D': { vr: 'UI', values: ['1.2.3'] } };
    const find = new Operation(studyFind, commandField.findRequest);
    find.dataSet = { ...keys, '00100020': { vr: 'LO', values: [] }, '00100021': { vr: 'LO', values: [] } };
    await perform(find);
    const answer = find.responses[0]?.dataSet;
    const get = new Operation(studyGet, commandField.getRequest);
    get.dataSet = keys;
    await perform(get);
    const scanner = new HeaderScanner(explicitLittleEndian);
    scanner.push(get.stored[0]?.bytes ?? new Uint8Array(0));
    const scan = scanner.end();
    assert.ok(scan.kind === 'complete');
    return {
      shown: ['00100020', '00100021'].map((tag) => answer?.[tag]?.values[0] as string | undefined),
      sent: [scan.elements.patientId, scan.elements.issuerOfPatientId],
    };
  } finally {
    for (const service of running.reverse()) await service.stop();
  }
}

const fetched = { kind: 'fetched', source: 'north', studyId: 'x' as never } as const;

describe('the patient ID under which a workstation finds and gets a study', () => {
  it('is that of the objects for what modalities sent', async () => {
    const { shown, sent } = await shownAndSent(undefined, local);
    assert.deepEqual(
      [shown, sent],
      [
        ['N-1001', undefined],
        ['N-1001', undefined],
      ],
    );
  });

  it('is the local one for a fetched study whose patient is bound here', async () => {
    const { shown, sent } = await shownAndSent(fetched, local);
    assert.deepEqual(
      [shown, sent],
      [
        ['L-7', undefined],
        ['L-7', undefined],
      ],
    );
  });

  it('stays the foreign one, with its source as issuer, for a patient who is not bound here', async () => {
    const { shown, sent } = await shownAndSent(fetched, undefined);
    assert.deepEqual(
      [shown, sent],
      [
        ['N-1001', 'north'],
        ['N-1001', 'north'],
      ],
    );
  });

  it('stays the foreign one where the demographics do not agree', async () => {
    const { shown, sent } = await shownAndSent(fetched, { ...local, birthDate: '19790413' });
    assert.deepEqual(
      [shown, sent],
      [
        ['N-1001', 'north'],
        ['N-1001', 'north'],
      ],
    );
  });
});
