/** Runs a tool of the system and keeps the end of what it printed, for a progress hint or an error message. */
import { spawn } from 'node:child_process';

const LAST_LINES_MAX = 20;

/**
 * @typedef {object} ToolResult
 * @property {number | null} code exit status; null when a signal ended it or it could not be started
 * @property {string[]} lastLines at most 20 lines of what it printed
 */

/**
 * @param {string} command
 * @param {string[]} args
 * @param {{ cwd?: string, onLine?: (line: string) => boolean | void, signal?: AbortSignal }} options
 *   `onLine` hears every line; a line for which it returns false is not worth keeping
 * @returns {Promise<ToolResult>}
 */
export function runTool(command, args, options = {}) {
  return new Promise((resolve) => {
    const lastLines = [];
    const keep = (text) => {
      const line = text.trimEnd();
      if (line === '') return;
      if (options.onLine?.(line) === false) return;
      lastLines.push(line);
      if (lastLines.length > LAST_LINES_MAX) lastLines.shift();
    };
    const child = spawn(command, args, {
      cwd: options.cwd,
      signal: options.signal,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    for (const stream of [child.stdout, child.stderr]) {
      let rest = '';
      stream.setEncoding('utf8');
      stream.on('data', (text) => {
        const lines = (rest + text).split(/[\r\n]+/);
        rest = lines.pop() ?? '';
        lines.forEach(keep);
      });
      stream.on('end', () => keep(rest));
    }
    child.on('error', (error) => {
      keep(error.message);
      resolve({ code: null, lastLines });
    });
    child.on('close', (code) => resolve({ code, lastLines }));
  });
}
