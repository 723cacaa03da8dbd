/** Who has contradicted himself, as all honest boxes together can show it by what their logs hold now. */
import { toHex } from '../../firmware/src/encoding/bytes.ts';
import type { Certificate, VoteContent, VoteKind } from '../../firmware/src/consensus/types.ts';
import { decodeKeptRecord } from '../../firmware/src/validator/kept-records.ts';
import { decodeVoteRecord } from '../../firmware/src/validator/vote-records.ts';

interface Said extends VoteContent {
  readonly validator: number;
}

/** The votes in the records of a vote log. */
export function* votesInVoteLog(records: readonly Uint8Array[]): Generator<Said> {
  for (const bytes of records) {
    const record = decodeVoteRecord(bytes);
    if (record.type === 'vote') yield record.vote;
    if (record.type === 'certificate') yield* votesOf(record.certificate);
  }
}

/** The votes in the certificates of a block log. */
export function* votesInBlockLog(records: readonly Uint8Array[]): Generator<Said> {
  for (const bytes of records) {
    const { certificate, shown } = decodeKeptRecord(bytes);
    for (const kept of [...shown, ...(certificate === null ? [] : [certificate])]) yield* votesOf(kept);
  }
}

function* votesOf({ kind, epoch, view, digest, signatures }: Certificate): Generator<Said> {
  for (const { validator } of signatures) yield { kind, epoch, view, digest, validator };
}

/** A validator of an epoch. */
export interface Guilty {
  readonly epoch: number;
  readonly validator: number;
}

/** Those of whom two of these votes cannot both be honest; some may be named twice. */
export function guiltyBy(votes: Iterable<Said>): Guilty[] {
  const guilty: Guilty[] = [];
  const said = new Map<string, string>();
  const placeOf = ({ epoch, view, validator }: Said, kind: VoteKind): string =>
    `${epoch} ${view} ${validator} ${kind}`;
  for (const vote of votes) {
    const place = placeOf(vote, vote.kind);
    const before = said.get(place);
    const digest = toHex(vote.digest);
    if (before !== undefined && before !== digest) guilty.push(vote);
    said.set(place, digest);
    if (said.has(placeOf(vote, 'nullify')) && said.has(placeOf(vote, 'finalize'))) guilty.push(vote);
  }
  return guilty;
}
