/** A logger that keeps its lines, so that a test can look for what must not be among them. */
import type { Logger } from '../../firmware/src/ports.ts';

export class RecordingLogger implements Logger {
  readonly lines: string[];

  constructor(lines: string[] = []) {
    this.lines = lines;
  }

  child(_fields: Record<string, string>): Logger {
    return this;
  }

  debug(fields: Record<string, unknown>, message: string): void {
    this.#keep('debug', fields, message);
  }

  info(fields: Record<string, unknown>, message: string): void {
    this.#keep('info', fields, message);
  }

  warn(fields: Record<string, unknown>, message: string): void {
    this.#keep('warn', fields, message);
  }

  error(fields: Record<string, unknown>, message: string): void {
    this.#keep('error', fields, message);
  }

  #keep(level: string, fields: Record<string, unknown>, message: string): void {
    this.lines.push(`${level} ${message} ${JSON.stringify(fields)}`);
  }
}
