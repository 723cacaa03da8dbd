/**
 * Room in a study for what the ledger can commit to, with the objects that are on their way in: several associations that
 * send one study cannot pass its limits together.
 */
import { AppError } from '../errors.ts';
import type { KeptStudy } from '../studies/kept-study.ts';

export interface StudyLimits {
  readonly studyInstancesMax: number;
  readonly studyBytesMax: number;
}

interface InFlight {
  objects: number;
  bytes: number;
}

export class StudyRooms {
  readonly #limits: StudyLimits;
  readonly #inFlight = new Map<KeptStudy, InFlight>();

  constructor(limits: StudyLimits) {
    this.#limits = limits;
  }

  /** Room for one object of yet unknown size. @throws AppError STUDY_FULL. */
  enter(study: KeptStudy): StudyRoom {
    const inFlight = this.#inFlight.get(study) ?? { objects: 0, bytes: 0 };
    if (study.objects.length + inFlight.objects >= this.#limits.studyInstancesMax)
      throw full(study, 'objects');
    inFlight.objects += 1;
    this.#inFlight.set(study, inFlight);
    let taken = 0;
    let left = false;
    return {
      take: (bytes) => {
        if (study.bytes + inFlight.bytes + bytes > this.#limits.studyBytesMax) throw full(study, 'bytes');
        inFlight.bytes += bytes;
        taken += bytes;
      },
      leave: () => {
        if (left) return;
        left = true;
        inFlight.objects -= 1;
        inFlight.bytes -= taken;
        if (inFlight.objects === 0) this.#inFlight.delete(study);
      },
    };
  }
}

export interface StudyRoom {
  /** @throws AppError STUDY_FULL. */
  take(bytes: number): void;
  /** The object is kept, or never will be. */
  leave(): void;
}

function full(study: KeptStudy, what: string): AppError {
  return new AppError('STUDY_FULL', `Study ${study.ref} holds as many ${what} as can be committed to.`);
}
