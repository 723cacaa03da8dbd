/**
 * The console page: the files that the build wrote, read once at start. Each is a route of its own, so that no path of
 * a request ever reaches the file system.
 */
import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { extname, join } from 'node:path';
import { AppError } from '../errors.ts';
import type { App } from './app.ts';

export interface PageFile {
  readonly name: string;
  readonly type: string;
  readonly etag: string;
  readonly content: Buffer;
}

const startPage = 'index.html';
const types: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
};

/** @throws AppError CONSOLE_NOT_BUILT if the folder holds no start page. */
export async function readPages(folder: string): Promise<readonly PageFile[]> {
  try {
    const names = (await readdir(folder)).filter((name) => types[extname(name)] !== undefined);
    const files = await Promise.all(names.map(async (name) => readPage(folder, name)));
    if (names.includes(startPage)) return files;
  } catch (cause) {
    throw new AppError('CONSOLE_NOT_BUILT', `the console pages in ${folder} cannot be read`, { cause });
  }
  throw new AppError('CONSOLE_NOT_BUILT', `there are no console pages in ${folder}`);
}

async function readPage(folder: string, name: string): Promise<PageFile> {
  const content = await readFile(join(folder, name));
  const digest = createHash('sha256').update(content).digest('base64url');
  return { name, type: types[extname(name)] ?? 'application/octet-stream', etag: `"${digest}"`, content };
}

export function addPageRoutes(app: App, files: readonly PageFile[]): void {
  for (const file of files) {
    const url = file.name === startPage ? '/' : `/${file.name}`;
    app.get(url, { config: { access: 'public' } }, async (request, reply) => {
      // Asked for at each visit, so that an updated box never runs an old page against a new API.
      reply.headers({ 'cache-control': 'no-cache', etag: file.etag });
      if (request.headers['if-none-match'] === file.etag) return reply.code(304).send();
      return reply.type(file.type).send(file.content);
    });
  }
}
