import pino, { type Logger as PinoLogger } from 'pino';
import type { Config } from '../config.ts';
import { AppError } from '../errors.ts';
import type { Logger } from '../ports.ts';

/**
 * An error as the log may hold it: code, message and stack of our own errors; of any other only its kind and system
 * code, because a library's message can quote what it was parsing. Causes are followed the same way.
 */
export function withoutPatientData(error: unknown, followed: readonly unknown[] = []): unknown {
  if (!(error instanceof Error)) return { kind: typeof error };
  const known = [...followed, error];
  const cause =
    error.cause === undefined || known.includes(error.cause)
      ? {}
      : { cause: withoutPatientData(error.cause, known) };
  if (error instanceof AppError) return { code: error.code, message: error.message, ...cause };
  const code = 'code' in error && typeof error.code === 'string' ? { code: error.code } : {};
  return { kind: error.name, ...code, at: framesOf(error).slice(0, 6), ...cause };
}

/** A line of a stack that says where, and nothing else: function, file, line and column. */
const frame = /^ {4}at (?:[^()]+ \()?(?:async )?(?:file:\/\/|node:|\/).*:\d+:\d+\)?$/;

/** Frames say where, never what. The message stands before them and can have lines that look like frames. */
function framesOf({ stack = '', message }: Error): string[] {
  const end = stack.lastIndexOf(message);
  const below = end < 0 ? stack : stack.slice(end + message.length);
  return below
    .split('\n')
    .filter((line) => frame.test(line))
    .map((line) => line.trim());
}

const serialise = (error: unknown): unknown => withoutPatientData(error);

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
        serializers: { error: serialise, err: serialise, cause: serialise },
      },
      pino.destination({ dest: 2, sync: true }),
    ),
  );
}
