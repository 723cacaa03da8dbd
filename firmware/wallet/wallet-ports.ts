/** What the wallet asks of the platform that it runs on (a browser, the command line): a place, a wire, a clock. */

/** Where the wallet lies. It holds the seed: the platform keeps it from other users and programs. */
export interface WalletStore {
  /** What was saved last, or undefined. @throws AppError WALLET_UNREADABLE */
  load(): Promise<Uint8Array | undefined>;
  /** Atomic and durable when it resolves. @throws AppError WALLET_NOT_SAVED */
  save(bytes: Uint8Array): Promise<void>;
}

/** A box's wallet service as a ticket names it. */
export interface BoxEndpoint {
  /** E.g. https://127.0.0.1:4003, without a path. */
  readonly origin: string;
  /** SHA-256 of the one TLS certificate (DER) that is trusted there, in hexadecimal. */
  readonly certificateSha256: string;
}

export interface BoxRequest {
  readonly method: 'GET' | 'POST';
  /** Path with query, e.g. /wallet/v1/ledger/head. */
  readonly path: string;
  /** Sent as JSON with POST. */
  readonly body?: unknown;
}

export interface BoxAnswer {
  readonly status: number;
  /** Decoded JSON. */
  readonly body: unknown;
}

export interface RequestBounds {
  readonly timeoutMs: number;
  readonly answerBytesMax: number;
}

export interface WalletTransport {
  /** @throws AppError PEER_UNREACHABLE (no connection, time-out) or PEER_MISBEHAVED (other certificate, no JSON, too long). */
  request(box: BoxEndpoint, request: BoxRequest, bounds: RequestBounds): Promise<BoxAnswer>;
}

export interface WalletClock {
  /** UTC, milliseconds since 1970. */
  now(): number;
  sleep(ms: number): Promise<void>;
}
