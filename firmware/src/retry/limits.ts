/** First pause before something is tried again: a peer or PACS that restarts is back soon. Doubled each time. */
export const retryFirstMs = 1_000;

/** Longest of those pauses: after a night's outage everything flows again within five minutes. */
export const retryLongestMs = 300_000;
