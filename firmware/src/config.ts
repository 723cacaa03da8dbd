/**
 * The configuration of a box: one JSON file, decoded once, unknown keys refused, frozen. Every key stands here beside
 * its default, its unit and its reason; docs/configuration.md is written from this schema.
 */
import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import Type, { type Static, type TSchema } from 'typebox';
import { Value } from 'typebox/value';
import { AppError } from './errors.ts';

const section = <Properties extends Record<string, TSchema>>(description: string, properties: Properties) =>
  Type.Object(properties, { additionalProperties: false, description });

const host = (description: string) =>
  Type.String({ minLength: 1, maxLength: 253, default: '127.0.0.1', description });
const port = (description: string) => Type.Integer({ minimum: 0, maximum: 65535, description });
const milliseconds = (description: string, byDefault: number, minimum = 100) =>
  Type.Integer({
    minimum,
    maximum: 86_400_000,
    default: byDefault,
    description: `${description} Milliseconds.`,
  });

/** PS3.5 table 6.2-1, VR AE: at most 16 characters, no backslash, no control characters. */
const aeTitle = (description: string, byDefault?: string) =>
  Type.String({
    pattern: '^[\\x20-\\x5b\\x5d-\\x7e]{1,16}$',
    description,
    ...(byDefault === undefined ? {} : { default: byDefault }),
  });

export const configSchema = section('A Hilum box.', {
  institution: section('The hospital that this box belongs to.', {
    id: Type.String({
      pattern: '^[a-z0-9](?:[a-z0-9-]{0,30}[a-z0-9])?$',
      description: 'Its public identifier in the consortium: lower-case letters, digits, dashes; at most 32.',
    }),
    name: Type.String({ minLength: 1, maxLength: 100, description: 'Its name as people write it.' }),
  }),
  dataDir: Type.String({
    minLength: 1,
    description: 'Folder for everything that the box keeps. Relative paths start at the configuration file.',
  }),
  genesisFile: Type.Optional(
    Type.String({
      minLength: 1,
      description:
        'Genesis file of the consortium. Without it the box receives and keeps studies and registers them once it is admitted.',
    }),
  ),
  tpm: section('The TPM that seals the keys.', {
    kind: Type.Union([Type.Literal('device'), Type.Literal('swtpm')], {
      default: 'device',
      description:
        '"device" for the TPM of the machine; "swtpm" (development and tests only) lets Hilum start swtpm.',
    }),
    device: Type.String({
      default: '/dev/tpmrm0',
      description: 'Device file of the TPM resource manager (kind "device").',
    }),
    swtpmDir: Type.String({
      default: 'swtpm',
      description: 'State folder of swtpm, relative to dataDir (kind "swtpm").',
    }),
  }),
  dicom: section('The storage SCP to which modalities send.', {
    host: host('Address to listen on.'),
    port: Type.Integer({
      minimum: 0,
      maximum: 65535,
      default: 11112,
      description: 'TCP port; 11112 is the registered port of DICOM.',
    }),
    aeTitle: aeTitle('AE title by which modalities call the box.', 'HILUM'),
    callingAeTitles: Type.Array(aeTitle('AE title of a modality.'), {
      maxItems: 1000,
      default: [],
      description: 'AE titles that may send. All others are refused: an empty list admits nobody.',
    }),
  }),
  study: section('When a growing study is registered, amended and held to be complete.', {
    quietMs: milliseconds(
      'A study is complete when nothing arrived for this long; 60 s is usual for modalities.',
      60_000,
    ),
    forcedMs: milliseconds(
      'A study is closed at the latest this long after its first object.',
      4 * 3_600_000,
    ),
    amendMs: milliseconds('A growing study is amended on the ledger at most this often.', 30_000),
  }),
  pacs: Type.Optional(
    section('The PACS of the hospital, to which studies from elsewhere are delivered by C-STORE.', {
      host: host('Address of the PACS.'),
      port: port('Its DICOM port.'),
      aeTitle: aeTitle('Its AE title.'),
    }),
  ),
  p2p: section('Direct connections to the other members (libp2p).', {
    listen: Type.String({
      pattern: '^/ip[46]/[^/]+/tcp/[0-9]+$',
      default: '/ip4/127.0.0.1/tcp/4001',
      description: 'Multiaddr to listen on.',
    }),
  }),
  plane: section('The TLS plane over which images are streamed to members.', {
    host: host('Address to listen on.'),
    port: Type.Integer({ minimum: 0, maximum: 65535, default: 4002, description: 'TCP port.' }),
  }),
  console: section('The local web console, and the service for wallets.', {
    host: host('Address to listen on.'),
    port: Type.Integer({ minimum: 0, maximum: 65535, default: 4003, description: 'TCP port (HTTPS).' }),
    origins: Type.Optional(
      Type.Array(Type.String({ pattern: '^https://[^/?#\\s]+$', maxLength: 255 }), {
        minItems: 1,
        maxItems: 16,
        description:
          'Every origin under which browsers reach the console, where that is a name or a mapped port: https://hilum.example:8443. Without it, the address above.',
      }),
    ),
  }),
  log: section('The operational log: JSON lines on standard error, without patient data.', {
    level: Type.Union(
      [Type.Literal('debug'), Type.Literal('info'), Type.Literal('warn'), Type.Literal('error')],
      {
        default: 'info',
        description: 'The least severe level that is written.',
      },
    ),
  }),
});

export type Config = Readonly<Static<typeof configSchema>>;

/** Makes absent sections of which every key has a default appear, so that defaults stand in one place only. */
function withSections(raw: unknown): unknown {
  if (typeof raw !== 'object' || raw === null || Array.isArray(raw)) return raw;
  const given = raw as Record<string, unknown>;
  const optional = new Set(['pacs']);
  const sections = Object.entries(configSchema.properties)
    .filter(([key, schema]) => 'properties' in schema && !optional.has(key))
    .map(([key]) => [key, {}] as const);
  return { ...Object.fromEntries(sections), ...given };
}

/** The first thing wrong, as `section.key: what`. */
function firstFault(value: unknown): string {
  const errors = [...Value.Errors(configSchema, value)];
  for (const error of errors) {
    if (error.keyword === 'additionalProperties') {
      const parent = error.instancePath.slice(1).replaceAll('/', '.');
      const unknown = (error.params as { additionalProperties: readonly string[] }).additionalProperties;
      return `unknown key "${parent === '' ? '' : `${parent}.`}${unknown.join('", "')}"`;
    }
  }
  const error = errors.find((candidate) => candidate.keyword !== 'boolean') ?? errors[0];
  if (error === undefined) return 'the file is not a configuration';
  const path = error.instancePath.slice(1).replaceAll('/', '.');
  if (error.keyword === 'required') {
    const missing = (error.params as { requiredProperties: readonly string[] }).requiredProperties;
    return `missing key "${path === '' ? '' : `${path}.`}${missing[0] ?? ''}"`;
  }
  return `key "${path}" ${error.message}`;
}

function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null) {
    for (const inner of Object.values(value)) deepFreeze(inner);
    Object.freeze(value);
  }
  return value;
}

/**
 * Decodes a configuration. `baseDir` is the folder at which relative paths start.
 * @throws AppError CONFIG_INVALID naming the key.
 */
export function decodeConfig(raw: unknown, baseDir: string): Config {
  const value = Value.Default(configSchema, withSections(structuredClone(raw)));
  if (!Value.Check(configSchema, value))
    throw new AppError('CONFIG_INVALID', `Configuration: ${firstFault(value)}.`);
  const dataDir = resolve(baseDir, value.dataDir);
  return deepFreeze({
    ...value,
    dataDir,
    ...(value.genesisFile === undefined ? {} : { genesisFile: resolve(baseDir, value.genesisFile) }),
    tpm: { ...value.tpm, swtpmDir: resolve(dataDir, value.tpm.swtpmDir) },
  });
}

/** Reads the configuration file. @throws AppError CONFIG_UNREADABLE or CONFIG_INVALID. */
export function readConfig(path: string): Config {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (cause) {
    throw new AppError('CONFIG_UNREADABLE', `The configuration file ${path} cannot be read.`, { cause });
  }
  let raw: unknown;
  try {
    raw = JSON.parse(text);
  } catch (cause) {
    throw new AppError('CONFIG_INVALID', `The configuration file ${path} is not JSON.`, { cause });
  }
  return decodeConfig(raw, dirname(resolve(path)));
}
