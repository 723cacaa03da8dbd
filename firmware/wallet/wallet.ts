/**
 * A patient's wallet: binds to hospitals, lists the patient's studies, grants and revokes access, and tells who was
 * sent what. Everything it reports of the ledger was proved to it (light-client.ts); everything it decides is signed by
 * keys that never leave it.
 */
import { equalBytes, fromHex, toHex } from '../src/encoding/bytes.ts';
import { AppError } from '../src/errors.ts';
import {
  grantRecord,
  idBytes,
  institutionRecord,
  revocationRecord,
  stateKeys,
  studyRecord,
  toGrantId,
} from '../src/ledger/index.ts';
import type { AccessRevoke, GrantId, StudyId } from '../src/ledger/types.ts';
import { deriveAccount, seedBytes, type Account } from '../src/protocol/accounts.ts';
import { makeAddress } from '../src/protocol/addresses.ts';
import { grantPersonBytesMax, grantPurposeBytesMax } from '../src/protocol/limits.ts';
import { accountKeysRefusal } from '../src/protocol/owner-keys.ts';
import { isText } from '../src/protocol/fields.ts';
import { BoxClient } from './box-client.ts';
import { openGenesis, type GenesisCheckpoint } from './genesis-checkpoint.ts';
import { buildGrant, buildRevocation, type SignedGrant } from './grant-building.ts';
import { LedgerReader } from './ledger-reader.ts';
import { LightClient } from './light-client.ts';
import { boxesMax, grantDaysMax, grantOpensMax, grantsMax } from './limits.ts';
import { readOwnedStudies, type OwnedStudy } from './owned-studies.ts';
import { readRecord } from './records.ts';
import { readHistory, type StudyHistory } from './study-history.ts';
import { parseTicket } from './tickets.ts';
import {
  decodeWallet,
  encodeWallet,
  type BoundBox,
  type RecordedGrant,
  type WalletData,
} from './wallet-data.ts';
import type { WalletClock, WalletStore, WalletTransport } from './wallet-ports.ts';

export interface WalletModules {
  readonly store: WalletStore;
  readonly transport: WalletTransport;
  readonly clock: WalletClock;
}

export type WalletRefusal =
  /** The text is no ticket of a reception. */
  | 'ticket-malformed'
  /** The ticket is of another consortium than the wallet's. */
  | 'ticket-other-consortium'
  /** The institution of the ticket is no member. */
  | 'ticket-no-member'
  | 'too-many-hospitals'
  | 'study-not-found'
  /** More than one study fits. */
  | 'study-ambiguous'
  /** The source's note of the study does not agree with the ledger now. */
  | 'study-unverified'
  | 'grantee-unknown'
  | 'grantee-is-source'
  /** The grantee's account on the ledger has keys that are refused. */
  | 'grantee-keys'
  | 'days-out-of-range'
  | 'opens-out-of-range'
  | 'purpose-out-of-range'
  | 'person-out-of-range'
  | 'too-many-grants'
  | 'grant-not-found'
  | 'nothing-to-revoke';

/** Why something was not done: by the wallet itself, or in the words of the hospital's box or the ledger. */
export type Refusal =
  | { readonly kind: 'refused'; readonly by: 'wallet'; readonly reason: WalletRefusal }
  | { readonly kind: 'refused'; readonly by: 'box' | 'ledger'; readonly reason: string };

export type WalletStudy =
  Omit<Extract<OwnedStudy, { kind: 'verified' }>, 'signer'> | Extract<OwnedStudy, { kind: 'unverified' }>;

export interface WalletStudies {
  readonly studies: readonly WalletStudy[];
  /** Hospitals whose mailbox could not be read now, and why: the list is not complete. */
  readonly unread: readonly { readonly institution: string; readonly error: AppError }[];
}

export interface GrantRequest {
  /** Study id (or at least 8 digits of it) or Study Instance UID. */
  readonly study: string;
  readonly grantee: string;
  readonly days: number;
  readonly purpose: string;
  readonly person?: string;
  /** How often the grantee may open the study; 5 if not said. A transfer that resumes is no new opening. */
  readonly maxOpens?: number;
  /** Whether what the source adds later is granted too; true if not said. */
  readonly amendments?: boolean;
}

export interface Granted {
  readonly kind: 'granted';
  readonly grantId: GrantId;
  readonly studyId: StudyId;
  readonly grantee: string;
  /** Block times, UTC milliseconds. */
  readonly grantedAt: number;
  readonly expiry: number;
}

export interface Revoked {
  readonly kind: 'revoked';
  readonly studyId: StudyId;
  /** The one grant, or undefined when all were revoked. */
  readonly grantId: GrantId | undefined;
}

const dayMs = 86_400_000;
const maxOpensDefault = 5;
/** Digits of a study or grant id that name it; fewer could fit by chance. */
const idDigitsMin = 8;

export class Wallet {
  readonly #modules: WalletModules;
  #data: WalletData;
  /** Changes run one after the other, so that none is built on a state that another is about to replace. */
  #last: Promise<unknown> = Promise.resolve();

  private constructor(modules: WalletModules, data: WalletData) {
    this.#modules = modules;
    this.#data = data;
  }

  /** A new wallet with a fresh seed, saved. @throws AppError WALLET_EXISTS if the store holds one. */
  static async create(modules: WalletModules): Promise<Wallet> {
    if ((await modules.store.load()) !== undefined) {
      throw new AppError('WALLET_EXISTS', 'There is a wallet already.');
    }
    const seed = crypto.getRandomValues(new Uint8Array(seedBytes));
    const wallet = new Wallet(modules, { seed, genesis: null, boxes: [], grants: [] });
    await wallet.#save(wallet.#data);
    return wallet;
  }

  /** @throws AppError WALLET_UNREADABLE if there is none, or it is damaged. */
  static async open(modules: WalletModules): Promise<Wallet> {
    const bytes = await modules.store.load();
    if (bytes === undefined) throw new AppError('WALLET_UNREADABLE', 'There is no wallet yet.');
    try {
      return new Wallet(modules, decodeWallet(bytes));
    } catch (cause) {
      if (!(cause instanceof RangeError)) throw cause;
      throw new AppError('WALLET_UNREADABLE', `The wallet is damaged: ${cause.message}.`, { cause });
    }
  }

  /** Where the wallet is bound. */
  get boxes(): readonly BoundBox[] {
    return this.#data.boxes;
  }

  /** Answers a reception's ticket (the text of its QR code) with an address. @throws AppError if the box cannot be reached. */
  bind(ticketText: string): Promise<{ readonly kind: 'bound'; readonly institution: string } | Refusal> {
    return this.#serially(async () => {
      const ticket = parseTicket(ticketText);
      if (ticket === undefined) return refused('ticket-malformed');
      const chain = fromHex(ticket.genesis);
      const known = this.#data.genesis;
      if (known !== null && !equalBytes(known.chain, chain)) return refused('ticket-other-consortium');
      const others = this.#data.boxes.filter((box) => box.institution !== ticket.institution);
      if (others.length >= boxesMax) return refused('too-many-hospitals');
      const { institution, origin, certificateSha256 } = ticket;
      const box = new BoxClient(this.#modules.transport, { origin, certificateSha256 });
      const checkpoint = openGenesis(known?.document ?? (await box.genesis()), chain);
      if (checkpoint === undefined) {
        throw new AppError(
          'LEDGER_UNPROVEN',
          `${origin} gave another genesis document than its ticket names.`,
        );
      }
      const bound: BoundBox = { institution, origin, certificateSha256, boundAt: this.#modules.clock.now() };
      // The box proves that its institution is a member before it learns an address.
      const reader = this.#reader(checkpoint, [bound]);
      const { values } = await reader.read([stateKeys.institution(institution)], institution);
      if (readRecord(institutionRecord, values[0]) === undefined) return refused('ticket-no-member');
      const address = await makeAddress(this.#account(institution), chain, fromHex(ticket.nonce));
      const answer = await box.bind({ ticket: ticket.ticket, address: toHex(address) });
      if (answer.kind === 'refused') return { kind: 'refused', by: 'box', reason: answer.reason };
      await this.#save({
        ...this.#data,
        genesis: { chain, document: checkpoint.bytes },
        boxes: [...others, bound],
      });
      return { kind: 'bound', institution };
    });
  }

  /** The patient's studies at all hospitals where the wallet is bound, each compared with the ledger. */
  async studies(): Promise<WalletStudies> {
    const { studies, unread } = await this.#ownedStudies();
    return {
      studies: studies.map((study) => {
        if (study.kind === 'unverified') return study;
        const { signer: _stays, ...shown } = study;
        return shown;
      }),
      unread,
    };
  }

  /** Grants one institution access to one study. @throws AppError if no box can be reached or prove the outcome. */
  grant(request: GrantRequest): Promise<Granted | Refusal> {
    return this.#serially(async () => {
      const { days, purpose, person = null, maxOpens = maxOpensDefault, amendments = true } = request;
      if (!Number.isInteger(days) || days < 1 || days > grantDaysMax) return refused('days-out-of-range');
      if (!Number.isInteger(maxOpens) || maxOpens < 1 || maxOpens > grantOpensMax) {
        return refused('opens-out-of-range');
      }
      if (!isText(purpose, grantPurposeBytesMax)) return refused('purpose-out-of-range');
      if (person !== null && !isText(person, grantPersonBytesMax)) return refused('person-out-of-range');
      if (this.#data.grants.length >= grantsMax) return refused('too-many-grants');
      const study = await this.#find(request.study);
      if (study.kind === 'refused') return study;
      if (request.grantee === study.source) return refused('grantee-is-source');
      const { checkpoint, reader } = this.#consortium();
      const keys = [
        stateKeys.study(study.studyId),
        stateKeys.institution(study.source),
        stateKeys.institution(request.grantee),
      ];
      const { header, values } = await reader.read(keys, study.source);
      const record = readRecord(studyRecord, values[0]);
      const source = readRecord(institutionRecord, values[1]);
      const grantee = readRecord(institutionRecord, values[2]);
      if (record === undefined || source === undefined) return refused('study-unverified');
      if (grantee === undefined) return refused('grantee-unknown');
      if (accountKeysRefusal(grantee.account.spend, grantee.account.view) !== undefined) {
        return refused('grantee-keys');
      }
      const grant = await buildGrant({
        chain: checkpoint.chain,
        study: { ...study, record },
        source,
        grantee,
        now: header.time,
        expiry: header.time + days * dayMs,
        maxOpens,
        amendments,
        purpose,
        person,
        patientAtGrantee: this.#accountKeyAt(grantee.id),
      });
      return this.#submitGrant(grant, study.studyId, source.id, grantee.id);
    });
  }

  /**
   * Revokes one grant (its id, or at least 8 digits of it), or all grants of the study, also such as are still on
   * their way. @throws AppError if no box can be reached or prove the outcome.
   */
  revoke(request: { readonly study: string; readonly grant?: string }): Promise<Revoked | Refusal> {
    return this.#serially(async () => {
      const study = await this.#find(request.study);
      if (study.kind === 'refused') return study;
      const { checkpoint, reader } = this.#consortium();
      const { header, values } = await reader.read([stateKeys.study(study.studyId)], study.source);
      const record = readRecord(studyRecord, values[0]);
      if (record === undefined) return refused('study-unverified');
      const target = this.#revocationTarget(study.studyId, record.grantSeq, request.grant);
      if (target === undefined) return refused('grant-not-found');
      if ('upTo' in target && target.upTo <= record.revokedUpTo) return refused('nothing-to-revoke');
      const transaction = await buildRevocation({
        chain: checkpoint.chain,
        studyId: study.studyId,
        ownerEpoch: record.ownerEpoch,
        signer: study.signer,
        now: header.time,
        target,
      });
      const answer = await this.#box(study.source).submit(transaction);
      if (answer.kind === 'refused') return { kind: 'refused', by: 'ledger', reason: answer.reason };
      const grantId = 'grantId' in target ? toGrantId(target.grantId) : undefined;
      await this.#awaitRevocation(reader, study, target);
      return { kind: 'revoked', studyId: study.studyId, grantId };
    });
  }

  /** Grants and receipts of one study, complete as of the block that it names. A whole study id needs no mailbox. */
  async history(study: string): Promise<StudyHistory | Refusal> {
    const known = await this.#identify(study);
    if ('kind' in known) return known;
    const { reader } = this.#consortium();
    const history = await readHistory({
      ledger: reader,
      studyId: known.studyId,
      preferred: known.source,
      grants: this.#grantsOf(known.studyId),
    });
    return history ?? refused('study-not-found');
  }

  async #submitGrant(
    grant: SignedGrant,
    studyId: StudyId,
    source: string,
    grantee: string,
  ): Promise<Granted | Refusal> {
    const recorded: RecordedGrant = {
      grantId: idBytes(grant.id),
      studyId: idBytes(studyId),
      source,
      grantee,
      seq: grant.body.seq,
      expiry: grant.body.expiry,
      signedAt: grant.body.notBefore,
      terms: grant.terms,
    };
    const before = this.#data;
    // Before it is sent: a lost answer must not leave a grant on the ledger that its maker does not know.
    await this.#save({ ...before, grants: [...before.grants, recorded] });
    const answer = await this.#box(source).submit(grant.transaction);
    if (answer.kind === 'refused') {
      await this.#save(before);
      return { kind: 'refused', by: 'ledger', reason: answer.reason };
    }
    const { reader } = this.#consortium();
    const key = stateKeys.grant(grant.id);
    const { values } = await reader.await([key], source, ([value]) => value !== null);
    const grantedAt = readRecord(grantRecord, values[0])?.grantedAt ?? answer.time;
    return { kind: 'granted', grantId: grant.id, studyId, grantee, grantedAt, expiry: grant.body.expiry };
  }

  /** undefined if the wallet made no such grant, or more than one fits. */
  #revocationTarget(
    studyId: StudyId,
    grantSeq: number,
    grant: string | undefined,
  ): AccessRevoke['target'] | undefined {
    const own = this.#grantsOf(studyId);
    if (grant === undefined) return { upTo: Math.max(grantSeq, ...own.map((recorded) => recorded.seq)) };
    const fitting = own.filter((recorded) => isIdPrefix(grant, toHex(recorded.grantId)));
    const [only] = fitting;
    return only !== undefined && fitting.length === 1 ? { grantId: only.grantId } : undefined;
  }

  async #awaitRevocation(
    reader: LedgerReader,
    study: { readonly studyId: StudyId; readonly source: string },
    target: AccessRevoke['target'],
  ): Promise<void> {
    if ('upTo' in target) {
      await reader.await([stateKeys.study(study.studyId)], study.source, ([value]) => {
        const record = readRecord(studyRecord, value);
        return record !== undefined && record.revokedUpTo >= target.upTo;
      });
      return;
    }
    const id = toGrantId(target.grantId);
    const keys = [stateKeys.revoked(id), stateKeys.revokedAhead(study.studyId, id)];
    await reader.await(keys, study.source, (values) =>
      values.some((value) => readRecord(revocationRecord, value) !== undefined),
    );
  }

  /** The study that is meant and its place, from the wallet's own record where that suffices. */
  async #identify(
    reference: string,
  ): Promise<{ readonly studyId: StudyId; readonly source: string } | Refusal> {
    const own = this.#data.grants.find((grant) => toHex(grant.studyId) === reference);
    if (own !== undefined) return { studyId: reference as StudyId, source: own.source };
    const found = await this.#locate(reference);
    return found.kind === 'refused' ? found : { studyId: found.studyId, source: found.source };
  }

  /** The one verified study that the reference names. */
  async #find(reference: string): Promise<Extract<OwnedStudy, { kind: 'verified' }> | Refusal> {
    const found = await this.#locate(reference);
    return found.kind === 'unverified' ? refused('study-unverified') : found;
  }

  async #locate(reference: string): Promise<OwnedStudy | Refusal> {
    const { studies, unread } = await this.#ownedStudies();
    const fitting = studies.filter(
      (study) =>
        isIdPrefix(reference, study.studyId) ||
        (study.kind === 'verified' && study.note.studyInstanceUid === reference),
    );
    const [only] = fitting;
    if (fitting.length > 1) return refused('study-ambiguous');
    if (only !== undefined) return only;
    // It may lie where nothing could be read: that is no answer to "which study".
    if (unread[0] !== undefined) throw unread[0].error;
    return refused('study-not-found');
  }

  async #ownedStudies(): Promise<{
    readonly studies: readonly OwnedStudy[];
    readonly unread: WalletStudies['unread'];
  }> {
    if (this.#data.boxes.length === 0) return { studies: [], unread: [] };
    const { checkpoint, reader } = this.#consortium();
    const studies: OwnedStudy[] = [];
    const unread: WalletStudies['unread'][number][] = [];
    for (const { institution } of this.#data.boxes) {
      const account = this.#account(institution);
      const box = this.#box(institution);
      try {
        studies.push(...(await readOwnedStudies({ box, account, chain: checkpoint.chain, ledger: reader })));
      } catch (error) {
        if (!(error instanceof AppError)) throw error;
        unread.push({ institution, error });
      }
    }
    return { studies, unread };
  }

  /** @throws AppError WALLET_UNREADABLE if the wallet's own genesis document is damaged, or PEER_UNREACHABLE if it has none. */
  #consortium(): { readonly checkpoint: GenesisCheckpoint; readonly reader: LedgerReader } {
    const { genesis, boxes } = this.#data;
    if (genesis === null) {
      throw new AppError('PEER_UNREACHABLE', 'The wallet is bound at no hospital yet.');
    }
    const checkpoint = openGenesis(genesis.document, genesis.chain);
    if (checkpoint === undefined) {
      throw new AppError('WALLET_UNREADABLE', 'The genesis document in the wallet is damaged.');
    }
    return { checkpoint, reader: this.#reader(checkpoint, boxes) };
  }

  #reader(checkpoint: GenesisCheckpoint, boxes: readonly BoundBox[]): LedgerReader {
    const { transport, clock } = this.#modules;
    return new LedgerReader({ lightClient: new LightClient(checkpoint), transport, clock, boxes });
  }

  #account(institution: string): Account {
    return deriveAccount(this.#data.seed, institution);
  }

  /** S at an institution where the patient is bound; it tells the grantee whose study it is. */
  #accountKeyAt(institution: string): Uint8Array | null {
    const bound = this.#data.boxes.some((box) => box.institution === institution);
    return bound ? this.#account(institution).spend.publicKey : null;
  }

  #box(institution: string): BoxClient {
    const box = this.#data.boxes.find((candidate) => candidate.institution === institution);
    if (box === undefined) throw new RangeError('the wallet is not bound there');
    return new BoxClient(this.#modules.transport, box);
  }

  #grantsOf(studyId: StudyId): readonly RecordedGrant[] {
    return this.#data.grants.filter((grant) => toHex(grant.studyId) === studyId);
  }

  async #save(data: WalletData): Promise<void> {
    await this.#modules.store.save(encodeWallet(data));
    this.#data = data;
  }

  #serially<T>(run: () => Promise<T>): Promise<T> {
    const result = this.#last.then(run, run);
    this.#last = result;
    return result;
  }
}

function refused(reason: WalletRefusal): Refusal {
  return { kind: 'refused', by: 'wallet', reason };
}

function isIdPrefix(reference: string, id: string): boolean {
  return reference.length >= idDigitsMin && id.startsWith(reference.toLowerCase());
}
