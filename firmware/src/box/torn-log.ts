import type { Logger } from '../ports.ts';
import type { FileAppendLog } from '../store/append-log.ts';

/** A last record that a power cut left unfinished was never acknowledged; that it was cut off is worth a line. */
export function warnIfTorn(log: FileAppendLog, name: string, logger: Logger): void {
  if (log.torn !== undefined)
    logger.warn({ log: name, offset: log.torn.offset }, 'an unfinished last record was cut off');
}
