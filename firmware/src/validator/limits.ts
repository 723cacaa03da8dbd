/** Bounds of the validator: its mempool, its times, what it keeps and what it asks of others (docs/limits.md). */

/** A block is due this long after its parent when there is nothing to say (PROTOCOL.md, "Freshness"). */
export const heartbeatMs = 10000;

/** A block whose time differs more from the own clock gets no vote (PROTOCOL.md: the 45 s promise counts on it). */
export const blockTimeSkewMsMax = 10000;

/** A view with work is given up after this: three message delays of the slowest lines, and the time to check a block. */
export const viewTimeoutMs = 1500;

/** The same if the leader is known to be away: long enough that a connection which returns in time counts. */
export const absentLeaderTimeoutMs = 300;

/** After each round of all leaders without a block the time-out doubles, this often: 12 s for a very bad network. */
export const viewTimeoutDoublingsMax = 3;

/** A notarized block that is not final after this is followed by another one, which makes both final. */
export const finalityPatienceMs = 500;

/** How often a stuck box says again what others may have missed. */
export const retransmitMs = 1000;

/**
 * How long what a peer says of where it stands tells that it still stands there. At a standstill it says so every second;
 * what was said before a line was cut tells nothing.
 */
export const standingFreshMs = 5000;

/** How often one peer is helped with certificates; it asks once a second when it is stuck. */
export const helpMsMin = 200;

/** A restart order of half a megabyte is sent again to who stands below its floor after this: it may wait with it. */
export const restartResendMs = 10000;

/**
 * For how long a peer that has sent a wrong restart order is not heard about another one. It may have been misled itself;
 * with one a minute from each, looking at signatures takes a few milliseconds of each second at most.
 */
export const wrongRestartMs = 60000;

/** A head that is older raises LEDGER_STALE: no source releases on it (PROTOCOL.md, "Freshness"). */
export const headAgeMsMax = 30000;

/** Transactions that wait for a block, of all institutions: four full blocks. */
export const mempoolTransactionsMax = 8192;

/** Bytes of the waiting transactions: sixteen full blocks. */
export const mempoolBytesMax = 16777216;

/**
 * Transactions of one institution: an eighth of all. Where more than eight want the room, who holds the most gives way
 * to who holds less.
 */
export const institutionTransactionsMax = 1024;

/**
 * Of these, such as bring keys: each costs 2 ms to judge, though it be right. As many as an institution may have proposals
 * open.
 */
export const institutionKeyChangesMax = 8;

/** Bytes of one institution's waiting transactions: an eighth of all. */
export const institutionBytesMax = 2097152;

/** Revocations and objections that wait, in addition to the others: as many as a block takes. */
export const firstTransactionsMax = 2048;

/** Bytes of them: each is below 1 KiB, the leaf of a bulk registration included. */
export const firstBytesMax = 2097152;

/** Revocations and objections of one institution: all that the patients in its custody could want within a second. */
export const institutionFirstTransactionsMax = 256;

/** Bytes of them. */
export const institutionFirstBytesMax = 262144;

/**
 * Work of a block that is for revocations and objections first: half of it, 54 that come with the leaf of a registration
 * in bulk, or 178 others. No transaction takes more than the other half. Beyond it they come last.
 */
export const firstWorkMax = 1250;

/** Transactions with a wrong signature from one institution, each a check of 0.2 ms; then it is not listened to. */
export const forgedTransactionsMax = 64;

/** For how long they are counted, and it is not listened to. */
export const forgedCountMs = 60000;

/** After the keys of an institution have changed, what was signed with the old ones may still be under way for so long. */
export const keyChangeForgivenMs = 10000;

/** A transaction of another box that does not apply yet is dropped after this; its box sends it again. */
export const waitingMsMax = 30000;

/** Waiting transactions that are tried again after a final block: bounds the time that signatures take. */
export const recheckedTransactionsMax = 256;

/**
 * A waiting transaction that applied when it was judged last is judged again after this: one that a final block has
 * overtaken brings at most a few empty blocks until then.
 */
export const readyRecheckMs = 1000;

/** Own submissions are sent again to all after this without finality. */
export const submissionResendMs = 2000;

/** Transactions that became final lately, so that one submitted again is answered: some minutes at full load. */
export const finalTransactionsKeptMax = 16384;

/** A leader adds no transactions on top of this many blocks that are not final: groups stay small for catch-up. */
export const blocksUnfinalMax = 4;

/**
 * For how long a peer is not read after bytes that did not decode, nanoseconds a byte: fifty times as long as the densest
 * CBOR takes (0.2 µs a byte, up to 65,536 of them), so that none takes more than a fiftieth of the box. 42 s after the
 * longest message.
 */
export const deafNsPerByte = 10000;

/**
 * For how long a peer is not read after a signature of a box that did not verify, milliseconds: the largest certificate,
 * of 400 validators, takes some 30 ms to find out, so that lies take a thirtieth of the box at most.
 */
export const deafToForgersMs = 1000;

/** A message between boxes: a block, its leader's vote and the certificates that show its parent. */
export const messageBytesMax = 4194304;

/**
 * Data items of a message, keys of maps among them: of 32 certificates with 512 signatures of three each, and a block, which
 * is one. They take some 15 ms, where four million of one byte each would take the better part of a second.
 */
export const messageItemsMax = 65536;

/** Inputs that wait for the consensus core; beyond it peers are read no further. */
export const inputsQueuedMax = 2048;

/** Inputs whose votes share one fsync: bounds how long the first of them waits. */
export const inputsBatchMax = 256;

/**
 * Bytes of the vote log after which it is begun anew; all but the views since the last final block is dropped. Some
 * thousand views without load, and more than the full blocks that may be unfinal, so that what is kept stays below it.
 */
export const voteLogBytesMax = 8388608;

/**
 * Signatures in the certificates that are kept of views without finality, to go with the next final block: some 4.5 MB,
 * so that a group of blocks still fits the frame of a log. With four validators these are 20,000 views, with a hundred
 * a thousand.
 */
export const signaturesNotedMax = 65536;

/** Certificates of views without finality that are kept, and that may stand with a final block. */
export const certificatesNotedMax = 32768;

/** Double votes that are kept for the console. */
export const evidenceKeptMax = 1000;

/** Signatures known to be good: a transaction is checked when it comes, when it is built in and when it is executed. */
export const verifiedSignaturesMax = 65536;

/** Blocks in one answer to a box that catches up. */
export const catchUpBlocksMax = 256;

/** Data items of a request for blocks or of its answer: the records, which are one each, and a handful. */
export const blockAnswerItemsMax = 512;

/** Data items of a final block with its certificate of 512 signatures, three items each; the block is one. */
export const finalRecordItemsMax = 2048;

/** Bytes of blocks in one answer, one block beyond it included: stays below the network's limit of 8 MiB. */
export const catchUpAnswerBytesMax = 4194304;

/** Bytes of such an answer with its certificates as the asker takes it. */
export const catchUpAnswerReadBytesMax = 8388608;

/** Bytes of blocks that wait for the certificate that makes them final: twelve answers; then the peer is lying. */
export const catchUpPendingBytesMax = 50331648;

/** One answer of blocks: a slow line of 2 Mbit/s carries 4 MiB in 17 s, and in 43 s where two more are asked meanwhile. */
export const catchUpRequestMs = 45000;

/** Peers that are asked for the same at a time: each that does not answer costs `slowAnswerMs` only. */
export const askedAtOnceMax = 3;

/** A peer whose blocks proved wrong is not asked again for this long. */
export const lyingPeerMs = 60000;

/** Pause before the peers are asked again when none could help. */
export const catchUpRetryMs = 500;

/** An answer that takes longer is slow: another peer is asked meanwhile. */
export const slowAnswerMs = 3000;

/** A new box that is at least so many blocks behind takes a snapshot first: half a day of heartbeats. */
export const snapshotBlocksMin = 4096;

/** Keys and values of a snapshot's chunk: what is lost when a peer breaks off, and one fsync. */
export const snapshotChunkBytesMax = 1048576;

/** Data items of a chunk: three of each record, of which the many kinds take 48 bytes at least. */
export const snapshotChunkItemsMax = 65536;

/** A chunk as it is taken: its entries, one that is larger than the bound, their framing and the proof. */
export const snapshotAnswerBytesMax = 2097152;

/** Records of a snapshot: a state of 1 TiB. */
export const snapshotRecordsMax = 1048576;

/** An offer of a snapshot. */
export const snapshotOfferBytesMax = 128;

/** Snapshots kept: who fetches the last but one when an epoch ends has a day to finish. */
export const snapshotsKept = 2;

/** Headers of old blocks that are written at once, before their transactions are dropped. */
export const headersAtOnceMax = 256;

/** Request body of the block protocol: a height or a digest. */
export const blockRequestBytesMax = 128;

/** One block by its digest is asked for from one peer after the other, each for this long. */
export const blockRequestMs = 3000;

/** Blocks asked for at a time by their digest; more than these a box catches up by height. */
export const blocksAskedMax = 8;

/**
 * Messages of one sender that wait for the next epoch: a vote of each kind, a proposal and the certificates of the few
 * views that the quickest boxes are ahead.
 */
export const heldMessagesMax = 32;

/** Bytes of them: the proposal of a full block is not kept, its leader says it again after a second. */
export const heldBytesMax = 262144;

/**
 * Epochs of which the handover may lack signatures at a time: as long as the ledger keeps the keys to check them. While
 * one lacks them no light client and no new box can pass that epoch; boxes that were away bring theirs when they return.
 */
export const handoversOpenMax = 128;

/** Open handovers that are looked after at a time, in turn: their signatures are said again, the whole is asked for. */
export const handoversAtOnceMax = 4;

/** How often a signature for a handover that is open is said again, and the whole asked for. */
export const handoverResendMs = 5000;

/** A handover that is missing for so long is an alarm: a box that was off asks for it some ten times meanwhile. */
export const handoverMissingMs = 60_000;

/** One handover from one peer: at most 384 KiB. */
export const handoverRequestMs = 10000;

/** How long a transaction that names a voting key may wait for its block: epochs are hours, and it is made anew. */
export const keyChangeValidMs = 600000;

/** Pause after a voting key could not be named: the TPM or the network may need a while. */
export const keyChangePauseMs = 30000;

/** Voting keys that were made and are named by no final transaction: one of them may be in a transaction that waits. */
export const unnamedKeysMax = 4;

/** How long a report of evidence may wait for its block. */
export const evidenceValidMs = 600000;

/** Pause between two reports of one box: others report the same, and one is enough. */
export const evidencePauseMs = 2000;
