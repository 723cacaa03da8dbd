/** Objects under a policy: how they are made in the storage hierarchy, and how their use is authorized. */
import { esysHandle } from '../esys/functions.ts';
import { sessionAttribute, sessionType } from '../wire/constants.ts';
import type { PolicyStep } from '../wire/policy.ts';
import {
  noOutsideInfo,
  pcrSelection,
  sensitiveCreate,
  unsized,
  type ObjectBlob,
} from '../wire/structures.ts';
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

/** What the TPM says of the making of an object, and by which it knows its own words again. */
export interface CreationRecord {
  /** TPMS_CREATION_DATA (part 2, 15.1). */
  readonly data: Uint8Array;
  /** TPMT_TK_CREATION (part 2, 10.7.3). */
  readonly ticket: Uint8Array;
}

/** Makes an object under the storage root key (part 3, 12.1); its sensitive part crosses the bus encrypted. */
export async function create(
  tpm: Tpm,
  rootName: Uint8Array,
  template: Uint8Array,
  sensitive: Uint8Array = sensitiveCreate(),
): Promise<ObjectBlob> {
  return (await createRecorded(tpm, { rootName, template, sensitive, registers: [] })).blob;
}

/** What is made, and of which registers the TPM is to say what they held meanwhile. */
interface Recorded {
  readonly rootName: Uint8Array;
  readonly template: Uint8Array;
  readonly sensitive: Uint8Array;
  readonly registers: readonly number[];
}

/** The same, with what the TPM says of it. */
export async function createRecorded(
  tpm: Tpm,
  { rootName, template, sensitive, registers }: Recorded,
): Promise<{ readonly blob: ObjectBlob; readonly creation: CreationRecord }> {
  const root = await tpm.pinnedRoot(rootName);
  return tpm.inSession(root, sessionType.hmac, sessionAttribute.decrypt, async (session) => {
    const [privateArea, publicArea, data, , ticket] = await tpm.call(
      'Create',
      root.handle,
      session,
      none,
      none,
      sensitive,
      template,
      noOutsideInfo,
      pcrSelection(registers),
    );
    return { blob: { publicArea, privateArea }, creation: { data: unsized(data), ticket } };
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
