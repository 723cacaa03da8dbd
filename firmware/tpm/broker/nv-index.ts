import { equalBytes } from '../../src/encoding/bytes.ts';
import { AppError } from '../../src/errors.ts';
import { nvIndexOf, nvNameOf, unwritten } from '../wire/nv.ts';
import { unsized } from '../wire/structures.ts';
import { noSessions, type Tpm } from './tpm.ts';

export type NvStanding =
  | { readonly kind: 'absent' }
  /** Defined by us, and never written. */
  | { readonly kind: 'unwritten'; readonly handle: number }
  | { readonly kind: 'written'; readonly handle: number }
  /** Something else stands at this index. */
  | { readonly kind: 'foreign'; readonly handle: number };

/** What the TPM has at the index of this public area. ESYS computes the Name from the area that it was given. */
export async function nvStanding(tpm: Tpm, area: Uint8Array): Promise<NvStanding> {
  const index = nvIndexOf(area);
  if (!(await tpm.handles(index, 1)).includes(index)) return { kind: 'absent' };
  const [handle] = await tpm.call('TR_FromTPMPublic', index, ...noSessions);
  const [wire] = await tpm.call('TR_GetName', handle);
  const name = unsized(wire);
  if (equalBytes(name, nvNameOf(area))) return { kind: 'written', handle };
  return { kind: equalBytes(name, nvNameOf(unwritten(area))) ? 'unwritten' : 'foreign', handle };
}

/** @throws AppError TPM_POLICY if the TPM has not this very index, with a value. */
export async function nvHandle(tpm: Tpm, area: Uint8Array): Promise<number> {
  const index = nvIndexOf(area);
  const known = tpm.knownIndex(index);
  if (known !== undefined) return known;
  const standing = await nvStanding(tpm, area);
  if (standing.kind !== 'written') {
    const name = index.toString(16);
    throw new AppError('TPM_POLICY', `the TPM has not the NV index 0x${name} to which the keys are bound`);
  }
  tpm.keepIndex(index, standing.handle);
  return standing.handle;
}
