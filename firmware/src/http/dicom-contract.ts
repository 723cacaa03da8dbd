/**
 * The part of the console's HTTP API that is about DICOM peers: who may call the box, where it forwards to, what it
 * holds back. Times are UTC milliseconds since 1970, sizes bytes.
 */
import { Type, type Static } from 'typebox';
import { permissions, type Permission } from '../access/permissions.ts';

/** A body that says more than its schema is refused, and the field named. */
const body = <Properties extends Parameters<typeof Type.Object>[0]>(properties: Properties) =>
  Type.Object(properties, { additionalProperties: false });

const nullable = <Schema extends Parameters<typeof Type.Array>[0]>(schema: Schema) =>
  Type.Union([schema, Type.Null()]);

/** PS3.5 table 6.2-1, VR AE, without spaces around it. */
const aeTitleSchema = Type.String({ pattern: '^(?! )[\\x20-\\x5b\\x5d-\\x7e]{1,16}(?<! )$' });

export const permissionSchema = Type.Enum(permissions);
export type PermissionName = Permission;

const reachedAtSchema = body({
  host: Type.String({ minLength: 1, maxLength: 253 }),
  port: Type.Integer({ minimum: 1, maximum: 65535 }),
  tls: Type.Boolean(),
});

/** POST /callers and PUT /callers/:id: who is admitted, from where, for what. Whether ranges and titles are right is told in words. */
export const callerBodySchema = body({
  callingAeTitle: aeTitleSchema,
  /** Addresses and ranges; none: from anywhere. */
  addresses: Type.Array(Type.String({ minLength: 1, maxLength: 49 }), { maxItems: 32 }),
  /** SHA-256 in hexadecimal, or CN=common name; none: no certificate is asked for. */
  certificates: Type.Array(Type.String({ minLength: 1, maxLength: 67 }), { maxItems: 16 }),
  /** AE titles of the box; none: each. */
  calledAeTitles: Type.Array(aeTitleSchema, { maxItems: 16 }),
  may: Type.Array(permissionSchema, { maxItems: permissions.length }),
  mayCorrect: Type.Boolean(),
  reachedAt: nullable(reachedAtSchema),
});
export type CallerBody = Static<typeof callerBodySchema>;

/** Of callers, refused callers and what is in quarantine. */
export const idSchema = Type.String({ pattern: '^[A-Za-z0-9_-]{1,64}$' });

const callerSchema = Type.Object({
  id: Type.String(),
  ...callerBodySchema.properties,
  /** Null for a caller of the configuration file. */
  admitted: nullable(Type.Object({ by: Type.String(), at: Type.Number() })),
  /** Its newest association since the box was started; null: none. */
  seen: nullable(
    Type.Object({
      at: Type.Number(),
      count: Type.Integer(),
      remoteAddress: Type.String(),
      /** What it asked for and may not do. */
      lacked: Type.Array(permissionSchema),
    }),
  ),
});
export type CallerView = Static<typeof callerSchema>;

const pendingCallerSchema = Type.Object({
  id: Type.String(),
  callingAeTitle: Type.String(),
  calledAeTitle: Type.String(),
  remoteAddress: Type.String(),
  /** What it showed over TLS. */
  certificate: nullable(Type.Object({ sha256: Type.String(), commonName: nullable(Type.String()) })),
  /** What it wanted to send or do. */
  sopClassUids: Type.Array(Type.String()),
  ground: Type.Union([
    Type.Literal('unknown'),
    Type.Literal('called-ae-title'),
    Type.Literal('address'),
    Type.Literal('certificate'),
  ]),
  firstAt: Type.Number(),
  lastAt: Type.Number(),
  count: Type.Integer(),
});
export type PendingCallerView = Static<typeof pendingCallerSchema>;

export const accessSchema = Type.Object({
  /** Refused callers that wait for an administrator, seen last first, at most `overviewPendingMax`. */
  pending: Type.Array(pendingCallerSchema),
  /** Those admitted on the console first, at most `overviewCallersMax`. */
  callers: Type.Array(callerSchema),
  callersCount: Type.Integer(),
});
export type AccessView = Static<typeof accessSchema>;

const quarantinedSchema = Type.Object({
  id: Type.String(),
  at: Type.Number(),
  callingAeTitle: Type.String(),
  /** Why it is held, in a sentence. */
  reason: Type.String(),
  bytes: Type.Integer(),
  /** What could be read of it; empty where it could not. */
  patientName: Type.String(),
  patientId: Type.String(),
  modality: Type.String(),
  description: Type.String(),
  sopInstanceUid: Type.String(),
  /** False for an object that has no place in any study: it can only be discarded. */
  releasable: Type.Boolean(),
});
export type QuarantinedView = Static<typeof quarantinedSchema>;

export const quarantineSchema = Type.Object({
  count: Type.Integer(),
  bytes: Type.Integer(),
  /** Newest first, at most `overviewQuarantineMax`. */
  objects: Type.Array(quarantinedSchema),
});
export type QuarantineView = Static<typeof quarantineSchema>;

const setAsideSchema = Type.Object({
  studyRef: Type.String(),
  patientName: Type.String(),
  description: Type.String(),
  objects: Type.Integer(),
  /** What the destination said. */
  reason: Type.String(),
  at: Type.Number(),
});
export type SetAsideView = Static<typeof setAsideSchema>;

export const destinationSchema = Type.Object({
  name: Type.String(),
  aeTitle: Type.String(),
  host: Type.String(),
  port: Type.Integer(),
  /** `held-back`: paused, or outside its hours. `failing`: it takes nothing at the moment. */
  state: Type.Union([Type.Literal('ready'), Type.Literal('held-back'), Type.Literal('failing')]),
  failing: nullable(Type.Object({ since: Type.Number(), reason: Type.String() })),
  waitingStudies: Type.Integer(),
  waitingObjects: Type.Integer(),
  setAsideObjects: Type.Integer(),
  /** Newest first, at most `overviewSetAsideMax`. */
  setAside: Type.Array(setAsideSchema),
});
export type DestinationView = Static<typeof destinationSchema>;

/** Of a destination in a path. */
export const destinationNameSchema = Type.String({ minLength: 1, maxLength: 64 });

export const studyRefSchema = Type.String({ pattern: '^[0-9a-f]{1,64}$' });

/** POST /destinations/:name/resend: what was set aside, of one study or of all; or everything since a time. */
export const resendBodySchema = Type.Union([
  body({ what: Type.Literal('set-aside'), studyRef: Type.Optional(studyRefSchema) }),
  body({ what: Type.Literal('since'), since: Type.Integer({ minimum: 0 }) }),
]);
export type ResendBody = Static<typeof resendBodySchema>;

/** POST /destinations/:name/give-up: what was set aside of a study is not sent any more. */
export const giveUpBodySchema = body({ studyRef: studyRefSchema });
export type GiveUpBody = Static<typeof giveUpBodySchema>;

/** Answer to both: how many objects it was about. */
export interface ObjectsAnswer {
  readonly objects: number;
}

/** POST /destinations/:name/echo and /callers/:id/echo: what a C-ECHO came to. */
export const echoAnswerSchema = Type.Union([
  Type.Object({ kind: Type.Literal('answered'), ms: Type.Integer() }),
  Type.Object({ kind: Type.Literal('failed'), reason: Type.String() }),
]);
export type EchoAnswer = Static<typeof echoAnswerSchema>;

/** The certificate that the box shows on its DICOM TLS port. */
export const dicomTlsSchema = Type.Object({
  port: Type.Integer(),
  subject: Type.String(),
  validUntil: Type.Number(),
  /** When it was taken into use. */
  since: Type.Number(),
});
export type DicomTlsView = Static<typeof dicomTlsSchema>;

const incompleteSchema = Type.Object({
  studyRef: Type.String(),
  patientName: Type.String(),
  patientId: Type.String(),
  /** DA. */
  studyDate: Type.String(),
  description: Type.String(),
  /** Instances that are here, and that the archive listed and did not give. */
  objects: Type.Integer(),
  missing: Type.Integer(),
  /** When it was pulled. */
  at: Type.Number(),
});
export type IncompleteView = Static<typeof incompleteSchema>;

/** How far the past of the hospital's archive is registered by reference. */
export const sidecarSchema = Type.Object({
  /** AE title of the archive. */
  archive: Type.String(),
  /** Studies that wait for the archive or are coming from it. */
  pulling: Type.Integer(),
  incompleteCount: Type.Integer(),
  /** Pulled studies of which the archive gave less than it had listed, newest first, at most `overviewIncompleteMax`. */
  incomplete: Type.Array(incompleteSchema),
  backfill: Type.Union([
    Type.Object({
      state: Type.Union([
        Type.Literal('running'),
        Type.Literal('held back'),
        Type.Literal('failing'),
        Type.Literal('done'),
      ]),
      /** DA: the oldest day, the newest, and the one that is next. */
      from: Type.String(),
      to: Type.String(),
      day: Type.String(),
      days: Type.Integer(),
      daysDone: Type.Integer(),
      found: Type.Integer(),
      registered: Type.Integer(),
      leftOut: Type.Integer(),
      begunAt: Type.Number(),
      endedAt: Type.Union([Type.Number(), Type.Null()]),
      reason: Type.String(),
    }),
    Type.Null(),
  ]),
});
export type SidecarView = Static<typeof sidecarSchema>;
