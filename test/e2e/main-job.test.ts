/** The main job across processes, and what must be true of everything that it left behind. */
import assert from 'node:assert/strict';
import { mkdir, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { before, test } from 'node:test';
import type { Browser } from 'playwright-core';
import type { Consortium, Logins } from '../../provisioning/demo/consortium.ts';
import { writeCtPhantom, type SampleStudy } from '../../provisioning/demo/ct-phantom.ts';
import { runMainJob, type MainJobReport } from '../../provisioning/demo/main-job.ts';
import { sendStudy } from '../../provisioning/demo/modality.ts';
import { Narrator } from '../../provisioning/demo/narrator.ts';
import { patientAtGrantee, patientAtSource } from '../../provisioning/demo/patient.ts';
import { hireStaff, logIn } from '../../provisioning/demo/staff.ts';
import { waitFor } from '../../provisioning/demo/waiting.ts';
import { launchChromium } from '../support/chromium.ts';
import { startConsortium } from '../support/demo-consortium.ts';
import { fileCleanups } from '../support/file-cleanups.ts';
import { isAppendLog, recordsOfLog } from '../support/log-records.ts';

const slices = 24;

let consortium: Consortium;
let logins: Logins;
let report: MainJobReport;

before(async () => {
  ({ consortium, logins } = await startConsortium(fileCleanups));
});

test('a study reaches the PACS of another hospital because its patient said so', async () => {
  const told: string[] = [];
  const narrator = new Narrator((text) => told.push(text));
  try {
    report = await runMainJob({ consortium, logins, narrator, slices });
  } catch (error) {
    throw new Error(told.join(''), { cause: error });
  }
  assert.ok(narrator.steps.length >= 20, 'each step is told');
  assert.ok(narrator.steps.every(({ seconds }) => seconds >= 0));
});

/** Every file below a folder but for the modality's own and the PACS's. */
async function filesBelow(folder: string, leaveOut: readonly string[]): Promise<string[]> {
  const found: string[] = [];
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (leaveOut.includes(entry.name)) continue;
    if (entry.isDirectory()) found.push(...(await filesBelow(path, leaveOut)));
    else if (entry.isFile()) found.push(path);
  }
  return found;
}

test('no patient data stands in any log, ledger or store', async () => {
  const canaries = [
    'Okafor',
    'Imani',
    patientAtSource.patientId,
    patientAtGrantee.patientId,
    patientAtSource.birthDate,
    'HM-ACC-7731',
    'CT chest',
    'Second opinion',
    report.ct.studyInstanceUid,
  ];
  const files = await filesBelow(consortium.folder, ['modality', 'pacs', 'patient.wallet', 'comparison']);
  assert.ok(files.some((path) => path.endsWith('log.jsonl')));
  assert.ok(files.some((path) => path.includes('/blocks/')));
  assert.ok(files.some((path) => path.includes('/objects/')));
  for (const path of files) {
    const file = await readFile(path);
    for (const bytes of isAppendLog(file) ? [file, recordsOfLog(file)] : [file]) {
      for (const canary of canaries) {
        assert.ok(!bytes.includes(canary), `${canary} stands in ${path}`);
        assert.ok(!bytes.includes(Buffer.from(canary, 'utf16le')), `${canary} stands in ${path}`);
      }
    }
  }
});

test('the ledger shows neither the grantee nor the other three of anything but its blocks', async () => {
  const path = join(consortium.box('harrowmere').folder, 'data', 'blocks', '000000000000.log');
  const log = recordsOfLog(await readFile(path)).toString('latin1');
  // The genesis block is made from the genesis file; blocks name their proposer, transactions of a study their source.
  const grants = log.split('access.grant').slice(1);
  assert.ok(grants.length >= 2, 'the grants are there');
  for (const following of grants) {
    // A grant's body: less than 1,100 bytes behind its type in canonical CBOR's key order, or before it.
    assert.ok(!following.slice(0, 700).includes('lindqvist'));
  }
  const opens = log.split('access.open').slice(1);
  assert.ok(opens.length >= 2, 'the receipts are there');
});

async function logInWithBrowser(browser: Browser, origin: string, password: string) {
  const page = await browser.newPage({ ignoreHTTPSErrors: true });
  await page.goto(origin);
  await page.getByLabel('Account', { exact: false }).first().fill('admin');
  await page.getByLabel('Password', { exact: true }).fill(password);
  await page.getByRole('button', { name: /log in/i }).click();
  return page;
}

test("a study appears in the console's page in Chromium, without reload", async (t) => {
  const box = consortium.box('harrowmere');
  const password = logins[box.hospital.id]?.[0]?.password ?? '';
  const browser = await launchChromium();
  t.after(() => browser.close());
  const page = await logInWithBrowser(browser, box.origin, password);
  await page.getByText('CT chest, synthesised').first().waitFor();
  await page.getByText('the grant was withdrawn').first().waitFor();

  const folder = join(consortium.folder, 'modality', 'later');
  await mkdir(folder, { recursive: true });
  const later = { ...patientAtSource, name: 'Latecomer^Live', patientId: 'HM-99999' };
  const study: SampleStudy = await writeCtPhantom(folder, later, 3);
  assert.equal(await page.getByText('Latecomer').count(), 0);
  await sendStudy(study, box.hospital.ports.dicom, 'CT1', true);
  await page.getByText('Latecomer').first().waitFor();
});

test('a second start needs no set-up and finds everything as it was', async () => {
  assert.equal(await consortium.stop(), true, 'every box ends cleanly');
  assert.equal(await consortium.found(), false, 'nothing is founded again');
  logins = await hireStaff(consortium, await consortium.start());
  const a = consortium.box('harrowmere');
  const admin = await logIn(a, logins[a.hospital.id], 'admin');
  const overview = await waitFor('the box to be level again', 60, async () => {
    const seen = await admin.overview();
    return seen.peers.every(({ connected }) => connected) && !seen.ledger.stale ? seen : undefined;
  });
  const study = overview.studies.find(
    ({ studyInstanceUid }) => studyInstanceUid === report.ct.studyInstanceUid,
  );
  assert.equal(study?.objects, slices);
  assert.equal(study?.ledger.kind, 'final');
  assert.ok(overview.releases.some(({ outcome }) => outcome === 'released'));
});
