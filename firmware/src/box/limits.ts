/** Every limit of the composition room, with its reason. docs/limits.md repeats this table; a test compares the two. */

/** Between two looks at the routes to modalities: whoever renews an address lease may set them anew. */
export const routeLookMs = 60_000;

/** One run of `ip`: it asks the kernel and takes milliseconds; a start must not hang on it. */
export const routeCommandMsMax = 10_000;
