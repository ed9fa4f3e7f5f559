/**
 * What every symbol of a text cost a model, −log₂ p bits (Shannon 1948), and what the model would have guessed in its stead.
 */
import type { Engine } from '../engine/engine.ts';
import { Evaluator, type Window } from '../inference/evaluator.ts';
import type { LanguageModel } from '../model/language-model.ts';
import type { IdSequence } from '../text/id-sequence.ts';

/** The likeliest symbols of some consecutive predictions. */
export interface Guesses {
  /** How many of each prediction: as many as were asked for, at most V. */
  readonly each: number;
  /** [count, each]: the likeliest first; of equally likely ones that with the smaller id. */
  readonly ids: Uint32Array;
  /** [count, each] */
  readonly probabilities: Float64Array;
  /** [count]: which guess the symbol that came would have been, from 1 on. */
  readonly ranks: Uint32Array;
}

/** Some consecutive symbols of a text; the first symbol of a text is not predicted, so has no cost. */
export interface SurpriseWindow {
  /** Place of the first of them in the text: 1 at least. */
  readonly start: number;
  /** [count]: −ln p of each, nats. */
  readonly losses: Float32Array | Float64Array;
  /** If asked for. */
  readonly guesses?: Guesses;
}

/**
 * Reads a text from the zero state and tells what each symbol cost. The sum of all losses, in order, is that of `Evaluator`.
 *
 * @param ids at least 2 symbols
 * @param options.guesses how many guesses to tell of every symbol; 0: none, which is faster
 * @throws as `Evaluator.windows`
 */
export async function* surprise(
  engine: Engine,
  model: LanguageModel,
  ids: IdSequence,
  options: { guesses?: number; signal?: AbortSignal } = {},
): AsyncGenerator<SurpriseWindow> {
  const { guesses: asked = 0, signal } = options;
  const V = model.config.vocabulary;
  const evaluator = new Evaluator(engine, model, { logits: asked > 0 });
  for await (const window of evaluator.windows(ids, signal)) {
    const { start, count, losses } = window;
    if (asked === 0) {
      yield { start: start + 1, losses };
      continue;
    }
    const targets = new Int32Array(count);
    ids.read(start + 1, targets);
    yield { start: start + 1, losses, guesses: guessesOf(window, targets, V, Math.min(asked, V)) };
  }
}

/** @param targets [count]: what came */
function guessesOf({ count, losses, logits }: Window, targets: Int32Array, V: number, each: number): Guesses {
  const ids = new Uint32Array(count * each);
  const probabilities = new Float64Array(count * each);
  const ranks = new Uint32Array(count);
  const best = new Float64Array(each);
  for (let i = 0; i < count; i++) {
    const row = logits!.subarray(i * V, (i + 1) * V);
    const target = targets[i]!;
    const own = row[target]!;
    const places = ids.subarray(i * each, (i + 1) * each);
    best.fill(Number.NEGATIVE_INFINITY);
    let rank = 1;
    for (let id = 0; id < V; id++) {
      const logit = row[id]!;
      if (logit > own || (logit === own && id < target)) rank++;
      if (!(logit > best[each - 1]!)) continue;
      let at = each - 1;
      for (; at > 0 && logit > best[at - 1]!; at--) {
        best[at] = best[at - 1]!;
        places[at] = places[at - 1]!;
      }
      best[at] = logit;
      places[at] = id;
    }
    ranks[i] = rank;
    // loss = ln Σ exp(logits) − own logit; where it is thousands of nats, its rounding could lead beyond 1.
    const normalizer = losses[i]! + own;
    for (let k = 0; k < each; k++) probabilities[i * each + k] = Math.min(1, Math.exp(best[k]! - normalizer));
  }
  return { each, ids, probabilities, ranks };
}
