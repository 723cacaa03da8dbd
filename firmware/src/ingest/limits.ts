/** How long a registration may wait for a block: beyond any outage that is not an alarm by itself, then it is made anew. */
export const transactionValidMs = 600_000;

/** Pause before a study that the ledger refused, or that failed, is tried again. */
export const registrationRetryMs = 10_000;
