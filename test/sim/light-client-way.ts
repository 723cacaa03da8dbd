/** A light client that trusts the genesis document follows the epochs to the newest by what honest boxes hand out. */
import { decodeHandover } from '../../firmware/src/handover/handover.ts';
import { verifyHandover } from '../../firmware/src/handover/verify.ts';
import { chainId, genesisState } from '../../firmware/src/ledger/index.ts';
import type { Genesis } from '../../firmware/src/ledger/types.ts';
import type { VerifySignature } from '../../firmware/src/ports.ts';
import type { Validator } from '../../firmware/src/validator/validator.ts';
import { verifyIdentity } from '../fakes/ledger.ts';
import type { VirtualTime } from '../fakes/virtual-clock.ts';

/** What is wrong with the way; empty if it leads to the newest epoch. */
export async function brokenWay(
  genesis: Genesis,
  validators: readonly Validator[],
  verify: VerifySignature,
  time: VirtualTime,
): Promise<string[]> {
  const broken: string[] = [];
  const last = Math.max(...validators.map((validator) => validator.state().epoch().number));
  let trusted = genesisState(genesis).epoch();
  while (trusted.number < last) {
    const { number } = trusted;
    const verified = (await handoversOf(number, validators, time)).map((bytes) =>
      verifyHandover(chainId(genesis), trusted, decodeHandover(bytes), { verify, verifyIdentity }),
    );
    const refused = verified.find(({ kind }) => kind === 'refused');
    if (refused?.kind === 'refused')
      broken.push(`a handover of epoch ${number} is refused: ${refused.reason}`);
    const [first] = verified;
    if (first?.kind !== 'verified') return [...broken, `nobody has a handover of epoch ${number} of ${last}`];
    trusted = first.next;
  }
  return broken;
}

/** Of all who have it; after a while if nobody has. */
async function handoversOf(
  epoch: number,
  validators: readonly Validator[],
  time: VirtualTime,
): Promise<Uint8Array[]> {
  for (let patience = 6; ; patience--) {
    const all = await Promise.all(validators.map((validator) => validator.handover(epoch)));
    const handovers = all.flatMap((bytes) => bytes ?? []);
    if (handovers.length > 0 || patience === 0) return handovers;
    await time.pass(5000);
  }
}
