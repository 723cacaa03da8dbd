/** The sender of the bench: dcmsend, the same for every receiver. */
import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';

export interface Target {
  readonly host: string;
  readonly port: number;
  readonly aeTitle: string;
}

export interface Sender {
  /** Set for a sender without Nagle's algorithm; dcmtk's default is with. */
  readonly noDelay: boolean;
  /** Words before the command: how to enter the modality's network. */
  readonly prefix: readonly string[];
}

/** Lines of dcmtk's log with seconds and milliseconds before them. */
const logConfiguration = `log4cplus.rootLogger = INFO, console
log4cplus.appender.console = log4cplus::ConsoleAppender
log4cplus.appender.console.ImmediateFlush = true
log4cplus.appender.console.layout = log4cplus::PatternLayout
log4cplus.appender.console.layout.ConversionPattern = %D{%s.%q} %m%n
`;

const outputBytesMax = 64 * 1024 * 1024;

export async function writeLogConfiguration(folder: string): Promise<string> {
  const path = join(folder, 'dcmsend.cfg');
  await writeFile(path, logConfiguration);
  return path;
}

interface Span {
  readonly begunAt: number;
  readonly endedAt: number;
}

/** Seconds since 1970 of the lines that begin with these words. */
function timesOf(output: string, words: string): number[] {
  return [...output.matchAll(new RegExp(`^([0-9.]+) ${words}`, 'gm'))].map((match) => Number(match[1]));
}

function sendOver(
  files: readonly string[],
  target: Target,
  sender: Sender,
  logConfig: string,
): Promise<Span> {
  const [command = '', ...args] = [
    ...sender.prefix,
    'dcmsend',
    ...['--log-config', logConfig, '--decompress-never', '--single-association'],
    ...['-aet', 'DCMSEND', '-aec', target.aeTitle, target.host, String(target.port)],
    ...files,
  ];
  const { TCP_NODELAY: _inherited, ...env } = process.env;
  return new Promise((resolve, reject) => {
    execFile(
      command,
      args,
      { maxBuffer: outputBytesMax, env: { ...env, ...(sender.noDelay && { TCP_NODELAY: '1' }) } },
      (error, stdout, stderr) => {
        const output = `${stdout}${stderr}`;
        const begunAt = timesOf(output, 'Requesting Association')[0];
        const answers = timesOf(output, String.raw`Received C-STORE Response \(Success\)`);
        const endedAt = answers.at(-1);
        if (
          error === null &&
          answers.length === files.length &&
          begunAt !== undefined &&
          endedAt !== undefined
        )
          resolve({ begunAt, endedAt });
        else
          reject(
            new Error(
              `dcmsend to ${target.aeTitle}: ${answers.length} of ${files.length} objects were answered with success; ` +
                output.slice(-1000),
              { cause: error },
            ),
          );
      },
    );
  });
}

/**
 * Sends the files over so many associations at once, each a part of them. Seconds from the first association request
 * to the last C-STORE response, by the sender's own log: neither its start nor its look through the files counts.
 * @throws Error unless every object was answered with success.
 */
export async function send(
  files: readonly string[],
  target: Target,
  sender: Sender & { readonly associations: number; readonly logConfig: string },
): Promise<number> {
  const parts = Array.from({ length: sender.associations }, (_, part) =>
    files.filter((_file, index) => index % sender.associations === part),
  );
  const spans = await Promise.all(parts.map((part) => sendOver(part, target, sender, sender.logConfig)));
  return Math.max(...spans.map(({ endedAt }) => endedAt)) - Math.min(...spans.map(({ begunAt }) => begunAt));
}
