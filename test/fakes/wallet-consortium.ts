/**
 * Four boxes as a wallet sees them, in this process: real ledger rules, real certificates and proofs, mailboxes and
 * tickets by the HTTP contract. Each transaction becomes final in a block of its own; time stands still until told.
 */
import { createHash } from 'node:crypto';
import { p256 } from '@noble/curves/nist.js';
import { concatBytes, fromHex, toHex } from '../../firmware/src/encoding/bytes.ts';
import { merklePath } from '../../firmware/src/encoding/merkle-tree.ts';
import { AppError } from '../../firmware/src/errors.ts';
import { encodeCertificate, voteMessage } from '../../firmware/src/consensus/signatures.ts';
import type { Certificate } from '../../firmware/src/consensus/types.ts';
import { encodeHandover, handoverMessage, type Handover } from '../../firmware/src/handover/handover.ts';
import {
  blockDigest,
  buildBlock,
  chainId,
  decodeTransaction,
  encodeGenesis,
  encodeHeader,
  encodeTransaction,
  genesisBlock,
  genesisState,
  basisId,
  encodeEntry,
  idBytes,
  openId,
  signingMessage,
  stateKeys,
  studyId,
} from '../../firmware/src/ledger/index.ts';
import type {
  AccessGrant,
  AccessOpen,
  BlockHeader,
  Genesis,
  LedgerState,
  StudyId,
  TransactionBody,
} from '../../firmware/src/ledger/types.ts';
import type { Signer } from '../../firmware/src/ports.ts';
import { deriveAccount, type Account } from '../../firmware/src/protocol/accounts.ts';
import { readAddress } from '../../firmware/src/protocol/addresses.ts';
import { recogniseGrant } from '../../firmware/src/protocol/grants.ts';
import { mailboxMessage } from '../../firmware/src/protocol/mailbox-proof.ts';
import { noteHash, sealStudyNote, type StudyNote } from '../../firmware/src/protocol/notes.ts';
import { registerOwner } from '../../firmware/src/protocol/owner-keys.ts';
import {
  walletApiPrefix,
  walletPaths,
  type MailboxAnswer,
  type Ticket,
} from '../../firmware/wallet/http-contract.ts';
import type {
  BoxAnswer,
  BoxEndpoint,
  BoxRequest,
  WalletClock,
  WalletTransport,
} from '../../firmware/wallet/wallet-ports.ts';
import { bytesOf, genesisTime, LedgerFixture, verifySignature } from './ledger.ts';

interface MailboxEntry {
  readonly spend: Uint8Array;
  readonly studyId: string;
  readonly index: number;
  readonly ephemeral: string;
  readonly tag: number;
  note: string;
  readonly leaf: MailboxAnswer['entries'][number]['leaf'];
}

interface Binding {
  readonly spend: Uint8Array;
  readonly view: Uint8Array;
}

interface Registered extends Binding {
  readonly source: string;
  readonly prk: Uint8Array;
  readonly entry: MailboxEntry;
  readonly note: StudyNote;
}

/** What a box answers, before it is sent: a test may change it to be a liar's. */
export type Tamper = (institution: string, path: string, answer: BoxAnswer) => BoxAnswer;

export class WalletConsortium implements WalletTransport {
  readonly fixture = new LedgerFixture();
  readonly genesis: Genesis;
  readonly chain: Uint8Array;
  readonly clock: WalletClock;
  /** What was asked, as `institution METHOD path`, in order. */
  readonly requests: string[] = [];
  /** Institutions that do not answer. */
  readonly down = new Set<string>();
  tamper: Tamper = (_institution, _path, answer) => answer;
  now = genesisTime;
  state: LedgerState;
  header: BlockHeader;
  certificate: Certificate;
  /** Of all blocks from height 1 on. */
  readonly headers: BlockHeader[] = [];
  /** By the epoch that ended. */
  readonly handovers = new Map<number, Handover>();
  readonly #mailboxes = new Map<string, MailboxEntry[]>();
  readonly #tickets = new Map<string, { readonly institution: string; readonly nonce: Uint8Array }>();
  readonly #bindings = new Map<string, Binding>();
  readonly #studies = new Map<StudyId, Registered>();
  readonly #grants: AccessGrant[] = [];
  readonly #challenges = new Set<string>();
  #count = 0;

  constructor() {
    const { genesis } = this.fixture;
    this.genesis = {
      ...genesis,
      institutions: genesis.institutions.map((institution) => {
        const { spend, view } = this.account(institution.id);
        return { ...institution, account: { spend: spend.publicKey, view } };
      }),
    };
    this.chain = chainId(this.genesis);
    this.state = genesisState(this.genesis);
    this.header = genesisBlock(this.genesis).header;
    this.clock = {
      now: () => this.now,
      sleep: (ms) => {
        this.now += ms;
        return Promise.resolve();
      },
    };
    this.certificate = this.certify(this.header, ['north', 'south', 'east']);
    this.heartbeat();
  }

  /** An institution's own account, to which grants are addressed. */
  account(institution: string): Account {
    return deriveAccount(bytesOf(`account seed ${institution}`), institution);
  }

  /** One block of these transactions. @throws Error if the ledger refuses one. */
  commit(...transactions: readonly Uint8Array[]): void {
    const refused = this.#append(transactions);
    if (refused !== undefined) throw new Error(`the ledger refused a transaction: ${refused}`);
  }

  /** A block that closes the epoch, and its handover, signed by these members' identity keys. */
  endEpoch(signers: readonly string[] = ['north', 'south', 'east']): Handover {
    const from = this.state.epoch();
    this.now = Math.max(this.now, from.startTime + this.genesis.parameters.epochMs);
    this.heartbeat();
    const proof = this.state.prove(stateKeys.epoch);
    if (proof.value === null) throw new Error('no epoch');
    const message = handoverMessage(this.chain, from.number, blockDigest(this.header), proof.value);
    const signatures = signers
      .map((id) => ({ id, validator: from.validators.findIndex((validator) => validator.id === id) }))
      .sort((a, b) => a.validator - b.validator)
      .map(({ id, validator }) => ({ validator, signature: p256.sign(message, bytesOf(`identity ${id}`)) }));
    const handover = { header: this.header, certificate: this.certificate, proof, signatures };
    this.handovers.set(from.number, handover);
    return handover;
  }

  /** An empty block, a second later. */
  heartbeat(): void {
    this.#append([]);
  }

  #append(candidates: readonly Uint8Array[]): string | undefined {
    this.now += 1_000;
    const built = buildBlock(this.state, this.header, {
      view: (this.header.epoch === this.state.epoch().number ? this.header.view : 0) + 1,
      time: this.now,
      proposer: 'north',
      candidates,
      verify: verifySignature,
    });
    if (built.refused[0] !== undefined) return built.refused[0].reason;
    this.state = built.state;
    this.header = built.block.header;
    this.headers.push(this.header);
    this.certificate = this.certify(this.header, ['north', 'south', 'east']);
    for (const { body } of built.transactions) if (body.type === 'access.grant') this.#grants.push(body);
    return undefined;
  }

  /** A finalization by these validators. */
  certify(header: BlockHeader, signers: readonly string[]): Certificate {
    const content = {
      kind: 'finalize',
      epoch: header.epoch,
      view: header.view,
      digest: blockDigest(header),
    } as const;
    const message = voteMessage(header.chain, content);
    const signatures = signers
      .map((id) => ({ validator: this.genesis.validators.indexOf(id), id }))
      .sort((a, b) => a.validator - b.validator)
      .map(({ validator, id }) => ({ validator, signature: this.fixture.box(id).voting.sign(message) }));
    return { ...content, signatures };
  }

  endpoint(institution: string): BoxEndpoint {
    const found = this.genesis.institutions.find(({ id }) => id === institution);
    if (found === undefined) throw new Error(`no institution ${institution}`);
    return {
      origin: found.endpoints.https,
      certificateSha256: createHash('sha256').update(institution).digest('hex'),
    };
  }

  /** Of the newest epoch that was handed over. */
  checkpoint(): Ticket['checkpoint'] {
    const last = [...this.handovers.values()].at(-1);
    const header = last?.header ?? genesisBlock(this.genesis).header;
    const epoch = last === undefined ? 0 : last.header.epoch + 1;
    return { epoch, height: header.height, digest: toHex(blockDigest(header)) };
  }

  /** The text of a reception's QR code. */
  ticket(institution: string, change: Partial<Ticket> = {}): string {
    const code = `ticket-${String(this.#count++).padStart(8, '0')}`;
    const nonce = bytesOf(code).subarray(0, 16);
    this.#tickets.set(code, { institution, nonce });
    const ticket: Ticket = {
      v: 1,
      institution,
      ...this.endpoint(institution),
      ticket: code,
      nonce: toHex(nonce),
      genesis: toHex(this.chain),
      checkpoint: this.checkpoint(),
      ...change,
    };
    return JSON.stringify(ticket);
  }

  /** Registers a study of the patient who is bound at the source; in bulk beside somebody else's, which stands first. */
  async register(source: string, description: string, { inBulk = false } = {}): Promise<StudyId> {
    const binding = this.#bindings.get(source);
    if (binding === undefined) throw new Error(`nobody is bound at ${source}`);
    const { spend, view } = binding;
    const name = `${source} ${this.#count++}`;
    const index = inBulk ? 1 : 0;
    const owner = registerOwner(
      { chain: this.chain, institution: source, spend, view, index },
      bytesOf(`r ${name}`),
    );
    const commitment = bytesOf(`commitment ${name}`);
    const note: StudyNote = {
      salt: bytesOf(`salt ${name}`),
      kind: 'imaging-study',
      studyInstanceUid: `1.2.3.${this.#count}`,
      date: '20260102',
      modalities: ['CT'],
      description,
      instances: 200,
      bytes: 105_000_000,
    };
    const sealed = await sealStudyNote(owner.prk, index, commitment, note);
    const batch = bytesOf(`batch ${name}`).subarray(0, 16);
    const { ephemeral, ownerKey, tag, prk } = owner;
    const own = { commitment, ownerKey, tag, noteHash: noteHash(sealed) };
    const shared = { chain: this.chain, validUntil: this.now + 60_000, source, batch, ephemeral };
    const leaves = [encodeEntry({ ...own, ownerKey: bytesOf('somebody else') }), encodeEntry(own)];
    this.#sign(
      inBulk
        ? { type: 'study.registerBulk', ...shared, entries: concatBytes(...leaves) }
        : { type: 'study.register', ...shared, entries: [own] },
      this.fixture.box(source).transaction,
    );
    const id = studyId(this.chain, source, batch, index);
    const path = merklePath(leaves, 1).map(toHex);
    const leaf = { source, batch: toHex(batch), index, entry: toHex(encodeEntry(own)), path };
    const entry: MailboxEntry = {
      spend,
      studyId: id,
      index,
      ephemeral: toHex(ephemeral),
      tag,
      note: toHex(sealed),
      leaf: inBulk ? leaf : null,
    };
    this.#mailboxes.set(source, [...(this.#mailboxes.get(source) ?? []), entry]);
    this.#studies.set(id, { source, spend, view, prk, entry, note });
    return id;
  }

  /** The study has grown: on the ledger at once, in the mailbox when `deliver` is called. */
  async amend(id: StudyId, closed: boolean): Promise<{ readonly deliver: () => void }> {
    const study = this.#studies.get(id);
    const record = this.state.study(id);
    if (study === undefined || record === undefined) throw new Error('no such study');
    const commitment = bytesOf(`commitment ${id} ${record.version + 1}`);
    const sealed = await sealStudyNote(study.prk, 0, commitment, { ...study.note, instances: 201 });
    this.#sign(
      {
        type: 'study.amend',
        chain: this.chain,
        validUntil: this.now + 60_000,
        source: study.source,
        studyId: idBytes(id),
        version: record.version + 1,
        commitment,
        noteHash: noteHash(sealed),
        closed,
      },
      this.fixture.box(study.source).transaction,
    );
    return {
      deliver: () => {
        study.entry.note = toHex(sealed);
      },
    };
  }

  /** The newest grant on the ledger, whole. */
  get lastGrant(): AccessGrant {
    const grant = this.#grants.at(-1);
    if (grant === undefined) throw new Error('no grant on the ledger');
    return grant;
  }

  /** A receipt of a release under that grant; @throws Error with the ledger's reason if it refuses. */
  async open(grantee: string, grant: AccessGrant): Promise<AccessOpen> {
    const id = basisId(grant);
    const record = this.state.basis(id);
    const study = this.state.study(toHex(grant.studyId) as StudyId);
    const recognised = recogniseGrant(this.account(grantee), grant);
    if (record === undefined || study === undefined || recognised === undefined) throw new Error('no grant');
    const body: AccessOpen = {
      type: 'access.open',
      chain: this.chain,
      validUntil: this.now + 60_000,
      source: study.source,
      studyId: grant.studyId,
      basisId: idBytes(id),
      openNo: record.opens + 1,
      head: study.commitment,
    };
    const message = signingMessage(body);
    const signatures = [
      await recognised.signer.sign(message),
      this.fixture.box(study.source).transaction.sign(message),
    ];
    this.commit(encodeTransaction({ body, signatures }));
    return body;
  }

  async close(grantee: string, grant: AccessGrant, open: AccessOpen): Promise<void> {
    const recognised = recogniseGrant(this.account(grantee), grant);
    if (recognised === undefined) throw new Error('no grant');
    const body = {
      type: 'access.close',
      chain: this.chain,
      validUntil: this.now + 60_000,
      source: open.source,
      studyId: open.studyId,
      openId: idBytes(openId(open)),
      digest: bytesOf('digest'),
      sizeBucket: 27,
    } as const;
    const message = signingMessage(body);
    const signatures = [
      await recognised.signer.sign(message),
      this.fixture.box(open.source).transaction.sign(message),
    ];
    this.commit(encodeTransaction({ body, signatures }));
  }

  #sign(body: TransactionBody, signer: Signer): void {
    this.commit(encodeTransaction({ body, signatures: [signer.sign(signingMessage(body))] }));
  }

  request(box: BoxEndpoint, request: BoxRequest): Promise<BoxAnswer> {
    const found = this.genesis.institutions.find(({ endpoints }) => endpoints.https === box.origin);
    if (found === undefined || this.down.has(found.id)) {
      return Promise.reject(new AppError('PEER_UNREACHABLE', `${box.origin} cannot be reached.`));
    }
    const path = request.path.slice(walletApiPrefix.length);
    this.requests.push(`${found.id} ${request.method} ${path.split('?')[0] ?? ''}`);
    const answer = { status: 200, body: this.#answer(found.id, path, request.body) };
    return Promise.resolve(this.tamper(found.id, path, answer));
  }

  #answer(institution: string, path: string, body: unknown): unknown {
    const fields = (body ?? {}) as Record<string, string>;
    const [place = ''] = path.split('?');
    switch (place) {
      case walletPaths.genesis:
        return { genesis: toHex(encodeGenesis(this.genesis)) };
      case walletPaths.handover: {
        const handover = this.handovers.get(Number(new URLSearchParams(path.split('?')[1]).get('epoch')));
        return { handover: handover === undefined ? null : toHex(encodeHandover(handover)) };
      }
      case walletPaths.proof:
        return this.#proofs(new URLSearchParams(path.slice(path.indexOf('?'))).getAll('key'));
      case walletPaths.transactions:
        return this.#take(fromHex(fields['transaction'] ?? ''));
      case walletPaths.challenge: {
        const nonce = toHex(bytesOf(`challenge ${this.#count++}`).subarray(0, 16));
        this.#challenges.add(nonce);
        return { nonce };
      }
      case walletPaths.mailbox:
        return { entries: this.#mailbox(institution, fields) };
      case walletPaths.bindings:
        return this.#bind(institution, fields);
      default:
        throw new Error(`no such path: ${path}`);
    }
  }

  evidence(): { readonly header: string; readonly certificate: string } {
    return {
      header: toHex(encodeHeader(this.header)),
      certificate: toHex(encodeCertificate(this.certificate)),
    };
  }

  #proofs(keys: readonly string[]): unknown {
    const proofs = keys.map((key) => {
      const { value, siblings, otherLeaf } = this.state.prove(key);
      return {
        key,
        value: value && toHex(value),
        siblings: siblings.map(toHex),
        otherLeaf: otherLeaf && {
          keyHash: toHex(otherLeaf.keyHash),
          valueHash: toHex(otherLeaf.valueHash),
        },
      };
    });
    return { ...this.evidence(), proofs };
  }

  #take(transaction: Uint8Array): unknown {
    const decoded = decodeTransaction(transaction);
    if (decoded.kind === 'refused') return { kind: 'refused', reason: decoded.reason };
    const reason = this.#append([transaction]);
    if (reason !== undefined) return { kind: 'refused', reason };
    return { kind: 'final', height: this.header.height, time: this.header.time };
  }

  #mailbox(institution: string, fields: Record<string, string>): readonly unknown[] {
    const [spend, nonce, signature] = ['spend', 'nonce', 'signature'].map((name) =>
      fromHex(fields[name] ?? ''),
    );
    if (spend === undefined || nonce === undefined || signature === undefined) throw new Error('bad mailbox');
    const message = mailboxMessage({ chain: this.chain, institution, spend, nonce });
    const proved = this.#challenges.delete(toHex(nonce)) && verifySignature(spend, message, signature);
    if (!proved) throw new Error('the proof of the account does not hold');
    return (this.#mailboxes.get(institution) ?? [])
      .filter((entry) => toHex(entry.spend) === toHex(spend))
      .map(({ spend: _spend, ...entry }) => entry);
  }

  #bind(institution: string, fields: Record<string, string>): unknown {
    const code = fields['ticket'] ?? '';
    const ticket = this.#tickets.get(code);
    const read =
      ticket?.institution === institution
        ? readAddress(fromHex(fields['address'] ?? ''), {
            chain: this.chain,
            institution,
            nonce: ticket.nonce,
            verify: verifySignature,
          })
        : undefined;
    if (read?.kind !== 'address') return { kind: 'refused', reason: 'unknown ticket' };
    this.#tickets.delete(code);
    this.#bindings.set(institution, read.address);
    return { kind: 'bound' };
  }
}
