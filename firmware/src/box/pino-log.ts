import pino, { type Logger as PinoLogger } from 'pino';
import type { Config } from '../config.ts';
import { AppError } from '../errors.ts';
import type { Logger } from '../ports.ts';

/**
 * An error as the log may hold it: code, message and stack of our own errors; of any other only its kind and system
 * code, because a library's message can quote what it was parsing. Causes are followed the same way.
 */
function withoutPatientData(error: unknown): unknown {
  if (!(error instanceof Error)) return { kind: typeof error };
  const cause = error.cause === undefined ? {} : { cause: withoutPatientData(error.cause) };
  if (error instanceof AppError) return { code: error.code, message: error.message, ...cause };
  const code = 'code' in error && typeof error.code === 'string' ? { code: error.code } : {};
  // Frames say where, never what.
  const frames = error.stack?.split('\n').filter((line) => line.startsWith('    at ')) ?? [];
  return { kind: error.name, ...code, at: frames.slice(0, 6).map((frame) => frame.trim()), ...cause };
}

function wrap(log: PinoLogger): Logger {
  return {
    child: (fields) => wrap(log.child(fields)),
    debug: (fields, message) => log.debug(fields, message),
    info: (fields, message) => log.info(fields, message),
    warn: (fields, message) => log.warn(fields, message),
    error: (fields, message) => log.error(fields, message),
  };
}

/** JSON lines on standard error, times in UTC. */
export function openLog(config: Config): Logger {
  return wrap(
    pino(
      {
        level: config.log.level,
        base: { institution: config.institution.id },
        timestamp: pino.stdTimeFunctions.isoTime,
        serializers: { error: withoutPatientData, err: withoutPatientData, cause: withoutPatientData },
      },
      pino.destination({ dest: 2, sync: true }),
    ),
  );
}
