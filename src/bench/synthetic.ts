/** A model and a text to measure speed with, which depends on their sizes and not on what is in them. */
import type { LanguageModel } from '../model/language-model.ts';
import { Random } from '../random.ts';
import { IdSequence } from '../text/id-sequence.ts';
import { newIds } from '../text/ids.ts';

const SEED = 1;

/** Weights, flat as `LanguageModel.parameters`: uniform in ±1/√H, so that nothing saturates, vanishes or explodes. */
export function syntheticWeights({ config, layout }: LanguageModel): Float32Array {
  const random = new Random(SEED);
  const bound = 1 / Math.sqrt(config.hidden);
  return Float32Array.from({ length: layout.length }, () => bound * (2 * random.uniform() - 1));
}

/** A text of `length` symbols, all equally likely, of a vocabulary of `size`. */
export function syntheticText(size: number, length: number): IdSequence {
  const random = new Random(SEED, 1);
  const ids = newIds(size, length);
  for (let i = 0; i < length; i++) ids[i] = random.integer(size);
  return IdSequence.of(ids);
}
