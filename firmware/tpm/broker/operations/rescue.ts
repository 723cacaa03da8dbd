/**
 * The rescue branch of the device policy: whoever has a signature of the hospital's offline key and the recovery code
 * approves the firmware that runs, whatever was approved before. Two operations, since the signature is over a nonce of
 * the session: it is good once.
 */
import { AppError } from '../../../src/errors.ts';
import { esysHandle } from '../../esys/functions.ts';
import { decodeResponse, TpmError } from '../../response-code.ts';
import { sessionAttribute, sessionType } from '../../wire/constants.ts';
import { signedPolicyMessage } from '../../wire/policy.ts';
import {
  authorizationValue,
  digestList,
  ecdsaSignature,
  noDigest,
  sensitiveCreate,
  sized,
  unsized,
  type ObjectBlob,
} from '../../wire/structures.ts';
import { rescueLockTemplate } from '../../wire/templates.ts';
import { create } from '../guarded.ts';
import { splitAuthorizations } from '../owner.ts';
import { noSessions, type Tpm } from '../tpm.ts';
import type { Handlers } from './family.ts';
import { writeApproval } from './nv.ts';

const { none, nullHierarchy } = esysHandle;

export interface RescueOperations {
  /** Makes an object that holds nothing; its authorization value, 32 bytes, is what the recovery code proves. */
  createLock: {
    request: { readonly rootName: Uint8Array; readonly value: Uint8Array };
    answer: ObjectBlob;
  };
  /** Starts the session. @returns the message that the offline key has to sign. */
  beginRescue: { request: { readonly rootName: Uint8Array }; answer: Uint8Array };
  /** @throws AppError RECOVERY_REFUSED: the session is over then. */
  finishRescue: {
    request: {
      readonly rootName: Uint8Array;
      /** TPM2B_PUBLIC of the offline key. */
      readonly rescueKey: Uint8Array;
      /** ECDSA P-256 with SHA-256 by it, r ‖ s. */
      readonly signature: Uint8Array;
      readonly lock: ObjectBlob;
      /** Authorization value of the lock, from the recovery code. */
      readonly lockValue: Uint8Array;
      /** Both branches of the device policy. */
      readonly branches: readonly Uint8Array[];
      readonly authorizations: ObjectBlob;
      /** What the approval is to hold. */
      readonly approval: Uint8Array;
    };
    answer: null;
  };
}

/** The session between the two operations; a TPM that is opened anew has flushed it. */
const sessions = new WeakMap<Tpm, number>();

export const rescueOperations: Handlers<RescueOperations> = {
  // A sealed object needs something to seal (part 3, 12.1): the attributes say sensitiveDataOrigin is clear.
  createLock: (tpm, { rootName, value }) =>
    create(tpm, rootName, rescueLockTemplate(), sensitiveCreate(Uint8Array.of(0), value)),

  beginRescue: async (tpm, { rootName }) => {
    const before = sessions.get(tpm);
    sessions.delete(tpm);
    if (before !== undefined) await tpm.call('FlushContext', before);
    const root = await tpm.pinnedRoot(rootName);
    const session = await tpm.startSession(root, sessionType.policy, sessionAttribute.encrypt);
    sessions.set(tpm, session);
    const [nonce] = await tpm.call('TRSess_GetNonceTPM', session);
    return signedPolicyMessage(unsized(nonce));
  },

  finishRescue: async (tpm, request) => {
    const session = sessions.get(tpm);
    if (session === undefined) throw new AppError('TPM_FAILED', 'the rescue was not begun on this TPM');
    sessions.delete(tpm);
    const { rootName, lock, lockValue, branches, authorizations, approval } = request;
    const root = await tpm.pinnedRoot(rootName);
    const owner = await tpm.flushing(session, async () => {
      await refusing(() => proveSignature(tpm, session, request));
      await refusing(() =>
        tpm.withLoaded(root, lock, async (handle) => {
          await tpm.call('TR_SetAuth', handle, authorizationValue(lockValue));
          // In a salted session: the value itself does not cross the bus.
          await tpm.inSession(root, sessionType.hmac, 0, (proving) =>
            tpm.call('PolicySecret', handle, session, proving, none, none, null, null, null, 0),
          );
        }),
      );
      await tpm.call('PolicyOR', session, ...noSessions, digestList(branches));
      return tpm.withLoaded(root, authorizations, async (handle) => {
        const [secret] = await tpm.call('Unseal', handle, session, none, none);
        return splitAuthorizations(unsized(secret)).owner;
      });
    });
    await writeApproval(tpm, rootName, owner, approval);
    return null;
  },
};

async function proveSignature(
  tpm: Tpm,
  session: number,
  { rescueKey, signature }: RescueOperations['finishRescue']['request'],
): Promise<void> {
  const [key] = await tpm.call('LoadExternal', ...noSessions, null, rescueKey, nullHierarchy);
  await tpm.flushing(key, async () => {
    const [nonce] = await tpm.call('TRSess_GetNonceTPM', session);
    await tpm.call(
      'PolicySigned',
      ...([key, session, none, none, none] as const),
      sized(unsized(nonce)),
      noDigest,
      noDigest,
      0,
      ecdsaSignature(signature),
    );
  });
}

const refusals = ['TPM_RC_SIGNATURE', 'TPM_RC_BAD_AUTH', 'TPM_RC_AUTH_FAIL', 'TPM_RC_ECC_POINT'];

/** What a wrong signature or a wrong code is answered with. */
async function refusing(attempt: () => Promise<unknown>): Promise<void> {
  try {
    await attempt();
  } catch (cause) {
    if (!(cause instanceof TpmError) || !refusals.includes(decodeResponse(cause.code).name ?? ''))
      throw cause;
    const what =
      cause.command === 'Esys_PolicySigned'
        ? 'the signature is not one of the offline rescue key over this challenge'
        : 'the recovery code is not the one of this box';
    throw new AppError('RECOVERY_REFUSED', what, { cause });
  }
}
