/** The patient at her wallet: the command-line wallet as a process of its own, its keys in a file of its own. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { access } from 'node:fs/promises';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { keep } from './keeper.ts';
import type { Granted, Revoked, WalletStudies } from '../../firmware/wallet/wallet-answers.ts';
import type { StudyHistory } from '../../firmware/wallet/study-history.ts';

const cliPath = fileURLToPath(new URL('../wallet/cli.ts', import.meta.url));

interface Answer {
  readonly kind?: string;
  readonly reason?: string;
  readonly message?: string;
}

export class WalletHolder {
  readonly file: string;

  constructor(file: string) {
    this.file = file;
  }

  /** Makes the wallet unless there is one. */
  async own(): Promise<void> {
    try {
      await access(this.file);
    } catch {
      await this.#run(['new']);
    }
  }

  async bind(ticket: string): Promise<void> {
    await this.#run(['bind', '-'], ticket);
  }

  studies(): Promise<WalletStudies> {
    return this.#run(['studies']);
  }

  grant(study: string, to: string, days: number, purpose: string): Promise<Granted> {
    return this.#run(['grant', study, '--to', to, '--days', String(days), '--purpose', purpose]);
  }

  revoke(study: string): Promise<Revoked> {
    return this.#run(['revoke', study]);
  }

  history(study: string): Promise<StudyHistory> {
    return this.#run(['history', study]);
  }

  async #run<Result>(args: readonly string[], input = ''): Promise<Result> {
    const child = keep(spawn(process.execPath, [cliPath, '--file', this.file, '--json', ...args]));
    child.stdin.end(input);
    const [out, err, [status]] = await Promise.all([
      text(child.stdout),
      text(child.stderr),
      once(child, 'close') as Promise<[number | null]>,
    ]);
    const answer = (out.trim() === '' ? {} : JSON.parse(out)) as Answer & Result;
    if (status !== 0) {
      throw new Error(
        `wallet ${args[0] ?? ''}: ${answer.reason ?? answer.message ?? (err.trim() || 'failed')}`,
      );
    }
    return answer;
  }
}
