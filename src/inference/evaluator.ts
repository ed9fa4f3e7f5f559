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

/** What is to be read of every symbol beside its loss; each costs memory and time. */
export interface Observation {
  /** The logits of the prediction. */
  readonly logits?: boolean;
  /** The states and gates of all layers after the symbol was read. */
  readonly layers?: boolean;
}

/** Some consecutive predictions. Prediction i reads symbol i of the text and is about symbol i + 1. */
export interface Window {
  /** The first prediction of the window. */
  readonly start: number;
  /** Predictions in the window. */
  readonly count: number;
  /** [count]: −ln p of the symbol that came, nats. */
  readonly losses: Values;
  /** [count, V], if observed. */
  readonly logits?: Values;
  /** From the bottom up, if observed: states [count, H] each, as the cell names them; gates [count, G·H]; see `RecurrentLayer`. */
  readonly layers?: readonly { readonly states: readonly Values[]; readonly gates: Values }[];
}

type Values = Float32Array | Float64Array;

/** Evaluates texts under one model. */
export class Evaluator {
  readonly #engine: Engine;
  readonly #executable: Executable;
  readonly #state: StreamState;
  readonly #ids = declare('evaluation.ids', 'input', WINDOW, 1, 'i32');
  readonly #targets = declare('evaluation.targets', 'input', WINDOW, 1, 'i32');
  readonly #losses = declare('evaluation.losses', 'state', WINDOW, 1);
  readonly #logits: Matrix | undefined;
  readonly #layers: readonly { states: readonly Matrix[]; gates: Matrix }[] | undefined;

  /** Records the evaluation of `model`, whose weights are read where they lie: later updates are seen. */
  constructor(engine: Engine, model: LanguageModel, observe: Observation = {}) {
    const recorder = new Recorder('evaluation');
    this.#engine = engine;
    this.#state = model.declareState(1);
    const { logits, layers } = model.recordForward(recorder, {
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
    const keep = (input: Matrix): Matrix => {
      const out = declare(`evaluation.${input.tensor.name}`, 'state', input.rows, input.columns);
      recorder.add('copy', { out, input });
      return out;
    };
    if (observe.logits) this.#logits = keep(logits);
    if (observe.layers) {
      this.#layers = layers.map(({ states, gates }) => ({ states: states.map(keep), gates: keep(gates) }));
    }
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
    return meanOf(this.windows(ids, options.signal), ids, options.onProgress);
  }

  /**
   * Reads a text from the zero state and tells every prediction; arguments and errors as above.
   * The arrays of a window are the reader's to keep.
   */
  async *windows(ids: IdSequence, signal?: AbortSignal): AsyncGenerator<Window> {
    const predictions = ids.length - 1;
    if (predictions < 1) throw new RangeError('an evaluation needs at least 2 symbols');
    const engine = this.#engine;
    zero(engine, this.#state.flat());
    const inputs = new Int32Array(WINDOW);
    const targets = new Int32Array(WINDOW);
    for (let start = 0; start < predictions; start += WINDOW) {
      signal?.throwIfAborted();
      const count = fillWindow(ids, start, inputs, targets);
      engine.write(this.#ids, inputs);
      engine.write(this.#targets, targets);
      await this.#executable.run();
      const read = async (matrix: Matrix): Promise<Values> =>
        (await engine.read(matrix)).subarray(0, count * matrix.columns);
      yield {
        start,
        count,
        losses: await read(this.#losses),
        ...(this.#logits && { logits: await read(this.#logits) }),
        ...(this.#layers && {
          layers: await Promise.all(
            this.#layers.map(async ({ states, gates }) => ({
              states: await Promise.all(states.map(read)),
              gates: await read(gates),
            })),
          ),
        }),
      };
    }
  }
}

/**
 * Fills a window with the symbols of a text from `start` on and those that follow them; what lies beyond the text has no target.
 * @returns how many predictions that is
 */
export function fillWindow(ids: IdSequence, start: number, inputs: Int32Array, targets: Int32Array): number {
  const count = Math.min(inputs.length, ids.length - 1 - start);
  ids.read(start, inputs.subarray(0, count));
  ids.read(start + 1, targets.subarray(0, count));
  inputs.fill(0, count);
  targets.fill(-1, count); // −1: no target
  return count;
}

/** The evaluation that the windows of a text are, read to its end. */
export async function meanOf(
  windows: AsyncIterable<Window>,
  ids: IdSequence,
  onProgress?: (predictions: number) => void,
): Promise<Evaluation> {
  let total = 0;
  for await (const { start, count, losses } of windows) {
    for (const loss of losses) total += loss;
    onProgress?.(start + count);
  }
  return evaluationOf(total, ids.length - 1);
}

/** @param total Σ −ln p over so many predictions, nats */
export function evaluationOf(total: number, predictions: number): Evaluation {
  const crossEntropy = total / predictions;
  return {
    predictions,
    crossEntropy,
    bitsPerCharacter: crossEntropy / Math.LN2,
    perplexity: Math.exp(crossEntropy),
  };
}

/** Sets matrices to zero: the state before any symbol. */
export function zero(engine: Engine, matrices: readonly Matrix[]): void {
  for (const matrix of matrices) engine.write(matrix, new Float32Array(matrix.length));
}
