/**
 * The end of an epoch. Block time alone decides: the first block whose time is at or after the epoch's start and its
 * length closes it, and its execution ends with the step below. No block of the same epoch may follow.
 */
import { equalBytes } from '../../encoding/bytes.ts';
import { formatsRecord, type FormatsRecord } from '../formats/formats-record.ts';
import { withActivation, withoutFormerValidators } from '../formats/formats.ts';
import { epochsKeptMax } from '../limits.ts';
import { formerOriginsRecord, withDropped } from '../releases/former-origins-record.ts';
import { stateKeys } from '../state-keys.ts';
import type { LedgerSnapshot } from '../state.ts';
import type { BlockHeader } from '../types.ts';
import { epochRecord, type EpochRecord, type EpochValidator } from './epoch-record.ts';
import type { InstitutionRecord } from './institution-record.ts';
import { parametersRecord, type Parameters } from './parameters.ts';

/**
 * An institution as a validator of the epoch that begins. The date on which its certificate expires is not asked: a
 * forgotten renewal ends what the institution signs, but must not shrink the set and the faults that it tolerates.
 */
export function epochValidator({ id, keys }: InstitutionRecord): EpochValidator {
  return { id, voting: keys.voting, identity: keys.identity };
}

/** The validators whom the votes so far want, with the keys that they have now. */
function nextValidators(state: LedgerSnapshot): readonly EpochValidator[] {
  return state.nextValidators().map((id) => {
    const institution = state.institution(id);
    if (institution === undefined) throw new Error(`next validator ${id} is no institution`);
    return epochValidator(institution);
  });
}

/** Without the signals of who votes no more; fewer validators may be a quorum for a format already. */
function formatsOfEpoch(state: LedgerSnapshot, { startHeight, validators }: EpochRecord): FormatsRecord {
  const ids = validators.map(({ id }) => id);
  // As by a signal in the block that closes the epoch.
  const height = startHeight - 1 + state.parameters().activationBlocks;
  return withActivation(withoutFormerValidators(state.formats(), ids), ids, height);
}

/** Boxes whose keys were made under what these parameters name no more go on: it is kept until when it counted. */
function withoutBootAuthorities(state: LedgerSnapshot, next: Parameters, time: number): LedgerSnapshot {
  const dropped = state
    .parameters()
    .bootAuthorities.filter((value) => !next.bootAuthorities.some((kept) => equalBytes(kept, value)));
  if (dropped.length === 0) return state;
  const former = state.formerOrigins();
  return state.put(formerOriginsRecord, stateKeys.formerOrigins, {
    ...former,
    bootAuthorities: withDropped(former.bootAuthorities, dropped, time),
  });
}

/** The state of the next epoch, if the block with this header closes its own. */
export function afterEpoch(
  state: LedgerSnapshot,
  { epoch, height, time }: Pick<BlockHeader, 'epoch' | 'height' | 'time'>,
): LedgerSnapshot {
  if (!state.closesEpoch({ epoch, time })) return state;
  const closed = state.epoch();
  const opened: EpochRecord = {
    number: closed.number + 1,
    startHeight: height + 1,
    startTime: time,
    validators: nextValidators(state),
  };
  const moved = state
    .put(epochRecord, stateKeys.pastEpoch(closed.number), closed)
    .delete(stateKeys.pastEpoch(closed.number - epochsKeptMax))
    .put(epochRecord, stateKeys.epoch, opened)
    .put(formatsRecord, stateKeys.formats, formatsOfEpoch(state, opened));
  const parameters = state.get(parametersRecord, stateKeys.nextParameters);
  return parameters === undefined
    ? moved
    : withoutBootAuthorities(moved, parameters, time)
        .put(parametersRecord, stateKeys.parameters, parameters)
        .delete(stateKeys.nextParameters);
}
