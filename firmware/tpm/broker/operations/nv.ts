/** The TPM's own memory: counters that nobody can set back, and the approval of firmware. */
import { esysHandle } from '../../esys/functions.ts';
import { approvalBytes, counterBytes, sessionType } from '../../wire/constants.ts';
import {
  approvalIndex,
  erasureCounter,
  firmwareCounter,
  keysFileCounter,
  startCounter,
} from '../../wire/nv.ts';
import { sized, unsized } from '../../wire/structures.ts';
import type { Guarded } from '../guarded.ts';
import { nvHandle, nvStanding } from '../nv-index.ts';
import { asOwner, unsealAuthorizations } from '../owner.ts';
import type { Tpm } from '../tpm.ts';
import type { Handlers } from './family.ts';

const { none, owner } = esysHandle;

/** Each is an index of its own: a step of one means nothing for the others. */
export const counters = {
  starts: startCounter,
  firmware: firmwareCounter,
  erasures: erasureCounter,
  keysFiles: keysFileCounter,
} as const;
export type CounterName = keyof typeof counters;

export interface NvOperations {
  /** Value of the counter (part 3, 31.13), over a session salted to the storage root key. */
  readCounter: { request: { readonly counter: CounterName; readonly rootName: Uint8Array }; answer: number };
  /** One step (part 3, 31.8); the value after it. Takes the owner's authorization out of the sealed secret. */
  stepCounter: {
    request: { readonly counter: CounterName; readonly authorizations: Guarded };
    answer: number;
  };
  /** Hash algorithm and digest of the approved policy, 34 bytes; undefined if the TPM has no such index. */
  readApproval: { request: { readonly rootName: Uint8Array }; answer: Uint8Array | undefined };
  /** Replaces it as a whole (part 3, 31.7). */
  writeApproval: {
    request: { readonly content: Uint8Array; readonly authorizations: Guarded };
    answer: null;
  };
}

export const nvOperations: Handlers<NvOperations> = {
  readCounter: async (tpm, { counter, rootName }) =>
    readCounter(tpm, rootName, await nvHandle(tpm, counters[counter])),

  stepCounter: async (tpm, { counter, authorizations }) => {
    const { rootName } = authorizations;
    const { owner: value } = await unsealAuthorizations(tpm, authorizations);
    const index = await nvHandle(tpm, counters[counter]);
    await asOwner(tpm, rootName, value, (session) =>
      tpm.call('NV_Increment', owner, index, session, none, none),
    );
    return readCounter(tpm, rootName, index);
  },

  readApproval: async (tpm, { rootName }) => {
    const standing = await nvStanding(tpm, approvalIndex);
    if (standing.kind !== 'written') return undefined;
    return readIndex(tpm, rootName, standing.handle, approvalBytes);
  },

  writeApproval: async (tpm, { content, authorizations }) => {
    const { owner: value } = await unsealAuthorizations(tpm, authorizations);
    await writeApproval(tpm, authorizations.rootName, value, content);
    return null;
  },
};

/** @param value the owner's authorization. */
export async function writeApproval(
  tpm: Tpm,
  rootName: Uint8Array,
  value: Uint8Array,
  content: Uint8Array,
): Promise<void> {
  const index = await nvHandle(tpm, approvalIndex);
  const offset = 0;
  await asOwner(tpm, rootName, value, (session) =>
    tpm.call('NV_Write', owner, index, session, none, none, sized(content), offset),
  );
}

/** Over a salted session: an answer that does not come from the TPM is noticed. */
async function readIndex(tpm: Tpm, rootName: Uint8Array, index: number, length: number): Promise<Uint8Array> {
  const root = await tpm.pinnedRoot(rootName);
  return tpm.inSession(root, sessionType.hmac, 0, async (session) => {
    const offset = 0;
    const [data] = await tpm.call('NV_Read', index, index, session, none, none, length, offset);
    return unsized(data);
  });
}

async function readCounter(tpm: Tpm, rootName: Uint8Array, index: number): Promise<number> {
  const value = await readIndex(tpm, rootName, index, counterBytes);
  return Number(new DataView(value.buffer, value.byteOffset, value.length).getBigUint64(0));
}
