/** Transactions about the consortium, as institutions, their roots and the vendor make them. */
import { p256 } from '@noble/curves/nist.js';
import { voteMessage, type VoteKind } from '../../firmware/src/encoding/vote-message.ts';
import {
  idBytes,
  keysMessage,
  proposalId,
  provePossession,
  type KeyPurpose,
} from '../../firmware/src/ledger/index.ts';
import type {
  CertifiedKeys,
  ChainId,
  EvidenceReport,
  Institution,
  InstitutionPropose,
  InstitutionReplace,
  InstitutionUpdate,
  ProposalAction,
  ReleasePublish,
  Transaction,
} from '../../firmware/src/ledger/types.ts';
import type { Signer } from '../../firmware/src/ports.ts';
import {
  bytesOf,
  deviceOf,
  genesisTime,
  institutionOf,
  keysExpiry,
  rootSignerOf,
  vendorSignerOf,
  boxOf,
  type LedgerFixture,
} from './ledger.ts';

/** Ten years: no test of these runs past it by itself. */
const validUntil = genesisTime + 315_360_000_000;

/** Of proposals, as long as the ledger takes: 30 days, its default time to vote. */
const proposalValidUntil = genesisTime + 2_592_000_000;

/** What is to be different in `certifiedKeys`. A signer serves as key and proves its possession. */
export interface KeysChange extends Partial<CertifiedKeys> {
  readonly identityName?: string;
  readonly signers?: Partial<Readonly<Record<KeyPurpose, Signer>>>;
}

/** Keys of a box for an update or a replacement, certified by its identity key. They follow from the name. */
export function certifiedKeys(
  chain: ChainId,
  institution: string,
  name: string,
  { identityName = `identity ${institution}`, signers = {}, ...rest }: KeysChange = {},
): CertifiedKeys {
  const { voting, transaction, transport } = { ...boxOf(name), ...signers };
  const identity = bytesOf(identityName);
  const working = {
    voting: voting.publicKey,
    transaction: transaction.publicKey,
    transport: transport.publicKey,
    identity: p256.getPublicKey(identity, false),
    device: deviceOf(institution),
    expiry: keysExpiry,
    ...rest,
  };
  return {
    certificate: p256.sign(keysMessage(institution, working), identity),
    possession: provePossession(chain, institution, working, { voting, transaction, transport }),
    ...working,
  };
}

/** An institution that could be admitted: its box is `boxOf(id)`. */
export function candidate(chain: ChainId, id: string): Institution {
  return institutionOf(boxOf(id), 50, chain);
}

export class ConsortiumFixture {
  readonly ledger: LedgerFixture;

  constructor(ledger: LedgerFixture) {
    this.ledger = ledger;
  }

  #base() {
    return { chain: this.ledger.chain, validUntil };
  }

  proposeBody(
    proposer: string,
    action: ProposalAction,
    change: Partial<InstitutionPropose> = {},
  ): InstitutionPropose {
    return {
      ...this.#base(),
      validUntil: proposalValidUntil,
      type: 'institution.propose',
      proposer,
      action,
      ...change,
    };
  }

  propose(proposer: string, action: ProposalAction, signer = boxOf(proposer).transaction): Transaction {
    return this.ledger.sign(this.proposeBody(proposer, action), signer);
  }

  vote(
    institution: string,
    proposal: InstitutionPropose,
    approve = true,
    signer = boxOf(institution).transaction,
  ): Transaction {
    const id = idBytes(proposalId(proposal));
    return this.ledger.sign(
      { ...this.#base(), type: 'institution.vote', institution, proposalId: id, approve },
      signer,
    );
  }

  update(
    institution: string,
    version: number,
    keys: CertifiedKeys,
    signer: Signer,
    change: Partial<InstitutionUpdate> = {},
  ): Transaction {
    const { account, endpoints } = institutionOf(boxOf(institution), 50);
    const body: InstitutionUpdate = {
      ...this.#base(),
      type: 'institution.update',
      institution,
      version,
      keys,
      account,
      endpoints,
      ...change,
    };
    return this.ledger.sign(body, signer);
  }

  /** Signed by the root keys of these numbers, from 1 on, unless others are given. */
  replace(
    institution: string,
    version: number,
    keys: CertifiedKeys,
    roots: readonly number[],
    change: Partial<InstitutionReplace> = {},
    signers: readonly Signer[] = roots.map((root) => rootSignerOf(institution, root)),
  ): Transaction {
    const { account, endpoints, root } = institutionOf(boxOf(institution), 50);
    const body: InstitutionReplace = {
      ...this.#base(),
      type: 'institution.replace',
      institution,
      version,
      signers: roots.map((number) => number - 1),
      keys,
      account,
      endpoints,
      root,
      ...change,
    };
    return this.ledger.sign(body, ...signers);
  }

  reportedVote(kind: VoteKind, digest: Uint8Array, place: { epoch: number; view: number }, voter: Signer) {
    const content = { kind, digest: kind === 'nullify' ? new Uint8Array(32) : digest, ...place };
    return {
      kind,
      digest: content.digest,
      signature: voter.sign(voteMessage(this.ledger.chain, content)),
    };
  }

  report(
    reporter: string,
    evidence: Pick<EvidenceReport, 'epoch' | 'view' | 'validator' | 'first' | 'second'>,
  ): Transaction {
    return this.ledger.sign(
      { ...this.#base(), type: 'evidence.report', reporter, ...evidence },
      boxOf(reporter).transaction,
    );
  }

  /** Signed by the vendor's keys of these numbers, from 1 on. */
  publish(version: string, vendors: readonly number[], change: Partial<ReleasePublish> = {}): Transaction {
    const body: ReleasePublish = {
      ...this.#base(),
      type: 'release.publish',
      version,
      digest: bytesOf(`release ${version}`),
      metadataHash: bytesOf(`metadata ${version}`),
      signers: vendors.map((number) => number - 1),
      ...change,
    };
    return this.ledger.sign(body, ...vendors.map(vendorSignerOf));
  }

  accept(institution: string, version: string, signer = boxOf(institution).transaction): Transaction {
    const digest = bytesOf(`release ${version}`);
    return this.ledger.sign({ ...this.#base(), type: 'release.accept', institution, digest }, signer);
  }

  signal(institution: string, format: number, signer = boxOf(institution).transaction): Transaction {
    return this.ledger.sign({ ...this.#base(), type: 'format.signal', institution, format }, signer);
  }
}
