/** What the chaos and its box processes tell each other, structured clones over the channel of child_process. */

export interface BoxSetup {
  readonly self: string;
  /** Multiaddr of each box of the consortium, by id, in the order of the genesis document. */
  readonly addresses: Readonly<Record<string, string>>;
  readonly folder: string;
  readonly epochMs: number;
  /** What is to be taken from the machine's time so that the ledger begins at its genesis time. */
  readonly clockOffsetMs: number;
}

export type ToBox =
  { readonly kind: 'submit'; readonly id: string; readonly bytes: Uint8Array } | { readonly kind: 'report' };

export type FromBox =
  /** It takes part, and stands at this block. */
  | { readonly kind: 'ready'; readonly height: number }
  | FinalBlockTold
  /** What has become of a transaction that it was given. */
  | { readonly kind: 'settled'; readonly id: string; readonly outcome: Outcome }
  | BoxReport;

export interface FinalBlockTold {
  readonly kind: 'final';
  readonly height: number;
  /** Hexadecimal. */
  readonly digest: string;
}

export type Outcome =
  | { readonly kind: 'final'; readonly height: number }
  | { readonly kind: 'refused'; readonly reason: string }
  /** Of an AppError. */
  | { readonly kind: 'fault'; readonly code: string };

export interface BoxReport {
  readonly kind: 'report';
  /** All final blocks, as they are read from its disk, without that of the genesis document. */
  readonly blocks: readonly LoggedBlock[];
  readonly epoch: number;
  readonly isVoting: boolean;
  /** Institutions that the ledger calls guilty of contradicting themselves, and those that this box has seen at it. */
  readonly accused: readonly string[];
  /** Codes of what is wrong with it now. */
  readonly alarms: readonly string[];
}

export interface LoggedBlock {
  readonly height: number;
  readonly digest: string;
  /** Of its transactions. */
  readonly ids: readonly string[];
}
