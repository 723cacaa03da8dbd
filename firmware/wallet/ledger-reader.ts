/** Proven reading of the ledger through whichever bound box answers; what a box cannot prove is never returned. */
import { AppError } from '../src/errors.ts';
import type { BlockHeader } from '../src/ledger/types.ts';
import { BoxClient } from './box-client.ts';
import type { LightClient } from './light-client.ts';
import { proofKeysMax, proofRetryMs, proofWaitMsMax } from './limits.ts';
import type { BoundBox } from './wallet-data.ts';
import type { WalletClock, WalletTransport } from './wallet-ports.ts';

export interface LedgerReading {
  /** The oldest header that the values were proved under. */
  readonly header: BlockHeader;
  /** In the order of the keys; null: proved to be absent. */
  readonly values: readonly (Uint8Array | null)[];
}

export interface LedgerReaderOptions {
  readonly lightClient: LightClient;
  readonly transport: WalletTransport;
  readonly clock: WalletClock;
  readonly boxes: readonly BoundBox[];
}

/** The institution's own box first, the others in their order. */
export function preferredFirst(boxes: readonly BoundBox[], institution: string): readonly BoundBox[] {
  return [...boxes].sort(
    (a, b) => Number(b.institution === institution) - Number(a.institution === institution),
  );
}

export class LedgerReader {
  readonly #options: LedgerReaderOptions;

  constructor(options: LedgerReaderOptions) {
    this.#options = options;
  }

  /**
   * The values of these keys. The preferred institution's box is asked first, the others if it fails: any of them can
   * prove the same. @throws AppError of the first box if none can (PEER_UNREACHABLE, LEDGER_STALE, LEDGER_UNPROVEN …).
   */
  async read(keys: readonly string[], preferred: string): Promise<LedgerReading> {
    let first: AppError | undefined;
    for (const box of preferredFirst(this.#options.boxes, preferred)) {
      try {
        return await this.#readFrom(box, keys);
      } catch (cause) {
        if (!(cause instanceof AppError)) throw cause;
        first ??= cause;
      }
    }
    throw first ?? new AppError('PEER_UNREACHABLE', 'The wallet is bound at no hospital yet.');
  }

  /**
   * Reads until the values are as expected: a box may call a transaction final a moment before it can prove it.
   * @throws AppError LEDGER_UNPROVEN after `proofWaitMsMax`.
   */
  async await(
    keys: readonly string[],
    preferred: string,
    expected: (values: LedgerReading['values']) => boolean,
  ): Promise<LedgerReading> {
    const { clock } = this.#options;
    const deadline = clock.now() + proofWaitMsMax;
    for (;;) {
      const reading = await this.read(keys, preferred);
      if (expected(reading.values)) return reading;
      if (clock.now() >= deadline) {
        throw new AppError('LEDGER_UNPROVEN', `What ${preferred} called final does not stand on the ledger.`);
      }
      await clock.sleep(proofRetryMs);
    }
  }

  async #readFrom(box: BoundBox, keys: readonly string[]): Promise<LedgerReading> {
    const client = new BoxClient(this.#options.transport, box);
    const values: (Uint8Array | null)[] = [];
    let oldest: BlockHeader | undefined;
    for (let at = 0; at < keys.length; at += proofKeysMax) {
      const page = keys.slice(at, at + proofKeysMax);
      const { evidence, proofs } = await client.proofs(page);
      const { lightClient, clock } = this.#options;
      const proven = await lightClient.verifyValues(evidence, page, proofs, clock.now());
      if (proven.kind === 'refused') {
        const code = proven.reason === 'stale' ? 'LEDGER_STALE' : 'LEDGER_UNPROVEN';
        throw new AppError(
          code,
          `The evidence of ${box.institution} for the ledger was refused: ${proven.reason}.`,
        );
      }
      values.push(...proven.values);
      if (oldest === undefined || proven.header.height < oldest.height) oldest = proven.header;
    }
    if (oldest === undefined) throw new RangeError('no keys to read');
    return { header: oldest, values };
  }
}
