/** Objects under a policy: how they are made in the storage hierarchy, and how their use is authorized. */
import { esysHandle } from '../esys/functions.ts';
import { sessionAttribute, sessionType } from '../wire/constants.ts';
import type { PolicyStep } from '../wire/policy.ts';
import { noCreationPcrs, noOutsideInfo, sensitiveCreate, type ObjectBlob } from '../wire/structures.ts';
import { satisfy } from './policy-session.ts';
import type { Tpm } from './tpm.ts';

const { none } = esysHandle;

/** A key or secret with what must hold for its use. */
export interface Guarded {
  readonly blob: ObjectBlob;
  /** The Name of the storage root key under which it was made: sessions are salted to no other. */
  readonly rootName: Uint8Array;
  /** What satisfies its policy. */
  readonly policy: readonly PolicyStep[];
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

/**
 * Loads the object and satisfies its policy in a salted session.
 * @param loading whether the object stays loaded for the next use: keys alone.
 */
export async function using<T>(
  tpm: Tpm,
  { blob, rootName, policy }: Guarded,
  attributes: number,
  body: (object: number, session: number) => Promise<T>,
  loading: 'kept' | 'flushed' = 'flushed',
): Promise<T> {
  const root = await tpm.pinnedRoot(rootName);
  const withObject = (object: number): Promise<T> =>
    tpm.inSession(root, sessionType.policy, attributes, async (session) => {
      await satisfy(tpm, session, policy);
      return body(object, session);
    });
  return loading === 'kept' ? tpm.withKept(root, blob, withObject) : tpm.withLoaded(root, blob, withObject);
}
