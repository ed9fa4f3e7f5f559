/** From logits to one drawn symbol: temperature and the truncations that people use. */
import { CharloomError } from '../errors.ts';
import type { Random } from '../random.ts';
import { Descending } from './descending.ts';
import type { SamplingOptions } from './sampling-options.ts';

/**
 * The distribution to draw from: softmax(logits / temperature), then top-k, top-p and min-p in this order,
 * each on what the one before left, then normalised. One object serves all symbols of a text, and all texts:
 * a symbol costs microseconds, and new arrays would cost more than the arithmetic.
 */
export class Distribution {
  /** [V], sums to 1. */
  readonly probabilities: Float64Array;
  readonly #banned: number;
  readonly #descending: Descending;

  /**
   * @param size V
   * @param banned id that is never drawn (the unknown symbol)
   */
  constructor(size: number, banned: number) {
    this.probabilities = new Float64Array(size);
    this.#banned = banned;
    this.#descending = new Descending(size);
  }

  /**
   * Becomes the distribution of the V logits from `start` on.
   * @throws CharloomError DIVERGED if there is no finite greatest logit
   */
  set(logits: ArrayLike<number>, { temperature, topK, topP, minP }: SamplingOptions, start = 0): void {
    const p = this.probabilities;
    const V = p.length;
    for (let id = 0; id < V; id++) p[id] = logits[start + id]!;
    p[this.#banned] = -Infinity;
    const best = greatest(p);
    if (!Number.isFinite(best)) {
      throw new CharloomError(
        'DIVERGED',
        'the logits are not finite: the training of this model has diverged',
      );
    }
    if (temperature === 0) {
      const likeliest = p.indexOf(best);
      p.fill(0);
      p[likeliest] = 1;
      return;
    }
    for (let id = 0; id < V; id++) p[id] = Math.exp((p[id]! - best) / temperature);
    normalise(p);

    const k = topK > 0 ? Math.min(topK, V) : V;
    if (k < V || topP < 1) {
      this.#descending.load(p);
      this.#keep(topP < 1 ? this.#nucleus(k, topP) : k);
    }
    if (minP > 0) {
      const least = minP * greatest(p);
      for (let id = 0; id < V; id++) if (p[id]! < least) p[id] = 0;
    }
    normalise(p);
  }

  /** How many of the `k` likeliest symbols it takes to reach `topP` of their sum: one at least. */
  #nucleus(k: number, topP: number): number {
    const V = this.probabilities.length;
    let sum = 0;
    let kept = 0;
    if (k === V) {
      // The sum of all is 1 but for rounding. Only where that decides is the rest of the order needed.
      const rounding = V * 2 ** -51;
      while (kept < k && sum < topP * (1 - rounding)) sum += this.#descending.at(kept++);
      if (sum > topP * (1 + rounding)) return kept;
    }
    let mass = 0;
    for (let i = 0; i < k; i++) mass += this.#descending.at(i);
    sum = 0;
    kept = 0;
    while (kept < k && sum < topP * mass) sum += this.#descending.at(kept++);
    return Math.max(1, kept);
  }

  /** Keeps the `count` likeliest symbols; of equally likely ones those that come first. */
  #keep(count: number): void {
    const p = this.probabilities;
    const least = this.#descending.at(count - 1);
    let equal = 0;
    while (equal < count && this.#descending.at(count - 1 - equal) === least) equal++;
    for (let id = 0; id < p.length; id++) {
      if (p[id]! < least || (p[id] === least && equal-- <= 0)) p[id] = 0;
    }
  }
}

function greatest(values: Float64Array): number {
  let best = -Infinity;
  // NaN, too, has to come through.
  for (let i = 0; i < values.length; i++) best = Math.max(best, values[i]!);
  return best;
}

function normalise(p: Float64Array): void {
  let total = 0;
  for (let id = 0; id < p.length; id++) total += p[id]!;
  for (let id = 0; id < p.length; id++) p[id]! /= total;
}

/** Draws an id from probabilities `p` by inversion. */
export function draw(p: Float64Array, random: Random): number {
  let rest = random.uniform();
  let last = 0;
  for (let id = 0; id < p.length; id++) {
    if (p[id] === 0) continue;
    last = id;
    rest -= p[id]!;
    if (rest < 0) break;
  }
  return last;
}
