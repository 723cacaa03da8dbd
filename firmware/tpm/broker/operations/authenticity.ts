/** Telling what approved firmware of this box wrote from what somebody else put into its place. */
import { createHmac, hkdfSync, timingSafeEqual } from 'node:crypto';
import { utf8 } from '../../../src/encoding/bytes.ts';
import { AppError } from '../../../src/errors.ts';
import { esysHandle } from '../../esys/functions.ts';
import { decodeResponse, TpmError } from '../../response-code.ts';
import type { Guarded } from '../guarded.ts';
import { asOwner, proveValue, unsealAuthorizations } from '../owner.ts';
import type { Tpm } from '../tpm.ts';
import type { Handlers } from './family.ts';

const { owner } = esysHandle;

export interface AuthenticityOperations {
  /** HMAC-SHA-256 of the message under a key from the owner's authorization: only approved firmware can make it. */
  authenticate: {
    request: { readonly authorizations: Guarded; readonly message: Uint8Array };
    answer: Uint8Array;
  };
  /**
   * Checks it. Whoever sealed authorizations of his own could make it as well: so the TPM is asked whether they are its
   * owner's, unless this box is only just making its keys.
   * @throws AppError STORE_CORRUPT
   */
  checkAuthentic: {
    request: {
      readonly authorizations: Guarded;
      readonly message: Uint8Array;
      readonly mac: Uint8Array;
      readonly isTaken: boolean;
    };
    answer: null;
  };
}

export const authenticityOperations: Handlers<AuthenticityOperations> = {
  authenticate: async (tpm, { authorizations, message }) => {
    const { owner: value } = await unsealAuthorizations(tpm, authorizations);
    return macOf(value, message);
  },

  checkAuthentic: async (tpm, { authorizations, message, mac, isTaken }) => {
    const { owner: value } = await unsealAuthorizations(tpm, authorizations);
    if (isTaken) await proveOwner(tpm, authorizations.rootName, value);
    const expected = macOf(value, message);
    if (mac.length !== expected.length || !timingSafeEqual(mac, expected))
      throw new AppError('STORE_CORRUPT', 'the message was altered');
    return null;
  },
};

function macOf(ownersValue: Uint8Array, message: Uint8Array): Uint8Array {
  const key = hkdfSync('sha256', ownersValue, new Uint8Array(0), utf8('hilum/tpm/authenticity/1'), 32);
  return new Uint8Array(createHmac('sha256', new Uint8Array(key)).update(message).digest());
}

async function proveOwner(tpm: Tpm, rootName: Uint8Array, value: Uint8Array): Promise<void> {
  try {
    await proveValue(tpm, asOwner, { rootName, hierarchy: owner, value });
  } catch (cause) {
    if (!(cause instanceof TpmError) || decodeResponse(cause.code).name !== 'TPM_RC_BAD_AUTH') throw cause;
    throw new AppError('STORE_CORRUPT', 'the sealed authorization is not the one of the owner of the TPM', {
      cause,
    });
  }
}
