/** The passages of a text that cost a model most, found in one pass, in memory that does not depend on the text. */

/** Some consecutive symbols, from `start` to before `end`. */
export interface Passage {
  readonly start: number;
  readonly end: number;
  /** What they cost together. */
  readonly cost: number;
}

/**
 * Of all passages of one width, those that cost more than every other passage which they overlap (of equally costly ones
 * the first); of these, the costliest. So no two of them overlap, and which they are does not depend on where a text is cut.
 */
export class CostliestPassages {
  readonly #width: number;
  readonly #count: number;
  readonly #first: number;
  /** The costs of the last `width` symbols, in a ring. */
  readonly #costs: Float64Array;
  #pushed = 0;
  #sum = 0;
  /**
   * Passages that may still be the costliest around, by number; costs fall along the list. Passages up to `width − 1` before
   * and after one overlap it.
   */
  #rivals: { readonly number: number; readonly cost: number }[] = [];
  #found: Passage[] = [];

  /**
   * @param width symbols of a passage; a text with fewer is one passage
   * @param count how many to find
   * @param first place of the first symbol that is pushed
   */
  constructor(width: number, count: number, first: number) {
    this.#width = width;
    this.#count = count;
    this.#first = first;
    this.#costs = new Float64Array(width);
  }

  /** Takes the cost of the next symbol. */
  push(cost: number): void {
    const width = this.#width;
    const place = this.#pushed++ % width;
    this.#sum += cost - this.#costs[place]!;
    this.#costs[place] = cost;
    // Added up anew once a round: rounding errors do not pile up.
    if (place === width - 1) this.#sum = this.#costs.reduce((sum, own) => sum + own, 0);
    const number = this.#pushed - width;
    if (number < 0) return;
    while (this.#rivals.length > 0 && this.#rivals.at(-1)!.cost < this.#sum) this.#rivals.pop();
    this.#rivals.push({ number, cost: this.#sum });
    this.#settle(number - width + 1);
  }

  /** Those that were found, the costliest first. Nothing may be pushed any more. */
  finish(): Passage[] {
    const numbers = this.#pushed - this.#width + 1;
    if (numbers < 1) {
      const end = this.#first + this.#pushed;
      return this.#pushed > 0 && this.#count > 0 ? [{ start: this.#first, end, cost: this.#sum }] : [];
    }
    for (let number = Math.max(0, numbers - this.#width + 1); number < numbers; number++)
      this.#settle(number);
    return this.#found;
  }

  /** Keeps passage `number` if it is the costliest of those it overlaps, which all have been seen. */
  #settle(number: number): void {
    if (this.#count === 0) return;
    while (this.#rivals.length > 0 && this.#rivals[0]!.number <= number - this.#width) this.#rivals.shift();
    const rival = this.#rivals[0];
    if (rival?.number !== number) return;
    const found = this.#found;
    if (found.length === this.#count && !(found.at(-1)!.cost < rival.cost)) return;
    const start = this.#first + number;
    let at = found.length;
    while (at > 0 && found[at - 1]!.cost < rival.cost) at--;
    found.splice(at, 0, { start, end: start + this.#width, cost: rival.cost });
    if (found.length > this.#count) found.pop();
  }
}
