/**
 * Memory for the beginnings of objects whose study is not known yet, over all associations: each may be as long as a header
 * can be, and a few dozen hostile ones at a time would be more than a small box has.
 */
import { AppError } from '../errors.ts';
import type { Gathering } from '../studies/object-reception.ts';

export class HeaderRoom {
  readonly #bytesMax: number;
  #bytes = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  /** For one object. */
  enter(): Gathering {
    let taken = 0;
    return {
      take: (bytes) => {
        if (this.#bytes + bytes > this.#bytesMax)
          throw new AppError('BUSY', 'too many objects with overlong headers arrive at once');
        this.#bytes += bytes;
        taken += bytes;
      },
      leave: () => {
        this.#bytes -= taken;
        taken = 0;
      },
    };
  }
}
