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
  const completeAt = Math.min(study.lastObjectAt + timing.quietMs, study.firstObjectAt + timing.forcedMs);
  if (now >= completeAt) return { kind: 'amend', closed: true };
  if (!grown) return { kind: 'wait', until: completeAt };
  const amendAt = registered.plannedAt + timing.amendMs;
  if (now >= amendAt) return { kind: 'amend', closed: false };
  return { kind: 'wait', until: Math.min(amendAt, completeAt) };
}
