/** What becomes of an object whose SOP Instance UID is taken: pure. Nothing is overwritten, nothing is dropped. */
import type { PixelDigest } from '../ports.ts';
import { equalBytes } from '../encoding/bytes.ts';
import { correctionsMax } from './limits.ts';
import type { QuarantineReason } from './quarantined.ts';

/** An object that came, and the newest one of its UID that is held; other bytes than each of those that are held. */
export interface Collision {
  readonly transferSyntaxUid: { readonly held: string; readonly came: string };
  readonly sopClassUid: { readonly held: string; readonly came: string };
  readonly pixels: { readonly held: PixelDigest; readonly came: PixelDigest };
  /** The access list says that what its sender sends may correct what is kept. */
  readonly senderMayCorrect: boolean;
  /** Corrections of this UID that were kept within `correctionsMsMax` before. */
  readonly recentCorrections: number;
}

export type CollisionVerdict =
  /** A new version of the held object: same pixels, other attributes, from a sender that is trusted with that. */
  { readonly kind: 'correction' } | { readonly kind: 'quarantine'; readonly reason: CollisionReason };

type CollisionReason = Extract<
  QuarantineReason,
  'other pixels' | 'other attributes' | 'not comparable' | 'corrected too often'
>;

/**
 * Same pixels are the same bytes of what is shown, in the same transfer syntax: whether another encoding shows the same is
 * for a person to say. An object that shows nothing (a report) has the same pixels as another that shows nothing. Two
 * destinations that each change what they get and send it back would correct one object for ever: a person looks at that.
 */
export function judgeCollision(collision: Collision): CollisionVerdict {
  const { transferSyntaxUid, sopClassUid, pixels, senderMayCorrect, recentCorrections } = collision;
  const quarantine = (reason: CollisionReason): CollisionVerdict => ({ kind: 'quarantine', reason });
  if (sopClassUid.held !== sopClassUid.came || transferSyntaxUid.held !== transferSyntaxUid.came)
    return quarantine('not comparable');
  const { held, came } = pixels;
  if (held.kind === 'unreadable' || came.kind === 'unreadable') return quarantine('not comparable');
  if (!equalBytes(held.digest, came.digest)) return quarantine('other pixels');
  if (!senderMayCorrect) return quarantine('other attributes');
  return recentCorrections < correctionsMax ? { kind: 'correction' } : quarantine('corrected too often');
}
