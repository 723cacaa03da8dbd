/** Secrets that this TPM alone opens, under their policy. */
import { esysHandle } from '../../esys/functions.ts';
import { sealedBytesMax } from '../../limits.ts';
import { sessionAttribute } from '../../wire/constants.ts';
import { sensitiveCreate, unsized, type ObjectBlob } from '../../wire/structures.ts';
import { sealedTemplate } from '../../wire/templates.ts';
import { create, using, type Creation, type Guarded } from '../guarded.ts';
import type { Handlers } from './family.ts';

const { none } = esysHandle;

export interface SealingOperations {
  /** At most 128 bytes (part 3, 12.1). */
  seal: { request: Creation & { readonly secret: Uint8Array }; answer: ObjectBlob };
  /** Crosses the bus encrypted (part 3, 12.7). */
  unseal: { request: Guarded; answer: Uint8Array };
}

export const sealingOperations: Handlers<SealingOperations> = {
  seal: (tpm, { rootName, policy, secret }) => {
    if (secret.length > sealedBytesMax) throw new RangeError(`a TPM seals ${sealedBytesMax} bytes at most`);
    return create(tpm, rootName, sealedTemplate(policy), sensitiveCreate(secret));
  },

  unseal: (tpm, guarded) =>
    using(tpm, guarded, sessionAttribute.encrypt, async (object, session) => {
      const [secret] = await tpm.call('Unseal', object, session, none, none);
      return unsized(secret);
    }),
};
