/**
 * What the work of a box costs in the simulated runs: fixed, so that a run is the same on every machine, and written
 * down in docs/scale.md. Measured on the machine of docs/performance.md with `npm run bench -- ledger --only costs`,
 * which prints what it is where it runs; rounded up. Milliseconds of one core.
 */
export interface Costs {
  /** An Ed25519 signature by a key that is met once: reading the key is part of it. */
  readonly verifyOneTimeMs: number;
  /** An Ed25519 signature by a key that is kept ready: of an institution or a validator. */
  readonly verifyKnownMs: number;
  readonly signMs: number;
  /** Whether a one-time key has prime order. A grant with the leaf of its study brings two. */
  readonly keyOrderMs: number;
  /** A signed transaction is read and judged by the final state, without its signatures and keys. */
  readonly judgeMs: number;
  /** The same in a block: applied, its records written, its part of the state's root computed. */
  readonly executeMs: number;
  /** A byte of a registration in bulk, in either of these. */
  readonly bulkByteMs: number;
  /** A message is received and read, or given to the transport for one peer: once, and for each of its bytes. */
  readonly messageMs: number;
  readonly messageByteMs: number;
  /** A write and flush of the vote log; and of block log and state store, one after the other. Not of the processor. */
  readonly voteFlushMs: number;
  readonly blockFlushMs: number;
  readonly stateFlushMs: number;
}

export const costs: Costs = {
  verifyOneTimeMs: 0.29,
  verifyKnownMs: 0.19,
  signMs: 0.055,
  keyOrderMs: 0.4,
  judgeMs: 0.25,
  executeMs: 0.25,
  bulkByteMs: 0.0001,
  messageMs: 0.05,
  messageByteMs: 0.00001,
  voteFlushMs: 1,
  blockFlushMs: 1,
  stateFlushMs: 1.5,
};
