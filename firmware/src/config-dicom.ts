/** Sections of the configuration about DICOM peers: who calls, where it is sent to, the archive, the TLS port. */
import Type from 'typebox';
import { permissions } from './access/permissions.ts';
import { aeTitle, host, port, section } from './config-fields.ts';

export const caller = section('Who may associate.', {
  aeTitle: aeTitle('Calling AE title.'),
  addresses: Type.Array(Type.String({ minLength: 2, maxLength: 49 }), {
    maxItems: 32,
    default: [],
    description: 'Addresses that it may come from: 10.1.2.3, 10.1.2.0/24, fd00:1::/48. Empty: from anywhere.',
  }),
  certificates: Type.Array(Type.String({ minLength: 4, maxLength: 67 }), {
    maxItems: 16,
    default: [],
    description:
      'Certificates of which it must show one over TLS: the SHA-256 in lower-case hexadecimal, or `CN=` and the common name. Empty: none is asked for.',
  }),
  calledAeTitles: Type.Array(aeTitle('AE title of the box.'), {
    maxItems: 16,
    default: [],
    description: 'AE titles of the box by which it may call. Empty: by each.',
  }),
  may: Type.Array(Type.Enum(permissions), {
    maxItems: permissions.length,
    default: ['store'],
    description:
      'What it may do: send objects; C-FIND; C-MOVE and C-GET; ask for storage commitment; report performed procedure steps; notify of available instances.',
  }),
  mayCorrect: Type.Boolean({
    default: false,
    description:
      'Its objects may correct the attributes of objects that are kept (ADT corrections, exports of a PACS).',
  }),
  reachedAt: Type.Optional(
    section('Where it is reached, for storage commitment results and C-ECHO from the console.', {
      host: Type.String({ minLength: 1, maxLength: 253, description: 'Its address.' }),
      port: port('Its DICOM port.'),
      tls: Type.Boolean({ default: false, description: 'Over TLS, with the certificates of dicom.tls.' }),
    }),
  ),
});

const timeOfDay = (description: string) =>
  Type.String({ pattern: '^([01][0-9]|2[0-3]):[0-5][0-9]$', description });

/** More would be a router's task; each holds an association and a queue. */
export const destinationsMax = 16;

const windows = Type.Array(
  section('A time of day.', {
    from: timeOfDay('HH:MM, from which on it is sent to.'),
    to: timeOfDay('HH:MM, until which it is sent to; if not later than `from`, on the following day.'),
  }),
  {
    maxItems: 16,
    default: [],
    description: 'Times of day in which it is sent to, in `timeZone`. Empty: always.',
  },
);

const timeZone = Type.String({
  default: 'UTC',
  maxLength: 64,
  description: 'Time zone of `windows`, by its IANA name such as Europe/Berlin; summer time is heeded.',
});

export const destination = section('A PACS, an archive or a workstation to which the box sends.', {
  name: Type.String({
    pattern: '^[a-z0-9](?:[a-z0-9-]{0,30}[a-z0-9])?$',
    description:
      'By which its queue is known: lower-case letters, digits, dashes; at most 32. A queue under a new name begins anew.',
  }),
  host: host('Its address.'),
  port: port('Its DICOM port.'),
  aeTitle: aeTitle('Its AE title.'),
  callingAeTitle: Type.Optional(
    aeTitle('AE title by which the box calls it. Without it, the title by which modalities call the box.'),
  ),
  sendsAs: Type.Array(aeTitle('AE title.'), {
    maxItems: 16,
    default: [],
    description:
      'Further AE titles under which it sends to the box. What it sent, under these or its own, is not sent back to it.',
  }),
  tls: Type.Boolean({
    default: false,
    description: 'Over TLS, with the certificates of dicom.tls.',
  }),
  tlsNameChecked: Type.Boolean({
    default: true,
    description:
      'Over TLS, whether its certificate must name `host`. Without it any holder of a certificate of the authorities is taken for it.',
  }),
  inline: Type.Boolean({
    default: false,
    description: 'It gets what modalities send, each object as soon as it is on the disk.',
  }),
  fetched: Type.Boolean({
    default: false,
    description: 'It gets what was fetched from other institutions, under the local patient ID.',
  }),
  notify: Type.Boolean({
    default: false,
    description:
      'It is told by Instance Availability Notification when a study that it was sent is complete.',
  }),
  commitment: Type.Boolean({
    default: false,
    description: 'It is asked for storage commitment; what it does not commit to is sent again.',
  }),
  paused: Type.Boolean({
    default: false,
    description: 'Maintenance: nothing is sent to it, everything is kept and waits.',
  }),
  bytesPerSecondMax: Type.Optional(
    Type.Integer({
      minimum: 16_384,
      maximum: 10_000_000_000,
      description: 'Rate limit in bytes per second, for a thin line. Without it, as fast as it takes.',
    }),
  ),
  windows,
  timeZone,
});

/** DA, PS3.5 6.2. */
const day = (description: string) =>
  Type.String({ pattern: '^[0-9]{4}(0[1-9]|1[0-2])(0[1-9]|[12][0-9]|3[01])$', description });

export const sidecar = section(
  'The archive of the hospital, whose studies are registered by reference and pulled when a release needs them.',
  {
    archive: Type.String({
      minLength: 1,
      maxLength: 32,
      default: 'pacs',
      description:
        'Name of the destination that is the archive. It must let the box query and retrieve, and may store to the box.',
    }),
    pullSilenceMsMax: Type.Integer({
      minimum: 60_000,
      maximum: 86_400_000,
      default: 7_200_000,
      description:
        'How long the archive may show no sign of life, neither an object nor an answer, while it is asked for a study; then it is asked anew. Tape libraries take an hour and more. Milliseconds.',
    }),
    backfill: Type.Optional(
      section("The archive's past, the newest day first.", {
        from: day('The oldest study date, YYYYMMDD.'),
        to: Type.Optional(day('The newest study date. Without it, the day on which the backfill began.')),
        studiesPerMinute: Type.Integer({
          minimum: 1,
          maximum: 6_000,
          default: 30,
          description: 'How many studies the archive is asked for in a minute; clinicians use it too.',
        }),
        windows,
        timeZone,
      }),
    ),
  },
);

export const dicomTls = section('DICOM over TLS, beside the plain port. Peers must show a certificate too.', {
  port: Type.Integer({
    minimum: 0,
    maximum: 65535,
    default: 2762,
    description: 'TCP port; 2762 is the registered port of DICOM over TLS.',
  }),
  certificateFile: Type.String({
    minLength: 1,
    description:
      'PEM file of the certificate that the box shows, followed by its chain. Relative paths start at the configuration file. A new one is taken without a restart.',
  }),
  keyFile: Type.String({
    minLength: 1,
    description: 'PEM file of the private key, without a passphrase; readable for Hilum alone.',
  }),
  caFiles: Type.Array(Type.String({ minLength: 1 }), {
    minItems: 1,
    maxItems: 16,
    description: 'PEM files of the authorities whose certificates peers may show.',
  }),
});
