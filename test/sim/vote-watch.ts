/**
 * Looks at every vote that leaves a box: an honest one never contradicts an earlier one of its own, restarts or not.
 * Keeps what was said, so that a test can ask what it would have shown.
 */
import { toHex } from '../../firmware/src/encoding/bytes.ts';
import type { Vote } from '../../firmware/src/consensus/types.ts';
import { decodeMessage } from '../../firmware/src/validator/messages.ts';
import { isAfter, type Place } from '../../firmware/src/validator/place.ts';

export class VoteWatch {
  /** Digest of the vote under `author epoch view kind`. */
  readonly #cast = new Map<string, string>();
  /** The newest epoch and view in which anybody has voted who was looked at. */
  newest: Place = { epoch: 0, view: 0 };
  /** Views that have come and gone so far, of all epochs. */
  views = 0;
  /** A broadcast is the same bytes to everyone. */
  readonly #seen = new WeakSet<Uint8Array>();

  /** What is wrong with this message of an honest validator, or undefined. */
  sent(author: string, bytes: Uint8Array, institutionOf: (vote: Vote) => string): string | undefined {
    if (this.#seen.has(bytes)) return undefined;
    this.#seen.add(bytes);
    const decoded = decodeMessage(bytes);
    if (decoded.kind === 'refused') return `${author} sends what does not decode: ${decoded.reason}`;
    const { message } = decoded;
    if (message.type !== 'vote' && message.type !== 'proposal') return undefined;
    if (institutionOf(message.vote) !== author) return `${author} sends a vote of another`;
    return this.#check(author, message.vote);
  }

  #check(author: string, { kind, epoch, view, digest }: Vote): string | undefined {
    this.#moveOn({ epoch, view });
    const place = (of: string): string => `${author} ${epoch} ${view} ${of}`;
    const before = this.#cast.get(place(kind));
    if (before !== undefined && before !== toHex(digest))
      return `${author} votes twice, to ${kind} in view ${view}`;
    this.#cast.set(place(kind), toHex(digest));
    if (this.#cast.has(place('nullify')) && this.#cast.has(place('finalize')))
      return `${author} nullifies and finalizes view ${view}`;
    return undefined;
  }

  /** By order nobody votes up to this place any more: those views have not come and gone. */
  skipTo(place: Place): void {
    this.newest = place;
  }

  #moveOn(place: Place): void {
    if (!isAfter(place, this.newest)) return;
    // How many views an epoch had that ended unseen does not matter: each begins with its first.
    this.views += place.epoch === this.newest.epoch ? place.view - this.newest.view : place.view;
    this.newest = place;
  }
}
