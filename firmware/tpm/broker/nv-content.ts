import { concatBytes } from '../../src/encoding/bytes.ts';
import { AppError } from '../../src/errors.ts';
import { esysHandle } from '../esys/functions.ts';
import { nvReadBytesMax } from '../limits.ts';
import { nvAttribute } from '../wire/constants.ts';
import { parseNvPublic, unsized } from '../wire/structures.ts';
import { noSessions, type Tpm } from './tpm.ts';

const { none, password } = esysHandle;

/**
 * What the maker of the TPM stored at an NV index that anybody may read with the index's empty authorization
 * (part 3, 31.13). @returns undefined if there is no such index, or if it is somebody else's: whoever has the owner's
 * authorization before the box can define one of any number, and the box would take his certificate for the maker's.
 * @throws AppError TPM_FAILED if it is too large.
 */
export async function readVendorIndex(
  tpm: Tpm,
  index: number,
  bytesMax: number,
): Promise<Uint8Array | undefined> {
  const found = await vendorIndex(tpm, index);
  if (found === undefined) return undefined;
  const { handle, bytes } = found;
  if (bytes > bytesMax) {
    throw new AppError('TPM_FAILED', `NV index 0x${index.toString(16)} holds ${bytes} bytes`);
  }
  const parts: Uint8Array[] = [];
  for (let from = 0; from < bytes; from += nvReadBytesMax) {
    const length = Math.min(nvReadBytesMax, bytes - from);
    const [part] = await tpm.call('NV_Read', handle, handle, password, none, none, length, from);
    parts.push(unsized(part));
  }
  return concatBytes(...parts);
}

/** Whether the maker of the TPM stored something at this NV index. */
export async function hasVendorIndex(tpm: Tpm, index: number): Promise<boolean> {
  return (await vendorIndex(tpm, index)) !== undefined;
}

async function vendorIndex(
  tpm: Tpm,
  index: number,
): Promise<{ readonly handle: number; readonly bytes: number } | undefined> {
  if (!(await tpm.handles(index, 1)).includes(index)) return undefined;
  const [handle] = await tpm.call('TR_FromTPMPublic', index, ...noSessions);
  const [area] = await tpm.call('NV_ReadPublic', handle, ...noSessions);
  const { attributes, bytes } = parseNvPublic(area);
  return (attributes & nvAttribute.platformCreate) === 0 ? undefined : { handle, bytes };
}
