/** Some cells over the beginning of a text, and the part of it that shows most. */
import type { Engine } from '../engine/engine.ts';
import type { LanguageModel } from '../model/language-model.ts';
import type { IdSequence } from '../text/id-sequence.ts';
import { activations } from './activations.ts';
import type { Neuron } from './neurons.ts';

/**
 * Reads a text again for the activations of a few cells.
 * @param ids n + 1 symbols
 * @returns per cell [n]
 * @throws as `Evaluator.windows`
 */
export async function collectActivations(
  engine: Engine,
  model: LanguageModel,
  ids: IdSequence,
  neurons: readonly Neuron[],
  signal?: AbortSignal,
): Promise<Float32Array[]> {
  const H = model.config.hidden;
  const collected = neurons.map(() => new Float32Array(ids.length - 1));
  for await (const { start, count, activations: layers } of activations(engine, model, ids, signal)) {
    for (const [k, { layer, index }] of neurons.entries()) {
      const own = collected[k]!;
      for (let i = 0; i < count; i++) own[start + i] = layers[layer]![i * H + index]!;
    }
  }
  return collected;
}

/** The start of the first stretch of `width` symbols in which a feature varies most. */
export function mostVaried(values: ArrayLike<number>, width: number): number {
  let best = 0;
  let most = -1;
  let sum = 0;
  let squares = 0;
  for (let end = 1; end <= values.length; end++) {
    const value = values[end - 1]!;
    sum += value;
    squares += value * value;
    const start = end - width;
    if (start > 0) {
      const gone = values[start - 1]!;
      sum -= gone;
      squares -= gone * gone;
    }
    // All are whole numbers: these sums are exact.
    const variation = squares * width - sum * sum;
    if (start >= 0 && variation > most) [best, most] = [start, variation];
  }
  return best;
}
