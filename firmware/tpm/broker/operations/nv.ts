/** Counters in the TPM's own memory, which nobody can set back. */
import { esysHandle } from '../../esys/functions.ts';
import { kindOf, TpmError } from '../../response-code.ts';
import { counterBytes, sessionType, startCounterIndex } from '../../wire/constants.ts';
import { noAuthorization, unsized } from '../../wire/structures.ts';
import { counterTemplate } from '../../wire/templates.ts';
import { noSessions, type Tpm } from '../tpm.ts';
import type { Handlers } from './family.ts';

const { none, owner } = esysHandle;

export interface NvOperations {
  /**
   * Value of the counter of starts, after one more step if told to (part 3, 31.8). Made at first use, and then stepped
   * once: it has no value before.
   */
  startCounter: { request: { readonly rootName: Uint8Array; readonly advance: boolean }; answer: number };
}

export const nvOperations: Handlers<NvOperations> = {
  startCounter: async (tpm, { rootName, advance }) => {
    const root = await tpm.pinnedRoot(rootName);
    return tpm.inSession(root, sessionType.hmac, 0, async (session) => {
      const index = await counterIndex(tpm, session);
      if (advance || !(await hasValue(tpm, index, session)))
        await tpm.call('NV_Increment', owner, index, session, none, none);
      return readCounter(tpm, index, session);
    });
  },
};

async function counterIndex(tpm: Tpm, session: number): Promise<number> {
  const [index] = (await tpm.handles(startCounterIndex, 1)).includes(startCounterIndex)
    ? await tpm.call('TR_FromTPMPublic', startCounterIndex, ...noSessions)
    : await tpm.call(
        'NV_DefineSpace',
        owner,
        session,
        none,
        none,
        noAuthorization,
        counterTemplate(startCounterIndex),
      );
  return index;
}

async function hasValue(tpm: Tpm, index: number, session: number): Promise<boolean> {
  try {
    await readCounter(tpm, index, session);
    return true;
  } catch (failure) {
    if (failure instanceof TpmError && kindOf(failure.code) === 'no-value') return false;
    throw failure;
  }
}

async function readCounter(tpm: Tpm, index: number, session: number): Promise<number> {
  const [data] = await tpm.call('NV_Read', owner, index, session, none, none, counterBytes, 0);
  const value = unsized(data);
  return Number(new DataView(value.buffer, value.byteOffset, value.length).getBigUint64(0));
}
