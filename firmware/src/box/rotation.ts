/** The keys of this box on the ledger: which it works with, that they are replaced in time, and how that is asked for. */
import type { Config } from '../config.ts';
import type { Acted } from '../http/consortium-desk.ts';
import type { OwnKeysView } from '../http/consortium-contract.ts';
import { inWords } from '../governance/refusal-words.ts';
import { KeyRotation, type Rotated } from '../rotation/key-rotation.ts';
import { OwnLedger } from '../rotation/own-ledger.ts';
import { currentSigner } from '../rotation/current-key.ts';
import type { Clock, DeviceKeys, HealthBoard, InstitutionId, Ledger, Logger } from '../ports.ts';
import { rotationAnswerMsMax } from './limits.ts';
import { verifyEd25519 } from './signatures.ts';
import { standingOf } from './standing.ts';

export interface RotationModules {
  readonly config: Config;
  readonly self: InstitutionId;
  readonly ledger: Ledger;
  readonly keys: DeviceKeys;
  /** True once the others know this box by its current transport key. */
  readonly hasSettled: () => boolean;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly health: HealthBoard;
}

export interface OpenRotation {
  readonly rotation: KeyRotation;
  /** For what this box signs with its transaction key. */
  readonly ledger: OwnLedger;
  view(): OwnKeysView | null;
  rotate(account: string): Promise<Acted>;
}

const dayMs = 86_400_000;

/** Nothing runs before `rotation` is started. */
export function openRotation(modules: RotationModules): OpenRotation {
  const { clock, config, keys, ledger, self } = modules;
  const everyMs = config.keys.rotateEveryDays * dayMs;
  const rotation = new KeyRotation({ ...modules, everyMs });
  return {
    rotation,
    ledger: new OwnLedger({
      ledger,
      signer: currentSigner({ held: keys.transaction, purpose: 'transaction', self, ledger }),
      earlierKeys: () => rotation.earlierKeys(),
      verify: verifyEd25519,
      isNamed: () => standingOf(ledger, self, keys) === 'member',
    }),
    view: () => {
      const since = rotation.since();
      const validUntil = ledger.state().institution(self)?.keys.expiry;
      if (since === undefined || validUntil === undefined) return null;
      return { since, validUntil, dueAt: since + everyMs };
    },
    rotate: async (account) => {
      const { promise, resolve } = Promise.withResolvers<'waiting'>();
      const timer = clock.setTimer(rotationAnswerMsMax, () => resolve('waiting'));
      try {
        const rotated = await Promise.race([rotation.rotate(account), promise]);
        return rotated === 'waiting' ? { kind: 'waiting' } : actedBy(rotated);
      } finally {
        timer.cancel();
      }
    },
  };
}

function actedBy(rotated: Rotated): Acted {
  return rotated.kind === 'rotated' ? { kind: 'done' } : { kind: 'refused', reason: inWords(rotated.reason) };
}
