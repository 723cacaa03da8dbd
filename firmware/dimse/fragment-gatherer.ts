/**
 * Small fragments joined before they are handed on. PDVs of one byte are legal (PS3.8 annex E), and whoever keeps what is
 * handed on pays some hundred bytes for each piece: a data set of 4 MB in such PDVs would take half a gigabyte.
 */
import { fragmentBytesMin } from './limits.ts';
import type { DataSetFate, DataSetTarget } from './message-reader.ts';

export class FragmentGatherer implements DataSetTarget {
  readonly #target: DataSetTarget;
  /** Made when the first small fragment comes; most data sets have none. */
  #gathered: Uint8Array | undefined;
  #length = 0;

  constructor(target: DataSetTarget) {
    this.#target = target;
  }

  get fate(): DataSetFate {
    return this.#target.fate;
  }

  write(bytes: Uint8Array): Promise<void> | undefined {
    const fits = this.#length + bytes.length <= fragmentBytesMin;
    if (!fits) {
      const flushed = this.#flush();
      if (flushed !== undefined) return flushed.then(() => this.#add(bytes));
    }
    return this.#add(bytes);
  }

  end(): Promise<void> | undefined {
    const flushed = this.#flush();
    return flushed === undefined ? this.#target.end() : flushed.then(() => this.#target.end());
  }

  /** There is room for it, or it is large enough by itself. */
  #add(bytes: Uint8Array): Promise<void> | undefined {
    if (bytes.length >= fragmentBytesMin) return this.#target.write(bytes);
    this.#gathered ??= new Uint8Array(fragmentBytesMin);
    this.#gathered.set(bytes, this.#length);
    this.#length += bytes.length;
    return undefined;
  }

  #flush(): Promise<void> | undefined {
    if (this.#gathered === undefined || this.#length === 0) return undefined;
    const bytes = this.#gathered.subarray(0, this.#length);
    this.#length = 0;
    return this.#target.write(bytes);
  }
}
