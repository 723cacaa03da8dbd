/** The console's page of the consortium, in Debian's Chromium: what is proposed, voting, proposing, the keys of the box. */
import assert from 'node:assert/strict';
import { mkdir } from 'node:fs/promises';
import test, { after, before } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import type { Page } from 'playwright-core';
import { assertForEverybody } from '../support/accessibility.ts';
import { adminPassword } from '../support/console-fixture.ts';
import { ConsolePages } from '../support/console-pages.ts';
import { exampleConsortium, exampleProposal } from '../support/fake-consortium-desk.ts';

let pages: ConsolePages;

before(async () => {
  pages = await ConsolePages.open();
  await pages.box.person(await pages.box.administrator(), 'anna', 'auditor');
});

after(() => pages.close());

const dayMs = 86_400_000;

/** The page sends what was confirmed in its own time. */
async function whenActed(): Promise<void> {
  while (pages.box.box.consortium.acts.length === 0) await delay(10);
}

/** Logged in, on the page of the consortium. */
async function open(account: string): Promise<{ page: Page; complaints: readonly string[] }> {
  const { page, complaints } = await pages.page();
  await pages.logIn(page, account, adminPassword);
  await page.getByRole('navigation', { name: 'Pages' }).getByRole('link', { name: 'Consortium' }).click();
  return { page, complaints };
}

function show(proposals = [exampleProposal(Date.now())], revision = 1): void {
  const now = Date.now();
  const { box } = pages.box;
  box.consortium.shown = exampleConsortium(now, { proposals });
  const waiting = proposals.filter(({ mayVote }) => mayVote).length;
  box.change({ time: now, consortium: { waiting, revision } });
}

/** Where somebody asks for a picture of the page: docs/pictures/consortium.png was made so. */
const pictures = process.env.HILUM_PICTURES;

test('proposals are seen with their votes, and voted on after a second question', async () => {
  const now = Date.now();
  const { box } = pages.box;
  show([
    exampleProposal(now),
    exampleProposal(now, {
      id: 'b2'.repeat(32),
      action: {
        kind: 'parameters',
        changes: [{ name: 'epochMs', before: '86400000', after: '43200000' }],
      },
      proposerName: 'Northgate Hospital',
      approvedBy: ['Northgate Hospital'],
      rejectedBy: ['University Clinic Velden'],
      mayVote: false,
      acts: [{ kind: 'proposed', account: 'admin', at: now - 3 * dayMs }],
    }),
    exampleProposal(now, {
      id: 'c3'.repeat(32),
      action: { kind: 'remove', institution: 'mill', name: 'Mill Lane Clinic' },
      state: 'passed',
      decidedAt: now - 9 * dayMs,
      approvedBy: ['Harbour Imaging Centre', 'University Clinic Velden', 'Northgate Hospital'],
      mayVote: false,
    }),
  ]);
  const { page, complaints } = await open('admin');
  await page.getByRole('link', { name: 'Consortium 1 wait for a vote' }).waitFor();
  const proposals = page.getByRole('region', { name: 'Proposals' });
  await proposals.getByText('Admit Eastmoor Community Hospital').first().waitFor();
  await proposals.getByText('2 of 3 votes that it needs').waitFor();
  await proposals.getByText('2 for: St. Brannoc Infirmary, Harbour Imaging Centre').waitFor();
  await proposals.getByText('Proposed here by admin').waitFor();
  await proposals.getByText('epochMs').waitFor();
  await proposals.getByText('Passed').waitFor();
  await assertForEverybody(page, 'consortium');
  if (pictures !== undefined) {
    await mkdir(pictures, { recursive: true });
    await page.setViewportSize({ width: 1280, height: 900 });
    await page.screenshot({ path: `${pictures}/consortium.png`, fullPage: true });
  }
  assert.equal(await proposals.getByRole('button', { name: /^Approve/ }).count(), 1, 'one may be voted on');
  await proposals.getByRole('button', { name: 'Reject Admit Eastmoor Community Hospital' }).click();
  assert.deepEqual(box.consortium.acts, []);
  show([exampleProposal(now, { mayVote: false, rejectedBy: ['Northgate Hospital'] })], 2);
  await proposals.getByText('1 against: Northgate Hospital').waitFor();
  assert.equal(await proposals.getByRole('button', { name: /^Reject/ }).count(), 0);

  show(undefined, 3);
  await proposals.getByRole('button', { name: 'Approve Admit Eastmoor Community Hospital' }).click();
  await proposals.getByRole('button', { name: 'Really approve Admit Eastmoor' }).click();
  await whenActed();
  assert.deepEqual(box.consortium.acts.splice(0), [
    { act: 'vote', what: { id: 'a1'.repeat(32), approve: true }, by: 'admin' },
  ]);
  assert.deepEqual(complaints, []);
  await page.context().close();
});

test('a candidate’s box proves itself before the vote, check by check', async () => {
  const { box } = pages.box;
  show([exampleProposal(Date.now(), { provedUntil: null })]);
  const { page, complaints } = await open('admin');
  const proposals = page.getByRole('region', { name: 'Proposals' });
  await proposals.getByText('To approve it, first have its box prove itself.').waitFor();
  // Whoever brings the record could have put in a root of his own.
  await proposals.getByText(`Key 3 of the offline root ${'a3'.repeat(32)}`).waitFor();
  assert.equal(await proposals.getByRole('button', { name: /^Approve/ }).count(), 0);
  const ask = proposals.getByRole('button', {
    name: 'Have its box prove itself: Eastmoor Community Hospital',
  });
  box.consortium.attested = { kind: 'none', reason: 'The box of the candidate did not answer.' };
  await ask.click();
  await proposals.getByText('The box of the candidate did not answer.').waitFor();
  box.consortium.attested = {
    kind: 'judged',
    passed: false,
    development: true,
    checks: [
      { name: 'endorsement-chain', passed: true, finding: 'A simulator’s, which the ledger accepts.' },
      { name: 'nonce', passed: false, finding: 'The quote answers another challenge.' },
    ],
  };
  await ask.click();
  await proposals.getByText('Its box has not proved what its record says.').waitFor();
  await proposals.getByText('Its TPM is software').waitFor();
  await proposals.getByText('The quote answers another challenge.').waitFor();
  await assertForEverybody(page, 'attested');
  assert.deepEqual(
    box.consortium.acts.splice(0).map(({ act }) => act),
    ['attestCandidate', 'attestCandidate'],
  );
  assert.deepEqual(complaints, []);
  await page.context().close();
});

test('an administrator proposes, is told why not, and brings what was signed offline', async () => {
  const { box } = pages.box;
  show([]);
  const { page, complaints } = await open('admin');
  await page.getByText('Nothing is proposed.').waitFor();
  const propose = page.getByRole('region', { name: 'Propose' });
  await propose.getByText('Admit a hospital').click();
  await propose.getByLabel('Its record').fill('{"id":"eastmoor"}');
  await assertForEverybody(page, 'proposing');
  box.consortium.answer = { kind: 'refused', reason: 'This is no record of a hospital: keys expected.' };
  await propose.getByRole('button', { name: 'Propose' }).click();
  await propose.getByText('This is no record of a hospital: keys expected.').waitFor();
  box.consortium.answer = { kind: 'done' };
  await propose.getByRole('button', { name: 'Propose' }).click();
  await propose.getByText('It stands on the ledger.').waitFor();
  await propose.getByText('Admit a hospital').click();

  await propose.getByText('Change who validates').click();
  await propose.getByLabel('University Clinic Velden').check();
  await propose.getByLabel('Harbour Imaging Centre').uncheck();
  await propose.getByRole('button', { name: 'Propose' }).click();
  await propose.getByText('It stands on the ledger.').last().waitFor();
  await propose.getByText('Change who validates').click();

  await propose.getByText('Change the parameters').click();
  const parameters = propose.getByLabel('All parameters');
  await parameters.fill((await parameters.inputValue()).replace('86400000', '43200000'));
  box.consortium.answer = { kind: 'waiting' };
  await propose.getByRole('button', { name: 'Propose' }).click();
  await propose.getByText('It waits for a block of the ledger.').waitFor();
  await propose.getByText('Change the parameters').click();
  box.consortium.answer = { kind: 'done' };

  await propose.getByText('Bring what an offline root has signed').click();
  await propose.getByLabel('Signed document').fill('a0 ff\n01');
  await propose.getByRole('button', { name: 'Bring to the ledger' }).click();
  await propose.getByText('It stands on the ledger.').last().waitFor();
  assert.deepEqual(
    box.consortium.acts.splice(0).map(({ act, what }) => [act, what]),
    [
      ['propose', { kind: 'admit', record: '{"id":"eastmoor"}', validator: true }],
      ['propose', { kind: 'admit', record: '{"id":"eastmoor"}', validator: true }],
      ['propose', { kind: 'validators', add: ['velden'], remove: ['harbour'] }],
      [
        'propose',
        {
          kind: 'parameters',
          parameters: JSON.stringify({ epochMs: 43_200_000, proposalMs: 30 * dayMs }, null, 2),
        },
      ],
      ['bring', 'a0ff01'],
    ],
  );
  assert.deepEqual(complaints, []);
  await page.context().close();
});

test('keys are rotated by an administrator; an auditor looks and has nothing to press', async () => {
  const { box } = pages.box;
  show();
  const { page } = await open('admin');
  const members = page.getByRole('region', { name: 'Members' });
  await members.getByText('does not validate').waitFor();
  await members.getByText('offline root: 2 of 3 keys').first().waitFor();
  await members.getByRole('button', { name: 'Rotate the keys now' }).click();
  await members.getByRole('button', { name: 'Really rotate the keys now' }).click();
  await whenActed();
  assert.deepEqual(box.consortium.acts.splice(0), [{ act: 'rotateKeys', what: null, by: 'admin' }]);
  await page.context().close();

  const auditor = await open('anna');
  await auditor.page.getByText('Admit Eastmoor Community Hospital').first().waitFor();
  assert.equal(await auditor.page.getByRole('button', { name: /Approve|Reject|Rotate|Propose/ }).count(), 0);
  await auditor.page.context().close();
});
