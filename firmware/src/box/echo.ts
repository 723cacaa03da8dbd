/** A C-ECHO that a person asks for: is the peer there, does it know us, how quickly does it answer (PS3.4 annex A). */
import { openAssociation, status, statusText, uids, type AssociationOptions } from '../../dimse/index.ts';
import { AppError } from '../errors.ts';
import type { EchoAnswer } from '../http/dicom-contract.ts';

/**
 * `ms` is the time of the C-ECHO alone, without that of the association. What fails is the answer, not a fault; so `peer`
 * is asked here, and may throw an AppError.
 */
export async function echo(
  peer: () => Omit<AssociationOptions, 'contexts' | 'signal'>,
  signal: AbortSignal,
): Promise<EchoAnswer> {
  try {
    const options = peer();
    const association = await openAssociation({
      ...options,
      signal,
      contexts: [
        { abstractSyntax: uids.verificationSopClass, transferSyntaxes: [uids.implicitVrLittleEndian] },
      ],
    });
    const before = options.clock.now();
    const outcome = await association.echo();
    const ms = Math.max(0, options.clock.now() - before);
    await association.release();
    if (outcome.status === status.success) return { kind: 'answered', ms };
    return { kind: 'failed', reason: `It answered with status ${statusText(outcome.status)}.` };
  } catch (error) {
    if (signal.aborted) return { kind: 'failed', reason: 'It did not answer in time.' };
    if (!(error instanceof AppError)) throw error;
    return { kind: 'failed', reason: error.message };
  }
}
