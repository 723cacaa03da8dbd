/** Answers to one C-FIND: more than anybody reads in a list, and enough for the images of an 8,800-frame series kept one by one. */
export const matchesMax = 20_000;

/** One value of a key: a person name in all three component groups has 194 characters. It bounds what a wildcard costs. */
export const keyCharactersMax = 256;

/** What of a value is compared with a key: no VR that is matched holds more; an object may say more all the same. */
export const valueCharactersMax = 256;

/** UIDs in one key: a workstation that asks for the images of a series by UID lists some thousands. */
export const keyUidsMax = 20_000;

/** Values of any other key, which are alternatives: a list of modalities has some ten. */
export const keyAlternativesMax = 64;

/** Comparisons of an entity with a key before others get their turn: as many take about half a millisecond. */
export const sliceComparisonsMax = 150;
