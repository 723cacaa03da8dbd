/** The file with which a consortium began: the same at every member, whatever changed since. */
import { readFile } from 'node:fs/promises';
import { AppError } from '../errors.ts';
import { parseGenesis } from '../ledger/index.ts';
import type { Genesis } from '../ledger/types.ts';
import { verifyEd25519, verifyP256 } from './signatures.ts';

/**
 * Whether this institution is in it, and with which keys, decides nothing: others are admitted by vote, and a box that
 * took a dead one's place has keys of its own. What the ledger says of this box, box/standing.ts watches.
 * @throws AppError GENESIS_INVALID naming the file, or what is wrong in it.
 */
export async function readGenesis(path: string): Promise<Genesis> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (cause) {
    throw new AppError('GENESIS_INVALID', `The genesis file ${path} cannot be read.`, { cause });
  }
  return parseGenesis(text, { verify: verifyEd25519, verifyIdentity: verifyP256 });
}
