/**
 * Dynamic evaluation (Mikolov et al. 2010; Krause et al., "Dynamic evaluation of neural sequence models", 2018): the network goes
 * on learning while it is evaluated. A text is read in segments; each is first predicted with the weights that are there, and only
 * then learnt from, by one step on its mean loss. So no symbol is known before it was predicted, and what is learnt is about what
 * was read: names, manners, spelling. The state is carried from segment to segment as it is.
 *
 * The step is Adam's without its first moment: each weight's gradient over the root of the mean square of its gradients so far.
 */
import { setImmediate as yieldToEventLoop } from 'node:timers/promises';
import { declare, type Engine, type Executable, Matrix } from '../engine/engine.ts';
import { Recorder } from '../engine/recorder.ts';
import { type Evaluation, fillWindow, meanOf, type Window, zero } from '../inference/evaluator.ts';
import type { LanguageModel, StreamState } from '../model/language-model.ts';
import { recordLoss } from '../model/loss.ts';
import type { IdSequence } from '../text/id-sequence.ts';
import { FLUSH_MILLISECONDS, HISTORY_ROWS } from './step.ts';

export interface DynamicSettings {
  /** Step size: about how much a weight moves in one step. */
  readonly learningRate: number;
  /** S: symbols that are predicted before they are learnt from. */
  readonly segment: number;
}

/** Measured, see docs/evaluation.md. */
export const DYNAMIC_DEFAULTS: DynamicSettings = { learningRate: 3e-4, segment: 20 };

/** Of the mean square of the gradients: the weight of the last one is 1 − beta2. */
const ADAM = { beta1: 0, beta2: 0.999, epsilon: 1e-8 };

/** Evaluates texts under one model that learns from them. */
export class DynamicEvaluator {
  readonly #engine: Engine;
  readonly #model: LanguageModel;
  readonly #settings: DynamicSettings;
  readonly #executable: Executable;
  readonly #state: StreamState;
  readonly #ids: Matrix;
  readonly #targets: Matrix;
  readonly #historyRow = declare('dynamic.historyRow', 'input', 1, 1, 'i32');
  /** [HISTORY_ROWS, S]: losses of a segment. */
  readonly #history: Matrix;
  readonly #rates = declare('dynamic.rates', 'input', 1, 3);
  /** Of the optimizer, flat as the weights. */
  readonly #moments: readonly [first: Matrix, second: Matrix];

  /** Records the evaluation of `model`, whose weights are those that lie in the engine when a text is read. */
  constructor(engine: Engine, model: LanguageModel, settings: DynamicSettings) {
    const { segment: S } = settings;
    const flat = (name: string): Matrix => declare(`dynamic.${name}`, 'state', 1, model.layout.length);
    const recorder = new Recorder('dynamic evaluation');
    this.#engine = engine;
    this.#model = model;
    this.#settings = settings;
    this.#state = model.declareState(1);
    this.#ids = declare('dynamic.ids', 'input', S, 1, 'i32');
    this.#targets = declare('dynamic.targets', 'input', S, 1, 'i32');
    this.#history = declare('dynamic.history', 'state', HISTORY_ROWS, S);
    this.#moments = [flat('firstMoment'), flat('secondMoment')];
    // A state, not a temporary: the padding between weights is never written and must stay zero.
    const gradient = flat('gradient');

    const { logits, backward } = model.recordForward(recorder, { ids: this.#ids, state: this.#state });
    const losses = recorder.temporary('losses', S, 1);
    recordLoss(recorder, 'cross-entropy', {
      losses,
      logits,
      targets: this.#targets,
      gradient: logits,
      scale: 1 / S,
    });
    recorder.add('storeRow', {
      out: this.#history,
      row: this.#historyRow,
      input: new Matrix(losses.tensor, losses.offset, 1, S),
    });
    backward(logits, model.layout.views(gradient));
    const norm = recorder.temporary('norm', 1, 1);
    recorder.add('norm', { out: norm, input: gradient });
    recorder.add('adam', {
      parameters: model.parameters,
      gradient,
      norm,
      clipNorm: 0,
      rates: this.#rates,
      weightDecay: 0,
      firstMoment: this.#moments[0],
      secondMoment: this.#moments[1],
      ...ADAM,
      decoupled: false,
    });
    this.#executable = engine.prepare(recorder.finish());
  }

  /** The mean of the losses of `windows`; arguments and errors as of `Evaluator.evaluate`. */
  async evaluate(
    ids: IdSequence,
    options: { onProgress?: (predictions: number) => void; signal?: AbortSignal } = {},
  ): Promise<Evaluation> {
    return meanOf(this.windows(ids, options.signal), ids, options.onProgress);
  }

  /**
   * Reads a text from the zero state and tells every prediction; each loss is from before the symbol was learnt from. At the
   * end, also an early one, the weights are again what they were.
   *
   * @throws RangeError for fewer than 2 symbols; the signal's reason when it is aborted; CharloomError IO if the text is on a
   *   disk that fails
   */
  async *windows(ids: IdSequence, signal?: AbortSignal): AsyncGenerator<Window> {
    const predictions = ids.length - 1;
    if (predictions < 1) throw new RangeError('an evaluation needs at least 2 symbols');
    const { learningRate, segment: S } = this.#settings;
    const engine = this.#engine;
    const { parameters } = this.#model;
    const trained = await engine.read(parameters);
    zero(engine, [...this.#state.flat(), ...this.#moments]);
    const inputs = new Int32Array(S);
    const targets = new Int32Array(S);
    let told = 0;
    let rows = 0;
    let flushed = performance.now();
    try {
      for (let start = 0, step = 1; start < predictions; start += S, step++) {
        const count = fillWindow(ids, start, inputs, targets);
        engine.write(this.#ids, inputs);
        engine.write(this.#targets, targets);
        engine.write(this.#historyRow, [rows]);
        engine.write(this.#rates, [learningRate, 1, 1 - ADAM.beta2 ** step]);
        await this.#executable.run();
        rows++;
        const end = start + count;
        const isLast = end === predictions;
        if (!isLast && rows < HISTORY_ROWS && performance.now() - flushed < FLUSH_MILLISECONDS) continue;
        const losses = await engine.read(this.#history.slice(0, rows));
        yield { start: told, count: end - told, losses: losses.subarray(0, end - told) };
        told = end;
        rows = 0;
        await yieldToEventLoop();
        signal?.throwIfAborted();
        flushed = performance.now();
      }
    } finally {
      engine.write(parameters, trained);
    }
  }
}
