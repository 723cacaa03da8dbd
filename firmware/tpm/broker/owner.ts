/** What a box may do as the owner of its TPM, and who lets it: its firmware, by a secret under the device policy. */
import { esysHandle } from '../esys/functions.ts';
import { sessionAttribute, sessionType } from '../wire/constants.ts';
import { authorizationValue, unsized } from '../wire/structures.ts';
import { using, type Guarded } from './guarded.ts';
import type { StorageRoot, Tpm } from './tpm.ts';

const { none, owner, lockout, endorsement } = esysHandle;

const authorizationBytes = 32;

/** Authorization values of the owner's and the lock-out hierarchy. They never leave the broker. */
export interface Authorizations {
  readonly owner: Uint8Array;
  readonly lockout: Uint8Array;
}

/** Bytes of the sealed secret: owner's ‖ lock-out's. */
export const authorizationsBytes = 2 * authorizationBytes;

export async function unsealAuthorizations(tpm: Tpm, guarded: Guarded): Promise<Authorizations> {
  const secret = await using(tpm, guarded, sessionAttribute.encrypt, async (object, session) => {
    const [data] = await tpm.call('Unseal', object, session, none, none);
    return unsized(data);
  });
  return splitAuthorizations(secret);
}

export function splitAuthorizations(secret: Uint8Array): Authorizations {
  if (secret.length !== authorizationsBytes) throw new RangeError('not the authorizations of a box');
  return { owner: secret.slice(0, authorizationBytes), lockout: secret.slice(authorizationBytes) };
}

/** Runs the body while ESYS knows the authorization value of this hierarchy. */
async function knowing<T>(
  tpm: Tpm,
  hierarchy: number,
  value: Uint8Array,
  body: () => Promise<T>,
): Promise<T> {
  await tpm.call('TR_SetAuth', hierarchy, authorizationValue(value));
  try {
    return await body();
  } finally {
    await tpm.call('TR_SetAuth', hierarchy, null);
  }
}

/** A salted session: the authorization value itself never crosses the bus, and what is written is encrypted. */
function inSession<T>(tpm: Tpm, root: StorageRoot, body: (session: number) => Promise<T>): Promise<T> {
  return tpm.inSession(root, sessionType.hmac, sessionAttribute.decrypt, body);
}

/** What runs a body with a session that this hierarchy authorizes by its value. */
function authorizedBy(hierarchy: number) {
  return async <T>(
    tpm: Tpm,
    rootName: Uint8Array,
    value: Uint8Array,
    body: (session: number) => Promise<T>,
  ): Promise<T> => {
    const root = await tpm.pinnedRoot(rootName);
    return knowing(tpm, hierarchy, value, () => inSession(tpm, root, body));
  };
}

export const asOwner = authorizedBy(owner);
export const asLockout = authorizedBy(lockout);
export const asEndorsement = authorizedBy(endorsement);

/** TPM2_PolicySecret (part 3, 23.4) into a session that nobody uses: it proves the hierarchy's value and changes nothing. */
export function proveValue(
  tpm: Tpm,
  as: typeof asOwner,
  hierarchyValue: { readonly rootName: Uint8Array; readonly hierarchy: number; readonly value: Uint8Array },
): Promise<unknown> {
  const { rootName, hierarchy, value } = hierarchyValue;
  return as(tpm, rootName, value, (session) =>
    tpm.inPlainPolicySession((unused) =>
      tpm.call('PolicySecret', hierarchy, unused, session, none, none, null, null, null, 0),
    ),
  );
}
