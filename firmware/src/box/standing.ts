/** Whether the ledger knows this box: its institution as a member, with the keys that this box holds. */
import { equalBytes } from '../encoding/bytes.ts';
import type { DeviceKeys, HealthBoard, InstitutionId, Ledger, Unsubscribe } from '../ports.ts';

export type Standing =
  | 'member'
  /** Not admitted yet, or removed by vote. */
  | 'no member'
  /** Another box of the institution is: this one was replaced, or is to replace it and was not named yet. */
  | 'other keys';

export function standingOf(
  ledger: Pick<Ledger, 'state'>,
  self: InstitutionId,
  keys: Pick<DeviceKeys, 'identityPublicKey'>,
): Standing {
  const own = ledger.state().institution(self);
  if (own === undefined) return 'no member';
  return equalBytes(own.keys.identity, keys.identityPublicKey) ? 'member' : 'other keys';
}

const details: Readonly<Record<Exclude<Standing, 'member'>, (self: InstitutionId) => string>> = {
  'no member': (self) => `The ledger has no member ${self}.`,
  'other keys': (self) => `The ledger names another box for ${self}.`,
};

/** Keeps the alarm up to date, from now on and after each final block. The box receives and keeps studies meanwhile. */
export function watchStanding(
  ledger: Pick<Ledger, 'state' | 'onFinal'>,
  self: InstitutionId,
  keys: Pick<DeviceKeys, 'identityPublicKey'>,
  health: HealthBoard,
): Unsubscribe {
  const look = (): void => {
    const standing = standingOf(ledger, self, keys);
    if (standing === 'member') health.clear('BOX_NOT_ON_LEDGER', self);
    else health.raise('BOX_NOT_ON_LEDGER', self, details[standing](self));
  };
  look();
  return ledger.onFinal(look);
}
