/** What clients of a simulated consortium submit, one after the other. */
import { encodeTransaction } from '../../firmware/src/ledger/index.ts';
import { ConsortiumFixture } from '../fakes/ledger-consortium.ts';
import { signerOf } from '../fakes/ledger.ts';
import { quorum } from '../../firmware/src/consensus/types.ts';
import type { Random } from './random.ts';
import type { SimFixture } from './sim-fixture.ts';

/** A source registers a study and amends it without end. */
export function* amendments(fixture: SimFixture, source: string): Generator<Uint8Array, never> {
  const { transaction, ids } = fixture.register(source, `sim ${source}`, [signerOf('owner')]);
  const [study] = ids;
  if (study === undefined) throw new Error('nothing was registered');
  yield encodeTransaction(transaction);
  for (let version = 2; ; version++) yield encodeTransaction(fixture.amend(source, study, version));
}

export interface SetChanges {
  readonly fixture: SimFixture;
  readonly random: Random;
  readonly members: readonly string[];
  /** At the start, in their order. */
  readonly validators: readonly string[];
  /** They stay validators: the worlds count on who is bad. */
  readonly fixed: ReadonlySet<string>;
  /** They do not run yet: nobody votes them in. */
  readonly newcomers: ReadonlySet<string>;
}

/** Members vote without end on who validates: one leaves, one comes, or both at once; never fewer than four. */
export function* setChanges(options: SetChanges): Generator<Uint8Array, never> {
  const { fixture, random, members, fixed, newcomers } = options;
  const consortium = new ConsortiumFixture(fixture);
  const signer = (id: string) => fixture.box(id).transaction;
  let validators = [...options.validators];
  for (let round = 0; ; round++) {
    const others = members.filter((id) => !validators.includes(id) && !newcomers.has(id));
    const mayLeave = validators.filter((id) => !fixed.has(id));
    const add = others.filter(() => random.chance(0.5)).slice(0, 1);
    const remove =
      validators.length + add.length > 4 && random.chance(0.7)
        ? mayLeave.slice(random.below(mayLeave.length)).slice(0, 1)
        : [];
    if (add.length + remove.length === 0) continue;
    validators = [...validators.filter((id) => !remove.includes(id)), ...add];
    const proposer = members[round % members.length] ?? '';
    // Two rounds may want the same: a date makes them differ.
    const body = consortium.proposeBody(proposer, { kind: 'validators', add, remove });
    const proposal = { ...body, validUntil: body.validUntil + round };
    yield encodeTransaction(fixture.sign(proposal, signer(proposer)));
    const voters = members.filter((id) => id !== proposer).slice(0, quorum(members.length) - 1);
    for (const voter of voters)
      yield encodeTransaction(consortium.vote(voter, proposal, true, signer(voter)));
  }
}
