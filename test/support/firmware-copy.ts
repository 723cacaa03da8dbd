/** Another firmware: a copy of this checkout's programs, changed by one line, which is measured otherwise. */
import { appendFile, cp, mkdir, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { runProgramAt, type ProgramEnd } from './lone-box.ts';

const root = join(import.meta.dirname, '..', '..');

export class FirmwareCopy {
  readonly #main: string;

  private constructor(main: string) {
    this.#main = main;
  }

  /** @param folder made; goes with the test that made what it is in. */
  static async make(folder: string, version: string): Promise<FirmwareCopy> {
    await mkdir(folder, { recursive: true });
    await cp(join(root, 'firmware'), join(folder, 'firmware'), { recursive: true });
    for (const name of ['package.json', 'package-lock.json']) await cp(join(root, name), join(folder, name));
    await symlink(join(root, 'node_modules'), join(folder, 'node_modules'));
    const main = join(folder, 'firmware', 'src', 'main.ts');
    await appendFile(main, `// ${version}\n`);
    return new FirmwareCopy(main);
  }

  run(...args: readonly string[]): Promise<ProgramEnd> {
    return runProgramAt(this.#main, args);
  }
}
