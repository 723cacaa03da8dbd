/** The console page in Debian's Chromium: what people do with it, without a reload and for everybody (axe). */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { after, before } from 'node:test';
import axe from 'axe-core';
import type { Browser, Page } from 'playwright-core';
import { buildConsole } from '../../firmware/console/build.ts';
import { overviewStudiesMax } from '../../firmware/src/http/limits.ts';
import { launchChromium } from '../support/chromium.ts';
import { adminPassword, ConsoleFixture } from '../support/console-fixture.ts';
import { exampleStudy, quietOverview } from '../support/fake-box.ts';

interface AxeResult {
  readonly violations: readonly {
    readonly id: string;
    readonly nodes: readonly { readonly html: string }[];
  }[];
}

const widths = [360, 1440];
const schemes = ['light', 'dark'] as const;

let folder: string;
let browser: Browser;
let box: ConsoleFixture;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'hilum-page-'));
  await buildConsole(folder);
  browser = await launchChromium();
  box = await ConsoleFixture.start({ consoleDistDir: folder });
});

after(async () => {
  await browser.close();
  await box.stop();
  await rm(folder, { recursive: true });
});

/** A browser of its own; what its page complains of is kept. */
async function openPage(): Promise<{ page: Page; complaints: string[] }> {
  // Self-signed by design; wallets pin it, and people confirm it once.
  const context = await browser.newContext({ ignoreHTTPSErrors: true, reducedMotion: 'reduce' });
  const page = await context.newPage();
  const complaints: string[] = [];
  page.on('pageerror', (error) => complaints.push(error.message));
  page.on('console', (message) => {
    if (message.type() === 'error' && !/status of 40[13]/.test(message.text()))
      complaints.push(message.text());
  });
  await page.goto(`https://127.0.0.1:${box.server.port}/`);
  return { page, complaints };
}

async function logIn(page: Page, name: string, password: string): Promise<void> {
  await page.getByLabel('Account', { exact: true }).fill(name);
  await page.getByLabel('Password').fill(password);
  await page.getByRole('button', { name: 'Log in' }).click();
}

async function setPassword(page: Page, password: string, repeated = password): Promise<void> {
  await page.getByLabel('New password', { exact: true }).fill(password);
  await page.getByLabel('New password again').fill(repeated);
  await page.getByRole('button', { name: 'Set password' }).click();
}

/** WCAG 2.2 AA as far as axe can tell, and nothing wider than the screen, on phone and desk, light and dark. */
async function assertForEverybody(page: Page, place: string): Promise<void> {
  for (const width of widths) {
    for (const colorScheme of schemes) {
      await page.setViewportSize({ width, height: 900 });
      await page.emulateMedia({ colorScheme });
      const where = `${place}, ${width} px, ${colorScheme}`;
      // Evaluated by the debugger, which the page's content security policy does not bind.
      await page.evaluate(axe.source);
      const options =
        "{ runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] }";
      const { violations } = await page.evaluate<AxeResult>(`axe.run(document, ${options})`);
      const found = violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(' | ')}`);
      assert.deepEqual(found, [], where);
      const overflow = await page.evaluate<number>('document.documentElement.scrollWidth - innerWidth');
      assert.ok(overflow <= 0, `${where}: ${overflow} px wider than the screen`);
    }
  }
  await page.setViewportSize({ width: 1440, height: 900 });
}

test('the first administrator logs in, sets a password, and sees a study appear without a reload', async () => {
  const { page, complaints } = await openPage();
  assert.ok(box.first);
  await logIn(page, 'admin', 'not the password');
  await page.getByRole('alert').getByText('Name or password is wrong.').waitFor();
  await assertForEverybody(page, 'login');
  await page.getByLabel('Password').fill(box.first.oneTimePassword);
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
  box.box.change({ time: now, studies: [arriving] });
  const row = page.getByRole('row', { name: 'Canary, Winifred' });
  await row.getByText('Receiving').waitFor();
  await row.getByText('Waiting').waitFor();
  box.box.change({ studies: [exampleStudy(now)] });
  await row.getByText('Complete').waitFor();
  await row.getByText('Final').waitFor();
  assert.equal(await page.evaluate('globalThis.notReloaded'), true);
  assert.deepEqual(complaints, []);
  await page.context().close();
});

test('what is wrong stands first, with since when and what to do, and goes when it is mended', async () => {
  const { page, complaints } = await openPage();
  const now = Date.now();
  const quiet = quietOverview(now);
  const [first, ...others] = quiet.peers;
  assert.ok(first);
  box.box.change({
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
    peers: [{ ...first, connected: false, since: now - 300_000 }, ...others],
    ledger: { ...quiet.ledger, stale: true, lastBlockAt: now - 45_000 },
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
  await logIn(page, 'admin', adminPassword);
  await page.getByRole('heading', { name: 'One thing needs attention' }).waitFor();
  const health = page.getByRole('region', { name: 'One thing needs attention' });
  await health.getByText('PACS_NORTH').waitFor();
  await health.getByText('12 min ago').waitFor();
  await health.getByText('Check that the PACS is up.').waitFor();
  await page.getByText('true reason of refused').waitFor();
  await page.getByText('not connected').waitFor();
  await page.getByText('Nothing is released until there is a new block.').waitFor();
  assert.equal(await page.title(), '(1) Northgate Hospital – Hilum');
  await assertForEverybody(page, 'a bad morning');

  box.box.change(quiet);
  await page.getByRole('heading', { name: 'Everything works' }).waitFor();
  assert.deepEqual(complaints, []);
  await page.context().close();
});

test('an administrator makes an account; reception binds a wallet with it', async () => {
  const { page } = await openPage();
  await logIn(page, 'admin', adminPassword);
  await page.getByText('Add an account').click();
  await page.getByLabel('Name').fill('rita');
  await page.getByLabel('Role').selectOption('reception');
  await assertForEverybody(page, 'new account');
  await page.getByRole('button', { name: 'Create account' }).click();
  const oneTimePassword = await page.getByRole('textbox', { name: 'the one-time password' }).innerText();
  await page.getByRole('button', { name: 'Log out' }).click();

  await logIn(page, 'rita', oneTimePassword);
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
  assert.equal(ticket.certificateSha256, box.server.certificateSha256);
  assert.deepEqual(box.box.tickets.at(-1), {
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
  const { store } = box;
  const { port } = box.server;
  const { page } = await openPage();
  await logIn(page, 'admin', adminPassword);
  await page.getByText('Live', { exact: true }).waitFor();
  await box.stop();
  await page.getByText('No connection').waitFor();

  box = await ConsoleFixture.start({ store, port, consoleDistDir: folder });
  const now = Date.now();
  box.box.change({
    time: now,
    studies: Array.from({ length: overviewStudiesMax }, (_, i) =>
      exampleStudy(now, { studyInstanceUid: `1.${i}` }),
    ),
  });
  await page.getByText('Live', { exact: true }).waitFor();
  await page.getByText(`${overviewStudiesMax} shown`).waitFor();

  for (const key of [...store.values.keys()]) if (key.startsWith('session/')) store.values.delete(key);
  await box.stop();
  box = await ConsoleFixture.start({ store, port, consoleDistDir: folder });
  await page.getByRole('button', { name: 'Log in' }).waitFor();
  assert.equal(await page.getByText('Canary').count(), 0, 'no patient stays on the screen');
  await page.context().close();
});
