/** The wallet's side of the HTTP contract with one box: what is not of the contract's form is a fault of the box. */
import type { Static, TSchema } from 'typebox';
import { Check } from 'typebox/value';
import { fromHex, toHex } from '../src/encoding/bytes.ts';
import { AppError, errorTable, type ErrorCode } from '../src/errors.ts';
import type { StateProof } from '../src/ledger/types.ts';
import {
  BindingAnswerSchema,
  ChallengeAnswerSchema,
  ErrorAnswerSchema,
  GenesisAnswerSchema,
  HandoverAnswerSchema,
  MailboxAnswerSchema,
  ProofAnswerSchema,
  TransactionAnswerSchema,
  walletApiPrefix,
  walletPaths,
  type BindingAnswer,
  type BindingRequest,
  type MailboxAnswer,
  type MailboxRequest,
  type TransactionAnswer,
} from './http-contract.ts';
import { answerBytesMax, requestTimeoutMs } from './limits.ts';
import type { Evidence } from './light-client.ts';
import type { BoxAnswer, BoxEndpoint, WalletTransport } from './wallet-ports.ts';

const statusOk = 200;
const bounds = { timeoutMs: requestTimeoutMs, answerBytesMax };

export class BoxClient {
  readonly #transport: WalletTransport;
  readonly #box: BoxEndpoint;

  constructor(transport: WalletTransport, box: BoxEndpoint) {
    this.#transport = transport;
    this.#box = box;
  }

  /** Canonical CBOR of the genesis document, not yet checked against its digest. */
  async genesis(): Promise<Uint8Array> {
    return fromHex((await this.#get(walletPaths.genesis, GenesisAnswerSchema)).genesis);
  }

  /** From this epoch to the next, encoded and not yet verified; undefined if the box has none (yet). */
  async handover(epoch: number): Promise<Uint8Array | undefined> {
    const { handover } = await this.#get(`${walletPaths.handover}?epoch=${epoch}`, HandoverAnswerSchema);
    return handover === null ? undefined : fromHex(handover);
  }

  /** Evidence and proofs of these keys, not yet verified. At most `proofKeysMax` keys. */
  async proofs(
    keys: readonly string[],
  ): Promise<{ readonly evidence: Evidence; readonly proofs: readonly StateProof[] }> {
    const query = keys.map((key) => `key=${encodeURIComponent(key)}`).join('&');
    const answer = await this.#get(`${walletPaths.proof}?${query}`, ProofAnswerSchema);
    return {
      evidence: { header: fromHex(answer.header), certificate: fromHex(answer.certificate) },
      proofs: answer.proofs.map(({ key, value, siblings, otherLeaf }) => ({
        key,
        value: value === null ? null : fromHex(value),
        siblings: siblings.map(fromHex),
        otherLeaf: otherLeaf && {
          keyHash: fromHex(otherLeaf.keyHash),
          valueHash: fromHex(otherLeaf.valueHash),
        },
      })),
    };
  }

  submit(transaction: Uint8Array): Promise<TransactionAnswer> {
    return this.#post(walletPaths.transactions, { transaction: toHex(transaction) }, TransactionAnswerSchema);
  }

  async challenge(): Promise<Uint8Array> {
    return fromHex((await this.#post(walletPaths.challenge, {}, ChallengeAnswerSchema)).nonce);
  }

  mailbox(request: MailboxRequest): Promise<MailboxAnswer> {
    return this.#post(walletPaths.mailbox, request, MailboxAnswerSchema);
  }

  bind(request: BindingRequest): Promise<BindingAnswer> {
    return this.#post(walletPaths.bindings, request, BindingAnswerSchema);
  }

  async #get<Schema extends TSchema>(path: string, schema: Schema): Promise<Static<Schema>> {
    const request = { method: 'GET', path: walletApiPrefix + path } as const;
    return this.#read(await this.#transport.request(this.#box, request, bounds), schema);
  }

  async #post<Schema extends TSchema>(path: string, body: unknown, schema: Schema): Promise<Static<Schema>> {
    const request = { method: 'POST', path: walletApiPrefix + path, body } as const;
    return this.#read(await this.#transport.request(this.#box, request, bounds), schema);
  }

  #read<Schema extends TSchema>({ status, body }: BoxAnswer, schema: Schema): Static<Schema> {
    if (status !== statusOk) throw this.#fault(status, body);
    if (Check(schema, body)) return body;
    throw new AppError('PEER_MISBEHAVED', `The answer of ${this.#box.origin} is not of the agreed form.`);
  }

  #fault(status: number, body: unknown): AppError {
    if (Check(ErrorAnswerSchema, body) && isErrorCode(body.code)) {
      return new AppError(body.code, `${this.#box.origin}: ${body.message}`);
    }
    return new AppError('PEER_MISBEHAVED', `${this.#box.origin} answered with HTTP status ${status}.`);
  }
}

function isErrorCode(code: string): code is ErrorCode {
  return Object.hasOwn(errorTable, code);
}
