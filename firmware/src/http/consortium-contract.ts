/**
 * The part of the console's HTTP API that is about the consortium: its members, what they propose, how they vote. Times
 * are UTC milliseconds since 1970. All of it is public among members.
 */
import { Type, type Static } from 'typebox';

/** A record of an institution, or the parameters, as JSON text: some 3 KB with 16 root keys, more than twice that. */
export const handedTextCharactersMax = 8_192;
/** A signed document in hexadecimal: the keys of a box with 16 signatures are some 6 KB. */
export const signedDocumentCharactersMax = 12_288;
/** Institutions that one proposal names, as the ledger bounds validators. */
export const proposedValidatorsMax = 512;

/** A body that says more than its schema is refused, and the field named. */
const body = <Properties extends Parameters<typeof Type.Object>[0]>(properties: Properties) =>
  Type.Object(properties, { additionalProperties: false });

const nullable = <Schema extends Parameters<typeof Type.Array>[0]>(schema: Schema) =>
  Type.Union([schema, Type.Null()]);

const institutionIdSchema = Type.String({ pattern: '^[a-z0-9-]{1,32}$' });
const idListSchema = Type.Array(institutionIdSchema, { maxItems: proposedValidatorsMax });

/** JSON as the box itself writes it: a record of `hilum enrol`, or the parameters. */
const documentSchema = Type.String({ minLength: 2, maxLength: handedTextCharactersMax });

/** POST /proposals. */
export const proposeBodySchema = Type.Union([
  body({ kind: Type.Literal('admit'), record: documentSchema, validator: Type.Boolean() }),
  body({ kind: Type.Literal('remove'), institution: institutionIdSchema }),
  body({ kind: Type.Literal('validators'), add: idListSchema, remove: idListSchema }),
  body({ kind: Type.Literal('parameters'), parameters: documentSchema }),
]);
export type ProposeBody = Static<typeof proposeBodySchema>;

/** POST /proposals/:id/vote. */
export const voteBodySchema = body({ approve: Type.Boolean() });

/** POST /consortium/documents: what offline keys have signed, in hexadecimal. */
export const signedDocumentBodySchema = body({
  document: Type.String({ pattern: '^([0-9a-f]{2})+$', maxLength: signedDocumentCharactersMax }),
});

export const proposalIdSchema = Type.String({ pattern: '^[0-9a-f]{64}$' });

/** `waiting`: no block has taken it yet; the list shows it as soon as one has. */
export const actedSchema = Type.Object({
  kind: Type.Union([Type.Literal('done'), Type.Literal('waiting')]),
});
export type ActedAnswer = Static<typeof actedSchema>;

/** POST /proposals/:id/attestation: what the candidate's box proved of itself just now. */
export const attestationAnswerSchema = Type.Union([
  Type.Object({
    kind: Type.Literal('judged'),
    passed: Type.Boolean(),
    /** Its TPM is a simulator. */
    development: Type.Boolean(),
    checks: Type.Array(Type.Object({ name: Type.String(), passed: Type.Boolean(), finding: Type.String() })),
  }),
  /** It did not answer, or will not. */
  Type.Object({ kind: Type.Literal('none'), reason: Type.String() }),
]);
export type AttestationAnswer = Static<typeof attestationAnswerSchema>;

const rootSchema = Type.Object({
  /** Ed25519, hexadecimal, as whoever keeps them has them: two people compare them by telephone. */
  keys: Type.Array(Type.String()),
  threshold: Type.Integer(),
});

const candidateSchema = Type.Object({
  id: Type.String(),
  name: Type.String(),
  /** SHA-256 of the identity key, hexadecimal: what two people compare by telephone. */
  identity: Type.String(),
  keysValidUntil: Type.Number(),
  /** Origin of its console. */
  https: Type.String(),
  root: rootSchema,
});

const changeSchema = Type.Object({
  /** Name of the parameter, as it stands in the genesis document. */
  name: Type.String(),
  before: Type.String(),
  after: Type.String(),
});

const actionSchema = Type.Union([
  Type.Object({ kind: Type.Literal('admit'), institution: candidateSchema, validator: Type.Boolean() }),
  Type.Object({ kind: Type.Literal('remove'), institution: Type.String(), name: Type.String() }),
  Type.Object({
    kind: Type.Literal('validators'),
    add: Type.Array(Type.String()),
    remove: Type.Array(Type.String()),
  }),
  /** `before`: as they are now, not when it was proposed. */
  Type.Object({ kind: Type.Literal('parameters'), changes: Type.Array(changeSchema) }),
  Type.Object({ kind: Type.Literal('vendor'), vendor: rootSchema }),
]);
export type ActionView = Static<typeof actionSchema>;

const actSchema = Type.Object({
  kind: Type.Union([Type.Literal('proposed'), Type.Literal('approved'), Type.Literal('rejected')]),
  account: Type.String(),
  at: Type.Number(),
});

const proposalSchema = Type.Object({
  id: Type.String(),
  action: actionSchema,
  proposer: Type.String(),
  proposerName: Type.String(),
  proposedAt: Type.Number(),
  expiry: Type.Number(),
  state: Type.Union([
    Type.Literal('open'),
    Type.Literal('passed'),
    Type.Literal('failed'),
    Type.Literal('expired'),
  ]),
  /** When it was decided; null unless it was. */
  decidedAt: nullable(Type.Number()),
  /** Names of members, in the order in which they voted. */
  approvedBy: Type.Array(Type.String()),
  rejectedBy: Type.Array(Type.String()),
  /** Of how many members so many must approve. */
  members: Type.Integer(),
  quorum: Type.Integer(),
  /** Whether this hospital may still vote on it. */
  mayVote: Type.Boolean(),
  /** Until when its box counts as proved, so that an admission may be approved here; null: it has to prove itself first. */
  provedUntil: nullable(Type.Number()),
  /** By people of this hospital. */
  acts: Type.Array(actSchema),
});
export type ProposalView = Static<typeof proposalSchema>;

const memberSchema = Type.Object({
  ...candidateSchema.properties,
  /** Of its record: a replacement is made for the next one. */
  version: Type.Integer(),
  validator: Type.Boolean(),
  /** From the next epoch on. */
  validatorNext: Type.Boolean(),
  isSelf: Type.Boolean(),
});
export type MemberView = Static<typeof memberSchema>;

const ownKeysSchema = Type.Object({
  /** When they were certified, and until when that counts. */
  since: Type.Number(),
  validUntil: Type.Number(),
  /** When they are replaced by themselves. */
  dueAt: Type.Number(),
});
export type OwnKeysView = Static<typeof ownKeysSchema>;

/** GET /consortium. */
export const consortiumSchema = Type.Object({
  /** Digest of the genesis document, hexadecimal. */
  chain: Type.String(),
  /** Whether this hospital is a member, and so may propose and vote. */
  isMember: Type.Boolean(),
  members: Type.Array(memberSchema),
  /** Of this box; null where the ledger does not name it. */
  ownKeys: nullable(ownKeysSchema),
  /** Open ones and the last decided ones, newest first. */
  proposals: Type.Array(proposalSchema),
  /** As JSON, with the names of the genesis document. */
  parameters: Type.String(),
});
export type ConsortiumView = Static<typeof consortiumSchema>;

/** Of the overview: null in no consortium. */
export const consortiumNoticeSchema = nullable(
  Type.Object({
    /** Open proposals on which this hospital has not voted. */
    waiting: Type.Integer(),
    /** Grows whenever GET /consortium gives another answer. */
    revision: Type.Integer(),
  }),
);
