/** What boxes keep of blocks whose transactions they have dropped: every header, and those that all agreed on. */
import { blockDigest } from '../../firmware/src/ledger/index.ts';
import type { PrunableLog } from '../../firmware/src/ports.ts';
import { decodeHeaderRecord } from '../../firmware/src/validator/final-records.ts';
import type { Agreement } from './agreement.ts';

/** What is wrong with them; empty if nothing is. `first`: the oldest block of which the box has the transactions. */
export async function wrongHeaders(
  name: string,
  headers: PrunableLog,
  first: number,
  agreement: Agreement,
): Promise<string[]> {
  const wrong: string[] = [];
  // Who went on from a snapshot has none of the headers before it.
  const isWhole = headers.first === 0 && headers.length >= first;
  if (!isWhole && !agreement.hasJumped(name))
    wrong.push(`${name} has dropped blocks below ${first} and keeps ${headers.first} to ${headers.length}`);
  // The box works on meanwhile, and may begin its headers anew after a snapshot.
  for (let height = headers.first; height < headers.length; height = Math.max(height + 1, headers.first)) {
    const { header } = decodeHeaderRecord(new Uint8Array(await headers.at(height)));
    if (header.height !== height) wrong.push(`${name} keeps the header of ${header.height} at ${height}`);
    const violation = agreement.kept(name, height, blockDigest(header));
    if (violation !== undefined) wrong.push(violation);
  }
  return wrong;
}
