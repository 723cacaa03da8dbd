/** What the box does for wallets: shows the ledger with its proofs, takes transactions, opens mailboxes, binds. */
import { encodeCertificate } from '../consensus/signatures.ts';
import type { ErrorCode } from '../errors.ts';
import { AppError } from '../errors.ts';
import type {
  MailboxAnswer,
  MailboxEntry,
  MailboxProof,
  WalletEvidence,
  WalletService,
} from '../http/wallet-service.ts';
import { encodeGenesis, encodeHeader, idBytes } from '../ledger/index.ts';
import type { Genesis } from '../ledger/types.ts';
import type { Clock, InstitutionId, Ledger } from '../ports.ts';
import { Challenges } from '../patients/challenges.ts';
import type { Bindings } from '../patients/bindings.ts';
import { mailboxMessage } from '../protocol/mailbox-proof.ts';
import { equalBytes } from '../encoding/bytes.ts';
import type { Catalogue } from '../studies/catalogue.ts';
import { batchIndexOf, leafOf, ownRecordOf } from '../studies/ledger-place.ts';
import { verifyEd25519 } from './signatures.ts';
import { WalletSubmissions } from './wallet-submissions.ts';

export interface WalletDeskOptions {
  readonly institution: InstitutionId;
  readonly genesis: Genesis;
  readonly ledger: Ledger;
  readonly catalogue: Catalogue;
  readonly bindings: Bindings;
  readonly clock: Clock;
}

export function walletDesk(options: WalletDeskOptions): WalletService {
  const { institution, genesis, ledger, bindings, clock } = options;
  const challenges = new Challenges(clock);
  const submissions = new WalletSubmissions({ ledger, clock, verify: verifyEd25519 });
  const head = (): WalletEvidence => {
    const { block, certificate } = ledger.evidence();
    // Of block 0 there is no certificate that a wallet could check; the first heartbeat brings one.
    if (block.header.height === 0)
      throw new AppError('LEDGER_STALE', 'No block of this ledger is final yet.');
    return { header: encodeHeader(block.header), certificate: encodeCertificate(certificate) };
  };
  return {
    genesis: () => encodeGenesis(genesis),
    head,
    handover: (epoch) => ledger.handover(epoch),
    proofs: (keys) => {
      const state = ledger.state();
      return { ...head(), proofs: keys.map((key) => state.prove(key)) };
    },
    submit: (transaction, signal) => submissions.submit(transaction, signal),
    challenge: () => Promise.resolve(challenges.issue()),
    mailbox: ({ spend, nonce, signature }: MailboxProof): Promise<MailboxAnswer> => {
      const message = mailboxMessage({ chain: ledger.state().chain, institution, spend, nonce });
      if (!challenges.use(nonce) || !verifyEd25519(spend, message, signature)) {
        return Promise.resolve({ kind: 'refused' });
      }
      return Promise.resolve({ kind: 'entries', entries: mailboxOf(options, spend) });
    },
    bind: async ({ ticket, address }) => ({
      kind: (await bindings.bind(ticket, address)) ? 'bound' : 'refused',
    }),
  };
}

/** The notes of the versions that are final: what a wallet reads here it can check on the ledger. */
function mailboxOf({ catalogue, ledger, institution }: WalletDeskOptions, spend: Uint8Array): MailboxEntry[] {
  const state = ledger.state();
  const entries: MailboxEntry[] = [];
  for (const study of catalogue.studies()) {
    const { owner, studyId } = study;
    if (owner === undefined || studyId === undefined || !equalBytes(owner.account, spend)) continue;
    const record = ownRecordOf(state, study, institution);
    const note = record && study.noteFor((commitment) => equalBytes(commitment, record.commitment));
    if (note === undefined) continue;
    entries.push({
      studyId: idBytes(studyId),
      index: batchIndexOf(owner),
      ephemeral: owner.ephemeral,
      tag: owner.tag,
      note,
      leaf: (state.study(studyId) === undefined && leafOf(study, institution)) || null,
    });
  }
  return entries;
}

/** For a box whose hospital is not in a consortium yet: it receives, and tells wallets that it cannot do more. */
export function closedWalletDesk(): WalletService {
  const code: ErrorCode = 'NOT_ADMITTED';
  const closed = (): never => {
    throw new AppError(code, 'This hospital is not a member of a consortium yet.');
  };
  return {
    genesis: closed,
    head: closed,
    handover: () => Promise.resolve().then(closed),
    proofs: closed,
    submit: () => Promise.resolve().then(closed),
    challenge: () => Promise.resolve().then(closed),
    mailbox: () => Promise.resolve().then(closed),
    bind: () => Promise.resolve().then(closed),
  };
}
