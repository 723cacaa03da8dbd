/** Changing the ledger's format while it runs: signals, activation heights, what this firmware knows. */
import { quorumOf } from '../consortium/quorum.ts';
import type { FormatsRecord } from './formats-record.ts';

/**
 * The newest format of transactions, blocks and state whose rules this firmware has. A box that comes to a block of a newer
 * one stops voting and releasing, and waits for its update.
 */
export const formatKnown = 1;

/** The format of the block at this height, as far as activations tell. */
export function formatAt({ activations }: FormatsRecord, height: number): number {
  return Math.max(
    ...activations.filter((activation) => activation.height <= height).map(({ format }) => format),
  );
}

/** The newest format that is active or will be. */
export function newestFormat({ activations }: FormatsRecord): number {
  return Math.max(...activations.map(({ format }) => format));
}

/** The formats with the activation that these signals bring about, if a quorum of the validators signalled for one. */
export function withActivation(
  formats: FormatsRecord,
  validators: readonly string[],
  activationHeight: number,
): FormatsRecord {
  const able = formats.signals
    .filter(({ institution }) => validators.includes(institution))
    .map(({ format }) => format)
    .sort((a, b) => b - a);
  // The highest format that at least a quorum can: whoever can a newer one can this one, too.
  const format = able[quorumOf(validators.length) - 1];
  if (format === undefined || format <= newestFormat(formats)) return formats;
  return { ...formats, activations: [...formats.activations, { format, height: activationHeight }] };
}

/** Without the signals of institutions that validate no more. */
export function withoutFormerValidators(
  formats: FormatsRecord,
  validators: readonly string[],
): FormatsRecord {
  const signals = formats.signals.filter(({ institution }) => validators.includes(institution));
  return { ...formats, signals };
}
