/**
 * The console's HTTP API, /api/v1: what the page sends and gets, as TypeBox schemas. Times are UTC milliseconds since
 * 1970, sizes bytes. Answers hold patient data for logged-in staff: they are never cached and never logged.
 */
import { Type, type Static } from 'typebox';
import { consortiumNoticeSchema } from './consortium-contract.ts';
import {
  accessSchema,
  destinationSchema,
  dicomTlsSchema,
  quarantineSchema,
  sidecarSchema,
} from './dicom-contract.ts';

/** NIST SP 800-63B asks for at least 8 characters; accounts that reach patient data get more. */
export const passwordCharactersMin = 12;
/** Long enough for any passphrase, short enough that hashing it costs nothing extra. */
export const passwordCharactersMax = 256;
/** Shortest account name: two initials. */
export const accountNameCharactersMin = 2;
/** Longest account name: first and family name with a dot. */
export const accountNameCharactersMax = 32;

/** A body that says more than its schema is refused, and the field named: a misspelt field must not be ignored. */
const body = <Properties extends Parameters<typeof Type.Object>[0]>(properties: Properties) =>
  Type.Object(properties, { additionalProperties: false });

export const roleSchema = Type.Union([
  Type.Literal('administrator'),
  Type.Literal('reception'),
  Type.Literal('clinician'),
  Type.Literal('auditor'),
]);
export type Role = Static<typeof roleSchema>;

export const accountNameSchema = Type.String({
  minLength: accountNameCharactersMin,
  maxLength: accountNameCharactersMax,
  pattern: '^[a-z][a-z0-9.-]*$',
});

/** A password as typed at login: any, so that the answer tells nothing about the rules it was made under. */
const typedPasswordSchema = Type.String({ minLength: 1, maxLength: passwordCharactersMax });
const newPasswordSchema = Type.String({ minLength: passwordCharactersMin, maxLength: passwordCharactersMax });

export const loginBodySchema = body({
  name: Type.String({ minLength: 1, maxLength: passwordCharactersMax }),
  password: typedPasswordSchema,
});
export type LoginBody = Static<typeof loginBodySchema>;

export const passwordBodySchema = body({ current: typedPasswordSchema, next: newPasswordSchema });
export type PasswordBody = Static<typeof passwordBodySchema>;

export const newAccountBodySchema = body({ name: accountNameSchema, role: roleSchema });
export type NewAccountBody = Static<typeof newAccountBodySchema>;

/** Name, birth date and sex as the patient states them; they must match what the hospital holds under the ID. */
export const ticketBodySchema = body({
  patientId: Type.String({ minLength: 1, maxLength: 64, pattern: '^[^\\\\\\x00-\\x1f]+$' }),
  issuer: Type.Optional(Type.String({ minLength: 1, maxLength: 64, pattern: '^[^\\\\\\x00-\\x1f]+$' })),
  name: Type.String({ minLength: 1, maxLength: 324, pattern: '^[^\\\\\\x00-\\x1f]+$' }),
  /** DICOM's DA: YYYYMMDD. */
  birthDate: Type.String({ pattern: '^[0-9]{4}(0[1-9]|1[0-2])(0[1-9]|[12][0-9]|3[01])$' }),
  sex: Type.Union([Type.Literal('F'), Type.Literal('M'), Type.Literal('O')]),
});
export type TicketBody = Static<typeof ticketBodySchema>;

/** Every refusal and fault: the code of the error table, what happened, what to do. */
export const errorAnswerSchema = Type.Object({
  code: Type.String(),
  message: Type.String(),
  remedy: Type.String(),
});
export type ErrorAnswer = Static<typeof errorAnswerSchema>;

export const accountSchema = Type.Object({
  name: accountNameSchema,
  role: roleSchema,
  /** The password was made by the box and must be changed before anything else. */
  mustChangePassword: Type.Boolean(),
  createdAt: Type.Number(),
  lastLoginAt: Type.Union([Type.Number(), Type.Null()]),
});
export type AccountView = Static<typeof accountSchema>;

/** GET /me: public, so that the page knows whose box it is before the login. */
export const meSchema = Type.Object({
  institution: Type.Object({ id: Type.String(), name: Type.String() }),
  account: Type.Union([accountSchema, Type.Null()]),
  /** What a new password must have at least, for the form's hint. */
  passwordCharactersMin: Type.Integer(),
});
export type Me = Static<typeof meSchema>;

/** POST /accounts: the one-time password is shown once and stored nowhere but as its hash. */
export const newAccountSchema = Type.Object({ account: accountSchema, oneTimePassword: Type.String() });
export type NewAccount = Static<typeof newAccountSchema>;

/** POST /requests: a person here wants a study from elsewhere now, grant or not. */
export const requestBodySchema = body({
  source: Type.String({ pattern: '^[a-z0-9-]{1,32}$' }),
  studyId: Type.String({ pattern: '^[0-9a-f]{64}$' }),
});
export type RequestBody = Static<typeof requestBodySchema>;

/** A refusal gives no ground: the source tells nobody whether there is such a study. */
export const requestAnswerSchema = Type.Union([
  Type.Object({ kind: Type.Literal('kept'), objects: Type.Integer() }),
  Type.Object({ kind: Type.Literal('refused') }),
]);
export type RequestAnswer = Static<typeof requestAnswerSchema>;

/** POST /tickets: what the wallet needs to bind; `payload` is the text of the QR code. */
export const ticketSchema = Type.Object({
  code: Type.String(),
  payload: Type.String(),
  expiresAt: Type.Number(),
});
export type TicketAnswer = Static<typeof ticketSchema>;

const healthItemSchema = Type.Object({
  code: Type.String(),
  /** What it is about: a peer, a disk, a destination. */
  subject: Type.String(),
  detail: Type.String(),
  since: Type.Number(),
  remedy: Type.String(),
});
export type HealthView = Static<typeof healthItemSchema>;

const originSchema = Type.Union([
  Type.Object({ kind: Type.Literal('received'), aeTitle: Type.String() }),
  Type.Object({ kind: Type.Literal('fetched'), institution: Type.String(), name: Type.String() }),
  /** Known by reference: the ledger holds its UIDs' commitment, its bytes lie in the PACS until they were pulled. */
  Type.Object({ kind: Type.Literal('referenced'), aeTitle: Type.String(), pulled: Type.Boolean() }),
]);

const deliverySchema = Type.Object({
  aeTitle: Type.String(),
  state: Type.Union([Type.Literal('waiting'), Type.Literal('delivered'), Type.Literal('failed')]),
  /** When it got into this state. */
  at: Type.Number(),
});

const studySchema = Type.Object({
  studyInstanceUid: Type.String(),
  patientName: Type.String(),
  patientId: Type.String(),
  modality: Type.String(),
  description: Type.String(),
  /** DICOM's DA, or empty where the study has none. */
  studyDate: Type.String(),
  objects: Type.Integer(),
  bytes: Type.Integer(),
  /** First and last object. */
  receivedAt: Type.Number(),
  updatedAt: Type.Number(),
  state: Type.Union([Type.Literal('receiving'), Type.Literal('complete')]),
  /** `final`: the version that stands in a final block, and that block's time. */
  ledger: Type.Union([
    Type.Object({ kind: Type.Literal('waiting') }),
    Type.Object({
      kind: Type.Literal('final'),
      at: Type.Number(),
      version: Type.Integer(),
      closed: Type.Boolean(),
    }),
    Type.Object({ kind: Type.Literal('refused'), reason: Type.String() }),
  ]),
  origin: originSchema,
  /** Whether a wallet owns it, or the box holds the owner key for a patient without one. */
  owner: Type.Union([Type.Literal('wallet'), Type.Literal('custody'), Type.Literal('elsewhere')]),
  deliveries: Type.Array(deliverySchema),
});
export type StudyView = Static<typeof studySchema>;

const releaseSchema = Type.Object({
  id: Type.String(),
  /** `out`: another institution asked this box. `in`: this box asked another. */
  direction: Type.Union([Type.Literal('out'), Type.Literal('in')]),
  at: Type.Number(),
  /** The other side. */
  institution: Type.String(),
  institutionName: Type.String(),
  /** As far as this box knows it: a refused request may name a study that does not exist. */
  patientName: Type.Union([Type.String(), Type.Null()]),
  studyDescription: Type.Union([Type.String(), Type.Null()]),
  outcome: Type.Union([
    Type.Literal('running'),
    Type.Literal('released'),
    Type.Literal('refused'),
    Type.Literal('failed'),
  ]),
  /** The true reason: basis of a release, ground of a refusal, cause of a failure. */
  reason: Type.String(),
  objects: Type.Integer(),
  bytes: Type.Integer(),
});
export type ReleaseView = Static<typeof releaseSchema>;

/** What this box found of another's TPM. */
const memberAttestationSchema = Type.Object({
  /** `unknown`: it has not answered yet. */
  result: Type.Union([
    Type.Literal('unknown'),
    Type.Literal('passed'),
    Type.Literal('failed'),
    Type.Literal('silent'),
    /** By another box, which was not heard yet. */
    Type.Literal('replaced'),
  ]),
  /** Since when the result is this. */
  since: Type.Number(),
  /** When it was last heard; when it began to be asked, if never. */
  heardAt: Type.Number(),
  /** What the first failed check found; null if it passed. */
  finding: Type.Union([Type.String(), Type.Null()]),
  /** Its TPM is a simulator. */
  development: Type.Boolean(),
});

const peerSchema = Type.Object({
  institution: Type.String(),
  name: Type.String(),
  validator: Type.Boolean(),
  connected: Type.Boolean(),
  /** When the connection was made or lost; null while there never was one. */
  since: Type.Union([Type.Number(), Type.Null()]),
  /** Null until it is asked for the first time. */
  attestation: Type.Union([memberAttestationSchema, Type.Null()]),
});
export type PeerView = Static<typeof peerSchema>;

/** GET /overview, and each `overview` event of GET /events. */
export const overviewSchema = Type.Object({
  /** The box's clock, so that ages are right where the browser's clock is not. */
  time: Type.Number(),
  box: Type.Object({
    institution: Type.Object({ id: Type.String(), name: Type.String() }),
    version: Type.String(),
    startedAt: Type.Number(),
    /** swtpm instead of a TPM: protects nothing, says so on every page. */
    development: Type.Boolean(),
    tpm: Type.Union([
      Type.Literal('ready'),
      Type.Literal('absent'),
      Type.Literal('locked-out'),
      Type.Literal('policy-mismatch'),
      Type.Literal('wedged'),
      Type.Literal('wrong-tpm'),
    ]),
    dicom: Type.Object({
      /** By which it is called, the first being its own. */
      aeTitles: Type.Array(Type.String()),
      aeTitle: Type.String(),
      host: Type.String(),
      port: Type.Integer(),
      tls: Type.Union([dicomTlsSchema, Type.Null()]),
    }),
    storage: Type.Object({
      usedBytes: Type.Number(),
      freeBytes: Type.Number(),
      /** Free bytes below which it is an alarm, and below which nothing new is taken. */
      alarmFreeBytes: Type.Number(),
      refuseFreeBytes: Type.Number(),
      studies: Type.Integer(),
      objects: Type.Integer(),
    }),
  }),
  /** The hospital's archive, whose studies are registered by reference; null where there is none. */
  sidecar: Type.Union([sidecarSchema, Type.Null()]),
  /** What has not reached its receiver yet: results of storage commitments, messages of procedure steps. */
  workflow: Type.Object({ commitments: Type.Integer(), procedureSteps: Type.Integer() }),
  health: Type.Array(healthItemSchema),
  ledger: Type.Object({
    height: Type.Integer(),
    /** Time of the last final block. */
    lastBlockAt: Type.Number(),
    /** No final block for 30 s: nothing is released until there is one. */
    stale: Type.Boolean(),
    /** Whether this box votes. */
    validator: Type.Boolean(),
    validators: Type.Integer(),
    /** On the disk: blocks, old headers and snapshots. */
    bytes: Type.Integer(),
    /** Null unless the box is behind. `of` is what more members claim than could lie. */
    catchingUp: Type.Union([
      Type.Object({
        by: Type.Enum(['blocks', 'snapshot']),
        done: Type.Integer(),
        of: Type.Integer(),
        perSecond: Type.Number(),
        secondsLeft: Type.Union([Type.Integer(), Type.Null()]),
      }),
      Type.Null(),
    ]),
  }),
  consortium: consortiumNoticeSchema,
  peers: Type.Array(peerSchema),
  /** Newest first, at most `overviewStudiesMax`. */
  studies: Type.Array(studySchema),
  /** Newest first, at most `overviewReleasesMax`. */
  releases: Type.Array(releaseSchema),
  access: accessSchema,
  quarantine: quarantineSchema,
  destinations: Type.Array(destinationSchema),
});
export type Overview = Static<typeof overviewSchema>;
