/** A consortium of real boxes for end-to-end tests: a folder and ports of its own, everything ended afterwards. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { Consortium, type Logins } from '../../provisioning/demo/consortium.ts';
import { hospitals, type Hospital, type HospitalTiming } from '../../provisioning/demo/hospitals.ts';
import { hireStaff, logIn } from '../../provisioning/demo/staff.ts';
import { waitFor } from '../../provisioning/demo/waiting.ts';
import { freePorts } from './free-ports.ts';

async function withFreePorts(hospital: Hospital): Promise<Hospital> {
  const [dicom, p2p, plane, console, pacsDicom, pacsHttp] = (await freePorts(6)) as [
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  return {
    ...hospital,
    ports: { dicom, p2p, plane, console },
    ...(hospital.pacs === undefined
      ? {}
      : { pacs: { ...hospital.pacs, dicomPort: pacsDicom, httpPort: pacsHttp } }),
  };
}

export const testTiming: HospitalTiming = { quietMs: 2_000, amendMs: 1_000 };

/** The four hospitals, not started. Stopped and removed when the test ends, whatever happened. */
export async function makeConsortium(
  t: Pick<TestContext, 'after'>,
  timing = testTiming,
): Promise<Consortium> {
  const folder = await mkdtemp(join(tmpdir(), 'hilum-e2e-'));
  const placed: Hospital[] = [];
  for (const hospital of hospitals) placed.push(await withFreePorts(hospital));
  const consortium = new Consortium({ folder, hospitals: placed, timing });
  t.after(async () => {
    await consortium.stop();
    await rm(folder, { recursive: true, force: true });
  });
  return consortium;
}

/** Founded, started, with staff, and with a first block at every box. */
export async function startConsortium(
  t: Pick<TestContext, 'after'>,
): Promise<{ readonly consortium: Consortium; readonly logins: Logins }> {
  const consortium = await makeConsortium(t);
  await consortium.found();
  const logins = await hireStaff(consortium, await consortium.start());
  for (const box of consortium.boxes) {
    const admin = await logIn(box, logins[box.hospital.id], 'admin');
    await waitFor(`the first block at ${box.hospital.name}`, 60, async () =>
      (await admin.overview()).ledger.height > 0 ? true : undefined,
    );
  }
  return { consortium, logins };
}
