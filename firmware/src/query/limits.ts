/** Answers to one C-FIND: more than anybody reads in a list, and enough for the images of an 8,800-frame series kept one by one. */
export const matchesMax = 20_000;

/** One key: the longest that is searched for, an LO or PN, has 324 characters; it bounds the cost of a wildcard. */
export const keyCharactersMax = 1_024;

/** Values of one key: a workstation that asks for the images of a series by UID lists some thousands. */
export const keyValuesMax = 20_000;

/** Studies or objects that are looked at before others get their turn: a hundred take about a millisecond. */
export const sliceEntitiesMax = 100;
