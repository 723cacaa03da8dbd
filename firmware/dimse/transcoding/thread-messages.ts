/** What the box and its codec thread say to each other. */
export type Request =
  /** Part of the data set. */
  | { readonly kind: 'chunk'; readonly bytes: Uint8Array }
  /** The data set is whole. */
  | { readonly kind: 'transcode'; readonly from: string; readonly to: string }
  /** A piece of the outcome is wanted; the only request that is answered. */
  | { readonly kind: 'next' };

export type Answer =
  | { readonly kind: 'piece'; readonly bytes: Uint8Array }
  | { readonly kind: 'end' }
  | { readonly kind: 'refused'; readonly reason: string };
