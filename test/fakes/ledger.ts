import { createHash, createPrivateKey, createPublicKey, sign, verify, type KeyObject } from 'node:crypto';
import { p256 } from '@noble/curves/nist.js';
import { concatBytes, u16, u32, utf8 } from '../../firmware/src/encoding/bytes.ts';
import {
  byIdentityRule,
  chainId,
  defaultParameters,
  encodeTransaction,
  genesisBlock,
  genesisState,
  basisId,
  idBytes,
  keysMessage,
  noChain,
  openId,
  provePossession,
  signingMessage,
  studyId,
} from '../../firmware/src/ledger/index.ts';
import type {
  AccessClose,
  AccessEmergency,
  AccessGrant,
  AccessOpen,
  AccessRefer,
  AccessRevoke,
  ChainId,
  DeviceRecord,
  Genesis,
  Institution,
  LedgerState,
  StudyAmend,
  StudyId,
  StudyRegister,
  Transaction,
  TransactionBody,
} from '../../firmware/src/ledger/types.ts';
import type { Signer } from '../../firmware/src/ports.ts';

/** 32 bytes that follow from a name, so that tests are the same at every run. */
export function bytesOf(name: string): Uint8Array {
  return new Uint8Array(createHash('sha256').update(`ledger test ${name}`).digest());
}

/** RFC 8410: PKCS#8 of an Ed25519 private key, and the SubjectPublicKeyInfo of its public key, are prefix and key. */
const privatePrefix = Buffer.from('302e020100300506032b657004220420', 'hex');
const publicPrefix = Buffer.from('302a300506032b6570032100', 'hex');

function privateKeyOf(seed: Uint8Array): KeyObject {
  return createPrivateKey({ key: Buffer.concat([privatePrefix, seed]), format: 'der', type: 'pkcs8' });
}

/** A real Ed25519 key that follows from a name. */
export function signerOf(name: string): Signer {
  const key = privateKeyOf(bytesOf(name));
  const spki = createPublicKey(key).export({ format: 'der', type: 'spki' });
  return {
    publicKey: new Uint8Array(spki.subarray(-32)),
    sign: (message) => new Uint8Array(sign(null, message, key)),
  };
}

/** node:crypto's Ed25519, the one rule. */
export function verifySignature(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  const key = createPublicKey({ key: Buffer.concat([publicPrefix, publicKey]), format: 'der', type: 'spki' });
  return verify(null, message, key, signature);
}

const spkiOfP256Prefix = Buffer.from('3059301306072a8648ce3d020106082a8648ce3d030107034200', 'hex');

/** ECDSA P-256 with SHA-256, r ‖ s. */
export const verifyIdentity = byIdentityRule((publicKey, message, signature) => {
  const key = createPublicKey({
    key: Buffer.concat([spkiOfP256Prefix, publicKey]),
    format: 'der',
    type: 'spki',
  });
  return verify('sha256', message, { key, dsaEncoding: 'ieee-p1363' }, signature);
});

/** Keys of one institution of the test consortium. */
export interface Box {
  readonly id: string;
  readonly voting: Signer;
  readonly transaction: Signer;
  readonly transport: Signer;
}

export function boxOf(id: string): Box {
  return {
    id,
    voting: signerOf(`${id} voting`),
    transaction: signerOf(`${id} transaction`),
    transport: signerOf(`${id} transport`),
  };
}

/** A key of the institution's offline root, from 1 on; two of three replace its keys. */
export function rootSignerOf(institution: string, key: number): Signer {
  return signerOf(`${institution} root ${key}`);
}

/** A key of the vendor, from 1 on; two of three sign a release. */
export function vendorSignerOf(key: number): Signer {
  return signerOf(`vendor ${key}`);
}

/** TPM_ALG_ID (TPM 2.0 part 2, table 9), with which a Name begins. */
const algorithmSha256 = 0x000b;

/** 2026-01-01T00:00:00Z. */
export const genesisTime = 1_767_225_600_000;
/** One year later. */
export const keysExpiry = genesisTime + 31_536_000_000;

/** A TPM that no test asks. */
export function deviceOf(institution: string): DeviceRecord {
  const name = concatBytes(u16(algorithmSha256), bytesOf(`attestation key ${institution}`));
  return { attestationKey: name, endorsement: bytesOf(`endorsement ${institution}`) };
}

/** As it hands itself in: for a genesis document, or to be admitted to a chain. */
export function institutionOf(box: Box, index: number, chain: ChainId = noChain): Institution {
  const identity = bytesOf(`identity ${box.id}`);
  const keys = {
    voting: box.voting.publicKey,
    transaction: box.transaction.publicKey,
    transport: box.transport.publicKey,
    identity: p256.getPublicKey(identity, false),
    device: deviceOf(box.id),
    expiry: keysExpiry,
  };
  return {
    id: box.id,
    name: `Hospital ${box.id}`,
    keys: {
      ...keys,
      // RFC 6979, so that the genesis document and the chain are the same at every run.
      certificate: p256.sign(keysMessage(box.id, keys), identity),
      possession: provePossession(chain, box.id, keys, box),
    },
    account: { spend: signerOf(`${box.id} account`).publicKey, view: bytesOf(`${box.id} view`) },
    endpoints: {
      p2p: `/ip4/127.0.0.1/tcp/${4001 + index}`,
      plane: `127.0.0.1:${4101 + index}`,
      https: `https://127.0.0.1:${4201 + index}`,
    },
    root: { keys: [1, 2, 3].map((key) => rootSignerOf(box.id, key).publicKey), threshold: 2 },
  };
}

/** A consortium with real keys, and its transactions as sources, owners and grantees make them. */
export class LedgerFixture {
  readonly boxes: readonly Box[];
  readonly genesis: Genesis;
  readonly chain: ChainId;
  readonly initial: LedgerState;

  constructor(ids: readonly string[] = ['north', 'south', 'east', 'west'], change: Partial<Genesis> = {}) {
    this.boxes = ids.map(boxOf);
    this.genesis = {
      name: 'Test consortium',
      time: genesisTime,
      validators: ids,
      institutions: this.boxes.map((box, index) => institutionOf(box, index)),
      parameters: defaultParameters,
      vendor: { keys: [1, 2, 3].map((key) => vendorSignerOf(key).publicKey), threshold: 2 },
      development: false,
      ...change,
    };
    this.chain = chainId(this.genesis);
    this.initial = genesisState(this.genesis);
  }

  get genesisHeader() {
    return genesisBlock(this.genesis).header;
  }

  box(id: string): Box {
    const box = this.boxes.find((candidate) => candidate.id === id);
    if (box === undefined) throw new Error(`no box ${id} in this fixture`);
    return box;
  }

  sign(body: TransactionBody, ...signers: readonly Signer[]): Transaction {
    const message = signingMessage(body);
    return { body, signatures: signers.map((signer) => signer.sign(message)) };
  }

  #base() {
    return { chain: this.chain, validUntil: genesisTime + 86_400_000 };
  }

  /** A registration of one study for each owner. */
  register(
    source: string,
    batch: string,
    owners: readonly Signer[],
    change: Partial<StudyRegister> = {},
  ): { readonly transaction: Transaction; readonly ids: readonly StudyId[] } {
    const body: StudyRegister = {
      ...this.#base(),
      type: 'study.register',
      source,
      batch: bytesOf(`batch ${batch}`).subarray(0, 16),
      ephemeral: bytesOf(`ephemeral ${batch}`),
      entries: owners.map((owner, index) => ({
        commitment: bytesOf(`commitment ${batch} ${index} 1`),
        ownerKey: owner.publicKey,
        tag: index % 256,
        noteHash: bytesOf(`note ${batch} ${index}`),
      })),
      ...change,
    };
    return {
      transaction: this.sign(body, this.box(source).transaction),
      ids: body.entries.map((_, index) => studyId(this.chain, source, body.batch, index)),
    };
  }

  amend(source: string, study: StudyId, version: number, change: Partial<StudyAmend> = {}): Transaction {
    const body: StudyAmend = {
      ...this.#base(),
      type: 'study.amend',
      source,
      studyId: idBytes(study),
      version,
      commitment: bytesOf(`commitment ${study} ${version}`),
      noteHash: bytesOf(`note ${study} ${version}`),
      closed: false,
      ...change,
    };
    return this.sign(body, this.box(source).transaction);
  }

  grantBody(
    study: StudyId,
    seq: number,
    grantee: Uint8Array,
    change: Partial<AccessGrant> = {},
  ): AccessGrant {
    return {
      ...this.#base(),
      type: 'access.grant',
      studyId: idBytes(study),
      ownerEpoch: 0,
      seq,
      granteeKey: grantee,
      ephemeral: bytesOf(`grant ephemeral ${study} ${seq}`),
      tag: 7,
      termsHash: bytesOf(`terms ${study} ${seq}`),
      notBefore: genesisTime,
      expiry: genesisTime + 604_800_000,
      maxOpens: 2,
      amendments: true,
      note: utf8('a sealed note'),
      ...change,
    };
  }

  revokeBody(
    study: StudyId,
    target: AccessRevoke['target'],
    change: Partial<AccessRevoke> = {},
  ): AccessRevoke {
    return {
      ...this.#base(),
      type: 'access.revoke',
      studyId: idBytes(study),
      ownerEpoch: 0,
      target,
      ...change,
    };
  }

  openBody(
    source: string,
    basis: AccessGrant | AccessRefer | AccessEmergency,
    openNo: number,
    head: Uint8Array,
    change: Partial<AccessOpen> = {},
  ): AccessOpen {
    return {
      ...this.#base(),
      type: 'access.open',
      source,
      studyId: basis.studyId,
      basisId: idBytes(basisId(basis)),
      openNo,
      head,
      ...change,
    };
  }

  closeBody(open: AccessOpen, change: Partial<AccessClose> = {}): AccessClose {
    return {
      ...this.#base(),
      type: 'access.close',
      source: open.source,
      studyId: open.studyId,
      openId: idBytes(openId(open)),
      digest: bytesOf(`digest ${open.openNo}`),
      sizeBucket: 27,
      ...change,
    };
  }
}

/** A named counter as 32 bytes, for tests that need many distinct values. */
export function numbered(name: string, index: number): Uint8Array {
  return bytesOf(`${name} ${u32(index).join('.')}`);
}

export { encodeTransaction };
