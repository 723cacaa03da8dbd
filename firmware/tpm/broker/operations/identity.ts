/** The device identity key: made in the TPM, and used there. */
import { esysHandle } from '../../esys/functions.ts';
import {
  ecdsaSha256,
  noHashCheck,
  parseEcdsaSignature,
  sensitiveCreate,
  sized,
  type ObjectBlob,
} from '../../wire/structures.ts';
import { identityTemplate } from '../../wire/templates.ts';
import { createRecorded, using, type Creation, type CreationRecord, type Guarded } from '../guarded.ts';
import type { Handlers } from './family.ts';

const { none } = esysHandle;

export interface IdentityOperations {
  /**
   * Makes the key; its private part leaves the TPM encrypted to the storage root key only (part 3, 12.1). The TPM keeps in
   * mind what these registers of the SHA-256 bank held.
   */
  createIdentity: {
    request: Creation & { readonly registers: readonly number[] };
    answer: { readonly blob: ObjectBlob; readonly creation: CreationRecord };
  };
  /** ECDSA over a SHA-256 digest: r ‖ s as the TPM gave it (part 3, 20.2). */
  sign: { request: Guarded & { readonly digest: Uint8Array }; answer: Uint8Array };
}

export const identityOperations: Handlers<IdentityOperations> = {
  createIdentity: (tpm, { rootName, policy, registers }) =>
    createRecorded(tpm, {
      rootName,
      template: identityTemplate(policy),
      sensitive: sensitiveCreate(),
      registers,
    }),

  sign: (tpm, request) =>
    using(
      tpm,
      request,
      0,
      async (key, session) => {
        const [signature] = await tpm.call(
          'Sign',
          key,
          session,
          none,
          none,
          sized(request.digest),
          ecdsaSha256,
          noHashCheck,
        );
        return parseEcdsaSignature(signature);
      },
      'kept',
    ),
};
