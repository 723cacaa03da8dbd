/** docs/configuration.md, written from the schema that decodes the configuration file. */
import type { TSchema } from 'typebox';
import { configSchema } from '../../../firmware/src/config.ts';

const head = `# Configuration

A box is told everything by one JSON file: \`node firmware/src/main.ts --config box.json\`. It is read once at start. Unknown keys are refused, so that a misspelt one is never silently ignored. This page is written from the schema in firmware/src/config.ts by test/tidy/write-docs.ts; a test compares the two.

The least that a box needs, everything else by default (a test starts from exactly this):
`;

/** The page shows it, and the test decodes it. */
export const smallestConfiguration = {
  institution: { id: 'st-elsewhere', name: 'St. Elsewhere Hospital' },
  dataDir: 'data',
};

/** The keywords of JSON Schema that the configuration uses. */
interface Schema {
  readonly type?: string;
  readonly description?: string;
  readonly default?: unknown;
  readonly const?: unknown;
  readonly anyOf?: readonly Schema[];
  readonly enum?: readonly unknown[];
  readonly items?: Schema;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[] | undefined;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly maxItems?: number;
  readonly pattern?: string;
}

const code = (value: unknown): string => `\`${JSON.stringify(value).replaceAll('|', '\\|')}\``;

function range(low: number | undefined, high: number | undefined, unit: string): string {
  if (low === undefined && high === undefined) return '';
  if (high === undefined) return `, at least ${low}${unit}`;
  return low === undefined ? `, at most ${high}${unit}` : `, ${low} to ${high}${unit}`;
}

/** What may stand behind a key, in words. */
function allowed(schema: Schema): string {
  if (schema.anyOf !== undefined) return schema.anyOf.map((one) => code(one.const)).join(' or ');
  if (schema.enum !== undefined) return schema.enum.map(code).join(' or ');
  if (schema.type === 'boolean') return '`true` or `false`';
  if (schema.items?.properties !== undefined)
    return `list of sections${range(undefined, schema.maxItems, ' entries')}`;
  if (schema.type === 'array')
    return `list of ${allowed(schema.items ?? {})}${range(undefined, schema.maxItems, ' entries')}`;
  if (schema.type === 'integer') return `whole number${range(schema.minimum, schema.maximum, '')}`;
  const pattern = schema.pattern === undefined ? '' : `, \`${schema.pattern.replaceAll('|', '\\|')}\``;
  return `text${range(schema.minLength, schema.maxLength, ' characters')}${pattern}`;
}

/** Every key with a value of its own, as `section.key`; of a list of sections as `list[].key`. */
export function keysOf(schema: Schema, path = '', required = true): readonly Key[] {
  if (schema.items?.properties !== undefined)
    return [{ path, schema, required }, ...keysOf(schema.items, `${path}[]`)];
  if (schema.properties === undefined) return [{ path, schema, required }];
  return Object.entries(schema.properties).flatMap(([name, inner]) =>
    keysOf(inner, path === '' ? name : `${path}.${name}`, schema.required?.includes(name) ?? false),
  );
}

export interface Key {
  readonly path: string;
  readonly schema: Schema;
  readonly required: boolean;
}

export const rootSchema: Schema = configSchema satisfies TSchema;

function defaultOf({ schema, required }: Key): string {
  if (schema.default !== undefined) return code(schema.default);
  return required ? '**required**' : 'absent';
}

function table(keys: readonly Key[]): string {
  const rows = keys.map(
    (key) =>
      `| \`${key.path}\` | ${allowed(key.schema)} | ${defaultOf(key)} | ${key.schema.description ?? ''} |`,
  );
  return `| Key | Value | Default | Meaning |\n|---|---|---|---|\n${rows.join('\n')}\n`;
}

export function configurationPage(): string {
  const top = Object.entries(rootSchema.properties ?? {});
  const single = top.filter(([, schema]) => schema.properties === undefined);
  const isRequired = (name: string): boolean => rootSchema.required?.includes(name) ?? false;
  const sections = top
    .filter(([, schema]) => schema.properties !== undefined)
    .map(([name, schema]) => {
      const optional = isRequired(name) ? '' : ' The section may be absent.';
      return `\n## ${name}\n\n${schema.description ?? ''}${optional}\n\n${table(keysOf(schema, name))}`;
    });
  const general = single.flatMap(([name, schema]) => keysOf(schema, name, isRequired(name)));
  const example = `\n\`\`\`json\n${JSON.stringify(smallestConfiguration, undefined, 2)}\n\`\`\`\n`;
  return `${head}${example}\n${table(general)}${sections.join('')}`;
}
