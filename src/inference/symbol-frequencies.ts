/** From logits to whole numbers, so that arithmetic coding and decoding have the same probabilities on any machine. */
import { CharloomError } from '../errors.ts';
import { MAX_TOTAL } from './arithmetic-coder.ts';

/** Powers of the base below this are 0. */
const LEAST_EXPONENT = -64;
const HALVES = Float64Array.from({ length: 1 - LEAST_EXPONENT }, (_, k) => 2 ** -k);
/**
 * eˣ for x ≤ 0, by additions, multiplications and roundings only, which IEEE 754 fixes to the bit; `Math.exp` may differ from
 * one JavaScript engine to the next. x = k ln 2 + r with |r| ≤ ln 2 / 2, eˣ = 2ᵏ eʳ, and eʳ is Taylor's series to r¹⁰. Its
 * relative error is below 10⁻¹²; below 2⁻⁶⁴ it is 0.
 */
export function portableExp(x: number): number {
  const k = Math.floor(x * Math.LOG2E + 0.5);
  if (k < LEAST_EXPONENT) return 0;
  const r = x - k * Math.LN2;
  // Horner's scheme, written out: a loop would take twice as long.
  let sum = 1 / 362880 + r * (1 / 3628800);
  sum = 1 / 40320 + r * sum;
  sum = 1 / 5040 + r * sum;
  sum = 1 / 720 + r * sum;
  sum = 1 / 120 + r * sum;
  sum = 1 / 24 + r * sum;
  sum = 1 / 6 + r * sum;
  sum = 1 / 2 + r * sum;
  sum = 1 + r * sum;
  return (1 + r * sum) * HALVES[0 - k]!;
}

/**
 * The distribution of the next symbol as frequencies, whole numbers that add up to `TOTAL`. Every symbol has 1 at least: what the
 * model holds for impossible can be encoded, too. (So no symbol costs more than 28 bits, and all others cost a V / 2²⁸th more.)
 */
export class SymbolFrequencies {
  static readonly TOTAL = MAX_TOTAL;
  readonly #frequencies: Uint32Array;
  readonly #weights: Float64Array;
  #logits: ArrayLike<number> = [];
  #greatest = 0;
  #sum = 0;

  /** @param size V, below TOTAL */
  constructor(size: number) {
    this.#frequencies = new Uint32Array(size);
    this.#weights = new Float64Array(size);
  }

  /**
   * Becomes softmax(logits), rounded down; what is left over is the likeliest symbol's.
   * @throws CharloomError DIVERGED if a logit is not a number, or none is finite
   */
  set(logits: ArrayLike<number>): void {
    const frequencies = this.#frequencies;
    const weights = this.#weights;
    const V = frequencies.length;
    let best = 0;
    for (let id = 1; id < V; id++) if (logits[id]! > logits[best]!) best = id;
    const greatest = logits[best]!;
    let sum = 0;
    for (let id = 0; id < V; id++) sum += weights[id] = portableExp(logits[id]! - greatest);
    if (!Number.isFinite(sum)) {
      throw new CharloomError(
        'DIVERGED',
        'the logits are not finite: the training of this model has diverged',
      );
    }
    const scale = (SymbolFrequencies.TOTAL - V) / sum;
    let left = SymbolFrequencies.TOTAL;
    for (let id = 0; id < V; id++) left -= frequencies[id] = 1 + Math.floor(weights[id]! * scale);
    frequencies[best]! += left;
    this.#logits = logits;
    this.#greatest = greatest;
    this.#sum = sum;
  }

  /** The frequency of a symbol: 1 at least. */
  of(id: number): number {
    return this.#frequencies[id]!;
  }

  /** The sum of the frequencies of all symbols before `id`. */
  startOf(id: number): number {
    let start = 0;
    for (let i = 0; i < id; i++) start += this.#frequencies[i]!;
    return start;
  }

  /** The symbol whose part [start, start + frequency) of [0, TOTAL) has `position` in it. */
  at(position: number): { id: number; start: number } {
    let id = 0;
    let start = 0;
    for (;;) {
      const end = start + this.#frequencies[id]!;
      if (position < end) return { id, start };
      start = end;
      id++;
    }
  }

  /** All frequencies, one after the other. */
  toString(): string {
    return this.#frequencies.join();
  }

  /** −ln p of a symbol as the model has it, not rounded; nats. For people: the coder must not use it. */
  lossOf(id: number): number {
    return Math.log(this.#sum) + this.#greatest - this.#logits[id]!;
  }
}
