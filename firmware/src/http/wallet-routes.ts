/** The wallet's API: public, bounded, and the same answer for what is not there as for what is not yours. */
import { fromHex, toHex } from '../encoding/bytes.ts';
import { AppError } from '../errors.ts';
import type { StateProof } from '../ledger/types.ts';
import type { Clock, Submitted } from '../ports.ts';
import {
  BindingRequestSchema,
  ChallengeRequestSchema,
  HandoverQuerySchema,
  MailboxRequestSchema,
  ProofQuerySchema,
  TransactionRequestSchema,
  walletApiPrefix,
  walletPaths,
  type BindingAnswer,
  type ChallengeAnswer,
  type GenesisAnswer,
  type HandoverAnswer,
  type HeadAnswer,
  type MailboxAnswer,
  type ProofAnswer,
  type TransactionAnswer,
} from '../../wallet/http-contract.ts';
import type { App } from './app.ts';
import { rateWindowMs, walletActsPerMinuteMax, walletSubmitMsMax, walletSubmitsActiveMax } from './limits.ts';
import type { WalletEvidence, WalletService } from './wallet-service.ts';

const pathOf = (name: keyof typeof walletPaths) => `${walletApiPrefix}${walletPaths[name]}`;
const reading = { config: { access: 'public', anyOrigin: true } } as const;
const acting = {
  config: {
    access: 'public',
    anyOrigin: true,
    rateLimit: { max: walletActsPerMinuteMax, timeWindow: rateWindowMs },
  },
} as const;

/** `stopping` ends the long polls when the server stops. */
export function addWalletRoutes(app: App, wallet: WalletService, clock: Clock, stopping: AbortSignal): void {
  addLedgerRoutes(app, wallet);
  addTransactionRoute(app, wallet, clock, stopping);

  app.post(
    pathOf('challenge'),
    { ...acting, schema: { body: ChallengeRequestSchema } },
    async (): Promise<ChallengeAnswer> => ({ nonce: toHex(await wallet.challenge()) }),
  );

  app.post(
    pathOf('mailbox'),
    { ...acting, schema: { body: MailboxRequestSchema } },
    async ({ body }): Promise<MailboxAnswer> => {
      const answer = await wallet.mailbox({
        spend: fromHex(body.spend),
        nonce: fromHex(body.nonce),
        signature: fromHex(body.signature),
      });
      if (answer.kind === 'refused')
        throw new AppError('NOT_AUTHENTICATED', 'the proof of the account does not hold');
      return {
        entries: answer.entries.map(({ studyId, index, ephemeral, tag, note, leaf }) => ({
          studyId: toHex(studyId),
          index,
          ephemeral: toHex(ephemeral),
          tag,
          note: toHex(note),
          leaf: leaf && {
            source: leaf.source,
            batch: toHex(leaf.batch),
            index: leaf.index,
            entry: toHex(leaf.entry),
            path: leaf.path.map(toHex),
          },
        })),
      };
    },
  );

  app.post(
    pathOf('bindings'),
    { ...acting, schema: { body: BindingRequestSchema } },
    async ({ body }): Promise<BindingAnswer> => {
      const answer = await wallet.bind({ ticket: body.ticket, address: fromHex(body.address) });
      if (answer.kind === 'bound') return answer;
      return {
        kind: 'refused',
        reason: 'the ticket is unknown, used or expired, or the address is not made for it',
      };
    },
  );
}

function addLedgerRoutes(app: App, wallet: WalletService): void {
  app.get(pathOf('genesis'), reading, (): GenesisAnswer => ({ genesis: toHex(wallet.genesis()) }));
  app.get(pathOf('head'), reading, (): HeadAnswer => evidenceJson(wallet.head()));
  app.get(
    pathOf('handover'),
    { ...reading, schema: { querystring: HandoverQuerySchema } },
    async ({ query }): Promise<HandoverAnswer> => {
      const handover = await wallet.handover(Number(query.epoch));
      return { handover: handover === undefined ? null : toHex(handover) };
    },
  );
  app.get(
    pathOf('proof'),
    { ...reading, schema: { querystring: ProofQuerySchema } },
    ({ query }): ProofAnswer => {
      const answer = wallet.proofs([query.key].flat());
      return { ...evidenceJson(answer), proofs: answer.proofs.map(proofJson) };
    },
  );
}

function addTransactionRoute(app: App, wallet: WalletService, clock: Clock, stopping: AbortSignal): void {
  let active = 0;
  app.post(
    pathOf('transactions'),
    { ...acting, schema: { body: TransactionRequestSchema } },
    async ({ body, raw }): Promise<TransactionAnswer> => {
      if (active >= walletSubmitsActiveMax)
        throw new AppError('BUSY', 'too many transactions wait for their block');
      active += 1;
      const hungUp = new AbortController();
      const hangUp = () => hungUp.abort(new AppError('BUSY', 'the wallet hung up'));
      raw.socket.once('close', hangUp);
      try {
        return await submitInTime(
          wallet,
          fromHex(body.transaction),
          clock,
          AbortSignal.any([stopping, hungUp.signal]),
        );
      } finally {
        raw.socket.off('close', hangUp);
        active -= 1;
      }
    },
  );
}

/** @throws AppError LEDGER_STALE if there was no final block with it in time: it may still become final. */
async function submitInTime(
  wallet: WalletService,
  transaction: Uint8Array,
  clock: Clock,
  cancelled: AbortSignal,
): Promise<Submitted> {
  const late = new AbortController();
  const message = 'the transaction is not final yet; the ledger may still take it';
  const timer = clock.setTimer(walletSubmitMsMax, () => late.abort(new AppError('LEDGER_STALE', message)));
  try {
    return await wallet.submit(transaction, AbortSignal.any([cancelled, late.signal]));
  } finally {
    timer.cancel();
  }
}

function evidenceJson({ header, certificate }: WalletEvidence): HeadAnswer {
  return { header: toHex(header), certificate: toHex(certificate) };
}

function proofJson({ key, value, siblings, otherLeaf }: StateProof): ProofAnswer['proofs'][number] {
  return {
    key,
    value: value === null ? null : toHex(value),
    siblings: siblings.map(toHex),
    otherLeaf:
      otherLeaf === null
        ? null
        : { keyHash: toHex(otherLeaf.keyHash), valueHash: toHex(otherLeaf.valueHash) },
  };
}
