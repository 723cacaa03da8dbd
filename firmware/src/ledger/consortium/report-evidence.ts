/** evidence.report: two votes of one validator of which an honest one signs at most one. What follows is for votes to say. */
import { equalBytes } from '../../encoding/bytes.ts';
import type { CborValue } from '../../encoding/canonical-cbor.ts';
import { voteMessage, type VoteKind } from '../../encoding/vote-message.ts';
import { bytesField, institutionIdField, integerField, mapField, ShapeError } from '../fields.ts';
import { guiltyListedMax, validatorsMax } from '../limits.ts';
import { signingInstitution } from '../rule.ts';
import { stateKeys } from '../state-keys.ts';
import { counterMax, readBody, type TransactionType } from '../transaction-type.ts';
import type { BodyBase } from '../types.ts';
import { guiltRecord, guiltyRecord, type Offence } from './guilt-record.ts';

/** A vote but for its place, which both have in common. */
export interface ReportedVote {
  readonly kind: VoteKind;
  /** Digest of the block; 32 zero bytes for nullify. */
  readonly digest: Uint8Array;
  /** Ed25519 by the validator's voting key over the bytes of encoding/vote-message.ts. */
  readonly signature: Uint8Array;
}

export interface EvidenceReport extends BodyBase {
  readonly type: 'evidence.report';
  readonly reporter: string;
  readonly epoch: number;
  readonly view: number;
  /** Index in the epoch's list of validators. */
  readonly validator: number;
  readonly first: ReportedVote;
  readonly second: ReportedVote;
}

function readVote(value: CborValue, path: string): ReportedVote {
  const map = mapField(value, path, ['kind', 'digest', 'signature']);
  const { kind } = map;
  if (kind !== 'notarize' && kind !== 'nullify' && kind !== 'finalize') {
    throw new ShapeError(`${path}.kind: unknown`);
  }
  const digest = bytesField(map.digest, `${path}.digest`, 32);
  if (kind === 'nullify' && digest.some((byte) => byte !== 0)) {
    throw new ShapeError(`${path}.digest: zero expected`);
  }
  return { kind, digest, signature: bytesField(map.signature, `${path}.signature`, 64) };
}

/** What two votes of one validator in one view prove, if anything (Simplex: ePrint 2023/463, section 3). */
function offenceOf({ first, second }: Pick<EvidenceReport, 'first' | 'second'>): Offence | undefined {
  const kinds = new Set([first.kind, second.kind]);
  if (kinds.has('nullify') && kinds.has('finalize')) return 'nullify-and-finalize';
  if (kinds.size === 2 || equalBytes(first.digest, second.digest)) return undefined;
  return first.kind === 'notarize' ? 'conflicting-notarize' : 'conflicting-finalize';
}

/** Signed by the reporter, so that a flood of reports has a name. */
export const evidenceReport: TransactionType<EvidenceReport> = {
  read(value) {
    const { map, base } = readBody(value, 'evidence.report', [
      'reporter',
      'epoch',
      'view',
      'validator',
      'first',
      'second',
    ]);
    return {
      ...base,
      reporter: institutionIdField(map.reporter, 'reporter'),
      epoch: integerField(map.epoch, 'epoch', 0, counterMax),
      view: integerField(map.view, 'view', 1, counterMax),
      validator: integerField(map.validator, 'validator', 0, validatorsMax - 1),
      first: readVote(map.first, 'first'),
      second: readVote(map.second, 'second'),
    };
  },
  signers: () => 1,
  work: () => ({ signatures: 2, records: 1 }),
  apply(state, body, context) {
    const reporter = signingInstitution(state, body.reporter, context.time);
    if (typeof reporter === 'string') return reporter;
    const epoch = state.epochOf(body.epoch);
    if (epoch === undefined) return 'unknown-epoch';
    const validator = epoch.validators[body.validator];
    const offence = offenceOf(body);
    if (validator === undefined || offence === undefined) return 'no-evidence';
    if (state.guilt(epoch.number, validator.id) !== undefined) return 'already-reported';
    if (!context.signedBy(reporter.keys.transaction)) return 'bad-signature';
    const signed = ({ kind, digest, signature }: ReportedVote): boolean =>
      context.verify(
        validator.voting,
        voteMessage(state.chain, { kind, epoch: epoch.number, view: body.view, digest }),
        signature,
      );
    if (!signed(body.first) || !signed(body.second)) return 'no-evidence';
    const guilty = [...state.guilty(), { epoch: epoch.number, institution: validator.id }];
    return state
      .put(guiltRecord, stateKeys.guilt(epoch.number, validator.id), {
        offence,
        view: body.view,
        reporter: body.reporter,
        at: context.time,
      })
      .put(guiltyRecord, stateKeys.guilty, guilty.slice(-guiltyListedMax));
  },
};
