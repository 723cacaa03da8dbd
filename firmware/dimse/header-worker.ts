/** The thread in which long headers are read: a scanner for each, fed in the order of the requests. */
import { parentPort } from 'node:worker_threads';
import { HeaderScanner, type ScanResult } from './header-scanner.ts';

export type HeaderWorkerRequest =
  | {
      readonly kind: 'scan';
      readonly id: number;
      /** Given where the scan begins here: `chunks` then begin at the first byte of the data set. */
      readonly transferSyntaxUid?: string;
      readonly chunks: readonly Uint8Array[];
      readonly atEnd: boolean;
    }
  /** The data set was given up. */
  | { readonly kind: 'forget'; readonly id: number };

/** Answers come one for each scan, in the order of the requests. */
export type HeaderWorkerAnswer = ScanResult;

const scanners = new Map<number, HeaderScanner>();

function scan({ id, transferSyntaxUid, chunks, atEnd }: HeaderWorkerRequest & { kind: 'scan' }): ScanResult {
  if (transferSyntaxUid !== undefined) scanners.set(id, new HeaderScanner(transferSyntaxUid));
  const scanner = scanners.get(id);
  if (scanner === undefined) throw new Error('a header goes on that did not begin here');
  let result: ScanResult = { kind: 'more' };
  for (const chunk of chunks) {
    result = scanner.push(chunk);
    if (result.kind !== 'more') break;
  }
  if (result.kind === 'more' && atEnd) result = scanner.end();
  if (result.kind !== 'more') scanners.delete(id);
  return result;
}

const port = parentPort;
if (port === null) throw new Error('header-worker.ts runs as a worker thread');
port.on('message', (request: HeaderWorkerRequest) => {
  if (request.kind === 'forget') scanners.delete(request.id);
  else port.postMessage(scan(request) satisfies HeaderWorkerAnswer);
});
