import { concatBytes } from '../../src/encoding/bytes.ts';
import { AppError } from '../../src/errors.ts';
import { esysHandle } from '../esys/functions.ts';
import { nvReadBytesMax } from '../limits.ts';
import { parseNvSize, unsized } from '../wire/structures.ts';
import { noSessions, type Tpm } from './tpm.ts';

const { none, password } = esysHandle;

/**
 * What the maker of the TPM stored at an NV index that anybody may read with the index's empty authorization
 * (part 3, 31.13). @returns undefined if there is no such index. @throws AppError TPM_FAILED if it is too large.
 */
export async function readVendorIndex(
  tpm: Tpm,
  index: number,
  bytesMax: number,
): Promise<Uint8Array | undefined> {
  if (!(await tpm.handles(index, 1)).includes(index)) return undefined;
  const [handle] = await tpm.call('TR_FromTPMPublic', index, ...noSessions);
  const [area] = await tpm.call('NV_ReadPublic', handle, ...noSessions);
  const size = parseNvSize(area);
  if (size > bytesMax) {
    throw new AppError('TPM_FAILED', `NV index 0x${index.toString(16)} holds ${size} bytes`);
  }
  const parts: Uint8Array[] = [];
  for (let from = 0; from < size; from += nvReadBytesMax) {
    const length = Math.min(nvReadBytesMax, size - from);
    const [part] = await tpm.call('NV_Read', handle, handle, password, none, none, length, from);
    parts.push(unsized(part));
  }
  return concatBytes(...parts);
}
