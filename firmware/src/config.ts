/**
 * The configuration of a box: one JSON file, decoded once, unknown keys refused, frozen. Every key stands here beside
 * its default, its unit and its reason; docs/configuration.md is written from this schema.
 */
import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import Type, { type Static } from 'typebox';
import { Value } from 'typebox/value';
import { caller, destination, destinationsMax, dicomTls, sidecar } from './config-dicom.ts';
import { aeTitle, host, milliseconds, port, section } from './config-fields.ts';
import { AppError } from './errors.ts';

export const configSchema = section('A Hilum box.', {
  institution: section('The hospital that this box belongs to.', {
    id: Type.String({
      pattern: '^[a-z0-9](?:[a-z0-9-]{0,30}[a-z0-9])?$',
      description: 'Its public identifier in the consortium: lower-case letters, digits, dashes; at most 32.',
    }),
    name: Type.String({ minLength: 1, maxLength: 100, description: 'Its name as people write it.' }),
    root: Type.Optional(
      section('Keys that the hospital keeps offline: with them it replaces a dead box without a vote.', {
        keys: Type.Array(Type.String({ pattern: '^[0-9a-f]{64}$' }), {
          minItems: 1,
          maxItems: 16,
          uniqueItems: true,
          description:
            'Ed25519 public keys in hexadecimal, one for each person who holds one. They go into the record that `enrol` writes.',
        }),
        threshold: Type.Integer({
          minimum: 1,
          maximum: 16,
          description: 'How many of them must sign together.',
        }),
      }),
    ),
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
  keys: section('The keys with which the box signs transactions and connects to the other members.', {
    rotateEveryDays: Type.Integer({
      minimum: 1,
      maximum: 600,
      default: 90,
      description:
        'Age at which they are replaced by others, without an interruption; an administrator can do it at any time. Their certificate lasts two years, so that a box that was off for long comes back. Days.',
    }),
  }),
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
    endorsementAuthorities: Type.Optional(
      Type.String({
        description:
          'PEM file with the certificates of the TPM vendor\'s authorities, up to the root that the consortium pins: what others need to verify this TPM, and the TPM does not hold itself (kind "device").',
      }),
    ),
    eventLogFile: Type.Optional(
      Type.String({
        description:
          'File with what was measured at this boot, which members ask for; the user that runs Hilum has to be able to read it. Without it the one that Linux keeps for the TPM of the number in `device` (tpm0 where it has none), or that of swtpm.',
      }),
    ),
    rescueKeyFile: Type.Optional(
      Type.String({
        description:
          "PEM file of the public half of the hospital's offline rescue key (P-256). Keys that are made take it for ever: together with the recovery code it lets whatever runs on the box open them. Without it only approved firmware ever does.",
      }),
    ),
  }),
  storage: section('When a disk that fills up is told, and when it takes no more.', {
    alarmFreeBytes: Type.Optional(
      Type.Integer({
        minimum: 0,
        maximum: Number.MAX_SAFE_INTEGER,
        description:
          'Free bytes below which DISK_LOW is raised. Without it 5,000,000,000, or 5 % of the disk where that is less: hours to act.',
      }),
    ),
    refuseFreeBytes: Type.Optional(
      Type.Integer({
        minimum: 0,
        maximum: Number.MAX_SAFE_INTEGER,
        description:
          'Free bytes below which associations that would store are refused, so that objects in flight can be ended and the ledger goes on. Without it 2,000,000,000, or 2 % of the disk where that is less.',
      }),
    ),
    spareLogs: Type.Integer({
      minimum: 0,
      maximum: 16,
      default: 2,
      description:
        'Studies for which space is prepared while the box rests, 256 MiB each: as many as begin at about the same time. Slices are then received faster, and the disk writes up to twice as much. 0 switches it off.',
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
    furtherAeTitles: Type.Array(aeTitle('AE title.'), {
      maxItems: 16,
      default: [],
      description:
        'Further AE titles by which the box may be called, where it takes the place of an older system.',
    }),
    callingAeTitles: Type.Array(aeTitle('AE title of a modality.'), {
      maxItems: 1000,
      default: [],
      description:
        'AE titles that may send, from any address: the short form of `dicom.callers`. Whoever stands in neither list, and was not admitted on the console, is refused.',
    }),
    tls: Type.Optional(dicomTls),
    callers: Type.Array(caller, {
      maxItems: 1000,
      default: [],
      description:
        'Who may associate, from where, and for what. An AE title may stand here several times; what any entry that fits permits is permitted. C-ECHO is open to all that may associate.',
    }),
    modalityNetworks: Type.Array(
      Type.String({
        pattern: '^(?:[0-9]{1,3}(?:\\.[0-9]{1,3}){3}/[0-9]{1,2}|[0-9a-fA-F:]{2,39}/[0-9]{1,3})$',
        description: 'A network in CIDR notation.',
      }),
      {
        maxItems: 64,
        default: [],
        description:
          "Networks in which modalities stand. On the routes to them the box sets the option `quickack`, if it may (CAP_NET_ADMIN): a modality that leaves Nagle's algorithm on otherwise waits 45 to 90 ms for each object.",
      },
    ),
    awakeProcessors: Type.Boolean({
      default: true,
      description:
        'While objects arrive, and for a second or two after the last, the processors do not sleep, if the box may write to /dev/cpu_dma_latency: a sender that waits for each object is served up to a third faster. It takes power in these moments.',
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
    section(
      'The PACS of the hospital, in short: a destination named "pacs" that gets what modalities send and what is fetched from elsewhere, as soon as it is here.',
      {
        host: host('Address of the PACS.'),
        port: port('Its DICOM port.'),
        aeTitle: aeTitle('Its AE title.'),
      },
    ),
  ),
  destinations: Type.Array(destination, {
    maxItems: destinationsMax,
    default: [],
    description:
      "Where the box sends objects by C-STORE, each with a queue of its own. A workstation's C-MOVE may name any of them by its AE title.",
  }),
  sidecar: Type.Optional(sidecar),
  procedureSteps: Type.Optional(
    section('Where messages of performed procedure steps are sent on, unchanged: usually the RIS.', {
      host: host('Its address.'),
      port: port('Its DICOM port.'),
      aeTitle: aeTitle('Its AE title.'),
      tls: Type.Boolean({
        default: false,
        description: 'Over TLS, with the certificates of dicom.tls.',
      }),
    }),
  ),
  p2p: section('Direct connections to the other members (libp2p).', {
    listen: Type.String({
      pattern: '^/ip[46]/[^/]+/tcp/[0-9]+$',
      default: '/ip4/127.0.0.1/tcp/4001',
      description: 'Multiaddr to listen on.',
    }),
  }),
  ledger: section('What is kept of the ledger on this box.', {
    bodiesKeptEpochs: Type.Integer({
      minimum: 2,
      maximum: 120,
      default: 100,
      description: 'Past epochs of which the transactions are kept, beyond the 90 days of light clients.',
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
  const optional = new Set(['pacs', 'procedureSteps', 'sidecar']);
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

function tlsFiles(tls: Static<typeof dicomTls>, baseDir: string): Static<typeof dicomTls> {
  const { certificateFile, keyFile, caFiles } = tls;
  return {
    ...tls,
    certificateFile: resolve(baseDir, certificateFile),
    keyFile: resolve(baseDir, keyFile),
    caFiles: caFiles.map((file) => resolve(baseDir, file)),
  };
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
    tpm: {
      ...value.tpm,
      swtpmDir: resolve(dataDir, value.tpm.swtpmDir),
      ...(value.tpm.endorsementAuthorities !== undefined && {
        endorsementAuthorities: resolve(baseDir, value.tpm.endorsementAuthorities),
      }),
      ...(value.tpm.eventLogFile !== undefined && {
        eventLogFile: resolve(baseDir, value.tpm.eventLogFile),
      }),
      ...(value.tpm.rescueKeyFile !== undefined && {
        rescueKeyFile: resolve(baseDir, value.tpm.rescueKeyFile),
      }),
    },
    dicom: {
      ...value.dicom,
      ...(value.dicom.tls !== undefined && { tls: tlsFiles(value.dicom.tls, baseDir) }),
    },
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
