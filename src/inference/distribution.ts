/** From logits to one drawn symbol: temperature and the truncations that people use. */
import { CharloomError } from '../errors.ts';
import type { Random } from '../random.ts';

export interface SamplingOptions {
  /** Divides the logits: below 1 safer, above 1 wilder; 0 always takes the likeliest symbol (greedy). */
  readonly temperature: number;
  /** Keep the k likeliest symbols; 0 keeps all. */
  readonly topK: number;
  /** Keep the fewest likeliest symbols whose probabilities reach p (Holtzman et al. 2020); 1 keeps all. */
  readonly topP: number;
  /** Keep symbols at least this fraction as likely as the likeliest (Nguyen et al. 2024); 0 keeps all. */
  readonly minP: number;
}

/**
 * The distribution to draw from: softmax(logits / temperature), then top-k, top-p and min-p in this order,
 * each on what the one before left, then normalised. It sums to 1.
 *
 * @param banned id that is never drawn (the unknown symbol)
 * @throws CharloomError DIVERGED if there is no finite greatest logit
 */
export function distribution(
  logits: ArrayLike<number>,
  { temperature, topK, topP, minP }: SamplingOptions,
  banned: number,
): Float64Array {
  const p = Float64Array.from(logits);
  p[banned] = -Infinity;
  const best = p.reduce((a, b) => Math.max(a, b), -Infinity);
  if (!Number.isFinite(best)) {
    throw new CharloomError('DIVERGED', 'the logits are not finite: the training of this model has diverged');
  }
  if (temperature === 0) {
    const likeliest = p.indexOf(best);
    return p.map((_, id) => (id === likeliest ? 1 : 0));
  }
  for (let id = 0; id < p.length; id++) p[id] = Math.exp((p[id]! - best) / temperature);
  normalise(p);

  const k = topK > 0 ? Math.min(topK, p.length) : p.length;
  if (k < p.length || topP < 1) {
    const order = Uint32Array.from(p.keys()).sort((a, b) => p[b]! - p[a]! || a - b);
    let kept = k;
    if (topP < 1) {
      let mass = 0;
      for (let i = 0; i < k; i++) mass += p[order[i]!]!;
      let sum = 0;
      kept = 0;
      while (kept < k && sum < topP * mass) sum += p[order[kept++]!]!;
      kept = Math.max(1, kept);
    }
    for (const id of order.subarray(kept)) p[id] = 0;
  }
  if (minP > 0) {
    const least = minP * p.reduce((a, b) => Math.max(a, b), 0);
    for (let id = 0; id < p.length; id++) if (p[id]! < least) p[id] = 0;
  }
  normalise(p);
  return p;
}

function normalise(p: Float64Array): void {
  let total = 0;
  for (const x of p) total += x;
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
