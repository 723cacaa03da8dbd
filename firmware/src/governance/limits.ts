/** Bounds of what a member proposes and votes on. docs/limits.md repeats them; a test compares the two. */

/** A proposal or vote may wait this long for its block: a consortium that makes none for ten minutes is asked again. */
export const governanceValidMs = 600_000;

/** Proposals whose outcome is remembered, open ones besides: what a person looks back upon. */
export const proposalsRememberedMax = 64;

/** A person waits this long for the block of an act; what comes later is seen in the list. */
export const governanceSubmitMsMax = 25_000;
