/** Arrays of symbol ids: one, two or four bytes each, whatever the vocabulary needs. */

export type Ids = Uint8Array | Uint16Array | Uint32Array;

/** Zeros, in the smallest array type that holds ids below `size`. */
export function newIds(size: number, length: number): Ids {
  if (size <= 2 ** 8) return new Uint8Array(length);
  if (size <= 2 ** 16) return new Uint16Array(length);
  return new Uint32Array(length);
}

/**
 * Replaces every id by `mapping[id]`.
 * @param size greater than every value of `mapping`: decides the type of the result
 * @returns `ids` itself, overwritten, where its type is the right one
 */
export function remapIds(ids: Ids, mapping: ArrayLike<number>, size: number): Ids {
  const table = Uint32Array.from(mapping);
  const fresh = newIds(size, 0).BYTES_PER_ELEMENT === ids.BYTES_PER_ELEMENT ? ids : newIds(size, ids.length);
  for (let i = 0; i < ids.length; i++) fresh[i] = table[ids[i]!]!;
  return fresh;
}

/** How often `id` occurs in `ids`. */
export function countId(ids: Ids, id: number): number {
  let count = 0;
  for (let i = 0; i < ids.length; i++) if (ids[i] === id) count++;
  return count;
}

/** A growing array of ids that widens when the ids get too large for its element type. */
export class IdBuffer {
  #ids: Ids;
  #size = 1;
  length = 0;

  /** @param capacity ids to make room for; room that is never used costs address space only */
  constructor(capacity: number) {
    this.#ids = newIds(1, capacity);
  }

  /** @param size greater than every id appended so far, these included */
  append(ids: Int32Array, size: number): void {
    const length = this.length + ids.length;
    const tooShort = length > this.#ids.length;
    if (tooShort || newIds(size, 0).BYTES_PER_ELEMENT > this.#ids.BYTES_PER_ELEMENT) {
      const capacity = tooShort ? Math.max(length, 2 * this.#ids.length) : this.#ids.length;
      const larger = newIds(Math.max(size, this.#size), capacity);
      larger.set(this.#ids.subarray(0, this.length));
      this.#ids = larger;
    }
    this.#ids.set(ids, this.length);
    this.#size = size;
    this.length = length;
  }

  finish(): Ids {
    return this.#ids.subarray(0, this.length);
  }
}
