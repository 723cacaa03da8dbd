/** The canonical beginning of an instance's bytes: lp(transfer syntax) ‖ lp(SOP class) ‖ lp(SOP instance). The data set follows. */
import { concatBytes, lengthPrefixed, utf8 } from '../encoding/bytes.ts';
import { uidCharactersMax } from './limits.ts';

export interface InstanceIdentity {
  readonly transferSyntaxUid: string;
  readonly sopClassUid: string;
  readonly sopInstanceUid: string;
}

/** Longest prefix: three length-prefixed UIDs. */
export const instancePrefixBytesMax = 3 * (4 + uidCharactersMax);

/** PS3.5, section 9.1, allows digits and dots only; senders exist that use letters, and what they send is kept as it is. */
const uid = /^[!-[\]-~]+$/;

/** Whether this can name an instance, series or study. */
export function isInstanceUid(text: string): boolean {
  return text.length <= uidCharactersMax && uid.test(text);
}

/** @throws RangeError if a UID is empty, too long or holds other than printable ASCII without space and backslash. */
export function instancePrefix(identity: InstanceIdentity): Uint8Array {
  const uids = [identity.transferSyntaxUid, identity.sopClassUid, identity.sopInstanceUid];
  if (!uids.every(isInstanceUid)) throw new RangeError('not a UID');
  return concatBytes(...uids.map((text) => lengthPrefixed(utf8(text))));
}

/**
 * The identity that stands at the beginning of an instance's bytes and where its data set starts; undefined if there
 * is none. `bytes` holds at least `instancePrefixBytesMax` bytes or the whole instance.
 */
export function parseInstancePrefix(
  bytes: Uint8Array,
): { readonly identity: InstanceIdentity; readonly dataSetOffset: number } | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const uids: string[] = [];
  let offset = 0;
  while (uids.length < 3) {
    if (bytes.length < offset + 4) return undefined;
    const length = view.getUint32(offset);
    offset += 4;
    if (length > uidCharactersMax || bytes.length < offset + length) return undefined;
    const text = String.fromCharCode(...bytes.subarray(offset, offset + length));
    if (!isInstanceUid(text)) return undefined;
    uids.push(text);
    offset += length;
  }
  const [transferSyntaxUid, sopClassUid, sopInstanceUid] = uids as [string, string, string];
  return { identity: { transferSyntaxUid, sopClassUid, sopInstanceUid }, dataSetOffset: offset };
}
