import { esysHandle } from '../esys/functions.ts';
import { nvComparison } from '../wire/constants.ts';
import { counterOperand, type PolicyStep } from '../wire/policy.ts';
import { digestList, noDigest, pcrSelection, sized } from '../wire/structures.ts';
import { nvHandle } from './nv-index.ts';
import { noSessions, type Tpm } from './tpm.ts';

const { none, password } = esysHandle;

async function take(tpm: Tpm, session: number, step: PolicyStep): Promise<void> {
  switch (step.kind) {
    case 'pcr':
      await tpm.call('PolicyPCR', session, ...noSessions, noDigest, pcrSelection(step.pcrs.registers));
      return;
    case 'counter': {
      const index = await nvHandle(tpm, step.index);
      const offset = 0;
      await tpm.call(
        'PolicyNV',
        ...([index, index, session, password, none, none] as const),
        sized(counterOperand(step.valueMax)),
        offset,
        nvComparison.unsignedAtMost,
      );
      return;
    }
    case 'or':
      await tpm.call('PolicyOR', session, ...noSessions, digestList(step.branches));
      return;
    case 'approval': {
      const index = await nvHandle(tpm, step.index);
      await tpm.call('PolicyAuthorizeNV', index, index, session, password, none, none);
      return;
    }
  }
}

/**
 * Takes the steps in a policy session, in their order (part 3, section 23).
 * @throws TpmError of the kind `policy` at the first one that does not hold; AppError TPM_POLICY without the index.
 */
export async function satisfy(tpm: Tpm, session: number, steps: readonly PolicyStep[]): Promise<void> {
  for (const step of steps) await take(tpm, session, step);
}
