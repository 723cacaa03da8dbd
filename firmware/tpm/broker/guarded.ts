/** Objects under the device policy: how they are made in the storage hierarchy, and how their use is authorized. */
import { esysHandle } from '../esys/functions.ts';
import { sessionAttribute, sessionType } from '../wire/constants.ts';
import {
  noCreationPcrs,
  noDigest,
  noOutsideInfo,
  pcrSelection,
  sensitiveCreate,
  type ObjectBlob,
} from '../wire/structures.ts';
import { noSessions, type Tpm } from './tpm.ts';

const { none } = esysHandle;

/** A key or secret with what must hold for its use. */
export interface Guarded {
  readonly blob: ObjectBlob;
  /** The Name of the storage root key under which it was made: sessions are salted to no other. */
  readonly rootName: Uint8Array;
  /** Registers of the policy, SHA-256 bank. */
  readonly registers: readonly number[];
}

/** Where a new object is made, and under which policy. */
export interface Creation {
  readonly rootName: Uint8Array;
  /** authPolicy, 32 bytes. */
  readonly policy: Uint8Array;
}

/** Makes an object under the storage root key (part 3, 12.1); its sensitive part crosses the bus encrypted. */
export async function create(
  tpm: Tpm,
  rootName: Uint8Array,
  template: Uint8Array,
  sensitive: Uint8Array = sensitiveCreate(),
): Promise<ObjectBlob> {
  const root = await tpm.pinnedRoot(rootName);
  return tpm.inSession(root, sessionType.hmac, sessionAttribute.decrypt, async (session) => {
    const [privateArea, publicArea] = await tpm.call(
      'Create',
      root.handle,
      session,
      none,
      none,
      sensitive,
      template,
      noOutsideInfo,
      noCreationPcrs,
    );
    return { publicArea, privateArea };
  });
}

/** Loads the object and satisfies its policy in a salted session: PCRs (part 3, 23.7). */
export async function using<T>(
  tpm: Tpm,
  { blob, rootName, registers }: Guarded,
  attributes: number,
  body: (object: number, session: number) => Promise<T>,
): Promise<T> {
  const root = await tpm.pinnedRoot(rootName);
  return tpm.withLoaded(root, blob, (object) =>
    tpm.inSession(root, sessionType.policy, attributes, async (session) => {
      await tpm.call('PolicyPCR', session, ...noSessions, noDigest, pcrSelection(registers));
      return body(object, session);
    }),
  );
}
