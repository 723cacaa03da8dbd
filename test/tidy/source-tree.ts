/** The files of the checkout as the tidy tests see them: everything that belongs into a commit. */
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';

export const root = join(import.meta.dirname, '..', '..');

/** What .gitignore names. The tree is walked, not asked of git, so that a file that is not yet added counts too. */
const ignoredFolders = new Set(['.git', '.hilum', 'dist', 'node_modules', '__pycache__']);

function walk(folder: string): string[] {
  return readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = folder === '' ? entry.name : `${folder}/${entry.name}`;
    if (entry.isDirectory()) return ignoredFolders.has(entry.name) ? [] : walk(path);
    return entry.isFile() && !entry.name.endsWith('.log') ? [path] : [];
  });
}

/** Paths relative to the root, with `/`, sorted. */
export const files: readonly string[] = walk('').sort();

export const read = (path: string): string => readFileSync(join(root, path), 'utf8');

const codeEndings = ['.ts', '.tsx', '.mjs', '.js'];

export const codeFiles: readonly string[] = files.filter((path) =>
  codeEndings.some((ending) => path.endsWith(ending)),
);

const parsed = new Map<string, ts.SourceFile>();

/** The syntax tree of a code file, with parents. */
export function syntaxOf(path: string): ts.SourceFile {
  const known = parsed.get(path);
  if (known !== undefined) return known;
  const kind = path.endsWith('.tsx')
    ? ts.ScriptKind.TSX
    : path.endsWith('.ts')
      ? ts.ScriptKind.TS
      : ts.ScriptKind.JS;
  const tree = ts.createSourceFile(path, read(path), ts.ScriptTarget.Latest, true, kind);
  parsed.set(path, tree);
  return tree;
}

/** Every node of a file, depth first. */
export function* nodesOf(path: string): Generator<ts.Node> {
  const waiting: ts.Node[] = [syntaxOf(path)];
  for (let node = waiting.pop(); node !== undefined; node = waiting.pop()) {
    yield node;
    const children: ts.Node[] = [];
    ts.forEachChild(node, (child) => {
      children.push(child);
    });
    waiting.push(...children.reverse());
  }
}

/** `path:line`, as editors open it. */
export function placeOf(path: string, node: ts.Node): string {
  return `${path}:${syntaxOf(path).getLineAndCharacterOfPosition(node.getStart()).line + 1}`;
}
