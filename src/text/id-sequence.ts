/** Texts as sequences of symbol ids, wherever these are kept. */
import type { Ids } from './ids.ts';

/** Where ids are kept; see `IdStore`. */
export interface IdStorage {
  /** Copies the ids from `start` on into `out`, as many as it holds; they must exist. */
  read(start: number, out: Int32Array): void;
}

/** A window of a text for passes over all of it: it and what is done with it stay in the cache. */
const WINDOW = 2 ** 14;

/** A text, or a part of one, as the ids of its symbols. It can be read at any place, and never changes. */
export class IdSequence {
  readonly length: number;
  readonly #storage: IdStorage;
  readonly #start: number;
  readonly #table: Uint32Array | undefined;

  /** @param table if given, an id of the storage is read as `table[id]` */
  constructor(storage: IdStorage, length: number, start = 0, table?: Uint32Array) {
    this.#storage = storage;
    this.length = length;
    this.#start = start;
    this.#table = table;
  }

  /** The ids of an array, which is shared. */
  static of(ids: Ids): IdSequence {
    const read = (start: number, out: Int32Array): void => out.set(ids.subarray(start, start + out.length));
    return new IdSequence({ read }, ids.length);
  }

  /**
   * Copies the ids from `start` on into `out`, as many as it holds.
   * @throws RangeError if there are not so many; CharloomError IO if they are on a disk that fails
   */
  read(start: number, out: Int32Array): void {
    const end = start + out.length;
    if (!Number.isSafeInteger(start) || start < 0 || end > this.length) {
      throw new RangeError(`ids ${start} to ${end} of ${this.length}`);
    }
    this.#storage.read(this.#start + start, out);
    const table = this.#table;
    if (table) for (let i = 0; i < out.length; i++) out[i] = table[out[i]!]!;
  }

  /** The ids from `start` to before `end`, where they are: nothing is copied. @throws RangeError */
  part(start: number, end: number): IdSequence {
    if (!(start >= 0 && start <= end && end <= this.length)) {
      throw new RangeError(`part ${start} to ${end} of ${this.length}`);
    }
    return new IdSequence(this.#storage, end - start, this.#start + start, this.#table);
  }

  /** This sequence with every id replaced by `table[id]`, when it is read: nothing is copied. */
  mapped(table: Uint32Array): IdSequence {
    const own = this.#table;
    const both = own ? own.map((id) => table[id]!) : table;
    return new IdSequence(this.#storage, this.length, this.#start, both);
  }

  /** This sequence as it was before it was `mapped`: nothing is copied. */
  unmapped(): IdSequence {
    return new IdSequence(this.#storage, this.length, this.#start);
  }

  /** All ids, in windows of some thousands. The array is reused by the next one. @throws as `read` */
  *windows(): Generator<Int32Array> {
    const window = new Int32Array(Math.min(WINDOW, this.length));
    for (let start = 0; start < this.length; start += WINDOW) {
      const ids = window.subarray(0, Math.min(WINDOW, this.length - start));
      this.read(start, ids);
      yield ids;
    }
  }
}

/**
 * How often each id occurs.
 * @param size greater than every id
 * @returns [size]
 */
export function countIds(sequence: IdSequence, size: number): Float64Array {
  const counts = new Float64Array(size);
  for (const ids of sequence.windows()) for (let i = 0; i < ids.length; i++) counts[ids[i]!]!++;
  return counts;
}
