/** Every bound of firmware/src/p2p. docs/limits.md repeats them; a test compares both. */

/** A message between boxes: a full block (1 MiB) with its certificates fits thrice; larger things go over the TLS plane. */
export const messageBytesMax = 4_194_304;

/** Messages that wait for one slow peer: some minutes of votes of a hundred validators; then the oldest go. */
export const queueMessagesMax = 1024;

/** Bytes that wait for one slow peer: two of the largest messages, so that a hundred slow peers cost 800 MB at worst. */
export const queueBytesMax = 8_388_608;

/** A greeting names version, chain, institution and purpose: far below this. */
export const greetingBytesMax = 512;

/** A greeting follows the opening of its stream at once; two round trips of a satellite link fit. */
export const greetingMsMax = 5_000;

/** Each end of a message stream sends a beat this often, so that silence means loss. */
export const beatMs = 5_000;

/** Beats missed in a row until the connection is made anew: 15 s, half of what a release tolerates (PROTOCOL.md). */
export const beatsMissedMax = 3;

/** First pause before a connection is tried again: a restarted box is back within a second. */
export const redialMsMin = 250;

/** Longest pause: a hospital whose line returns is reached again within 10 s, inside the 15 s of liveness. */
export const redialMsMax = 10_000;

/** The member with the greater id lets the other dial first for this long, so that both do not dial at once. */
export const dialGraceMs = 2_000;

/** After its own new transport key is final a box keeps its old identity this long: the others finalise it meanwhile. */
export const identityChangeMs = 2_000;

/** A link under a key that was rotated goes on this long unless the new key comes earlier: twice the time above. */
export const rotatedLinkMsMax = 4_000;

/** Without any connected member for this long a box that holds another transport key tries that one. */
export const identityLonelyMs = 30_000;

/** Streams of the TLS plane under a key that was rotated may end within this time; what takes longer resumes. */
export const rotatedPlaneMsMax = 30_000;

/** A dial with TCP, TLS and multiplexer takes four round trips; the slowest lines need a few seconds. */
export const dialMsMax = 8_000;

/** Connections that one member may hold: one, one more from a simultaneous dial, and two half-dead ones. */
export const connectionsPerMemberMax = 4;

/** All connections of the host: four from each of a hundred members. */
export const connectionsMax = 400;

/** New connections a second from one address: hospitals behind one NAT all return after its restart. */
export const connectionsPerHostPerSecondMax = 50;

/** Connections that have not yet proved who they are: bounds what strangers can occupy. */
export const connectionsPendingMax = 64;

/** Streams that one connection may carry: the message streams, the requests of both sides, and identify. */
export const streamsPerConnectionMax = 64;

/** Receive window of a stream: just a quarter of yamux's read buffer (4 MiB), whose overflow resets the stream. */
export const streamWindowBytesMax = 1_048_576;

/** Body of a request: as a message. */
export const requestBytesMax = 4_194_304;

/** Answer to a request, unless the caller asks for less: a batch of blocks for a box that catches up. */
export const answerBytesMax = 8_388_608;

/** A request that names no time of its own. */
export const requestMs = 10_000;

/** Longest life of a request on either side, so that a forgotten one frees its slot. */
export const requestMsMax = 120_000;

/** Requests to one member at a time; further ones wait. */
export const requestsOutboundPerMemberMax = 16;

/** Requests that wait for a slot to one member; further ones fail at once. */
export const requestsWaitingPerMemberMax = 256;

/** Requests from one member at a time: twice what an honest one sends, since closing lags. */
export const requestsInboundPerMemberMax = 32;

/** Name of a request's protocol. */
export const protocolNameBytesMax = 64;

/** A frame of the TLS plane: a chunk of 1 MiB, its authentication tag and header, and the proof that goes with it. */
export const planeFrameBytesMax = 1_114_112;

/** The request on a plane connection: identifiers, keys, signatures. */
export const planeRequestBytesMax = 65_536;

/** Plane connections of one member: urgent and ordinary transfers side by side. */
export const planeConnectionsPerMemberMax = 8;

/** Plane connections of all members: each buffers a frame of 1 MiB at worst. */
export const planeConnectionsMax = 256;

/** Plane connections that have not yet proved a key; then the address with the most loses its oldest. */
export const planeHandshakesMax = 64;

/** TCP connect and TLS handshake of a plane connection. */
export const planeHandshakeMsMax = 10_000;

/** The request follows the handshake at once. */
export const planeRequestMsMax = 10_000;

/** The source reads its ledger and its store before it answers; a busy disk takes seconds. */
export const planeAnswerMsMax = 30_000;

/** No byte taken or given for this long while a transfer runs: the connection is cut, the transfer resumes later. */
export const planeIdleMsMax = 30_000;
