/** What the boxes' append logs hold, read beside a box that is at work: its records stand hidden in the file. */
import { utf8 } from '../../firmware/src/encoding/bytes.ts';
import { headerBytes, parseFrame, revealRecord } from '../../firmware/src/store/append-log-format.ts';

const magic = utf8('HILUMLOG');

export function isAppendLog(file: Buffer): boolean {
  return file.subarray(0, magic.length).equals(magic);
}

/** All records of a log's file, one behind the other. */
export function recordsOfLog(file: Buffer): Buffer {
  const records: Uint8Array[] = [];
  let at = headerBytes;
  for (
    let frame = parseFrame(file.subarray(at));
    frame !== undefined;
    frame = parseFrame(file.subarray(at))
  ) {
    for (const { offset, length } of frame.records) {
      const record = revealRecord(file.subarray(at + offset, at + offset + length));
      if (record === undefined) throw new Error(`the record at byte ${at + offset} is not what was written`);
      records.push(record);
    }
    at += frame.length;
  }
  return Buffer.concat(records);
}
