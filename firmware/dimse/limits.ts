/** Every limit of the DICOM room, with its reason. docs/limits.md repeats this table; a test compares the two. */

/** Announced to peers and held: the length of a P-DATA-TF PDU after its 6-byte header. The largest that dcmtk sends. */
export const pduBytesMax = 131_072;

/** One read from a modality's socket, and the buffer of its association: what the kernel has ready between two reads. */
export const receiveBufferBytes = 65_536;

/** The buffer of a connection that has not filled one yet: an A-ASSOCIATE-RQ, or nothing; 512 may wait (see below). */
export const receiveBufferBytesAtFirst = 4_096;

/** What is sent to a peer that sets no maximum: larger gains no speed, and it bounds what waits for a socket. */
export const pduSentBytesMax = 131_072;

/** An A-ASSOCIATE PDU: 128 contexts with 14 transfer syntaxes each fit; times `connectionsPendingMax` it bounds memory. */
export const associateBytesMax = 131_072;

/** Context ids are the odd numbers of one byte (PS3.8 9.3.2.2), so there cannot be more. */
export const presentationContextsMax = 128;

/** Sub-items of one User Information item: a role and an extended negotiation for each context, and some to spare. */
export const userItemsMax = 512;

/** A command set: real ones have some 200 bytes; N-GET with a long attribute list stays below this. */
export const commandBytesMax = 16_384;

/**
 * Smaller fragments of a data set are joined up to this before they are handed on, each piece costs 100 bytes and more;
 * and each is charged, as it costs more by itself than by its bytes. No known peer sends such by plan.
 */
export const fragmentBytesMin = 1_024;

/**
 * Fragments that are parted with after a rejection or an A-ABORT, until the peer has heard of it; then the connection is
 * closed without waiting for it. What a sender of an object may have on its way, in the shortest PDUs that are in use.
 */
export const ignoredFragmentsMax = 2_000;

/**
 * What an association may cost at one go, in microseconds or less; then it takes turns with the others that cost as much.
 * An image of 0.5 MB keeps the event loop busy for half as long.
 */
export const turnCostMax = 1_000;

/**
 * Between two such goes, of all associations of a server: so they take a fifth of the time, at most. The long data sets
 * that are decoded take as much, a part of one at a time.
 */
export const turnMs = 5;

/** For how many that wait one of them is made to wait: as many as there may be associations. */
export const turnsWaitingMax = 200;

/** A fragment below `fragmentBytesMin`, a microsecond: a peer may send nothing but empty ones, 200,000 a second pass. */
export const smallFragmentCost = 1;

/** A command, with its answer. Given back to those that bring an object: they have their rests while that is kept. */
export const commandCost = 10;

/**
 * An object that is not kept, beside its bytes: refused, or repeated. It is hashed, sealed and compared in some 130
 * microseconds, and no flush holds back who sends it. A study that is sent again rests for 0.8 ms an image.
 */
export const notKeptCost = 150;

/** A command up to this costs no more than that: the longest that are usual, three UIDs of 64 bytes and an error comment. */
export const commandBytesUsual = 512;

/** What is longer costs one for so many bytes: text that is read and sent back takes 0.004 microseconds a byte, or more. */
export const commandBytesPerCost = 128;

/** A connection that is made, asks, is answered and closed: 200 microseconds without a handshake of TLS. */
export const connectionCost = 200;

/** A handshake of TLS with a certificate to check: 900 microseconds of the event loop. */
export const handshakeCost = 1_000;

/** What an association owes at its end, and others of its AE title before it, is remembered up to this: half a second's rest. */
export const debtMax = 100_000;

/**
 * Bytes of an A-ASSOCIATE-RQ for the cost of one: 131,072 of short UIDs, or of items that nobody knows, are decoded,
 * compared and answered in 4 milliseconds. It is charged before it is decoded, whatever comes of it.
 */
export const associateBytesPerCost = 32;

/** Addresses whose cost is kept: more than a department has, some 200 bytes each. */
export const addressesKeptMax = 4_096;

/** A request to a service beside its command: found, performed and answered in 40 to 80 microseconds at least. */
export const operationCost = 50;

/**
 * Data of a refused request that are discarded for the cost of one, since nothing else holds them up: 50 MB a second
 * pass, half of what a network of a gigabit brings: each of these bytes is copied out of the socket for nothing.
 */
export const discardedBytesPerCost = 256;

/**
 * Data of a request that are held in memory for the cost of one: copied, joined and decoded they take up to 2 ns a byte.
 * 4 MB rest for less than 0.1 s.
 */
export const heldBytesPerCost = 256;

/** An element, item or value that is decoded: 0.3 to 1 microsecond. */
export const elementCost = 1;

/** Text that is decoded for the cost of one, where each character switches the set: up to 0.1 microseconds a byte. */
export const textBytesPerCost = 8;

/** What comes of a deflated data set for the cost of one: it is inflated at some 500 MB a second. */
export const inflatedBytesPerCost = 512;

/** Associations served at once: a large department has some 50 modalities with up to 4 associations each. */
export const associationsMax = 200;

/** Of one address, so that it cannot keep all others out: half of them, more than the busiest PACS or router opens. */
export const associationsPerAddressMax = 100;

/**
 * Connections that have not sent their A-ASSOCIATE-RQ or wait to be closed. Beyond it one of the address that has most of
 * them gives way: the oldest that has not asked yet, or else the oldest.
 */
export const connectionsPendingMax = 512;

/** A TLS handshake at our port: a few round trips and signatures, also on a slow modality. */
export const tlsHandshakeMsMax = 15_000;

/** TLS handshakes under way at our port; beyond it the oldest gives way. Each holds some 50 KB. */
export const tlsHandshakesMax = 128;

/** ARTIM timer (PS3.8 9.1.5): how long a request or a close may be awaited. dcmtk and Orthanc use 30 s too. */
export const artimMs = 30_000;

/** Sending a last A-ABORT when the box stops: a peer that does not read must not hold the stop up. */
export const shutdownMsMax = 1_000;

/** Silence between two messages: consoles hold an association open while the technician scans. */
export const idleMsMax = 600_000;

/** Silence in the midst of a PDU or message: the peer is gone or means harm. */
export const stallMsMax = 60_000;

/** How long a peer may take for `paceBytesMin` in the midst of a message: pauses up to `stallMsMax` are no fault. */
export const paceMsMax = 300_000;

/** What it must bring in that time, bytes: 55 a second, below any line on which images are sent at all. */
export const paceBytesMin = 16_384;

/** Between two looks at a peer's pace. */
export const paceLookMs = 10_000;

/** Opening a TCP connection to a peer in the hospital's network. */
export const connectMsMax = 15_000;

/** A peer's answer to our A-ASSOCIATE-RQ or A-RELEASE-RQ. */
export const associateAnswerMsMax = 30_000;

/** A peer's answer to a C-STORE or C-ECHO: slow archives write to tape libraries before they answer. */
export const responseMsMax = 300_000;

/** Between responses to our C-MOVE, a day: an archive on tape may say nothing for hours; who asks ends it sooner. */
export const moveResponseMsMax = 86_400_000;

/** A peer that we wait for is asked by TCP whether it still is there: before firewalls forget a silent connection. */
export const keepAliveMs = 300_000;

/** Error Comment (0000,0902) is an LO: 64 characters. */
export const errorCommentCharactersMax = 64;

/** Nested sequences: the deepest structured reports reach some 20; beyond this the input is made to harm. */
export const headerDepthMax = 128;

/** Elements up to (0020,0013), nested ones too: multi-frame objects with thousands of references stay below. */
export const headerElementsMax = 500_000;

/** Bytes up to (0020,0013): private groups and references of an 8,800-frame object fit; scanning it takes below 0.1 s. */
export const headerBytesMax = 33_554_432;

/** Parsed on the event loop of one header; the rest, and what is longer, by the worker. Usual headers have 1 to 20 KB. */
export const headerBytesOnLoopMax = 262_144;

/** Elements that are parsed on the event loop, below 1 ms; usual headers have some 100, with private groups some 1,000. */
export const headerElementsOnLoopMax = 4_000;

/** Text of the values that are read, decoded on the event loop at up to 0.1 µs a byte; all of a usual header has 500. */
export const headerTextBytesOnLoopMax = 4_096;

/** Compressed bytes of a deflated object that are inflated on the event loop; usual headers deflate to 1 to 2 KB. */
export const deflatedHeaderBytesOnLoopMax = 16_384;

/** What they may inflate to there: a bomb of 4 KB would be 4 MB, and 10 ms for everybody else. */
export const inflatedHeaderBytesOnLoopMax = 65_536;

/** The worker's time for one piece of a header: 500,000 elements take it some 0.2 s; beyond it the worker is replaced. */
export const headerScanMsMax = 5_000;

/** Memory of the worker's JavaScript, in MiB: it holds a piece of one header and the values of some. */
export const headerWorkerHeapMiBMax = 96;

/** One value that is read (UIDs, names, descriptions): the longest legal ones have some 10 KB (LT). */
export const headerValueBytesMax = 16_384;

/** Compressed bytes of a deflated object that are kept while its header is sought; the header is at their very front. */
export const deflatedHeaderBytesMax = 1_048_576;

/** What the beginning of a deflated object may inflate to while its header is sought: deflated objects are reports. */
export const inflatedHeaderBytesMax = 8_388_608;

/** An Original Attributes Sequence that is already there is held to append to it; each institution adds some 300 bytes. */
export const originalAttributesBytesMax = 1_048_576;

/** Group 0002 of a Part 10 file: ours has some 300 bytes, private information may make it larger. */
export const fileMetaBytesMax = 65_536;

/** A query's identifier or an N-service's data set, which is held in memory: a commitment of 36,000 objects fits. */
export const identifierBytesMax = 4_194_304;

/** All of them that are held at once, over all associations, with what they take decoded: three of the largest. */
export const identifierBytesHeldMax = 67_108_864;

/** What a deflated one may inflate to, for each of its bytes: lists of UIDs reach some 20, zeros reach 1,000. */
export const inflatedIdentifierRatioMax = 64;

/** What it may inflate to in any case: an identifier of few bytes that repeat themselves is no bomb. */
export const inflatedIdentifierBytesMin = 65_536;

/** Elements and items of one small data set: three for each of 33,000 objects of a commitment. */
export const dataSetElementsMax = 100_000;

/** Memory of an element or item beside its values, as measured; it is held while the operation runs. */
export const dataSetElementMemoryBytes = 160;

/** Memory of one value beside its text: what refers to it, and the head of its string. */
export const dataSetValueMemoryBytes = 32;

/** Elements and values that are decoded or encoded before everybody else has a turn, below 1 ms. */
export const elementsWithoutRestMax = 500;

/** Text that is decoded or encoded before everybody else has a turn, below 1 ms: each character may switch the set. */
export const textBytesWithoutRestMax = 4_096;

/** Padding, characters, that is taken off a value before everybody else has a turn, below 1 ms; usual values have one. */
export const paddingWithoutRestMax = 65_536;

/** Values of one element: a list of as many SOP Instance UIDs as one retrieval sends. */
export const elementValuesMax = 65_535;

/** Values of all elements of one small data set: such a list, and some to spare. */
export const dataSetValuesMax = 131_072;

/** Text of one element in a Specific Character Set: it is decoded on the event loop, at up to 0.1 µs a byte. */
export const elementTextBytesMax = 65_536;

/** Such text of one small data set in all, 30 ms of work between rests: the names and descriptions of 1,000 series. */
export const dataSetTextBytesMax = 262_144;

/** Sequences within sequences of a small data set: queries and procedure steps reach four. */
export const dataSetDepthMax = 16;

/** Elements of a whole object, nested ones too: 8,800 frames with some 100 of functional groups each stay below. */
export const objectElementsMax = 2_000_000;

/** What a deflated object may inflate to while its pixels are compared: deflated objects are reports of some MB. */
export const inflatedObjectBytesMax = 1_073_741_824;

/** C-MOVEs and C-GETs at a time: each reads a study from disk; a department has some ten workstations. */
export const retrievalsMax = 32;

/** Objects of one C-MOVE or C-GET: Number of Remaining Sub-operations (0000,1020) is a US. */
export const retrieveObjectsMax = 65_535;

/** Failed SOP Instance UID List (0008,0058): what the 65,534 bytes of a UI in explicit VR hold with 64 characters each. */
export const failedSopInstanceUidsMax = 1_000;

/** Failures of a C-MOVE destination one after the other before it is left alone: it is down or refuses everything. */
export const destinationFailuresMax = 3;
