/**
 * The HTTP contract between a box and wallets, shared by both sides. JSON over HTTPS, bytes in lower-case hexadecimal,
 * everything under `walletApiPrefix`. A failed request is answered with an HTTP status of the error table and
 * `ErrorAnswerSchema`. Nothing here needs a log-in: the ledger is public to wallets, a mailbox opens to the holder of
 * the account's key, and a binding to the holder of a ticket.
 */
import { Type, type Static } from 'typebox';
import {
  genesisBytesMax,
  handoverBytesMax,
  mailboxEntriesMax,
  mailboxNoteBytesMax,
  proofKeysMax,
  stateKeyCharactersMax,
  ticketCodeCharactersMax,
  walletTransactionBytesMax,
} from './limits.ts';

export const walletApiPrefix = '/wallet/v1';

/** Paths without the prefix. */
export const walletPaths = {
  /** GET → GenesisAnswer */
  genesis: '/ledger/genesis',
  /** GET → HeadAnswer */
  head: '/ledger/head',
  /** GET ?epoch=… → HandoverAnswer: from this epoch to the next */
  handover: '/ledger/handover',
  /** GET ?key=…&key=… → ProofAnswer */
  proof: '/ledger/proof',
  /** POST TransactionRequest → TransactionAnswer, within 30 s; LEDGER_STALE if it is not final by then */
  transactions: '/transactions',
  /** POST ChallengeRequest → ChallengeAnswer */
  challenge: '/challenge',
  /** POST MailboxRequest → MailboxAnswer */
  mailbox: '/mailbox',
  /** POST BindingRequest → BindingAnswer */
  bindings: '/bindings',
} as const;

/** Lower-case hexadecimal of exactly this many bytes. */
const hexOf = (bytes: number) => Type.String({ pattern: `^[0-9a-f]{${bytes * 2}}$` });

/** Lower-case hexadecimal of 1 to this many bytes. */
const hexUpTo = (bytesMax: number) =>
  Type.String({ pattern: '^([0-9a-f]{2})+$', minLength: 2, maxLength: bytesMax * 2 });

const closed = { additionalProperties: false } as const;

const InstitutionIdSchema = Type.String({ pattern: '^[a-z0-9-]{1,32}$' });
const StateKeySchema = Type.String({
  minLength: 1,
  maxLength: stateKeyCharactersMax,
  pattern: '^[a-z0-9/-]+$',
});
/** Height, UTC milliseconds: unsigned integers that JSON carries exactly. */
const CountSchema = Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER });
/** Canonical CBOR of a block header and of its finalization certificate: bounded by the number of validators. */
const HeaderSchema = hexUpTo(4_096);
const CertificateSchema = hexUpTo(65_536);

/** What a reception's QR code holds, as JSON text. */
export const TicketSchema = Type.Object(
  {
    v: Type.Literal(1),
    institution: InstitutionIdSchema,
    /** Origin of the box's wallet service, e.g. https://127.0.0.1:4003, without a path. */
    origin: Type.String({ pattern: '^https://[^/?#\\s]+$', maxLength: 255 }),
    /** SHA-256 of the box's TLS certificate (DER), which the wallet pins. */
    certificateSha256: hexOf(32),
    /** One-time code. */
    ticket: Type.String({ pattern: '^[A-Za-z0-9_-]+$', minLength: 8, maxLength: ticketCodeCharactersMax }),
    /** The source's nonce, which the address signs, so that an address serves one ticket. */
    nonce: hexOf(16),
    /** Chain: digest of the genesis document. */
    genesis: hexOf(32),
    /** Where the wallet's light client starts: the block after which this epoch begins. */
    checkpoint: Type.Object({ epoch: CountSchema, height: CountSchema, digest: hexOf(32) }, closed),
  },
  closed,
);
export type Ticket = Static<typeof TicketSchema>;

export const ErrorAnswerSchema = Type.Object({
  code: Type.String({ maxLength: 64 }),
  message: Type.String({ maxLength: 1_000 }),
  remedy: Type.String({ maxLength: 1_000 }),
});
export type ErrorAnswer = Static<typeof ErrorAnswerSchema>;

export const GenesisAnswerSchema = Type.Object(
  {
    /** Canonical CBOR of the genesis document; its digest is the chain. */
    genesis: hexUpTo(genesisBytesMax),
  },
  closed,
);
export type GenesisAnswer = Static<typeof GenesisAnswerSchema>;

export const HeadAnswerSchema = Type.Object({ header: HeaderSchema, certificate: CertificateSchema }, closed);
export type HeadAnswer = Static<typeof HeadAnswerSchema>;

export const HandoverQuerySchema = Type.Object(
  { epoch: Type.String({ pattern: '^(0|[1-9][0-9]{0,15})$' }) },
  closed,
);
export type HandoverQuery = Static<typeof HandoverQuerySchema>;

export const HandoverAnswerSchema = Type.Object(
  {
    /** Encoded (docs/formats.md, "Handover"); null while it is not complete, or if the box has none of that epoch. */
    handover: Type.Union([hexUpTo(handoverBytesMax), Type.Null()]),
  },
  closed,
);
export type HandoverAnswer = Static<typeof HandoverAnswerSchema>;

export const ProofQuerySchema = Type.Object(
  {
    key: Type.Union([
      StateKeySchema,
      Type.Array(StateKeySchema, { minItems: 1, maxItems: proofKeysMax, uniqueItems: true }),
    ]),
  },
  closed,
);
export type ProofQuery = Static<typeof ProofQuerySchema>;

/** `StateProof` of the ledger with bytes in hexadecimal. */
export const StateProofSchema = Type.Object(
  {
    key: StateKeySchema,
    value: Type.Union([hexUpTo(65_536), Type.Null()]),
    /** At most one for each bit of a key's hash. */
    siblings: Type.Array(hexOf(32), { maxItems: 256 }),
    otherLeaf: Type.Union([Type.Object({ keyHash: hexOf(32), valueHash: hexOf(32) }, closed), Type.Null()]),
  },
  closed,
);

/** All proofs hold under the state root of this one header, in the order of the keys asked for. */
export const ProofAnswerSchema = Type.Object(
  {
    header: HeaderSchema,
    certificate: CertificateSchema,
    proofs: Type.Array(StateProofSchema, { minItems: 1, maxItems: proofKeysMax }),
  },
  closed,
);
export type ProofAnswer = Static<typeof ProofAnswerSchema>;

export const TransactionRequestSchema = Type.Object(
  { transaction: hexUpTo(walletTransactionBytesMax) },
  closed,
);
export type TransactionRequest = Static<typeof TransactionRequestSchema>;

export const TransactionAnswerSchema = Type.Union([
  Type.Object({ kind: Type.Literal('final'), height: CountSchema, time: CountSchema }, closed),
  Type.Object({ kind: Type.Literal('refused'), reason: Type.String({ maxLength: 200 }) }, closed),
]);
export type TransactionAnswer = Static<typeof TransactionAnswerSchema>;

export const ChallengeRequestSchema = Type.Object({}, closed);
export type ChallengeRequest = Static<typeof ChallengeRequestSchema>;

/** A nonce serves one mailbox request and lapses by itself. */
export const ChallengeAnswerSchema = Type.Object({ nonce: hexOf(16) }, closed);
export type ChallengeAnswer = Static<typeof ChallengeAnswerSchema>;

export const MailboxRequestSchema = Type.Object(
  {
    /** S: the account's spend key at this institution. */
    spend: hexOf(32),
    nonce: hexOf(16),
    /** Over `mailboxMessage` (protocol/mailbox-proof.ts), made with the account's key. */
    signature: hexOf(64),
  },
  closed,
);
export type MailboxRequest = Static<typeof MailboxRequestSchema>;

/** Bytes and path as the ledger reads them (docs/formats.md, "Registration in bulk"). */
const StudyLeafSchema = Type.Object(
  {
    source: InstitutionIdSchema,
    batch: hexOf(16),
    index: Type.Integer({ minimum: 0, maximum: 1_023 }),
    entry: hexOf(97),
    path: Type.Array(hexOf(32), { maxItems: 10 }),
  },
  closed,
);

/** An account that the source does not know is answered with no entries, like one that owns nothing. */
export const MailboxAnswerSchema = Type.Object(
  {
    entries: Type.Array(
      Type.Object(
        {
          studyId: hexOf(32),
          /** i: the study's index in its batch. */
          index: Type.Integer({ minimum: 0, maximum: 0xffff_ffff }),
          /** R of the batch. */
          ephemeral: hexOf(32),
          tag: Type.Integer({ minimum: 0, maximum: 255 }),
          /** The newest note, sealed (protocol/notes.ts). */
          note: hexUpTo(mailboxNoteBytesMax),
          /** Of a study that was registered in bulk and not used yet (ledger/studies/leaf.ts); else null. */
          leaf: Type.Union([StudyLeafSchema, Type.Null()]),
        },
        closed,
      ),
      { maxItems: mailboxEntriesMax },
    ),
  },
  closed,
);
export type MailboxAnswer = Static<typeof MailboxAnswerSchema>;

export const BindingRequestSchema = Type.Object(
  {
    ticket: Type.String({ pattern: '^[A-Za-z0-9_-]+$', minLength: 8, maxLength: ticketCodeCharactersMax }),
    /** The wallet's address (protocol/addresses.ts), signed with the ticket's nonce. */
    address: hexUpTo(512),
  },
  closed,
);
export type BindingRequest = Static<typeof BindingRequestSchema>;

/** Whether a ticket is unknown, used or lapsed is not told apart. */
export const BindingAnswerSchema = Type.Union([
  Type.Object({ kind: Type.Literal('bound') }, closed),
  Type.Object({ kind: Type.Literal('refused'), reason: Type.String({ maxLength: 200 }) }, closed),
]);
export type BindingAnswer = Static<typeof BindingAnswerSchema>;
