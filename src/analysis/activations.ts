/**
 * What the cells of a network show while it reads, after Karpathy, Johnson & Li 2015, "Visualizing and Understanding Recurrent
 * Networks": of an LSTM tanh(c_t), the memory as the output sees it; of a GRU and a textbook RNN, whose memory is their output, h_t.
 */
import type { Engine } from '../engine/engine.ts';
import { Evaluator } from '../inference/evaluator.ts';
import type { CellName } from '../model/config.ts';
import type { LanguageModel } from '../model/language-model.ts';
import type { IdSequence } from '../text/id-sequence.ts';

type Values = Float32Array | Float64Array;

/** Some consecutive symbols of a text; of its last symbol nothing is told: there is nothing to be predicted. */
export interface ActivationWindow {
  /** The first symbol. */
  readonly start: number;
  readonly count: number;
  /** Per layer, from the bottom up, after each symbol was read: [count, H]. */
  readonly activations: readonly Values[];
  /** Per layer [count, G·H]; see `RecurrentLayer`. */
  readonly gates: readonly Values[];
}

/** What is shown of a cell, in words. */
export const ACTIVATION_NAMES: Readonly<Record<CellName, string>> = {
  lstm: 'tanh(c)',
  gru: 'h',
  rnn: 'h',
};

/**
 * Reads a text from the zero state.
 * @param ids at least 2 symbols
 * @throws as `Evaluator.windows`
 */
export async function* activations(
  engine: Engine,
  model: LanguageModel,
  ids: IdSequence,
  signal?: AbortSignal,
): AsyncGenerator<ActivationWindow> {
  const evaluator = new Evaluator(engine, model, { layers: true });
  for await (const { start, count, layers } of evaluator.windows(ids, signal)) {
    yield {
      start,
      count,
      activations: layers!.map(({ states: [hidden, memory] }) => (memory ? memory.map(Math.tanh) : hidden!)),
      gates: layers!.map(({ gates }) => gates),
    };
  }
}
