/** When a kept study goes to the ledger: at its first object, then as it grows, and once more when it is complete. */
export interface StudyTiming {
  /** Without a new object for this long the study is complete. Milliseconds, like all here. */
  readonly quietMs: number;
  /** Closed at the latest this long after its first object, or the first one that reopened it. */
  readonly forcedMs: number;
  /** Amended at most this often while it grows. */
  readonly amendMs: number;
}

export interface StudyProgress {
  readonly objects: number;
  /** Of the objects since it was last closed: a late one reopens a study and starts the forced maximum anew. */
  readonly firstObjectAt: number;
  readonly lastObjectAt: number;
  /**
   * What the modalities' performed procedure steps say: they are still at work; or all ended, and what they name and
   * what is held are the same.
   */
  readonly steps: 'unknown' | 'in progress' | 'complete';
  /** The version that stands on the ledger, if any. */
  readonly registered:
    { readonly objects: number; readonly closed: boolean; readonly plannedAt: number } | undefined;
}

export type RegistrationStep =
  | { readonly kind: 'register' }
  | { readonly kind: 'amend'; readonly closed: boolean }
  /** Nothing to do before this time, unless another object comes. */
  | { readonly kind: 'wait'; readonly until: number }
  | { readonly kind: 'settled' };

export function nextRegistrationStep(
  study: StudyProgress,
  timing: StudyTiming,
  now: number,
): RegistrationStep {
  const { registered } = study;
  if (study.objects === 0) return { kind: 'settled' };
  if (registered === undefined) return { kind: 'register' };
  const grown = study.objects > registered.objects;
  if (registered.closed && !grown) return { kind: 'settled' };
  const completeAt = completionTime(study, timing);
  if (now >= completeAt) return { kind: 'amend', closed: true };
  if (!grown) return { kind: 'wait', until: completeAt };
  const amendAt = registered.plannedAt + timing.amendMs;
  if (now >= amendAt) return { kind: 'amend', closed: false };
  return { kind: 'wait', until: Math.min(amendAt, completeAt) };
}

/**
 * When the study is complete unless something else comes of it, UTC milliseconds. A pause between two series is no end while the modality says that it is at work; what it never ends, the forced maximum
 * does. (Late objects that no step names make `steps` unknown again: they wait for the quiet time as without any.)
 * A study that corrections reopen is closed again at most every `amendMs`.
 */
export function completionTime(
  { steps, firstObjectAt, lastObjectAt, registered }: Omit<StudyProgress, 'objects'>,
  { quietMs, forcedMs, amendMs }: StudyTiming,
): number {
  const forcedAt = firstObjectAt + forcedMs;
  switch (steps) {
    case 'complete':
      return registered?.closed === true
        ? Math.max(lastObjectAt, registered.plannedAt + amendMs)
        : lastObjectAt;
    case 'in progress':
      return forcedAt;
    case 'unknown':
      return Math.min(lastObjectAt + quietMs, forcedAt);
  }
}
