/**
 * A patient's wallet: binds to hospitals, lists the patient's studies, grants and revokes access, and tells who was
 * sent what. Everything it reports of the ledger was proved to it (light-client.ts); everything it decides is signed by
 * keys that never leave it.
 */
import { equalBytes, fromHex, toHex } from '../src/encoding/bytes.ts';
import { AppError } from '../src/errors.ts';
import {
  basisRecord,
  idBytes,
  institutionRecord,
  revocationRecord,
  stateKeys,
  studyRecord,
  toBasisId,
  toStudyId,
} from '../src/ledger/index.ts';
import type { AccessRevoke, StudyId, StudyRecord } from '../src/ledger/types.ts';
import { deriveAccount, seedBytes, type Account } from '../src/protocol/accounts.ts';
import { makeAddress } from '../src/protocol/addresses.ts';
import { grantPersonBytesMax, grantPurposeBytesMax } from '../src/protocol/limits.ts';
import { accountKeysRefusal } from '../src/protocol/owner-keys.ts';
import { isText } from '../src/encoding/cbor-fields.ts';
import { BoxClient } from './box-client.ts';
import { openCheckpoint, openGenesis } from './checkpoint.ts';
import { buildGrant, buildRevocation, type SignedGrant } from './grant-building.ts';
import { LedgerReader, preferredFirst } from './ledger-reader.ts';
import { LightClient } from './light-client.ts';
import { boxesMax, grantDaysMax, grantOpensMax, grantsMax } from './limits.ts';
import { readOwnedStudies, recogniseStudy, type OwnedStudy } from './owned-studies.ts';
import { readRecord } from './records.ts';
import { readHistory, unusedHistory, type StudyHistory } from './study-history.ts';
import type { Ticket } from './http-contract.ts';
import { parseTicket } from './tickets.ts';
import type {
  Granted,
  GrantRequest,
  Refusal,
  Revoked,
  RevokeRequest,
  WalletRefusal,
  WalletStudies,
} from './wallet-answers.ts';
import {
  decodeWallet,
  encodeWallet,
  type BoundBox,
  type RecordedGrant,
  type Trust,
  type WalletData,
} from './wallet-data.ts';
import type { WalletClock, WalletStore, WalletTransport } from './wallet-ports.ts';

export interface WalletModules {
  readonly store: WalletStore;
  readonly transport: WalletTransport;
  readonly clock: WalletClock;
}

const dayMs = 86_400_000;
const maxOpensDefault = 5;
/** Digits of a study or grant id that name it; fewer could fit by chance. */
const idDigitsMin = 8;

export class Wallet {
  readonly #modules: WalletModules;
  #data: WalletData;
  #ledger: LightClient | undefined;
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
    const wallet = new Wallet(modules, { seed, trust: null, boxes: [], grants: [] });
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
      const known = this.#data.trust;
      if (known !== null && !equalBytes(known.chain, chain)) return refused('ticket-other-consortium');
      const others = this.#data.boxes.filter((box) => box.institution !== ticket.institution);
      if (others.length >= boxesMax) return refused('too-many-hospitals');
      const { institution, origin, certificateSha256 } = ticket;
      const box = new BoxClient(this.#modules.transport, { origin, certificateSha256 });
      const ledger = await this.#trustFrom(ticket, box);
      const bound: BoundBox = { institution, origin, certificateSha256, boundAt: this.#modules.clock.now() };
      // The box proves that its institution is a member before it learns an address.
      const reader = this.#reader(ledger, [bound]);
      const { values } = await reader.read([stateKeys.institution(institution)], institution);
      if (readRecord(institutionRecord, values[0]) === undefined) return refused('ticket-no-member');
      const address = await makeAddress(this.#account(institution), chain, fromHex(ticket.nonce));
      const answer = await box.bind({ ticket: ticket.ticket, address: toHex(address) });
      if (answer.kind === 'refused') return { kind: 'refused', by: 'box', reason: answer.reason };
      await this.#save({
        ...this.#data,
        trust: { chain, epoch: ledger.epoch },
        boxes: [...others, bound],
      });
      return { kind: 'bound', institution };
    });
  }

  /** The patient's studies at all hospitals where the wallet is bound, each compared with the ledger. */
  async studies(): Promise<WalletStudies> {
    const { studies, unread } = await this.#ownedStudies();
    await this.#keepTrust();
    return {
      studies: studies.map((study) => {
        if (study.kind === 'unverified') return study;
        const { signer: _signer, leaf: _leaf, provedAt: _provedAt, ...shown } = study;
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
      const { chain, reader } = this.#consortium();
      const keys = [
        stateKeys.study(study.studyId),
        stateKeys.institution(study.source),
        stateKeys.institution(request.grantee),
      ];
      const { header, values } = await reader.read(keys, study.source);
      const own = readRecord(studyRecord, values[0]);
      const leaf = own === undefined ? study.leaf : undefined;
      const record = own ?? (leaf && study.record);
      const source = readRecord(institutionRecord, values[1]);
      const grantee = readRecord(institutionRecord, values[2]);
      if (record === undefined || source === undefined) return refused('study-unverified');
      if (record.status !== 'open') return refused('study-not-open');
      if (grantee === undefined) return refused('grantee-unknown');
      if (accountKeysRefusal(grantee.account.spend, grantee.account.view) !== undefined) {
        return refused('grantee-keys');
      }
      const grant = await buildGrant({
        chain,
        study: { ...study, record, leaf },
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
  revoke(request: RevokeRequest): Promise<Revoked | Refusal> {
    return this.#serially(async () => {
      const study = await this.#identify(request.study);
      if ('kind' in study) return study;
      const { chain, reader } = this.#consortium();
      const { header, values } = await reader.read([stateKeys.study(study.studyId)], study.source);
      const own = readRecord(studyRecord, values[0]);
      const unused = own === undefined ? await this.#unusedStudy(study.studyId) : undefined;
      const record = own ?? unused?.record;
      // The ledger's record alone: a source that withholds or changes a note must not hold up a revocation.
      const owned = record && recogniseStudy(this.#account(study.source), chain, record);
      if (record === undefined || owned === undefined) return refused('study-not-found');
      const target = this.#revocationTarget(study.studyId, record, header.time, request.grant);
      if (target === undefined) return refused('grant-not-found');
      if ('upTo' in target && target.upTo <= record.revokedUpTo) return refused('nothing-to-revoke');
      const transaction = await buildRevocation({
        chain,
        studyId: study.studyId,
        ownerEpoch: record.ownerEpoch,
        signer: owned.signer,
        now: header.time,
        target,
        leaf: unused?.leaf,
      });
      const answer = await this.#submit(transaction, study.source);
      if (answer.kind === 'refused') return answer;
      const grantId = 'basisId' in target ? toBasisId(target.basisId) : undefined;
      await this.#awaitRevocation(reader, study, target);
      return { kind: 'revoked', studyId: study.studyId, grantId };
    });
  }

  /** Grants and receipts of one study, complete as of the block that it names. What was granted once needs no mailbox. */
  async history(study: string): Promise<StudyHistory | Refusal> {
    const known = await this.#identify(study);
    if ('kind' in known) return known;
    const { chain, reader } = this.#consortium();
    const history = await readHistory({
      ledger: reader,
      chain,
      studyId: known.studyId,
      preferred: known.source,
      grants: this.#grantsOf(known.studyId),
    });
    await this.#keepTrust();
    if (history !== undefined) return history;
    const unused = await this.#unusedStudy(known.studyId);
    return unused === undefined ? refused('study-not-found') : unusedHistory(unused);
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
      validUntil: grant.body.validUntil,
      terms: grant.terms,
    };
    // Before it is sent, and kept whatever the boxes answer: none may be final that its maker does not know.
    await this.#save({ ...this.#data, grants: [...this.#data.grants, recorded] });
    const answer = await this.#submit(grant.transaction, source);
    if (answer.kind === 'refused') return answer;
    const { reader } = this.#consortium();
    const key = stateKeys.basis(grant.id);
    const { values } = await reader.await([key], source, ([value]) => value !== null);
    const grantedAt = readRecord(basisRecord, values[0])?.grantedAt ?? answer.time;
    return { kind: 'granted', grantId: grant.id, studyId, grantee, grantedAt, expiry: grant.body.expiry };
  }

  /**
   * Sends the transaction to the preferred institution's box, and to the others until one calls it final: no single
   * box can hold it up. @throws AppError of the first box if none answered.
   */
  async #submit(
    transaction: Uint8Array,
    preferred: string,
  ): Promise<{ readonly kind: 'final'; readonly time: number } | Refusal> {
    let refusal: Refusal | undefined;
    let fault: AppError | undefined;
    for (const box of preferredFirst(this.#data.boxes, preferred)) {
      try {
        const answer = await this.#box(box.institution).submit(transaction);
        if (answer.kind === 'final') return answer;
        refusal ??= { kind: 'refused', by: 'ledger', reason: answer.reason };
      } catch (cause) {
        if (!(cause instanceof AppError)) throw cause;
        fault ??= cause;
      }
    }
    if (refusal !== undefined) return refusal;
    throw fault ?? new AppError('PEER_UNREACHABLE', 'The wallet is bound at no hospital yet.');
  }

  /** undefined if the wallet made no such grant, or more than one fits. */
  #revocationTarget(
    studyId: StudyId,
    record: StudyRecord,
    time: number,
    grant: string | undefined,
  ): AccessRevoke['target'] | undefined {
    const own = this.#grantsOf(studyId);
    if (grant === undefined) {
      // Grants whose answer was lost may still arrive until they lapse: they are revoked ahead.
      const underWay = own.filter((recorded) => recorded.validUntil >= time);
      return { upTo: Math.max(record.grantSeq, ...underWay.map((recorded) => recorded.seq)) };
    }
    const fitting = own.filter((recorded) => isIdPrefix(grant, toHex(recorded.grantId)));
    const [only] = fitting;
    return only !== undefined && fitting.length === 1 ? { basisId: only.grantId } : undefined;
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
    const id = toBasisId(target.basisId);
    const keys = [stateKeys.revoked(id), stateKeys.study(study.studyId)];
    await reader.await(keys, study.source, ([revoked, value]) => {
      const record = readRecord(studyRecord, value);
      const isAhead = record?.revokedAhead.some((other) => equalBytes(other, target.basisId)) === true;
      return isAhead || readRecord(revocationRecord, revoked) !== undefined;
    });
  }

  /** The study that is meant and its place, from the wallet's own record where that suffices. */
  async #identify(
    reference: string,
  ): Promise<{ readonly studyId: StudyId; readonly source: string } | Refusal> {
    const own = this.#data.grants.filter((grant) => isIdPrefix(reference, toHex(grant.studyId)));
    const [first] = own;
    if (first !== undefined && own.every((grant) => equalBytes(grant.studyId, first.studyId))) {
      return { studyId: toStudyId(first.studyId), source: first.source };
    }
    const found = await this.#locate(reference);
    return found.kind === 'refused' ? found : { studyId: found.studyId, source: found.source };
  }

  /** The one verified study that the reference names. */
  async #find(reference: string): Promise<Extract<OwnedStudy, { kind: 'verified' }> | Refusal> {
    const found = await this.#locate(reference);
    return found.kind === 'unverified' ? refused('study-unverified') : found;
  }

  /** A study that was registered in bulk and that nobody used yet: the ledger has no record of it alone. */
  async #unusedStudy(studyId: StudyId): Promise<Extract<OwnedStudy, { kind: 'verified' }> | undefined> {
    const found = await this.#locate(studyId);
    return found.kind === 'verified' && found.leaf !== undefined ? found : undefined;
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
    const { chain, reader } = this.#consortium();
    const studies: OwnedStudy[] = [];
    const unread: WalletStudies['unread'][number][] = [];
    for (const { institution } of this.#data.boxes) {
      const account = this.#account(institution);
      const box = this.#box(institution);
      try {
        studies.push(...(await readOwnedStudies({ box, account, chain, ledger: reader })));
      } catch (error) {
        if (!(error instanceof AppError)) throw error;
        unread.push({ institution, error });
      }
    }
    return { studies, unread };
  }

  /**
   * What the wallet believes, if that is still young enough; otherwise what the ticket of a reception vouches for.
   * @throws AppError LEDGER_UNPROVEN if the box cannot show the block that its ticket names.
   */
  async #trustFrom(ticket: Ticket, box: BoxClient): Promise<LightClient> {
    const chain = fromHex(ticket.genesis);
    const { trust } = this.#data;
    if (trust !== null && !this.#lightClient(trust).hasExpired(this.#modules.clock.now())) {
      return this.#lightClient(trust);
    }
    const { epoch: number, height, digest } = ticket.checkpoint;
    const handover = number === 0 ? undefined : await box.handover(number - 1);
    const epoch =
      number === 0
        ? openGenesis(await box.genesis(), chain)
        : handover && openCheckpoint({ chain, epoch: number, height, digest: fromHex(digest) }, handover);
    if (epoch !== undefined) return this.#lightClient({ chain, epoch });
    throw new AppError('LEDGER_UNPROVEN', `${ticket.origin} does not show the block that its ticket names.`);
  }

  /** @throws AppError PEER_UNREACHABLE if the wallet is bound nowhere. */
  #consortium(): { readonly chain: Uint8Array; readonly reader: LedgerReader } {
    const { trust, boxes } = this.#data;
    if (trust === null) {
      throw new AppError('PEER_UNREACHABLE', 'The wallet is bound at no hospital yet.');
    }
    return { chain: trust.chain, reader: this.#reader(this.#lightClient(trust), boxes) };
  }

  /** One light client lives as long as the wallet, so that each handover is verified once. */
  #lightClient(trust: Trust): LightClient {
    if (this.#ledger === undefined || this.#ledger.epoch.number < trust.epoch.number) {
      this.#ledger = new LightClient(trust.chain, trust.epoch);
    }
    return this.#ledger;
  }

  #reader(lightClient: LightClient, boxes: readonly BoundBox[]): LedgerReader {
    const { transport, clock } = this.#modules;
    return new LedgerReader({ lightClient, transport, clock, boxes });
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
    const { trust } = data;
    const saved =
      trust === null ? data : { ...data, trust: { ...trust, epoch: this.#lightClient(trust).epoch } };
    await this.#modules.store.save(encodeWallet(saved));
    this.#data = saved;
  }

  /** The epochs that were followed while reading: the next reading, perhaps on another day, starts there. */
  async #keepTrust(): Promise<void> {
    const { trust } = this.#data;
    if (trust === null || this.#lightClient(trust).epoch.number === trust.epoch.number) return;
    await this.#serially(() => this.#save(this.#data));
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
