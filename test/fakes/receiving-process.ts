/**
 * A receiving box in a process of its own, to be killed or to run on another file system: `folder boxKey marks spares`,
 * the marks and how spare logs are made as JSON, null for none. Answers each line of standard input with one line of JSON: `port`, `objects`, `alarms`; `stop` ends it.
 */
import { createInterface } from 'node:readline';
import { fromHex } from '../../firmware/src/encoding/bytes.ts';
import type { ConfiguredMarks } from '../../firmware/src/ingest/disk-marks.ts';
import { SealThreads } from '../../firmware/src/store/seal-threads.ts';
import { SegmentMemory } from '../../firmware/src/store/segment-memory.ts';
import { sealOnThreads } from '../../firmware/src/store/segment-sealing.ts';
import { hastyClock, systemClock } from '../support/manual-clock.ts';
import { ReceivingBox } from '../support/receiving-box.ts';
import type { PreparedSpares } from '../support/receiving-process.ts';
import { silentLogger } from './consortium.ts';

const [folder = '', boxKey = '', marksText = 'null', sparesText = 'null'] = process.argv.slice(2);
const marks = JSON.parse(marksText) as ConfiguredMarks | null;
const spares = JSON.parse(sparesText) as PreparedSpares | null;
// As a box has them.
const memory = new SegmentMemory();
const threads = new SealThreads({ memory, clock: systemClock, logger: silentLogger });
const box = await ReceivingBox.open({
  folder,
  boxKey: fromHex(boxKey),
  openSegment: sealOnThreads({ memory, threads }),
  ...(marks !== null && { marks }),
  ...(spares !== null && { spares: { ...spares, clock: hastyClock } }),
});
await box.prepareSpares();

async function answerTo(question: string): Promise<unknown> {
  switch (question) {
    case 'port':
      return box.listen();
    case 'objects':
      return box.objects();
    case 'alarms':
      return box.health.list().map(({ code }) => code);
    case 'stop':
      await box.close();
      await threads.stop();
      return 'stopped';
    default:
      throw new Error(`no answer to ${question}`);
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  process.stdout.write(`${JSON.stringify(await answerTo(line))}\n`);
  if (line === 'stop') break;
}
