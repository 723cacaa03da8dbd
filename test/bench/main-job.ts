/** The main job in figures: one CT of 200 slices, four boxes on this machine, nothing else at work. */
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { ConsoleClient } from '../../provisioning/demo/console-client.ts';
import type { Consortium } from '../../provisioning/demo/consortium.ts';
import { sliceCount, writeCtPhantom, type SampleStudy } from '../../provisioning/demo/ct-phantom.ts';
import type { HospitalProcess } from '../../provisioning/demo/hospital-process.ts';
import { sendStudy } from '../../provisioning/demo/modality.ts';
import { patientAtGrantee, patientAtSource, type DemoPatient } from '../../provisioning/demo/patient.ts';
import { logIn } from '../../provisioning/demo/staff.ts';
import { waitFor } from '../../provisioning/demo/waiting.ts';
import { WalletHolder } from '../../provisioning/demo/wallet-holder.ts';
import { startConsortium } from '../support/demo-consortium.ts';
import type { BenchResult } from './bench.ts';
import { boxMemory } from './box-memory.ts';

/** After the start: what a box holds when nothing has happened for a while. */
const idleMs = 15_000;
/** Grants and revocations whose finality is measured besides those of the job. */
const finalityRounds = 10;

interface LogLine {
  readonly time: string;
  readonly msg: string;
  readonly ms?: number;
  readonly kind?: string;
}

async function logOf(box: HospitalProcess): Promise<readonly LogLine[]> {
  const text = await readFile(box.logPath, 'utf8');
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as LogLine);
}

/** When the last line with this message was written, UTC milliseconds. */
function timeOf(log: readonly LogLine[], message: string): number {
  const line = log.findLast(({ msg }) => msg === message);
  if (line === undefined) throw new Error(`the log has no "${message}"`);
  return Date.parse(line.time);
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}

async function bind(wallet: WalletHolder, reception: ConsoleClient, patient: DemoPatient): Promise<void> {
  const { patientId, name, birthDate, sex } = patient;
  await wallet.bind((await reception.createTicket({ patientId, name, birthDate, sex })).payload);
}

async function studyAt(
  admin: ConsoleClient,
  study: SampleStudy,
  state: 'closed' | 'delivered',
): Promise<void> {
  await waitFor(`the CT to be ${state}`, 300, async () => {
    const { studies } = await admin.overview();
    const view = studies.find(({ studyInstanceUid }) => studyInstanceUid === study.studyInstanceUid);
    const there =
      state === 'closed'
        ? view?.ledger.kind === 'final' && view.ledger.closed
        : view?.objects === study.objects &&
          view.deliveries.some((delivery) => delivery.state === 'delivered');
    return there ? true : undefined;
  });
}

/** Milliseconds from submission to finality of each transaction that this box submitted. */
async function finalities(consortium: Consortium): Promise<number[]> {
  const logs = await Promise.all(consortium.boxes.map(logOf));
  return logs
    .flat()
    .filter(({ msg, kind }) => msg === 'submitted transaction settled' && kind === 'final')
    .map(({ ms }) => ms ?? 0);
}

export async function benchMainJob(): Promise<BenchResult> {
  const cleanups: (() => Promise<void> | void)[] = [];
  try {
    return await measure((cleanup) => cleanups.push(cleanup));
  } finally {
    for (const cleanup of cleanups.reverse()) await cleanup();
  }
}

async function measure(after: (cleanup: () => Promise<void> | void) => void): Promise<BenchResult> {
  process.stdout.write('Four boxes and a PACS start; the CT is made …\n');
  const { consortium, logins } = await startConsortium({ after });
  const [a, b] = [consortium.box('harrowmere'), consortium.box('lindqvist')];
  const wallet = new WalletHolder(join(consortium.folder, 'patient.wallet'));
  await wallet.own();
  for (const [box, patient] of [
    [a, patientAtSource],
    [b, patientAtGrantee],
  ] as const) {
    await bind(wallet, await logIn(box, logins[box.hospital.id], 'reception'), patient);
  }
  const adminA = await logIn(a, logins[a.hospital.id], 'admin');
  const adminB = await logIn(b, logins[b.hospital.id], 'admin');
  const folder = join(consortium.folder, 'modality');
  await mkdir(folder);
  const study = await writeCtPhantom(folder, patientAtSource, sliceCount);
  await delay(idleMs);
  const idle = await boxMemory(a.pid);

  process.stdout.write('The CT is sent, registered, granted, fetched and delivered …\n');
  const sent = await sendStudy(study, a.hospital.ports.dicom, 'CT1', true);
  await studyAt(adminA, study, 'closed');
  const closedAt = timeOf(await logOf(a), 'study on the ledger');
  const beforeGrantAt = Date.now();
  const studyId = (await wallet.studies()).studies[0]?.studyId ?? '';
  await wallet.grant(studyId, b.hospital.id, 7, 'Benchmark');
  await studyAt(adminB, study, 'delivered');
  const log = await logOf(b);
  const recognisedAt = timeOf(log, 'grant recognised');
  const openedAt = timeOf(log, 'opening receipt is final');
  const fetchedAt = timeOf(log, 'study fetched');
  const deliveredAt = timeOf(log, 'study delivered');
  const [peakA, peakB] = await Promise.all([boxMemory(a.pid), boxMemory(b.pid)]);

  process.stdout.write('Finality is measured …\n');
  for (let round = 0; round < finalityRounds; round++) {
    await wallet.grant(studyId, 'tarn-valley', 1, 'Benchmark');
    await wallet.revoke(studyId);
  }
  const finalityMs = await finalities(consortium);

  const seconds = (ms: number) => Number((ms / 1000).toFixed(3));
  const megabytes = (bytes: number) => Number((bytes / 1e6).toFixed(1));
  const quiet = closedAt - sent.endedAt;
  const patient = recognisedAt - beforeGrantAt;
  const rest = deliveredAt - recognisedAt;
  const transferMBps = Number((study.bytes / 1e3 / (fetchedAt - openedAt)).toFixed(1));
  const peak = Math.max(peakA.peakBytes, peakB.peakBytes);
  return {
    rows: [
      ['study', `${study.objects} slices of 512 × 512, ${megabytes(study.bytes)} MB`],
      [
        'received by A',
        `${seconds(sent.seconds * 1000)} s, ${(study.bytes / 1e6 / sent.seconds).toFixed(1)} MB/s`,
      ],
      ['last response → closed on the ledger (the quiet time is 2 s of it)', `${seconds(quiet)} s`],
      ['the wallet reads, checks and grants (two processes) → B has recognised it', `${seconds(patient)} s`],
      ['grant recognised → opening receipt final', `${seconds(openedAt - recognisedAt)} s`],
      ['transfer A → B: verified and on disk', `${seconds(fetchedAt - openedAt)} s, ${transferMBps} MB/s`],
      ['delivery to the PACS by C-STORE', `${seconds(deliveredAt - fetchedAt)} s`],
      ['end to end without quiet time', `${seconds(quiet - 2_000 + patient + rest)} s`],
      [`finality of ${finalityMs.length} transactions, median`, `${median(finalityMs)} ms`],
      ['memory of a box, idle', `${megabytes(idle.residentBytes)} MB`],
      ['memory of a box, peak of A and B', `${megabytes(peak)} MB`],
    ],
    json: {
      bench: 'main-job',
      endToEndSeconds: seconds(quiet + patient + rest),
      finalitySecondsP50: seconds(median(finalityMs)),
      transferMBps,
      idleRssMB: megabytes(idle.residentBytes),
      peakRssMB: megabytes(peak),
    },
  };
}
