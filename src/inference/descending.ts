/**
 * The values of an array from the greatest on, as many as are asked for: a binary heap that is emptied only so
 * far, since a vocabulary may have thousands of symbols of which a truncation keeps a few.
 */
export class Descending {
  /** The heap, greatest value first, then the values taken from it, in ascending order. */
  readonly #values: Float64Array;
  #heapSize = 0;

  /** @param size number of values */
  constructor(size: number) {
    this.#values = new Float64Array(size);
  }

  /** Takes over `values`, which are numbers (not NaN). */
  load(values: Float64Array): void {
    this.#values.set(values);
    this.#heapSize = this.#values.length;
    for (let i = (this.#heapSize >> 1) - 1; i >= 0; i--) this.#sink(i, this.#values[i]!);
  }

  /** The value that `rank` others precede: 0 asks for the greatest. */
  at(rank: number): number {
    const values = this.#values;
    const place = values.length - 1 - rank;
    while (this.#heapSize > place) {
      const greatest = values[0]!;
      const last = values[--this.#heapSize]!;
      if (this.#heapSize > 0) this.#sink(0, last);
      values[this.#heapSize] = greatest;
    }
    return values[place]!;
  }

  /** Puts `value` into the free place `i` of the heap, or below it. */
  #sink(i: number, value: number): void {
    const values = this.#values;
    const size = this.#heapSize;
    let free = i;
    for (;;) {
      let child = 2 * free + 1;
      if (child >= size) break;
      if (child + 1 < size && values[child + 1]! > values[child]!) child++;
      if (values[child]! <= value) break;
      values[free] = values[child]!;
      free = child;
    }
    values[free] = value;
  }
}
