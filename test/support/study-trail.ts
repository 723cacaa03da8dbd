/**
 * Everything that one study leaves on the ledger over its life, made as wallets and boxes make it: the encoded
 * transactions and the records of the state. Trails that are made in the same order have the same public choices
 * (times, counts, sizes), so that they differ in what study, wallet and grantee brought in, and in nothing else.
 */
import {
  encodeTransaction,
  idBytes,
  openId,
  signingMessage,
  stateEntries,
  stateKeys,
  studyId,
} from '../../firmware/src/ledger/index.ts';
import type {
  AccessEmergency,
  AccessOpen,
  AccessRefer,
  StudyId,
  StudyRecord,
  TransactionBody,
} from '../../firmware/src/ledger/types.ts';
import type { Account, ScalarSigner } from '../../firmware/src/protocol/accounts.ts';
import { sealGrantNote, termsHash } from '../../firmware/src/protocol/grant-note.ts';
import { grantKeyIndex, recogniseGrant } from '../../firmware/src/protocol/grants.ts';
import { noteHash, sealStudyNote, type StudyNote } from '../../firmware/src/protocol/notes.ts';
import {
  recogniseOneTime,
  registerOwner,
  type RegisteredOwner,
} from '../../firmware/src/protocol/owner-keys.ts';
import { buildGrant, buildRevocation } from '../../firmware/wallet/grant-building.ts';
import { bytesOf } from '../fakes/ledger.ts';
import type { WalletConsortium } from '../fakes/wallet-consortium.ts';

/** Signs at once or later. */
interface Signs {
  sign(message: Uint8Array): Uint8Array | Promise<Uint8Array>;
}

export interface TrailOptions {
  readonly consortium: WalletConsortium;
  /** The patient's at `north`, where the study is registered. */
  readonly account: Account;
  /** No two studies have the same. */
  readonly name: string;
  /** For a test of the test: stands in the place of the note's hash. */
  readonly badNoteHash?: Uint8Array;
}

const source = 'north';
const note: Omit<StudyNote, 'salt'> = {
  kind: 'imaging-study',
  studyInstanceUid: '1.2.3',
  date: '20260102',
  modalities: ['CT'],
  description: 'Thorax',
  instances: 200,
  bytes: 105_000_000,
};

/** Encoded transactions in their order, then the values of the state's records that hold anything of the study. */
export async function trailOf(options: TrailOptions): Promise<readonly Uint8Array[]> {
  const trail = new StudyTrail(options);
  await trail.register();
  await trail.amend();
  await trail.grantAndRelease();
  await trail.refer();
  await trail.declareEmergency();
  await trail.revoke();
  await trail.transfer();
  return trail.everything();
}

class StudyTrail {
  readonly #options: TrailOptions;
  readonly #transactions: Uint8Array[] = [];
  readonly #ids = new Set<string>();
  readonly #owner: RegisteredOwner;
  readonly #batch: Uint8Array;
  readonly #id: StudyId;

  constructor(options: TrailOptions) {
    this.#options = options;
    this.#owner = this.#ownerKey('first');
    this.#batch = bytesOf(`batch ${options.name}`).subarray(0, 16);
    this.#id = studyId(options.consortium.chain, source, this.#batch, 0);
  }

  async register(): Promise<void> {
    const { ephemeral, ownerKey, tag } = this.#owner;
    const { badNoteHash } = this.#options;
    const version = await this.#version(1, this.#owner);
    const entry = { ...version, ...(badNoteHash && { noteHash: badNoteHash }), ownerKey, tag };
    const body = { ...this.#base(), type: 'study.register', source, batch: this.#batch, ephemeral } as const;
    await this.#send({ ...body, entries: [entry] }, this.#north);
  }

  async amend(): Promise<void> {
    const version = await this.#version(2, this.#owner);
    const body = { ...this.#base(), type: 'study.amend', source, studyId: idBytes(this.#id) } as const;
    await this.#send({ ...body, version: 2, ...version, closed: true }, this.#north);
  }

  async grantAndRelease(): Promise<void> {
    const { consortium, account, name } = this.#options;
    const { chain, header, now } = consortium;
    const granted = await buildGrant({
      chain,
      study: {
        kind: 'verified',
        studyId: this.#id,
        source,
        note: { ...note, salt: bytesOf(`salt ${name}`) },
        record: this.#record,
        leaf: undefined,
        provedAt: { height: header.height, time: header.time },
        signer: this.#signerOf(this.#owner),
      },
      source: this.#member(source),
      grantee: this.#member('south'),
      now,
      expiry: now + 604_800_000,
      maxOpens: 5,
      amendments: true,
      purpose: 'Second opinion',
      person: null,
      patientAtGrantee: account.spend.publicKey,
    });
    this.#commit(granted.transaction);
    this.#ids.add(granted.id);
    const grantee = recogniseGrant(consortium.account('south'), granted.body);
    if (grantee === undefined) throw new Error('the grant is not addressed to south');
    const place = { source, studyId: idBytes(this.#id) };
    const open: AccessOpen = {
      ...this.#base(),
      type: 'access.open',
      ...place,
      basisId: idBytes(granted.id),
      openNo: 1,
      head: this.#record.commitment,
    };
    await this.#send(open, grantee.signer, this.#north);
    this.#ids.add(openId(open));
    const closing = { digest: bytesOf(`digest ${name}`), sizeBucket: 27 };
    const close = { ...this.#base(), type: 'access.close', ...place, openId: idBytes(openId(open)) } as const;
    await this.#send({ ...close, ...closing }, grantee.signer, this.#north);
  }

  async refer(): Promise<void> {
    const { now } = this.#options.consortium;
    const window = { notBefore: now, expiry: now + 604_800_000, maxOpens: 5, amendments: true };
    const body = { type: 'access.refer', source, ownerEpoch: 0, seq: 1, ...window } as const;
    await this.#send(await this.#sealed('east', { ...this.#base(), ...body }), this.#north);
  }

  async declareEmergency(): Promise<void> {
    const body = { ...this.#base(), type: 'access.emergency', institution: 'west' } as const;
    const { fixture } = this.#options.consortium;
    await this.#send(await this.#sealed('west', body), fixture.box('west').transaction);
  }

  async revoke(): Promise<void> {
    const { chain, now } = this.#options.consortium;
    const signer = this.#signerOf(this.#owner);
    const wish = { chain, studyId: this.#id, ownerEpoch: 0, signer, now, leaf: undefined };
    this.#commit(await buildRevocation({ ...wish, target: { upTo: 1 } }));
  }

  /** To another one-time key of the same wallet. */
  async transfer(): Promise<void> {
    const next = this.#ownerKey('next');
    const { ephemeral, ownerKey: newOwnerKey, tag } = next;
    const { noteHash: sealedAnew } = await this.#version(2, next);
    const place = { type: 'study.transfer', studyId: idBytes(this.#id), ownerEpoch: 0, version: 2 } as const;
    await this.#send(
      { ...this.#base(), ...place, newOwnerKey, ephemeral, tag, noteHash: sealedAnew },
      this.#signerOf(this.#owner),
      this.#signerOf(next),
    );
  }

  everything(): readonly Uint8Array[] {
    const { state } = this.#options.consortium;
    const bases = Array.from({ length: this.#record.bases }, (_, index) =>
      state.prove(stateKeys.studyBasis(this.#id, index + 1)),
    );
    if (bases.some(({ value }) => value === null)) throw new Error('a basis is missing');
    const ids = [this.#id, ...this.#ids];
    const records = [...stateEntries(state)]
      .filter(([key]) => ids.some((id) => key.includes(id)))
      // By kind of record: the ids in the keys are as random as the studies.
      .sort(([a], [b]) => kindOf(a).localeCompare(kindOf(b)))
      .map(([, value]) => value);
    return [...this.#transactions, ...records];
  }

  get #north() {
    return this.#options.consortium.fixture.box(source).transaction;
  }

  get #record(): StudyRecord {
    const record = this.#options.consortium.state.study(this.#id);
    if (record === undefined) throw new Error('no such study');
    return record;
  }

  #base() {
    const { chain, now } = this.#options.consortium;
    return { chain, validUntil: now + 60_000 };
  }

  #member(id: string) {
    const record = this.#options.consortium.state.institution(id);
    if (record === undefined) throw new Error(`no institution ${id}`);
    return record;
  }

  #ownerKey(purpose: string): RegisteredOwner {
    const { consortium, account, name } = this.#options;
    const { spend, view } = account;
    const recipient = {
      chain: consortium.chain,
      institution: source,
      spend: spend.publicKey,
      view,
      index: 0,
    };
    return registerOwner(recipient, bytesOf(`r ${purpose} ${name}`));
  }

  #signerOf(owner: RegisteredOwner): ScalarSigner {
    const { consortium, account } = this.#options;
    const recognised = recogniseOneTime(account, { chain: consortium.chain, ...owner, index: 0 });
    if (recognised === undefined) throw new Error('not the account’s own key');
    return recognised.signer;
  }

  async #version(version: number, owner: RegisteredOwner) {
    const { name } = this.#options;
    const commitment = bytesOf(`commitment ${name} ${version}`);
    const sealed = await sealStudyNote(owner.prk, 0, commitment, { ...note, salt: bytesOf(`salt ${name}`) });
    return { commitment, noteHash: noteHash(sealed) };
  }

  /** A basis for a member, with a key and a note made for it alone. */
  async #sealed<Body extends Omit<AccessRefer | AccessEmergency, KeyAndNote>>(
    grantee: string,
    body: Body,
  ): Promise<Body & Pick<AccessRefer, KeyAndNote>> {
    const { consortium, name } = this.#options;
    const { chain } = consortium;
    const { account } = this.#member(grantee);
    const r = bytesOf(`r ${grantee} ${name}`);
    const key = registerOwner({ chain, institution: grantee, ...account, index: grantKeyIndex }, r);
    const salt = bytesOf(`terms ${grantee} ${name}`);
    const terms = { purpose: 'Treatment', person: null, patientAtGrantee: null, consent: null, salt };
    const unsealed = {
      ...body,
      studyId: idBytes(this.#id),
      granteeKey: key.ownerKey,
      ephemeral: key.ephemeral,
      tag: key.tag,
      termsHash: termsHash(terms),
    };
    const views = { source: this.#member(source).account.view, grantee: account.view };
    const sealed = await sealGrantNote(
      unsealed as unknown as Omit<AccessRefer, 'note'>,
      { source, grantee, terms },
      views,
    );
    return { ...unsealed, note: sealed };
  }

  async #send(body: TransactionBody, ...signers: readonly Signs[]): Promise<void> {
    const signatures: Uint8Array[] = [];
    for (const signer of signers) signatures.push(await signer.sign(signingMessage(body)));
    this.#commit(encodeTransaction({ body, signatures }));
  }

  #commit(transaction: Uint8Array): void {
    this.#options.consortium.commit(transaction);
    this.#transactions.push(transaction);
  }
}

type KeyAndNote = 'studyId' | 'granteeKey' | 'ephemeral' | 'tag' | 'termsHash' | 'note';

function kindOf(key: string): string {
  return key.replace(/[0-9a-f]{64}/g, '');
}
