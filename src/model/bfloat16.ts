/**
 * Weights in bfloat16: the sign, the eight bits of exponent and the first seven of the fraction of a float32. Half the memory
 * to read for each character, and about three digits.
 */
import type { ParameterLayout } from './parameters.ts';

/**
 * The weights, with the matrices among them rounded to bfloat16, to the nearest, to even from halfway. Biases keep their digits: they are
 * few. What is not finite stays what it is.
 *
 * @param flat all weights, as the layout places them
 */
export function withRoundedMatrices(flat: ArrayLike<number>, layout: ParameterLayout): Float32Array {
  const weights = Float32Array.from(flat);
  const bits = new Uint32Array(weights.buffer, 0, layout.decayedLength);
  for (let i = 0; i < bits.length; i++) {
    if (!Number.isFinite(weights[i])) continue;
    const rounded = bits[i]! + 0x7fff + ((bits[i]! >>> 16) & 1);
    bits[i] = rounded & 0xffff0000;
  }
  return weights;
}
