/** docs/limits.md, written from the `limits.ts` of all rooms: names, values, and their comments as reasons. */
import { dirname, join } from 'node:path';
import ts from 'typescript';
import { files, root, syntaxOf } from '../source-tree.ts';

export interface Limit {
  readonly room: string;
  readonly name: string;
  readonly value: unknown;
  /** The doc comment; empty if there is none. */
  readonly reason: string;
}

const limitFiles = files.filter((path) => path.startsWith('firmware/') && path.endsWith('/limits.ts'));

function commentOf(statement: ts.Statement): string {
  const doc = ts.getJSDocCommentsAndTags(statement).at(-1);
  const text = doc === undefined || !ts.isJSDoc(doc) ? '' : ts.getTextOfJSDocComment(doc.comment);
  return (text ?? '').replaceAll(/\s+/g, ' ').trim();
}

/** The doc comments of the constants of a file, and of those that it passes on from another file of its room. */
function reasonsIn(path: string): ReadonlyMap<string, string> {
  const reasons = new Map<string, string>();
  for (const statement of syntaxOf(path).statements) {
    if (ts.isVariableStatement(statement)) {
      for (const { name } of statement.declarationList.declarations)
        reasons.set(name.getText(), commentOf(statement));
    }
    const passesOn = ts.isExportDeclaration(statement) ? statement : undefined;
    if (passesOn?.moduleSpecifier === undefined || !passesOn.exportClause) continue;
    if (!ts.isStringLiteral(passesOn.moduleSpecifier) || !ts.isNamedExports(passesOn.exportClause)) continue;
    const origin = reasonsIn(join(dirname(path), passesOn.moduleSpecifier.text));
    for (const { name } of passesOn.exportClause.elements)
      reasons.set(name.text, origin.get(name.text) ?? '');
  }
  return reasons;
}

export async function limitsOf(path: string): Promise<readonly Limit[]> {
  const values = (await import(join(root, path))) as Readonly<Record<string, unknown>>;
  const reasons = reasonsIn(path);
  // In the order of the file, which groups what belongs together.
  const names = [...reasons.keys(), ...Object.keys(values).filter((name) => !reasons.has(name))];
  return names
    .filter((name) => name in values)
    .map((name) => ({ room: dirname(path), name, value: values[name], reason: reasons.get(name) ?? '' }));
}

export async function allLimits(): Promise<readonly Limit[]> {
  return (await Promise.all(limitFiles.map(limitsOf))).flat();
}

const head = `# Limits

Everything in Hilum is bounded: sizes, counts, queues, times. Each room keeps its limits in its own \`limits.ts\`, with the reason in a comment; this page is written from those files by test/tidy/write-docs.ts, and a test compares the two. The unit stands at the end of a name (\`BytesMax\`, \`MsMax\`). To change a limit, change it there, write the page anew, and say in the commit why the old value was wrong.
`;

export async function limitsPage(): Promise<string> {
  const limits = await allLimits();
  const sections = [...new Set(limits.map(({ room }) => room))].map((room) => {
    const rows = limits
      .filter((limit) => limit.room === room)
      .map(({ name, value, reason }) => `| ${name} | ${String(value)} | ${reason.replaceAll('|', '\\|')} |`);
    return `\n## ${room}\n\n| name | value | reason |\n|---|---|---|\n${rows.join('\n')}\n`;
  });
  return head + sections.join('');
}
