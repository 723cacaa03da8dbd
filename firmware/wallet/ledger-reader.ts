/** Proven reading of the ledger through whichever bound box answers; what a box cannot prove is never returned. */
import { AppError, type ErrorCode } from '../src/errors.ts';
import type { BlockHeader } from '../src/ledger/types.ts';
import { BoxClient } from './box-client.ts';
import type { EvidenceRefusal, LightClient, ProvenValues } from './light-client.ts';
import { handoversFollowedMax, proofKeysMax, proofRetryMs, proofWaitMsMax } from './limits.ts';
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
      const proven = await this.#proven(box, client, page);
      values.push(...proven.values);
      if (oldest === undefined || proven.header.height < oldest.height) oldest = proven.header;
    }
    if (oldest === undefined) throw new RangeError('no keys to read');
    return { header: oldest, values };
  }

  /** The values, after as many handovers as the box's head is ahead of what the light client knows. */
  async #proven(box: BoundBox, client: BoxClient, keys: readonly string[]): Promise<ProvenValues> {
    const { lightClient, clock } = this.#options;
    const deadline = clock.now() + proofWaitMsMax;
    for (let followed = 0; followed <= handoversFollowedMax;) {
      const { evidence, proofs } = await client.proofs(keys);
      const proven = await lightClient.verifyValues(evidence, keys, proofs, clock.now());
      if (proven.kind === 'proven') return proven;
      const isOtherEpoch = proven.reason === 'later-epoch' || proven.reason === 'earlier-epoch';
      if (!isOtherEpoch) throw refusedBy(box, proven.reason);
      const steps = proven.reason === 'later-epoch' ? await this.#follow(box, client) : 0;
      followed += steps;
      if (steps > 0) continue;
      // Members sign an epoch's end one by one, and the next epoch's first block follows in 10 s: both pass.
      if (clock.now() >= deadline) throw refusedBy(box, proven.reason);
      await clock.sleep(proofRetryMs);
    }
    throw refusedBy(box, 'later-epoch');
  }

  /** Follows all handovers that the box has. The number of epochs. */
  async #follow(box: BoundBox, client: BoxClient): Promise<number> {
    const { lightClient, clock } = this.#options;
    for (let steps = 0; ; steps++) {
      const handover = await client.handover(lightClient.epoch.number);
      if (handover === undefined || steps === handoversFollowedMax) return steps;
      const outcome = await lightClient.follow(handover, clock.now());
      if (outcome.kind === 'refused') throw refusedBy(box, outcome.reason);
    }
  }
}

const codes: Partial<Record<EvidenceRefusal, ErrorCode>> = {
  stale: 'LEDGER_STALE',
  'trust-expired': 'WALLET_TRUST_EXPIRED',
};

function refusedBy({ institution }: BoundBox, reason: EvidenceRefusal): AppError {
  const code = codes[reason] ?? 'LEDGER_UNPROVEN';
  return new AppError(code, `The evidence of ${institution} for the ledger was refused: ${reason}.`);
}
