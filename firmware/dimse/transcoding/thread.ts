/** The codec thread: takes one data set at a time, and gives its pieces as they are asked for. */
import { parentPort } from 'node:worker_threads';
import { concatBytes } from '../../src/encoding/bytes.ts';
import { openCodecs } from './pixel-codec.ts';
import { TranscodingRefusal } from './refusal.ts';
import type { Answer, Request } from './thread-messages.ts';
import { transcodeDataSet } from './transcode.ts';

if (parentPort === null) throw new Error('the codec thread is started as a thread');
const port = parentPort;
const ready = openCodecs();
let gathered: Uint8Array[] = [];
let pieces: Iterator<Uint8Array> | undefined;

function answer(message: Answer): void {
  port.postMessage(message);
}

async function heed(request: Request): Promise<void> {
  await ready;
  switch (request.kind) {
    case 'chunk':
      gathered.push(request.bytes);
      return;
    case 'transcode':
      pieces = transcodeDataSet(concatBytes(...gathered), request.from, request.to);
      gathered = [];
      return;
    case 'next': {
      const step = pieces?.next();
      answer(step?.done === false ? { kind: 'piece', bytes: step.value } : { kind: 'end' });
    }
  }
}

port.on('message', (request: Request) => {
  heed(request).catch((error: unknown) => {
    if (!(error instanceof TranscodingRefusal)) throw error;
    answer({ kind: 'refused', reason: error.message });
  });
});
