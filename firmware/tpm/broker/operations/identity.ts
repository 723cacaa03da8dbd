/** The device identity key: made in the TPM, and used there. */
import { esysHandle } from '../../esys/functions.ts';
import {
  ecdsaSha256,
  noHashCheck,
  parseEcdsaSignature,
  sized,
  type ObjectBlob,
} from '../../wire/structures.ts';
import { identityTemplate } from '../../wire/templates.ts';
import { create, using, type Creation, type Guarded } from '../guarded.ts';
import type { Handlers } from './family.ts';

const { none } = esysHandle;

export interface IdentityOperations {
  /** Makes the key; its private part leaves the TPM encrypted to the storage root key only (part 3, 12.1). */
  createIdentity: { request: Creation; answer: ObjectBlob };
  /** ECDSA over a SHA-256 digest: r ‖ s as the TPM gave it (part 3, 20.2). */
  sign: { request: Guarded & { readonly digest: Uint8Array }; answer: Uint8Array };
}

export const identityOperations: Handlers<IdentityOperations> = {
  createIdentity: (tpm, { rootName, policy }) => create(tpm, rootName, identityTemplate(policy)),

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
