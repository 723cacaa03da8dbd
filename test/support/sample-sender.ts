/** A modality that sends made-up objects on one association, and tells how each was answered. */
import { openAssociation, type Association } from '../../firmware/dimse/index.ts';
import { AppError } from '../../firmware/src/errors.ts';
import { inPieces } from './dimse-tools.ts';
import { systemClock } from './manual-clock.ts';
import { receivingAeTitle } from './receiving-box.ts';
import { ctImageStorage, type SampleObject } from './sample-object.ts';

/** @throws AppError DELIVERY_FAILED if it is rejected or nobody listens. */
export function associate(port: number): Promise<Association> {
  return openAssociation({
    host: '127.0.0.1',
    port,
    callingAeTitle: 'CT_1',
    calledAeTitle: receivingAeTitle,
    contexts: [{ abstractSyntax: ctImageStorage, transferSyntaxes: ['1.2.840.10008.1.2.1'] }],
    clock: systemClock,
  });
}

/** The status of each object that was answered; ends where the association does. */
export async function* send(
  port: number,
  objects: Iterable<SampleObject>,
): AsyncGenerator<{ readonly object: SampleObject; readonly status: number }> {
  let association: Association | undefined;
  try {
    association = await associate(port);
    for (const object of objects) {
      const { status } = await association.store(object, inPieces(object.dataSet, 65_536));
      yield { object, status };
    }
    await association.release();
  } catch (error) {
    if (!(error instanceof AppError) || error.code !== 'DELIVERY_FAILED') throw error;
  } finally {
    await association?.abort();
  }
}
