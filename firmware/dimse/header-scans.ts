/**
 * Headers of objects as they arrive, read so that none delays another association: a small beginning on the event loop,
 * in which every usual header ends; what is longer, deeper packed or deflated to more goes to a thread
 * (docs/adr/0014-long-headers-in-a-thread.md).
 */
import type {
  Clock,
  HeaderScan,
  HeaderScanner as ScannerPort,
  Logger,
  OpenHeaderScanner,
} from '../src/ports.ts';
import { HeaderScanner, type ScanLimits, type ScanResult } from './header-scanner.ts';
import { HeaderThread, type Thread, type ThreadScan } from './header-thread.ts';
import {
  deflatedHeaderBytesOnLoopMax,
  headerBytesOnLoopMax,
  headerElementsOnLoopMax,
  headerTextBytesOnLoopMax,
  inflatedHeaderBytesOnLoopMax,
} from './limits.ts';

/** What one scan did on the event loop. */
export interface LoopWork {
  readonly bytes: number;
  /** Headers of elements that were parsed. */
  readonly elements: number;
  /** Bytes of values that were decoded. */
  readonly textBytes: number;
}

export interface HeaderScansOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  /** Told of the work of each piece, for tests. */
  readonly onLoopWork?: (work: LoopWork) => void;
  /** For tests. */
  readonly openThread?: () => Thread;
}

const loopLimits: ScanLimits = {
  bytesMax: headerBytesOnLoopMax,
  elementsMax: headerElementsOnLoopMax,
  textBytesMax: headerTextBytesOnLoopMax,
  deflatedBytesMax: deflatedHeaderBytesOnLoopMax,
  inflatedBytesMax: inflatedHeaderBytesOnLoopMax,
};

export class HeaderScans {
  readonly #onLoopWork: ((work: LoopWork) => void) | undefined;
  readonly #thread: HeaderThread;

  constructor(options: HeaderScansOptions) {
    this.#onLoopWork = options.onLoopWork;
    this.#thread = new HeaderThread(options);
  }

  readonly open: OpenHeaderScanner = (transferSyntaxUid) =>
    new HandedOverScan(transferSyntaxUid, this.#thread, this.#onLoopWork);

  /** Ends the thread, if there is one. Headers in it are given up. */
  stop(): Promise<void> {
    return this.#thread.stop();
  }
}

/** Begins on the event loop; everything goes to the thread once that has done enough. */
class HandedOverScan implements ScannerPort, ThreadScan {
  readonly transferSyntaxUid: string;
  /** As they came, until the scan is over: the thread may need them from the first on, and again. */
  readonly chunks: Uint8Array[] = [];
  readonly #thread: HeaderThread;
  readonly #onLoopWork: ((work: LoopWork) => void) | undefined;
  readonly #beginning: HeaderScanner;
  #handedOver = false;

  constructor(
    transferSyntaxUid: string,
    thread: HeaderThread,
    onLoopWork: ((work: LoopWork) => void) | undefined,
  ) {
    this.transferSyntaxUid = transferSyntaxUid;
    this.#thread = thread;
    this.#onLoopWork = onLoopWork;
    this.#beginning = new HeaderScanner(transferSyntaxUid, loopLimits);
  }

  push(chunk: Uint8Array): HeaderScan | Promise<HeaderScan> {
    this.chunks.push(chunk);
    return this.#scan(false, () => this.#beginning.push(chunk));
  }

  end(): HeaderScan | Promise<HeaderScan> {
    return this.#scan(true, () => this.#beginning.end());
  }

  close(): void {
    if (this.#handedOver) this.#thread.forget(this);
  }

  #scan(atEnd: boolean, onLoop: () => ScanResult): HeaderScan | Promise<HeaderScan> {
    if (!this.#handedOver) {
      const { elements: elementsBefore, textBytes: textBytesBefore } = this.#beginning;
      const result = onLoop();
      const bytes = atEnd ? 0 : (this.chunks.at(-1)?.length ?? 0);
      this.#onLoopWork?.({
        bytes,
        elements: this.#beginning.elements - elementsBefore,
        textBytes: this.#beginning.textBytes - textBytesBefore,
      });
      if (result.kind !== 'malformed' || result.beyondLimits !== true) return this.#concluded(result);
      this.#handedOver = true;
    }
    return this.#thread.scan(this, atEnd).then((result) => this.#concluded(result));
  }

  #concluded(result: ScanResult): ScanResult {
    if (result.kind !== 'more') this.chunks.length = 0;
    return result;
  }
}
