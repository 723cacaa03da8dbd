/** What the TPM tells of itself and of the machine, and its random generator. */
import { AppError } from '../../../src/errors.ts';
import { esysHandle } from '../../esys/functions.ts';
import { randomBytesPerCallMax } from '../../limits.ts';
import { sessionAttribute, sessionType } from '../../wire/constants.ts';
import { parseDigestList, pcrSelection, unsized } from '../../wire/structures.ts';
import type { Tpm } from '../tpm.ts';
import type { Handlers } from './family.ts';

const { none } = esysHandle;

/** TPM2_PCR_Read returns at most eight values at a time (part 3, 22.4). */
const registersPerReadMax = 8;

export interface PlatformOperations {
  /** Name of the storage root key, 34 bytes; undefined if the TPM holds none. */
  rootName: { request: null; answer: Uint8Array | undefined };
  /** Values of registers of the SHA-256 bank, in the order asked for (part 3, 22.4). */
  readPcrs: {
    request: {
      readonly registers: readonly number[];
      /**
       * The answer then comes from that TPM: where the values decide, and it does not itself compare them. TPM_WRONG if it
       * was exchanged on the bus.
       */
      readonly rootName?: Uint8Array;
    };
    answer: Uint8Array[];
  };
  /** Bytes from the TPM's generator, over an encrypted session (part 3, 16.1). */
  random: { request: { readonly rootName: Uint8Array; readonly length: number }; answer: Uint8Array };
}

export const platformOperations: Handlers<PlatformOperations> = {
  rootName: (tpm) => tpm.rootName(),

  readPcrs: async (tpm, { registers, rootName }) => {
    if (rootName === undefined) return readRegisters(tpm, registers, none);
    const root = await tpm.pinnedRoot(rootName);
    // Audited (part 1, 21.1): the HMAC of the answer is under the salt, which only that TPM knows.
    return tpm.inSession(root, sessionType.hmac, sessionAttribute.audit, (session) =>
      readRegisters(tpm, registers, session),
    );
  },

  random: async (tpm, { rootName, length }) => {
    const root = await tpm.pinnedRoot(rootName);
    const random = new Uint8Array(length);
    await tpm.inSession(root, sessionType.hmac, sessionAttribute.encrypt, async (session) => {
      let filled = 0;
      while (filled < length) {
        const wanted = Math.min(length - filled, randomBytesPerCallMax);
        // A TPM may give fewer bytes than asked for (part 3, 16.1).
        const [given] = await tpm.call('GetRandom', session, none, none, wanted);
        const bytes = unsized(given);
        if (bytes.length === 0)
          throw new AppError('TPM_FAILED', 'the random generator of the TPM gives nothing');
        random.set(bytes, filled);
        filled += bytes.length;
      }
    });
    return random;
  },
};

async function readRegisters(tpm: Tpm, registers: readonly number[], session: number): Promise<Uint8Array[]> {
  const values: Uint8Array[] = [];
  for (let from = 0; from < registers.length; from += registersPerReadMax) {
    const selection = pcrSelection(registers.slice(from, from + registersPerReadMax));
    const [, , digests] = await tpm.call('PCR_Read', session, none, none, selection);
    values.push(...parseDigestList(digests));
  }
  if (values.length !== registers.length) {
    throw new AppError('TPM_FAILED', `the TPM has no SHA-256 bank with PCRs ${registers.join(', ')}`);
  }
  return values;
}
