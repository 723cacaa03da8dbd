/** The console page in Debian's Chromium: what people do with it, without a reload and for everybody (axe). */
import assert from 'node:assert/strict';
import test, { after, before } from 'node:test';
import type { Page } from 'playwright-core';
import { overviewStudiesMax } from '../../firmware/src/http/limits.ts';
import { assertForEverybody } from '../support/accessibility.ts';
import { adminPassword } from '../support/console-fixture.ts';
import { ConsolePages } from '../support/console-pages.ts';
import { exampleStudy, quietOverview } from '../support/fake-box.ts';

let pages: ConsolePages;

before(async () => {
  pages = await ConsolePages.open();
});

after(() => pages.close());

async function setPassword(page: Page, password: string, repeated = password): Promise<void> {
  await page.getByLabel('New password', { exact: true }).fill(password);
  await page.getByLabel('New password again').fill(repeated);
  await page.getByRole('button', { name: 'Set password' }).click();
}

test('the first administrator logs in, sets a password, and sees a study appear without a reload', async () => {
  const { page, complaints } = await pages.page();
  assert.ok(pages.box.first);
  await pages.logIn(page, 'admin', 'not the password');
  await page.getByRole('alert').getByText('Name or password is wrong.').waitFor();
  await assertForEverybody(page, 'login');
  await page.getByLabel('Password').fill(pages.box.first.oneTimePassword);
  await page.getByRole('button', { name: 'Log in' }).click();

  await page.getByRole('heading', { name: 'Set your password' }).waitFor();
  await setPassword(page, adminPassword, 'another one entirely');
  await page.getByText('The two passwords differ.').waitFor();
  await assertForEverybody(page, 'set password');
  await setPassword(page, adminPassword);

  await page.getByRole('heading', { name: 'Everything works' }).waitFor();
  await page.getByText('storescu -aec HILUM_NORTH +sd +r 127.0.0.1 11112 FOLDER').waitFor();
  assert.equal(await page.title(), 'Northgate Hospital – Hilum');
  await assertForEverybody(page, 'first morning');

  await page.evaluate('globalThis.notReloaded = true');
  const now = Date.now();
  const arriving = exampleStudy(now, { state: 'receiving', objects: 57, ledger: { kind: 'waiting' } });
  pages.box.box.change({ time: now, studies: [arriving] });
  const row = page.getByRole('row', { name: 'Canary, Winifred' });
  await row.getByText('Receiving').waitFor();
  await row.getByText('Waiting').waitFor();
  pages.box.box.change({ studies: [exampleStudy(now)] });
  await row.getByText('Complete').waitFor();
  await row.getByText('Final').waitFor();
  assert.equal(await page.evaluate('globalThis.notReloaded'), true);
  assert.deepEqual(complaints, []);
  await page.context().close();
});

test('what is wrong stands first, with since when and what to do, and goes when it is mended', async () => {
  const { page, complaints } = await pages.page();
  const now = Date.now();
  const quiet = quietOverview(now);
  const [first, ...others] = quiet.peers;
  assert.ok(first);
  pages.box.box.change({
    time: now,
    health: [
      {
        code: 'DELIVERY_FAILED',
        subject: 'PACS_NORTH',
        detail: 'refused the association',
        since: now - 720_000,
        remedy: 'Check that the PACS is up.',
      },
    ],
    peers: [
      {
        ...first,
        connected: false,
        since: now - 300_000,
        attestation: {
          result: 'failed',
          since: now - 900_000,
          heardAt: now - 600_000,
          finding: 'The record names another TPM.',
          development: true,
        },
      },
      ...others,
    ],
    ledger: { ...quiet.ledger, stale: true, lastBlockAt: now - 45_000 },
    workflow: { commitments: 3, procedureSteps: 1 },
    box: {
      ...quiet.box,
      dicom: {
        ...quiet.box.dicom,
        tls: { port: 2762, subject: 'box.example', validUntil: now + 86_400_000, since: now },
      },
    },
    studies: [
      exampleStudy(now, { deliveries: [{ aeTitle: 'PACS_NORTH', state: 'failed', at: now }] }),
      exampleStudy(now, {
        studyInstanceUid: '1.2',
        patientName: 'Vandermeulen-Ostergaard^Maximiliana^Josephine',
        description: 'MR head, T1/T2/FLAIR, before and after contrast medium',
        state: 'receiving',
        ledger: { kind: 'refused', reason: 'not a member' },
        origin: { kind: 'fetched', institution: 'brannoc', name: 'St. Brannoc Infirmary' },
        owner: 'elsewhere',
      }),
      exampleStudy(now, {
        studyInstanceUid: '1.3',
        origin: { kind: 'referenced', aeTitle: 'PACS_NORTH', pulled: false },
      }),
    ],
    releases: (['running', 'released', 'refused', 'failed'] as const).map((outcome, index) => ({
      id: outcome,
      direction: index % 2 === 0 ? 'out' : 'in',
      at: now - index * 60_000,
      institution: 'harbour',
      institutionName: 'Harbour Imaging Centre',
      patientName: outcome === 'refused' ? null : 'Canary^Winifred',
      studyDescription: outcome === 'refused' ? null : 'CT thorax with contrast',
      outcome,
      reason: `true reason of ${outcome}`,
      objects: index * 100,
      bytes: index * 50_000_000,
    })),
  });
  await pages.logIn(page, 'admin', adminPassword);
  await page.getByRole('heading', { name: 'One thing needs attention' }).waitFor();
  const health = page.getByRole('region', { name: 'One thing needs attention' });
  await health.getByText('PACS_NORTH').waitFor();
  await health.getByText('12 min ago').waitFor();
  await health.getByText('Check that the PACS is up.').waitFor();
  await page.getByText('true reason of refused').waitFor();
  await page.getByText('not connected').waitFor();
  await page
    .getByText('its TPM did not attest 10 min ago: The record names another TPM. (simulator)')
    .waitFor();
  await page.getByText('by reference, in the PACS').waitFor();
  await page.getByText('3 commitment results').waitFor();
  await page.getByText('1 procedure step message').waitFor();
  await page.getByText('box.example, until').waitFor();
  await page.getByText('Nothing is released until there is a new block.').waitFor();
  assert.equal(await page.title(), '(1) Northgate Hospital – Hilum');
  await assertForEverybody(page, 'a bad morning');

  pages.box.box.change(quiet);
  await page.getByRole('heading', { name: 'Everything works' }).waitFor();
  assert.deepEqual(complaints, []);
  await page.context().close();
});

test('an administrator makes an account; reception binds a wallet with it', async () => {
  const { page } = await pages.page();
  await pages.logIn(page, 'admin', adminPassword);
  await page.getByText('Add an account').click();
  await page.getByLabel('Name').fill('rita');
  await page.getByLabel('Role').selectOption('reception');
  await assertForEverybody(page, 'new account');
  await page.getByRole('button', { name: 'Create account' }).click();
  const oneTimePassword = await page.getByRole('textbox', { name: 'the one-time password' }).innerText();
  await page.getByRole('button', { name: 'Log out' }).click();

  await pages.logIn(page, 'rita', oneTimePassword);
  // A reload forgets what was typed: the page asks for it again.
  await page.getByRole('heading', { name: 'Set your password' }).waitFor();
  await page.reload();
  await page.getByLabel('One-time password').fill(oneTimePassword);
  await setPassword(page, adminPassword);

  await page.getByLabel('Patient ID').fill('UNKNOWN');
  await page.getByLabel('Family name').fill('Canary');
  await page.getByLabel('Given names').fill('Winifred Maud');
  await page.getByLabel('Birth date').fill('1980-02-03');
  await page.getByLabel('Sex').selectOption('F');
  await page.getByRole('button', { name: 'Make ticket' }).click();
  await page.getByText('The details contradict').waitFor();
  await assertForEverybody(page, 'refused ticket');
  await page.getByLabel('Patient ID').fill('PX-1');
  await page.getByRole('button', { name: 'Make ticket' }).click();
  const payload = await page.getByRole('textbox', { name: 'the ticket for the wallet' }).innerText();
  const ticket = JSON.parse(payload) as { certificateSha256: string };
  assert.equal(ticket.certificateSha256, pages.box.server.certificateSha256);
  assert.deepEqual(pages.box.box.tickets.at(-1), {
    patient: { patientId: 'PX-1', name: 'Canary^Winifred^Maud', birthDate: '19800203', sex: 'F' },
    by: 'rita',
  });
  await assertForEverybody(page, 'ticket');
  await page.getByRole('button', { name: 'Next patient' }).click();
  await page.getByLabel('Patient ID').waitFor();
  assert.equal(await page.getByText('Add an account').count(), 0, 'accounts are the administrator’s');
  await page.context().close();
});

test('the page says when it is not live, comes back by itself, and shows the login when the session is over', async () => {
  const { store } = pages.box;
  const { port } = pages.box.server;
  const { page } = await pages.page();
  await pages.logIn(page, 'admin', adminPassword);
  await page.getByText('Live', { exact: true }).waitFor();
  await pages.box.stop();
  await page.getByText('No connection').waitFor();

  await pages.restart({ store, port });
  const now = Date.now();
  pages.box.box.change({
    time: now,
    studies: Array.from({ length: overviewStudiesMax }, (_, i) =>
      exampleStudy(now, { studyInstanceUid: `1.${i}` }),
    ),
  });
  await page.getByText('Live', { exact: true }).waitFor();
  await page.getByText(`${overviewStudiesMax} shown`).waitFor();

  for (const key of [...store.values.keys()]) if (key.startsWith('session/')) store.values.delete(key);
  await pages.box.stop();
  await pages.restart({ store, port });
  await page.getByRole('button', { name: 'Log in' }).waitFor();
  assert.equal(await page.getByText('Canary').count(), 0, 'no patient stays on the screen');
  await page.context().close();
});
