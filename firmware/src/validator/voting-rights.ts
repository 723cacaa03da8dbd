/** Whether this box votes in an epoch, with which key, and what its vote log binds it to there. */
import { voteMessage } from '../consensus/signatures.ts';
import type { CoreOptions } from '../consensus/state.ts';
import type { Certificate } from '../consensus/types.ts';
import { AppError } from '../errors.ts';
import type { HealthBoard, InstitutionId, Logger, MemberKeys, ReplaceableLog } from '../ports.ts';
import type { Electorate } from './electorate.ts';
import type { Place } from './place.ts';
import type { VoteLogContent } from './vote-log.ts';
import { readVoteLog } from './vote-log.ts';
import type { VoteRecord } from './vote-records.ts';
import { encodeVoteRecord } from './vote-records.ts';

export interface VotingRightsOptions {
  readonly self: InstitutionId;
  readonly chain: Uint8Array;
  readonly keys: Pick<MemberKeys, 'voting' | 'starts'>;
  /** Undefined if it was found damaged. */
  readonly voteLog: ReplaceableLog | undefined;
  readonly logger: Logger;
  readonly health: HealthBoard;
}

export interface Right {
  readonly core: CoreOptions;
  /** Both undefined: the box follows without a vote. */
  readonly voteLog: ReplaceableLog | undefined;
  readonly content: VoteLogContent | undefined;
  readonly start: number;
}

const alarmSubject = 'vote log';

export class VotingRights {
  readonly #options: VotingRightsOptions;
  #voteLog: ReplaceableLog | undefined;
  #start = 0;
  #gap: number | undefined;
  #haveChanged = false;

  constructor(options: VotingRightsOptions) {
    this.#options = options;
    this.#voteLog = options.voteLog;
  }

  /** The vote log lacks votes of this box: it follows until `votedUpTo`. */
  get isForgetful(): boolean {
    return this.#gap !== undefined;
  }

  /** The count of starts at which the vote log was found to lack votes; undefined if it lacks none. */
  get gap(): number | undefined {
    return this.#gap;
  }

  /** False: the vote log is damaged or its disk failed. What the box has forgotten cannot be told then. */
  get hasLog(): boolean {
    return this.#voteLog !== undefined;
  }

  /** What `in` said last holds no more. */
  get haveChanged(): boolean {
    return this.#haveChanged;
  }

  /**
   * The box has not voted after this place, whatever it has forgotten. Where that closes a gap, a start is counted: a
   * copy of the log that still has the gap shows then that it is one, and its gap is another. False after a fault.
   * `known`: what a box that followed without a vote log knows and must not forget with its core.
   */
  async votedUpTo(place: Place, known: readonly Certificate[] = []): Promise<boolean> {
    const log = this.#voteLog;
    if (log === undefined) return false;
    await this.#unlessFaulty(async () => {
      const records: VoteRecord[] = [
        { type: 'floor', ...place },
        ...known.map((certificate) => ({ type: 'certificate', certificate }) as const),
      ];
      if (this.#gap === undefined) return log.append(records.map(encodeVoteRecord));
      const number = this.#start + 1;
      await log.append([...records, { type: 'start', number } as const].map(encodeVoteRecord));
      await this.#options.keys.starts.advance();
      this.#start = number;
      this.#gap = undefined;
    });
    this.#haveChanged = true;
    return this.#voteLog !== undefined;
  }

  /** For the rest of this process: what is on disk is unknown, and an admin must look. */
  voteLogFailed(): void {
    this.#voteLog = undefined;
    this.#gap = undefined;
  }

  /**
   * Once, before anything else: compares the log with the TPM's count of starts, and counts this one. A log of an
   * earlier start is one that was set back; what the box did since is not known.
   */
  async begin(place: Place): Promise<void> {
    const log = this.#voteLog;
    if (log === undefined) return;
    await this.#unlessFaulty(async () => {
      const { starts } = this.#options.keys;
      const counted = await starts.value();
      const { start, isNew, isComplete, gap } = await readVoteLog(log, place);
      // An empty log is the one of a box that never voted only if the TPM says so too: with the log the ledger may have
      // gone. One ahead: the box stopped between the two steps below, and has not voted since.
      const isOurs = isNew ? counted === starts.first : start === counted || start === counted + 1;
      this.#start = counted + 1;
      const records: VoteRecord[] = [{ type: 'start', number: this.#start }];
      if (!isOurs) records.unshift({ type: 'gap' });
      await log.append(records.map(encodeVoteRecord));
      if (!isOurs || !isComplete) this.#gap = (isOurs ? gap : undefined) ?? this.#start;
      await starts.advance();
    });
  }

  /** What this box may do in the epoch in which its ledger stands. */
  async in(electorate: Electorate, place: Place): Promise<Right> {
    this.#haveChanged = false;
    const index = electorate.validators.indexOf(this.#options.self);
    const core = this.coreWithout(electorate);
    const follows = { core, voteLog: undefined, content: undefined, start: this.#start };
    if (index < 0) return follows;
    const signer = this.#options.keys.voting.signer(electorate.votingKeys[index] ?? new Uint8Array());
    if (signer === undefined) {
      this.#raise('VOTING_KEY_LOST', `The voting key of epoch ${electorate.epoch} is not on this box.`);
      return follows;
    }
    this.#options.health.clear('VOTING_KEY_LOST', alarmSubject);
    const content = await this.#read(place);
    if (content === undefined) return follows;
    const { chain } = this.#options;
    const sign: CoreOptions['sign'] = (vote) => signer.sign(voteMessage(chain, vote));
    return { ...follows, core: { ...core, self: index, sign }, voteLog: this.#voteLog, content };
  }

  /** A core that follows without a vote. */
  coreWithout({ epoch, validators }: Electorate): CoreOptions {
    const sign = (): never => {
      throw new Error('a box that follows signs no vote');
    };
    return { epoch, validators: validators.length, self: undefined, sign };
  }

  /** Undefined if the log cannot be trusted to name all votes of this box. */
  async #read(place: Place): Promise<VoteLogContent | undefined> {
    const log = this.#voteLog;
    if (log === undefined) return undefined;
    return this.#unlessFaulty(async () => {
      const content = await readVoteLog(log, place);
      if (content.isComplete) {
        this.#options.health.clear('VOTE_LOG_CORRUPT', alarmSubject);
        return this.#dropEarlier(log, content);
      }
      this.#raise('VOTE_LOG_CORRUPT', 'Earlier votes of this box are not known.');
      return undefined;
    });
  }

  /** Undefined after a fault: this box then votes no more. */
  async #unlessFaulty<Result>(run: () => Promise<Result>): Promise<Result | undefined> {
    try {
      return await run();
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      this.#raise(error.code, error.message);
      this.voteLogFailed();
      return undefined;
    }
  }

  async #dropEarlier(log: ReplaceableLog, content: VoteLogContent): Promise<VoteLogContent> {
    const { withoutEarlier } = content;
    if (withoutEarlier === undefined) return content;
    try {
      await log.replace(withoutEarlier);
      return { ...content, bytes: withoutEarlier.reduce((sum, { length }) => sum + length, 0) };
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      // The old log stands and goes on (or takes no vote, which the next one shows): those records bind nobody any more.
      this.#options.logger.warn({ code: error.code }, 'votes of earlier epochs could not be dropped');
      return content;
    }
  }

  #raise(code: AppError['code'], message: string): void {
    this.#options.logger.error({ code }, 'this box does not vote');
    this.#options.health.raise(code, alarmSubject, message);
  }
}
