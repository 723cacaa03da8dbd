/** Any one box is killed with -9 during the main job: the other three go on; restarted, it catches up and nothing is lost. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { before, test } from 'node:test';
import type { Overview, StudyView } from '../../firmware/src/http/contract.ts';
import type { HeadAnswer, ProofAnswer } from '../../firmware/wallet/http-contract.ts';
import { compareWithPacs } from '../../provisioning/demo/comparison.ts';
import { ConsoleClient } from '../../provisioning/demo/console-client.ts';
import type { Consortium, Logins } from '../../provisioning/demo/consortium.ts';
import { writeCtPhantom, type SampleStudy } from '../../provisioning/demo/ct-phantom.ts';
import { sendStudy } from '../../provisioning/demo/modality.ts';
import { patientAtGrantee, patientAtSource, type DemoPatient } from '../../provisioning/demo/patient.ts';
import { logIn } from '../../provisioning/demo/staff.ts';
import { waitFor } from '../../provisioning/demo/waiting.ts';
import { WalletHolder } from '../../provisioning/demo/wallet-holder.ts';
import { startConsortium } from '../support/demo-consortium.ts';
import { fileCleanups } from '../support/file-cleanups.ts';

const [a, b, c, d] = ['harrowmere', 'lindqvist', 'porto-celeste', 'tarn-valley'] as const;

/** So much that a transfer is seen half-way, also by a machine that has other things to do. */
const slicesOfLarge = 160;
const slicesOfSmall = 24;
/** For whatever a loaded machine may take long for; nothing here is about speed. */
const patienceSeconds = 120;

let consortium: Consortium;
let logins: Logins;
let wallet: WalletHolder;
/** Acknowledged by A just before it is killed. */
let acknowledged: SampleStudy;
let large: SampleStudy;

before(async () => {
  ({ consortium, logins } = await startConsortium(fileCleanups));
  wallet = new WalletHolder(join(consortium.folder, 'patient.wallet'));
  await wallet.own();
  await bindAt(a, patientAtSource);
  await bindAt(b, patientAtGrantee);
  acknowledged = await makeStudy('acknowledged', slicesOfSmall);
  large = await makeStudy('large', slicesOfLarge);
});

function makeStudy(name: string, slices: number): Promise<SampleStudy> {
  return writeCtPhantom(join(consortium.folder, 'modality', name), patientAtSource, slices);
}

/** A new session each time: the box may have been another process when the last began. */
function administratorAt(id: string): Promise<ConsoleClient> {
  return logIn(consortium.box(id), logins[id], 'admin');
}

async function bindAt(id: string, { patientId, name, birthDate, sex }: DemoPatient): Promise<void> {
  const reception = await logIn(consortium.box(id), logins[id], 'reception');
  const ticket = await reception.createTicket({ patientId, name, birthDate, sex });
  await wallet.bind(ticket.payload);
}

async function send(study: SampleStudy): Promise<void> {
  await sendStudy(study, consortium.box(a).hospital.ports.dicom, 'CT1', true);
}

/** What the box shows as soon as it shows this. */
async function seenAt(id: string, what: string, isSo: (seen: Overview) => boolean): Promise<Overview> {
  const admin = await administratorAt(id);
  return waitFor(`${what} at ${id}`, patienceSeconds, async () => {
    const seen = await admin.overview();
    return isSo(seen) ? seen : undefined;
  });
}

function viewOf({ studies }: Overview, study: SampleStudy): StudyView | undefined {
  return studies.find(({ studyInstanceUid }) => studyInstanceUid === study.studyInstanceUid);
}

function isClosed(study: SampleStudy): (seen: Overview) => boolean {
  return (seen) => {
    const view = viewOf(seen, study);
    return view?.ledger.kind === 'final' && view.ledger.closed && view.objects === study.objects;
  };
}

function holdsAll(study: SampleStudy): (seen: Overview) => boolean {
  return (seen) => viewOf(seen, study)?.objects === study.objects;
}

/** Kills the box between the first and the last object of a transfer: its own or, if told, that of its receiver. */
async function killDuringTransfer(victim: string, receiver: string, study: SampleStudy): Promise<number> {
  const seen = await seenAt(receiver, 'a transfer under way', (overview) => {
    return (viewOf(overview, study)?.objects ?? 0) > 0;
  });
  await consortium.box(victim).kill();
  const objects = viewOf(seen, study)?.objects ?? 0;
  assert.ok(objects < study.objects, 'the transfer was over before the box was killed');
  return objects;
}

async function grant(study: SampleStudy, to: string): Promise<void> {
  await wallet.grant(study.studyInstanceUid, to, 7, 'Second opinion');
}

/** The releases of a study to an institution, once the last of them is closed. */
async function closedReleases(study: SampleStudy, grantee: string) {
  return waitFor(`the closing receipt of ${grantee}`, patienceSeconds, async () => {
    const history = await wallet.history(study.studyInstanceUid);
    const releases = history.releases.filter((release) => release.grantee === grantee);
    return releases.length > 0 && releases.at(-1)?.closed !== null ? releases : undefined;
  });
}

async function assertSameInPacs(study: SampleStudy): Promise<void> {
  const pacs = consortium.pacs.get(b);
  assert.ok(pacs !== undefined);
  const result = await compareWithPacs(study, pacs, join(consortium.folder, 'comparison'));
  assert.deepEqual(result.differences, []);
  assert.equal(result.objects, study.objects);
  assert.deepEqual(result.patientIds, [patientAtGrantee.patientId]);
}

async function delivered(study: SampleStudy): Promise<void> {
  await seenAt(b, 'the delivery', (seen) => {
    const view = viewOf(seen, study);
    return view?.objects === study.objects && view.deliveries.some(({ state }) => state === 'delivered');
  });
}

/** What wallets are shown of a box's ledger: header, certificate, and a study with its proof. */
async function ledgerAt(id: string, studyId: string): Promise<{ head: string; proof: ProofAnswer }> {
  const { origin, certificateSha256 } = consortium.box(id);
  const client = new ConsoleClient(origin, certificateSha256);
  const { header } = await client.call<HeadAnswer>('GET', '/wallet/v1/ledger/head');
  const proof = await client.call<ProofAnswer>('GET', `/wallet/v1/ledger/proof?key=study/${studyId}`);
  return { head: header, proof };
}

test('a box that is killed right after it acknowledged a study holds all of it, and registers it', async () => {
  await send(acknowledged);
  await consortium.box(a).kill();
  await consortium.box(a).start();
  const admin = await administratorAt(a);
  assert.equal(viewOf(await admin.overview(), acknowledged)?.objects, acknowledged.objects);
  await seenAt(a, 'the study closed on the ledger', isClosed(acknowledged));
});

for (const [victim, grantee] of [
  [c, d],
  [d, c],
] as const) {
  test(`without ${victim} the other three finalise; restarted, it catches up`, async () => {
    const study = await makeStudy(`without-${victim}`, 4);
    await send(study);
    await consortium.box(victim).kill();
    const begun = await (await administratorAt(a)).overview();
    const closed = await seenAt(a, 'the study closed on the ledger', isClosed(study));
    assert.equal(closed.peers.find(({ institution }) => institution === victim)?.connected, false);
    await grant(study, grantee);
    await seenAt(grantee, 'the granted study', holdsAll(study));
    const [release] = await closedReleases(study, grantee);
    assert.ok(release !== undefined);
    const others = [a, b, c, d].filter((id) => id !== victim);
    for (const id of others) {
      await seenAt(id, 'more blocks', ({ ledger }) => ledger.height >= closed.ledger.height + 2);
    }
    assert.ok(closed.ledger.height > begun.ledger.height);

    await consortium.box(victim).start();
    const { studyId } = await wallet.history(study.studyInstanceUid);
    const proof = await waitFor(`${victim} to be level with ${a}`, patienceSeconds, async () => {
      const [own, its] = [await ledgerAt(a, studyId), await ledgerAt(victim, studyId)];
      return own.head === its.head && own.proof.header === its.proof.header
        ? [own.proof, its.proof]
        : undefined;
    });
    assert.notEqual(proof[0]?.proofs[0]?.value ?? null, null);
    assert.deepEqual(proof[1]?.proofs, proof[0]?.proofs);
    await seenAt(victim, 'the others', ({ peers }) => peers.every(({ connected }) => connected));
  });
}

test('a grantee that is killed in a transfer resumes it under the same receipt', async () => {
  await send(large);
  await seenAt(a, 'the large study closed on the ledger', isClosed(large));
  await grant(large, b);
  const kept = await killDuringTransfer(b, b, large);
  await consortium.box(b).start();
  const restarted = await (await administratorAt(b)).overview();
  assert.ok((viewOf(restarted, large)?.objects ?? 0) >= kept, 'what was kept before is there');
  await delivered(large);
  const releases = await closedReleases(large, b);
  assert.equal(releases.length, 1, 'one opening receipt, closed');
  await assertSameInPacs(large);
  // Each object crossed the wire once, but for the one that was cut in two.
  const sent = (
    await seenAt(a, 'the end of the transfer', ({ releases: shown }) => shown[0]?.outcome === 'released')
  ).releases[0];
  assert.ok((sent?.objects ?? Infinity) <= large.objects - kept, 'only what was missing was sent again');
});

test('a source that is killed in a transfer goes on with it after its restart', async () => {
  await grant(large, c);
  await killDuringTransfer(a, c, large);
  await consortium.box(a).start();
  await seenAt(c, 'the large study', holdsAll(large));
  const releases = await closedReleases(large, c);
  assert.equal(releases.length, 1, 'one opening receipt, closed');
  const [atSource, atGrantee] = [
    await (await administratorAt(a)).overview(),
    await (await administratorAt(c)).overview(),
  ];
  assert.equal(viewOf(atGrantee, large)?.bytes, viewOf(atSource, large)?.bytes);
  assert.ok(
    atGrantee.releases.some(({ outcome }) => outcome === 'failed'),
    'the break is recorded',
  );
});

test('a PACS that is down gets the study when it comes back', async () => {
  const pacs = consortium.pacs.get(b);
  assert.ok(pacs !== undefined);
  await pacs.stop();
  await grant(acknowledged, b);
  await seenAt(b, 'the failed delivery', (seen) => {
    const isAlarmed = seen.health.some(({ code }) => code === 'DELIVERY_FAILED');
    return (
      isAlarmed &&
      holdsAll(acknowledged)(seen) &&
      viewOf(seen, acknowledged)?.deliveries[0]?.state === 'failed'
    );
  });
  // The receipt says what B holds, whether or not its PACS is up.
  await closedReleases(acknowledged, b);
  await pacs.start();
  await delivered(acknowledged);
  await seenAt(b, 'nothing wrong any more', ({ health }) => health.length === 0);
  await assertSameInPacs(acknowledged);
});
