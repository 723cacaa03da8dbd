/** The transactions about firmware: which releases there are, and who agrees to them. */
import { releaseAccept, type ReleaseAccept } from './accept.ts';
import { releasePublish, type ReleasePublish } from './publish.ts';

export type { ReleaseAccept, ReleasePublish };

export type ReleaseBody = ReleasePublish | ReleaseAccept;

export const releaseTransactions = {
  'release.publish': releasePublish,
  'release.accept': releaseAccept,
} as const;
