/**
 * The ledger for what this box signs itself. What was signed before a rotation and comes to its turn after it is refused,
 * as it must be; it is signed anew and brought again, so that nobody here notices that the key has changed.
 */
import { AppError } from '../errors.ts';
import { decodeTransaction, encodeTransaction, signingMessage } from '../ledger/index.ts';
import type { Ledger, Signer, Submitted, VerifySignature } from '../ports.ts';

export interface OwnLedgerOptions {
  readonly ledger: Ledger;
  readonly signer: Signer;
  /** Public transaction keys with which this box signed before, 32 bytes each. */
  readonly earlierKeys: () => readonly Uint8Array[];
  readonly verify: VerifySignature;
  /** False while the ledger names another box for the institution, or none. */
  readonly isNamed: () => boolean;
}

export class OwnLedger implements Ledger {
  readonly #options: OwnLedgerOptions;

  constructor(options: OwnLedgerOptions) {
    this.#options = options;
  }

  head: Ledger['head'] = () => this.#options.ledger.head();
  state: Ledger['state'] = () => this.#options.ledger.state();
  onFinal: Ledger['onFinal'] = (listener) => this.#options.ledger.onFinal(listener);
  blocks: Ledger['blocks'] = (fromHeight) => this.#options.ledger.blocks(fromHeight);
  handover: Ledger['handover'] = (epoch) => this.#options.ledger.handover(epoch);
  evidence: Ledger['evidence'] = () => this.#options.ledger.evidence();

  /** @throws AppError MEMPOOL_FULL; BOX_NOT_ON_LEDGER before anything is sent that can only be refused. */
  async submit(transaction: Uint8Array, signal?: AbortSignal): Promise<Submitted> {
    const { isNamed, ledger } = this.#options;
    if (!isNamed()) throw new AppError('BOX_NOT_ON_LEDGER', 'the ledger does not name this box');
    const submitted = await ledger.submit(transaction, signal);
    if (submitted.kind === 'final' || submitted.reason !== 'bad-signature') return submitted;
    const anew = this.#signedAnew(transaction);
    return anew === undefined ? submitted : ledger.submit(anew, signal);
  }

  /** With the current key in the place of an earlier one; undefined if no signature was made with such a key. */
  #signedAnew(bytes: Uint8Array): Uint8Array | undefined {
    const { earlierKeys, signer, verify } = this.#options;
    const decoded = decodeTransaction(bytes);
    if (decoded.kind === 'refused') return undefined;
    const { body, signatures } = decoded.transaction;
    const message = signingMessage(body);
    const keys = earlierKeys();
    const isEarlier = (signature: Uint8Array): boolean => keys.some((key) => verify(key, message, signature));
    if (!signatures.some(isEarlier)) return undefined;
    return encodeTransaction({
      body,
      signatures: signatures.map((signature) => (isEarlier(signature) ? signer.sign(message) : signature)),
    });
  }
}
