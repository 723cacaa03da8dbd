/** The console's pages for who runs the box, in Debian's Chromium: callers, destinations, quarantine. */
import assert from 'node:assert/strict';
import test, { after, before } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import type { Page } from 'playwright-core';
import type { CallerBody } from '../../firmware/src/http/dicom-contract.ts';
import { assertForEverybody } from '../support/accessibility.ts';
import { adminPassword } from '../support/console-fixture.ts';
import { ConsolePages } from '../support/console-pages.ts';
import {
  exampleCaller,
  exampleDestination,
  exampleIncomplete,
  examplePending,
  exampleQuarantined,
  noDicomTraffic,
} from '../support/fake-dicom-desk.ts';

let pages: ConsolePages;

before(async () => {
  pages = await ConsolePages.open();
  await pages.box.person(await pages.box.administrator(), 'anna', 'auditor');
});

after(() => pages.close());

/** Logged in, on the page behind this link. */
async function open(account: string, link: string): Promise<{ page: Page; complaints: readonly string[] }> {
  const { page, complaints } = await pages.page();
  await pages.logIn(page, account, adminPassword);
  await page.getByRole('navigation', { name: 'Pages' }).getByRole('link', { name: link }).click();
  return { page, complaints };
}

test('a modality that was refused is seen with its reason, and admitted with what it needs', async () => {
  const now = Date.now();
  const { box } = pages.box;
  box.change({
    time: now,
    ...noDicomTraffic(),
    access: {
      pending: [
        examplePending(now, {
          id: 'new-mr',
          sopClassUids: ['1.2.840.10008.5.1.4.1.1.4', '1.2.840.10008.1.20.1'],
        }),
        examplePending(now, {
          id: 'typo',
          callingAeTitle: 'CR_1',
          calledAeTitle: 'HILUN',
          ground: 'called-ae-title',
        }),
        examplePending(now, { id: 'moved', callingAeTitle: 'CT_ROOM_2', ground: 'address', count: 1 }),
        examplePending(now, {
          id: 'tls',
          callingAeTitle: 'US_3',
          ground: 'certificate',
          certificate: { sha256: 'ab'.repeat(32), commonName: 'us3.example' },
        }),
      ],
      callers: [
        exampleCaller(now),
        exampleCaller(now, { id: 'fixed', callingAeTitle: 'PACS_NORTH', admitted: null, seen: null }),
      ],
      callersCount: 2,
    },
  });
  const { page, complaints } = await open('admin', 'Callers');
  const refused = page.getByRole('region', { name: 'Refused callers' });
  await refused.getByText('Nobody has admitted this AE title.').waitFor();
  await refused.getByText('It called HILUN; this box is HILUM_NORTH. Correct it at the modality.').waitFor();
  await refused.getByText('The AE title is admitted, but not from this address.').waitFor();
  await refused.getByText('The AE title is admitted, but not with this certificate.').waitFor();
  await refused.getByText('Wants: MR, Storage commitment').waitFor();
  await assertForEverybody(page, 'callers');

  await refused.getByRole('button', { name: 'Admit MR_ROOM_4' }).click();
  await refused.getByLabel('Addresses').fill('10.1.4.0/24, fd00:4::/64');
  // What goes on beside it does not take what was typed away.
  box.change({ time: now + 1_000 });
  await refused.getByLabel('Reached at').fill('[fd00:4::9]:104');
  await assertForEverybody(page, 'admitting');
  await refused.getByRole('button', { name: 'Admit', exact: true }).click();
  await refused.getByLabel('Addresses').waitFor({ state: 'detached' });
  assert.deepEqual(box.dicom.acts.at(-1), {
    act: 'admitCaller',
    subject: 'MR_ROOM_4',
    by: 'admin',
    what: {
      callingAeTitle: 'MR_ROOM_4',
      addresses: ['10.1.4.0/24', 'fd00:4::/64'],
      certificates: [],
      calledAeTitles: [],
      may: ['store', 'commitment'],
      mayCorrect: false,
      reachedAt: { host: 'fd00:4::9', port: 104, tls: false },
    } satisfies CallerBody,
  });
  await refused.getByRole('button', { name: 'Dismiss CR_1' }).click();
  await page.getByRole('link', { name: 'Callers 4 wait to be admitted' }).waitFor();
  box.change({ access: { pending: [], callers: [], callersCount: 0 } });
  await page.getByText('Nobody was refused.').waitFor();
  await page.getByText('Nobody is admitted yet.').waitFor();
  assert.equal(box.dicom.acts.at(-1)?.act, 'dismissCaller');
  assert.deepEqual(complaints, []);
  await page.context().close();
});

test('a caller is named beforehand, tried by C-ECHO, and removed only after a second question', async () => {
  const now = Date.now();
  const { box } = pages.box;
  const fixed = exampleCaller(now, { id: 'fixed', callingAeTitle: 'CR_1', admitted: null, reachedAt: null });
  const seen = { at: now, count: 1, remoteAddress: '10.1.2.7', lacked: ['query' as const] };
  const callers = [exampleCaller(now, { calledAeTitles: ['HILUM_NORTH'], seen }), fixed];
  box.change({ time: now, access: { pending: [], callers, callersCount: 300 } });
  const { page } = await open('admin', 'Callers');
  const admitted = page.getByRole('region', { name: 'Admitted callers' });
  await admitted.getByText('2 of 300 shown').waitFor();
  await admitted.getByRole('button', { name: 'C-ECHO to CT_ROOM_2' }).click();
  await admitted.getByText('answered in 4 ms').waitFor();
  assert.equal(await admitted.getByRole('button', { name: 'Remove CR_1' }).count(), 0, 'it is the file’s');
  await admitted.getByRole('button', { name: 'Remove CT_ROOM_2' }).click();
  assert.equal(box.dicom.acts.at(-1)?.act, 'echoCaller');
  await admitted.getByRole('button', { name: 'Really remove CT_ROOM_2' }).click();
  await admitted.getByRole('button', { name: 'Remove CT_ROOM_2' }).waitFor();
  assert.deepEqual(box.dicom.acts.at(-1), { act: 'removeCaller', subject: 'caller1', by: 'admin' });

  await admitted.getByText('It asked for what it may not: Search.').waitFor();
  await admitted.getByRole('button', { name: 'Change … CT_ROOM_2' }).click();
  assert.equal(await admitted.getByLabel('Reached at').first().inputValue(), '10.1.2.7:104');
  await assertForEverybody(page, 'changing');
  await admitted.getByLabel('Search').first().check();
  await admitted.getByRole('button', { name: 'Change', exact: true }).click();
  await admitted.getByRole('button', { name: 'Change', exact: true }).waitFor({ state: 'detached' });
  const { id, admitted: _by, seen: _seen, ...body } = exampleCaller(now);
  assert.deepEqual(box.dicom.acts.at(-1), {
    act: 'replaceCaller',
    subject: id,
    by: 'admin',
    what: { ...body, calledAeTitles: ['HILUM_NORTH'], may: ['store', 'query', 'commitment'] },
  });

  await admitted.getByText('Admit a caller').click();
  await admitted.getByLabel('Calling AE title').fill('REFUSED');
  await admitted.getByLabel('Search').check();
  await admitted.getByLabel('Correct').check();
  await admitted.getByRole('button', { name: 'Admit', exact: true }).click();
  await admitted.getByText('This cannot be done.').waitFor();
  await admitted.getByLabel('Calling AE title').fill('PACS_SOUTH');
  await admitted.getByRole('button', { name: 'Admit', exact: true }).click();
  // By asking from here: the page's policy forbids to evaluate texts in it, as waiting there would once it asks again.
  const field = admitted.getByLabel('Calling AE title');
  while ((await field.inputValue()) !== '') await delay(50);
  const { subject, what } = box.dicom.acts.at(-1) ?? {};
  assert.equal(subject, 'PACS_SOUTH');
  const { may, mayCorrect, reachedAt } = what as CallerBody;
  assert.deepEqual(
    { may, mayCorrect, reachedAt },
    { may: ['store', 'query'], mayCorrect: true, reachedAt: null },
  );
  await page.context().close();
});

test('a destination shows what waits and what it refused; both can be sent again', async () => {
  const now = Date.now();
  const { box } = pages.box;
  const setAside = {
    studyRef: 'ab12',
    patientName: 'Canary^Winifred',
    description: 'CT thorax with contrast',
    objects: 3,
    reason: 'PACS_NORTH answered with status 0xA900',
    at: now - 60_000,
  };
  box.change({
    time: now,
    destinations: [
      exampleDestination({ setAsideObjects: 3, setAside: [setAside] }),
      exampleDestination({
        name: 'DEAD',
        aeTitle: 'ARCHIVE',
        state: 'failing',
        failing: { since: now - 7_200_000, reason: 'ARCHIVE at 10.1.9.9:104 cannot be reached.' },
        waitingStudies: 12,
        waitingObjects: 4_711,
      }),
      exampleDestination({ name: 'night', aeTitle: 'NIGHT', state: 'held-back' }),
    ],
  });
  const { page } = await open('admin', 'Destinations 2 in trouble');
  const pacs = page.getByRole('region', { name: 'PACS_NORTH' });
  const archive = page.getByRole('region', { name: 'ARCHIVE' });
  await archive.getByText('4\u202f711').waitFor();
  await archive.getByText('cannot be reached.').waitFor();
  await archive.getByRole('button', { name: 'C-ECHO' }).click();
  await archive.getByText('connect ECONNREFUSED').waitFor();
  await page.getByRole('region', { name: 'NIGHT' }).getByText('Held back').waitFor();
  await pacs.getByText('PACS_NORTH answered with status 0xA900').waitFor();
  await assertForEverybody(page, 'destinations');

  await pacs.getByRole('button', { name: 'Send again the study of Canary, Winifred' }).click();
  await pacs.getByRole('button', { name: 'Give up the study' }).click();
  await pacs.getByRole('button', { name: 'Really give up' }).click();
  await pacs.getByRole('button', { name: 'Give up the study' }).waitFor();
  await pacs.getByText('Send again from a time on').click();
  await pacs.getByLabel('Everything kept since').fill('2026-01-05T08:00');
  await pacs.getByRole('button', { name: 'Send again', exact: true }).last().click();
  await pacs.getByText('12 objects wait again').waitFor();
  await assertForEverybody(page, 'resending');
  const since = await page.evaluate<number>("new Date('2026-01-05T08:00').getTime()");
  assert.deepEqual(box.dicom.acts.slice(-3), [
    { act: 'resend', subject: 'pacs', what: { what: 'set-aside', studyRef: 'ab12' }, by: 'admin' },
    { act: 'giveUp', subject: 'pacs', what: 'ab12', by: 'admin' },
    { act: 'resend', subject: 'pacs', what: { what: 'since', since }, by: 'admin' },
  ]);
  await page.context().close();
});

test('the side-car says how far into the archive’s past it has come, and what holds it up', async () => {
  const now = Date.now();
  const { box } = pages.box;
  const backfill = {
    state: 'running' as const,
    from: '20160101',
    to: '20260101',
    day: '20210101',
    days: 3_653,
    daysDone: 1_826,
    found: 48_211,
    registered: 48_190,
    leftOut: 21,
    begunAt: now - 7_200_000,
    endedAt: null,
    reason: '',
  };
  const archived = { archive: 'PACS_NORTH', pulling: 1, backfill, incompleteCount: 0, incomplete: [] };
  box.change({ time: now, sidecar: archived });
  const { page } = await open('admin', 'Destinations');
  const archive = page.getByRole('region', { name: 'Archive PACS_NORTH' });
  await archive.getByText('Reading its past').waitFor();
  await archive.getByText('2026-01-01 back to 2016-01-01').waitFor();
  assert.equal(await archive.getByRole('progressbar').getAttribute('value'), '1826');
  await archive.getByText('48\u202f190').waitFor();
  await archive.getByText('study is being pulled').waitFor();
  await assertForEverybody(page, 'archive');
  const reason = 'PACS_NORTH cannot be reached.';
  box.change({
    sidecar: { ...archived, pulling: 0, backfill: { ...backfill, state: 'failing', reason } },
  });
  await archive.getByText('Failing').waitFor();
  await archive.getByText(reason).waitFor();
  await page.context().close();
});

test('a study of which the archive gave too little is accepted as it is; an auditor only sees it', async () => {
  const now = Date.now();
  const { box } = pages.box;
  const incomplete = [
    exampleIncomplete(now),
    exampleIncomplete(now, { studyRef: 'ab35', description: '<img src=x onerror=alert(1)>', missing: 1 }),
  ];
  const sidecar = { archive: 'PACS_NORTH', pulling: 0, backfill: null, incompleteCount: 30, incomplete };
  box.change({ time: now, sidecar });
  const { page, complaints } = await open('admin', 'Destinations');
  const archive = page.getByRole('region', { name: 'Archive PACS_NORTH' });
  await archive.getByText('Incomplete studies, 2 of 30 shown').waitFor();
  await archive.getByText('3 of 120 objects were listed by the archive and not given.').waitFor();
  await archive.getByText('<img src=x onerror=alert(1)>').waitFor();
  await archive.getByRole('button', { name: 'Accept the study of' }).first().click();
  await assertForEverybody(page, 'incomplete studies');
  await archive.getByRole('button', { name: 'Really accept the study of' }).click();
  await archive.getByRole('button', { name: 'Really accept' }).waitFor({ state: 'detached' });
  assert.deepEqual(box.dicom.acts.at(-1), { act: 'acceptIncomplete', subject: 'ab34', by: 'admin' });
  box.change({ sidecar: { ...sidecar, incompleteCount: 0, incomplete: [] } });
  await archive.getByText('Incomplete studies').waitFor({ state: 'detached' });
  assert.deepEqual(complaints, []);
  await page.context().close();

  box.change({ sidecar });
  const auditing = await open('anna', 'Destinations');
  await auditing.page.getByText('3 of 120 objects').waitFor();
  assert.equal(await auditing.page.getByRole('button', { name: 'Accept' }).count(), 0);
  await auditing.page.context().close();
});

test('what is in quarantine is released or discarded; an auditor sees it and can do nothing', async () => {
  const now = Date.now();
  const { box } = pages.box;
  const unreadable = exampleQuarantined(now, {
    id: 'held2',
    patientName: '',
    patientId: '',
    modality: '',
    description: '<img src=x onerror=alert(1)>',
    sopInstanceUid: '',
    reason: 'The header cannot be parsed.',
    releasable: false,
  });
  box.change({
    time: now,
    quarantine: { count: 2, bytes: 900_000, objects: [exampleQuarantined(now), unreadable] },
  });
  const { page, complaints } = await open('admin', 'Quarantine 2 held');
  const quarantine = page.getByRole('region', { name: 'Quarantine' });
  await quarantine.getByText('2 held, 900 kB').waitFor();
  await quarantine.getByText('<img src=x onerror=alert(1)>').waitFor();
  await assertForEverybody(page, 'quarantine');
  assert.equal(await quarantine.getByRole('button', { name: 'Release' }).count(), 1);
  await quarantine.getByRole('button', { name: 'Release the object of Canary, Winifred' }).click();
  await quarantine.getByRole('button', { name: 'Really release' }).click();
  await quarantine.getByRole('button', { name: 'Release the object of Canary, Winifred' }).waitFor();
  await quarantine.getByRole('button', { name: 'Discard the object', exact: true }).click();
  await quarantine.getByRole('button', { name: 'Really discard' }).click();
  await quarantine.getByRole('button', { name: 'Discard the object', exact: true }).waitFor();
  assert.deepEqual(box.dicom.acts.slice(-2), [
    { act: 'releaseFromQuarantine', subject: 'held1', by: 'admin' },
    { act: 'discardFromQuarantine', subject: 'held2', by: 'admin' },
  ]);
  assert.deepEqual(complaints, []);
  await page.context().close();

  const auditor = await open('anna', 'Quarantine 2 held');
  await auditor.page.getByText('The header cannot be parsed.').waitFor();
  assert.equal(await auditor.page.getByRole('main').getByRole('button').count(), 0);
  await auditor.page.getByRole('link', { name: 'Studies' }).click();
  await auditor.page.getByRole('heading', { name: 'Studies received' }).waitFor();
  await auditor.page.goBack();
  await auditor.page.getByRole('heading', { name: 'Quarantine' }).waitFor();
  await auditor.page.context().close();
});
