/**
 * The main job, end to end: a study goes from a modality at one hospital to the PACS of another, because its patient
 * said so; who was not permitted gets nothing and learns nothing.
 */
import { randomBytes } from 'node:crypto';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Overview, ReleaseView, RequestAnswer, StudyView } from '../../firmware/src/http/contract.ts';
import type { WalletStudies } from '../../firmware/wallet/wallet-answers.ts';
import { compareWithPacs } from './comparison.ts';
import type { ConsoleClient } from './console-client.ts';
import type { Consortium, Logins } from './consortium.ts';
import { writeCtPhantom, type SampleStudy } from './ct-phantom.ts';
import type { HospitalProcess } from './hospital-process.ts';
import { sendStudy, type Sent } from './modality.ts';
import { megabytes, type Narrator } from './narrator.ts';
import { patientAtGrantee, patientAtSource, type DemoPatient } from './patient.ts';
import { writePydicomStudy } from './pydicom-samples.ts';
import { logIn } from './staff.ts';
import { waitFor } from './waiting.ts';
import { WalletHolder } from './wallet-holder.ts';

export interface MainJobOptions {
  readonly consortium: Consortium;
  readonly logins: Logins;
  readonly narrator: Narrator;
  readonly slices: number;
  /** By how many milliseconds the answers to refused requests may differ; not looked at if left out. */
  readonly answerSpreadMsMax?: number;
}

/** What the benchmark and the tests want to know of a run. */
export interface MainJobReport {
  readonly ct: SampleStudy;
  /** UTC milliseconds. */
  readonly lastResponseAt: number;
  readonly closedAt: number;
  readonly grantedAt: number;
  readonly deliveredAt: number;
  readonly ctStudyId: string;
}

interface Place {
  readonly box: HospitalProcess;
  readonly admin: ConsoleClient;
  readonly reception: ConsoleClient;
  readonly clinician: ConsoleClient;
}

const grantDays = 7;
const purpose = 'Second opinion';

export async function runMainJob(options: MainJobOptions): Promise<MainJobReport> {
  return new MainJob(options).run();
}

class MainJob {
  readonly #options: MainJobOptions;
  readonly #narrator: Narrator;
  readonly #wallet: WalletHolder;

  constructor(options: MainJobOptions) {
    this.#options = options;
    this.#narrator = options.narrator;
    this.#wallet = new WalletHolder(join(options.consortium.folder, 'patient.wallet'));
  }

  async run(): Promise<MainJobReport> {
    const [a, b, c] = await this.#places();
    await this.#narrator.step(
      'the four boxes are connected and finalise blocks',
      () => this.#meshed([a, b, c]),
      (height) => `block ${height}`,
    );
    await this.#bindPatient(a, b);
    const studies = await this.#makeStudies();
    const sent = await this.#send(a, studies);
    const closed = await this.#register(a, studies);
    const ids = await this.#readMailbox(studies);
    const { grantedAt, delivered } = await this.#release(b, studies, ids);
    await this.#compare(b, studies);
    const [ct] = studies;
    const ctStudyId = ids.get(ct.studyInstanceUid) ?? '';
    await this.#receipts(ctStudyId, b);
    await this.#refusals(a, b, c, ctStudyId);
    return {
      ct,
      lastResponseAt: sent.endedAt,
      closedAt: closed,
      grantedAt,
      deliveredAt: delivered.get(ct.studyInstanceUid) ?? 0,
      ctStudyId,
    };
  }

  async #places(): Promise<[Place, Place, Place]> {
    const { consortium, logins } = this.#options;
    const places = consortium.boxes.slice(0, 3).map(async (box): Promise<Place> => {
      const own = logins[box.hospital.id];
      return {
        box,
        admin: await logIn(box, own, 'admin'),
        reception: await logIn(box, own, 'reception'),
        clinician: await logIn(box, own, 'clinician'),
      };
    });
    return (await Promise.all(places)) as [Place, Place, Place];
  }

  async #meshed(places: readonly Place[]): Promise<number> {
    const heights = await Promise.all(
      places.map(({ admin, box }) =>
        waitFor(`${box.hospital.name} to be level with its peers`, 60, async () => {
          const { peers, ledger } = await admin.overview();
          return peers.every((peer) => peer.connected) && ledger.height > 0 && !ledger.stale
            ? ledger.height
            : undefined;
        }),
      ),
    );
    return Math.max(...heights);
  }

  async #bindPatient(a: Place, b: Place): Promise<void> {
    this.#narrator.heading('Reception');
    await this.#wallet.own();
    const bind = async ({ reception }: Place, patient: DemoPatient): Promise<void> => {
      const { patientId, name, birthDate, sex } = patient;
      const ticket = await reception.createTicket({ patientId, name, birthDate, sex });
      await this.#wallet.bind(ticket.payload);
    };
    for (const [place, patient] of [
      [a, patientAtSource],
      [b, patientAtGrantee],
    ] as const) {
      await this.#narrator.step(
        `${place.box.hospital.name} binds the patient's wallet to ${patient.patientId}`,
        () => bind(place, patient),
      );
    }
  }

  async #makeStudies(): Promise<[SampleStudy, SampleStudy]> {
    this.#narrator.heading('Modality');
    const folder = join(this.#options.consortium.folder, 'modality');
    await rm(folder, { recursive: true, force: true });
    await mkdir(folder, { recursive: true });
    return this.#narrator.step(
      'two studies are made ready',
      async () => [
        await writeCtPhantom(join(folder, 'ct'), patientAtSource, this.#options.slices),
        await writePydicomStudy(join(folder, 'pydicom'), patientAtSource),
      ],
      (made) =>
        made.map(({ what, objects, bytes }) => `${what}, ${objects} objects, ${megabytes(bytes)}`).join('; '),
    );
  }

  async #send(a: Place, [ct, real]: readonly [SampleStudy, SampleStudy]): Promise<Sent> {
    const { dicom } = a.box.hospital.ports;
    const rate = (study: SampleStudy) => (sent: Sent) =>
      `${study.objects} objects answered 0x0000, ${megabytes(study.bytes / sent.seconds)}/s`;
    await this.#narrator.step(
      `dcmsend sends the ${real.what}`,
      () => sendStudy(real, dicom, 'MR1', false),
      rate(real),
    );
    return this.#narrator.step(
      `dcmsend sends the ${ct.what}`,
      () => sendStudy(ct, dicom, 'CT1', true),
      rate(ct),
    );
  }

  async #register(a: Place, studies: readonly SampleStudy[]): Promise<number> {
    this.#narrator.heading(`Ledger, at ${a.box.hospital.name}`);
    for (const study of studies) {
      await this.#narrator.step(
        `the ${study.what} is registered`,
        () => this.#studyAt(a, study, (view) => view.ledger.kind === 'final', 60),
        (view) => (view.ledger.kind === 'final' ? `version ${view.ledger.version} is final` : ''),
      );
      await this.#narrator.step(
        `the ${study.what} is closed by the quiet time`,
        () => this.#studyAt(a, study, (view) => view.ledger.kind === 'final' && view.ledger.closed, 120),
        (view) =>
          view.ledger.kind === 'final' ? `version ${view.ledger.version}, ${view.objects} objects` : '',
      );
    }
    return Date.now();
  }

  async #readMailbox(studies: readonly SampleStudy[]): Promise<Map<string, string>> {
    this.#narrator.heading('Wallet');
    const found = await this.#narrator.step(
      'the wallet reads its mailbox and checks each study against the ledger',
      () => this.#wallet.studies(),
      (read) => `${verifiedIn(read).length} of ${read.studies.length} studies verified`,
    );
    const ids = new Map(
      verifiedIn(found).map(({ note, studyId }) => [note.studyInstanceUid, studyId as string]),
    );
    for (const { studyInstanceUid, what } of studies) {
      if (!ids.has(studyInstanceUid)) throw new Error(`the wallet does not find the ${what}`);
    }
    return ids;
  }

  async #release(
    b: Place,
    studies: readonly SampleStudy[],
    ids: ReadonlyMap<string, string>,
  ): Promise<{ readonly grantedAt: number; readonly delivered: ReadonlyMap<string, number> }> {
    const { hospital } = b.box;
    const delivered = new Map<string, number>();
    let grantedAt = 0;
    for (const study of studies) {
      grantedAt ||= Date.now();
      await this.#narrator.step(
        `the patient grants ${hospital.name} the ${study.what} for ${grantDays} days`,
        () => this.#wallet.grant(ids.get(study.studyInstanceUid) ?? '', hospital.id, grantDays, purpose),
        ({ grantId }) => `grant ${grantId.slice(0, 8)} is final`,
      );
      await this.#narrator.step(
        `${hospital.name} fetches it, verifies every chunk and delivers it to its PACS`,
        () => this.#studyAt(b, study, (view) => isDelivered(view, study), 180),
        (view) => `${view.objects} objects, ${megabytes(view.bytes)}`,
      );
      delivered.set(study.studyInstanceUid, Date.now());
    }
    return { grantedAt, delivered };
  }

  async #compare(b: Place, studies: readonly SampleStudy[]): Promise<void> {
    const { consortium } = this.#options;
    this.#narrator.heading(`PACS (Orthanc) of ${b.box.hospital.name}`);
    const pacs = consortium.pacs.get(b.box.hospital.id);
    if (pacs === undefined) throw new Error(`${b.box.hospital.name} has no PACS`);
    for (const study of studies) {
      await this.#narrator.step(
        `pydicom compares the ${study.what} with what was sent`,
        async () => {
          const result = await compareWithPacs(study, pacs, join(consortium.folder, 'comparison'));
          if (result.differences.length > 0) throw new Error([...new Set(result.differences)].join(', '));
          if (result.objects !== study.objects)
            throw new Error(`${result.objects} of ${study.objects} objects`);
          if (result.patientIds.join() !== patientAtGrantee.patientId)
            throw new Error('the patient ID is not the local one');
          return result;
        },
        ({ objects, pixelBytes, reconciled }) =>
          `${objects} objects, ${megabytes(pixelBytes)} of pixel data bit for bit; reconciled: ${reconciled.join(', ')}`,
      );
    }
  }

  async #receipts(studyId: string, b: Place): Promise<void> {
    this.#narrator.heading('Receipts');
    await this.#narrator.step(
      'the wallet shows who was sent what and when, complete by proof',
      () =>
        waitFor('the closing receipt', 60, async () => {
          const { releases } = await this.#wallet.history(studyId);
          const [last] = releases.filter((release) => release.grantee === b.box.hospital.id).slice(-1);
          return last?.closed === null ? undefined : last;
        }),
      (release) =>
        `${release.grantee ?? '?'}, opened ${isoTime(release.openedAt)}, closed ${isoTime(release.closed?.at ?? 0)}, ` +
        `at most ${megabytes(2 ** (release.closed?.sizeBucket ?? 0))}`,
    );
  }

  async #refusals(a: Place, b: Place, c: Place, studyId: string): Promise<void> {
    this.#narrator.heading('Refusals');
    const source = a.box.hospital.id;
    const ask = async (place: Place, what: string, id: string) =>
      this.#narrator.step(
        `${place.box.hospital.name} asks ${what}`,
        async () => {
          const begun = performance.now();
          const answer = await place.clinician.requestStudy(source, id);
          if (answer.kind !== 'refused') throw new Error('it was not refused');
          return { answer, ms: performance.now() - begun };
        },
        ({ answer, ms }) => `${answer.kind} after ${Math.round(ms)} ms`,
      );
    const answers = [await ask(c, 'without a grant', studyId)];
    await this.#narrator.step('the patient revokes all grants of the study', () =>
      this.#wallet.revoke(studyId),
    );
    answers.push(await ask(b, 'after the revocation', studyId));
    answers.push(await ask(c, 'for a study that does not exist', randomBytes(32).toString('hex')));
    await this.#narrator.step(
      'all got one and the same answer, after one and the same time',
      async () => Promise.resolve(this.#assertAlike(answers)),
      (spreadMs) => `${Math.round(spreadMs)} ms apart at most`,
    );
    await this.#narrator.step(
      `the console of ${a.box.hospital.name} shows the true reasons`,
      async () => reasonsIn(await a.admin.overview()),
      (reasons) => reasons.join('; '),
    );
  }

  /** The time between the quickest and the slowest, in milliseconds. @throws Error unless they are alike. */
  #assertAlike(answers: readonly { readonly answer: RequestAnswer; readonly ms: number }[]): number {
    const texts = new Set(answers.map(({ answer }) => JSON.stringify(answer)));
    if (texts.size !== 1) throw new Error(`the answers differ: ${[...texts].join(', ')}`);
    const times = answers.map(({ ms }) => ms);
    const spreadMs = Math.max(...times) - Math.min(...times);
    if (spreadMs > (this.#options.answerSpreadMsMax ?? Infinity))
      throw new Error(`the times of the answers are ${Math.round(spreadMs)} ms apart`);
    return spreadMs;
  }

  #studyAt(
    place: Place,
    study: SampleStudy,
    ready: (view: StudyView) => boolean,
    seconds: number,
  ): Promise<StudyView> {
    return waitFor(`the ${study.what} at ${place.box.hospital.name}`, seconds, async () => {
      const { studies } = await place.admin.overview();
      return studies.find((view) => view.studyInstanceUid === study.studyInstanceUid && ready(view));
    });
  }
}

type VerifiedStudy = Extract<WalletStudies['studies'][number], { kind: 'verified' }>;

function verifiedIn(read: WalletStudies): readonly VerifiedStudy[] {
  return read.studies.filter((study) => study.kind === 'verified');
}

function isDelivered(view: StudyView, study: SampleStudy): boolean {
  return view.objects === study.objects && view.deliveries.some(({ state }) => state === 'delivered');
}

/** The grounds of the last three refusals, oldest first. @throws Error unless each is another. */
function reasonsIn({ releases }: Overview): readonly string[] {
  const refused: readonly ReleaseView[] = releases.filter(
    ({ outcome, direction }) => outcome === 'refused' && direction === 'out',
  );
  const reasons = refused.slice(0, 3).map(({ institutionName, reason }) => `${institutionName}: ${reason}`);
  if (new Set(reasons).size !== 3)
    throw new Error(`three different reasons were expected: ${reasons.join('; ')}`);
  return reasons.reverse();
}

function isoTime(ms: number): string {
  return new Date(ms).toISOString().slice(11, 19);
}
