/** What the weights of a network are before its first step. */
import { setImmediate as yieldToEventLoop } from 'node:timers/promises';
import type { Random } from '../random.ts';
import type { ModelConfig } from './config.ts';
import type { ParameterLayout } from './parameters.ts';

/**
 * Initial weights, flat: recurrent matrices orthogonal, one block a gate (Saxe et al. 2014: keeps the norm of
 * what flows through time); input and output matrices uniform in ±1/√H; embedding standard normal; biases 0,
 * but 1 for the LSTM's forget gate (Jozefowicz et al. 2015), so that a new network remembers.
 */
export async function initialWeights(
  config: ModelConfig,
  layout: ParameterLayout,
  random: Random,
): Promise<Float32Array> {
  const flat = new Float32Array(layout.length);
  const H = config.hidden;
  const bound = 1 / Math.sqrt(H);
  for (const { name, rows, columns, offset } of layout.entries) {
    const weights = flat.subarray(offset, offset + rows * columns);
    if (name.includes('weight_hh')) {
      for (let gate = 0; gate < rows / H; gate++) {
        weights.set(await randomOrthogonal(H, random), gate * H * H);
      }
    } else if (name === 'embedding.weight') {
      for (let i = 0; i < weights.length; i++) weights[i] = random.normal();
    } else if (!name.includes('bias')) {
      for (let i = 0; i < weights.length; i++) weights[i] = bound * (2 * random.uniform() - 1);
    } else if (config.cell === 'lstm' && name.includes('bias_ih')) {
      weights.fill(1, H, 2 * H);
    }
  }
  return flat;
}

/** The weights of a trained network, flat, and where each of them lies. */
export interface TrainedWeights {
  readonly layout: ParameterLayout;
  readonly values: Float32Array | Float64Array;
}

/**
 * Trained weights in the place of initial ones. Both networks are of one shape, but for the vocabulary: ids of the trained
 * one mean the same in the other, which may have more. Rows and columns of those further symbols are the initial ones.
 */
export function startFrom(
  trained: TrainedWeights,
  layout: ParameterLayout,
  initial: Float32Array,
): Float64Array {
  const weights = Float64Array.from(initial);
  for (const [i, { rows, columns, offset }] of trained.layout.entries.entries()) {
    const own = layout.entries[i]!;
    for (let row = 0; row < rows; row++) {
      const start = offset + row * columns;
      weights.set(trained.values.subarray(start, start + columns), own.offset + row * own.columns);
    }
  }
  return weights;
}

/**
 * A random orthogonal matrix [size, size]: Gram-Schmidt on rows of normal numbers. Its work grows with the cube of
 * the size (seconds from 1000 on), so it lets the event loop turn.
 */
async function randomOrthogonal(size: number, random: Random): Promise<Float64Array> {
  const q = new Float64Array(size * size);
  let breath = performance.now();
  for (let i = 0; i < size; i++) {
    const row = q.subarray(i * size, (i + 1) * size);
    for (let k = 0; k < size; k++) row[k] = random.normal();
    for (let j = 0; j < i; j++) {
      const earlier = q.subarray(j * size, (j + 1) * size);
      const projection = dot(row, earlier);
      for (let k = 0; k < size; k++) row[k]! -= projection * earlier[k]!;
    }
    const scale = 1 / Math.sqrt(dot(row, row));
    for (let k = 0; k < size; k++) row[k]! *= scale;
    if (performance.now() - breath > 50) {
      await yieldToEventLoop();
      breath = performance.now();
    }
  }
  return q;
}

/** Σ x_k y_k in four sums side by side, which do not wait for each other. */
function dot(x: Float64Array, y: Float64Array): number {
  const whole = x.length - (x.length % 4);
  let a = 0;
  let b = 0;
  let c = 0;
  let d = 0;
  for (let k = 0; k < whole; k += 4) {
    a += x[k]! * y[k]!;
    b += x[k + 1]! * y[k + 1]!;
    c += x[k + 2]! * y[k + 2]!;
    d += x[k + 3]! * y[k + 3]!;
  }
  for (let k = whole; k < x.length; k++) a += x[k]! * y[k]!;
  return a + b + c + d;
}
