/** A hospital whose archive stays first: a box that knows its studies by reference, an archive in memory. */
import assert from 'node:assert/strict';
import { Announcements } from '../../firmware/src/sidecar/announcements.ts';
import { Backfill, type BackfillPlan } from '../../firmware/src/sidecar/backfill.ts';
import { Pulls } from '../../firmware/src/sidecar/pulls.ts';
import { Referencing } from '../../firmware/src/sidecar/referencing.ts';
import { AppError } from '../../firmware/src/errors.ts';
import type { KeptStudy } from '../../firmware/src/studies/kept-study.ts';
import type { ArchivedInstance, ArchivedStudy, ArchiveScu } from '../../firmware/src/ports.ts';
import { silentLogger } from '../fakes/consortium.ts';
import { MemoryHealthBoard } from '../fakes/health.ts';
import { MemoryStore } from './memory-store.ts';
import { ctImage, patient, type ReleaseWorld } from './release-world.ts';
import { settle } from './until.ts';

export const archiveAeTitle = 'ARCHIVE';
export const pullSilenceMsMax = 3_600_000;

/** Studies by day; each has instances 1 to so many under its UID. */
export class MemoryArchive implements ArchiveScu {
  readonly aeTitle = archiveAeTitle;
  readonly days = new Map<string, (ArchivedStudy & { readonly instances: number })[]>();
  /** What was asked of it, in order. */
  readonly asked: string[] = [];
  /** Thrown at the next question. */
  fails: Error | undefined;
  /** A study that is listed, and every question about it fails. */
  cannotTellOf = '';
  moved: (
    studyInstanceUid: string,
    signal: AbortSignal,
    heard: () => void,
  ) => Promise<{ completed: number; failed: number }> = async () => ({
    completed: 0,
    failed: 0,
  });

  add(day: string, studyInstanceUid: string, instances = 2, change: Partial<ArchivedStudy> = {}): void {
    const { patientId, issuer, name, birthDate, sex } = patient;
    const study = {
      ...{ studyInstanceUid, patientId, issuer, name, birthDate, sex },
      ...{ date: day, description: 'Knee', instances },
      ...change,
    };
    this.days.set(day, [...(this.days.get(day) ?? []), study]);
  }

  async *studiesOf(day: string): AsyncIterable<ArchivedStudy> {
    this.#ask(`day ${day}`);
    for (const study of this.days.get(day) ?? []) yield study;
  }

  async study(studyInstanceUid: string): Promise<ArchivedStudy | undefined> {
    this.#ask(`study ${studyInstanceUid}`);
    return this.#find(studyInstanceUid);
  }

  async instancesOf(studyInstanceUid: string): Promise<readonly ArchivedInstance[]> {
    this.#ask(`instances ${studyInstanceUid}`);
    return Array.from({ length: this.#find(studyInstanceUid)?.instances ?? 0 }, (_, index) => ({
      seriesInstanceUid: `${studyInstanceUid}.0`,
      sopClassUid: ctImage,
      sopInstanceUid: `${studyInstanceUid}.${index + 1}`,
      modality: 'CT',
    }));
  }

  move(
    studyInstanceUid: string,
    signal: AbortSignal,
    heard: () => void,
  ): Promise<{ completed: number; failed: number }> {
    this.#ask(`move ${studyInstanceUid}`);
    return this.moved(studyInstanceUid, signal, heard);
  }

  #find(uid: string): (ArchivedStudy & { readonly instances: number }) | undefined {
    return [...this.days.values()].flat().find(({ studyInstanceUid }) => studyInstanceUid === uid);
  }

  #ask(what: string): void {
    this.asked.push(what);
    const error = this.fails;
    this.fails = undefined;
    if (error !== undefined) throw error;
    if (this.cannotTellOf !== '' && what.endsWith(` ${this.cannotTellOf}`)) throw unreachable();
  }
}

export class SidecarScene {
  readonly world: ReleaseWorld;
  readonly archive = new MemoryArchive();
  readonly store = new MemoryStore();
  readonly health = new MemoryHealthBoard();

  constructor(world: ReleaseWorld) {
    this.world = world;
    // It sends what it has to the box, each object answered before the next.
    this.archive.moved = async (uid) => {
      const { length } = await this.archive.instancesOf(uid);
      for (let n = 1; n <= length; n++) await this.sends(uid, n);
      return { completed: length, failed: 0 };
    };
  }

  async sends(studyInstanceUid: string, instance: number, body = `pixels ${instance}`): Promise<void> {
    await this.world.keep(studyInstanceUid, instance, new TextEncoder().encode(body), {}, archiveAeTitle);
  }

  get common() {
    const { world, archive, store, health } = this;
    const { catalogue, ledger, clock } = world;
    const referencing = new Referencing({ archive, catalogue, clock });
    return { archive, referencing, catalogue, ledger, store, clock, health, logger: silentLogger };
  }

  backfill(plan: Partial<BackfillPlan> = {}): Backfill {
    const whole = { from: '20260101', to: '20260103', studiesPerMinute: 6_000, isOpen: () => true };
    return new Backfill({ ...this.common, plan: { ...whole, ...plan } });
  }

  pulls(): Pulls {
    return new Pulls({ ...this.common, silenceMsMax: pullSilenceMsMax });
  }

  announcements(): Announcements {
    return new Announcements(this.common);
  }
}

export const unreachable = (): AppError => new AppError('DELIVERY_FAILED', 'the archive cannot be reached');

/** The only one of this UID. */
export function studyOf(world: ReleaseWorld, uid: string): KeptStudy {
  const [study] = world.catalogue.studiesUnder(uid);
  assert.ok(study !== undefined, `study ${uid} is known`);
  return study;
}

export async function untilDone(scene: SidecarScene, backfill: Backfill): Promise<void> {
  for (let n = 0; n < 200 && backfill.progress()?.state !== 'done'; n++) {
    scene.world.clock.advance(1_000);
    await settle();
  }
  assert.equal(backfill.progress()?.state, 'done');
}

/** A study that is known and registered by reference. */
export async function referenced(scene: SidecarScene, uid: string, instances = 2): Promise<KeptStudy> {
  scene.archive.add('20260103', uid, instances);
  const backfill = scene.backfill({ from: '20260103' });
  await backfill.start();
  await untilDone(scene, backfill);
  await backfill.stop();
  return studyOf(scene.world, uid);
}
