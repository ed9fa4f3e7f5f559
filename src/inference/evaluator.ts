/**
 * Exact evaluation: the cross-entropy of a text read as one stream, from the zero state, the state carried
 * through the whole text. No windows start cold, nothing is averaged over windows.
 */
import { declare, type Engine, type Executable, type Matrix } from '../engine/engine.ts';
import { Recorder } from '../engine/recorder.ts';
import type { LanguageModel, StreamState } from '../model/language-model.ts';
import { recordLoss } from '../model/loss.ts';
import type { IdSequence } from '../text/id-sequence.ts';

/** Symbols per replay: the output layer is one matrix product over so many. */
export const WINDOW = 256;

/** Symbols by which each layer is behind the one below it, where threads can be in several layers at once. */
const LAG = 16;

export interface Evaluation {
  /** Predicted symbols: one fewer than the text has. */
  readonly predictions: number;
  /** Nats per predicted symbol. */
  readonly crossEntropy: number;
  /** Bits per symbol: crossEntropy / ln 2. */
  readonly bitsPerCharacter: number;
  /** exp(crossEntropy). */
  readonly perplexity: number;
}

/** Evaluates texts under one model. */
export class Evaluator {
  readonly #engine: Engine;
  readonly #executable: Executable;
  readonly #state: StreamState;
  readonly #ids = declare('evaluation.ids', 'input', WINDOW, 1, 'i32');
  readonly #targets = declare('evaluation.targets', 'input', WINDOW, 1, 'i32');
  readonly #losses = declare('evaluation.losses', 'state', WINDOW, 1);

  /** Records the evaluation of `model`, whose weights are read where they lie: later updates are seen. */
  constructor(engine: Engine, model: LanguageModel) {
    const recorder = new Recorder('evaluation');
    this.#engine = engine;
    this.#state = model.declareState(1);
    const { logits } = model.recordForward(recorder, {
      ids: this.#ids,
      state: this.#state,
      ...(engine.concurrency > 1 && { lag: LAG }),
    });
    recordLoss(recorder, 'cross-entropy', {
      losses: this.#losses,
      logits,
      targets: this.#targets,
      scale: 1,
    });
    this.#executable = engine.prepare(recorder.finish());
  }

  /**
   * @param ids the text, at least 2 symbols
   * @param options.onProgress is told the predictions done so far
   * @param options.signal ends the evaluation early
   * @throws RangeError for fewer than 2 symbols; the signal's reason when it is aborted; CharloomError IO if
   *   the text is on a disk that fails
   */
  async evaluate(
    ids: IdSequence,
    options: { onProgress?: (predictions: number) => void; signal?: AbortSignal } = {},
  ): Promise<Evaluation> {
    const predictions = ids.length - 1;
    if (predictions < 1) throw new RangeError('an evaluation needs at least 2 symbols');
    zero(this.#engine, this.#state.flat());
    const inputs = new Int32Array(WINDOW);
    const targets = new Int32Array(WINDOW);
    let total = 0;
    for (let start = 0; start < predictions; start += WINDOW) {
      options.signal?.throwIfAborted();
      const count = Math.min(WINDOW, predictions - start);
      ids.read(start, inputs.subarray(0, count));
      ids.read(start + 1, targets.subarray(0, count));
      if (count < WINDOW) {
        inputs.fill(0, count);
        targets.fill(-1, count); // −1: no target
      }
      this.#engine.write(this.#ids, inputs);
      this.#engine.write(this.#targets, targets);
      await this.#executable.run();
      for (const loss of await this.#engine.read(this.#losses)) total += loss;
      options.onProgress?.(start + count);
    }
    const crossEntropy = total / predictions;
    return {
      predictions,
      crossEntropy,
      bitsPerCharacter: crossEntropy / Math.LN2,
      perplexity: Math.exp(crossEntropy),
    };
  }
}

/** Sets matrices to zero: the state before any symbol. */
export function zero(engine: Engine, matrices: readonly Matrix[]): void {
  for (const matrix of matrices) engine.write(matrix, new Float32Array(matrix.length));
}
