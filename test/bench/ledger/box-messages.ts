/** What the bench and its box processes tell each other, structured clones over the channel of child_process. */

export interface BoxSetup {
  readonly self: string;
  /** Members of the test consortium, this box among them. */
  readonly ids: readonly string[];
  /** Folder of its logs and its state. */
  readonly folder: string;
  /** What is to be taken from the machine's time so that the ledger begins at its genesis time. */
  readonly clockOffsetMs: number;
}

export type ToBox =
  /** Where each member listens. The box begins. */
  | { readonly kind: 'members'; readonly addresses: Readonly<Record<string, string>> }
  | {
      readonly kind: 'load';
      readonly load: readonly { readonly dueMs: number; readonly bytes: Uint8Array }[];
    }
  /** The load's time 0, on the machine's monotonic clock (`monotonicMs`). */
  | { readonly kind: 'go'; readonly at: number }
  | { readonly kind: 'open' }
  | { readonly kind: 'report' };

export type FromBox =
  | { readonly kind: 'listening'; readonly address: string }
  | { readonly kind: 'connected' }
  | { readonly kind: 'loaded' }
  /** Submissions that are due and not settled. */
  | { readonly kind: 'open'; readonly count: number }
  | BoxReport;

export interface BoxReport {
  readonly kind: 'report';
  readonly finals: readonly FinalAt[];
  /** Submissions that were refused, by reason. */
  readonly refused: Readonly<Record<string, number>>;
  /** Processor time from `go` until the last of the load was due, in the program and in the system for it. Milliseconds. */
  readonly cpuMs: number;
  readonly residentBytes: number;
  /** Bytes of the block log. */
  readonly blockLogBytes: number;
}

/** When a block was final on this box, on the machine's monotonic clock. */
export interface FinalAt {
  readonly height: number;
  readonly at: number;
  /** Digest, hexadecimal. */
  readonly digest: string;
  readonly ids: readonly string[];
}

/** CLOCK_MONOTONIC, the same in all processes of the machine. Milliseconds. */
export function monotonicMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}
