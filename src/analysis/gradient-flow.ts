/**
 * How far gradients reach back in time: the norm of ∂L_t/∂h_{t−k} over the lag k, where L_t is the loss of one prediction.
 * It is a product of k Jacobians ∂h_{s+1}/∂h_s (of the pair (h, c) in the LSTM) times ∂L_t/∂h_t, and shrinks or grows about
 * exponentially with k (Bengio, Simard & Frasconi 1994; Pascanu, Mikolov & Bengio 2013).
 *
 * One recorded program reads B windows of a text side by side; only the last symbol of each has a target, so that the backward
 * pass leaves ∂L_t/∂h_{t−k} of its window in block t − k. Nothing is clipped, nothing dropped, no weight changes.
 *
 * Of the LSTM h is what is perturbed, its cell c held: what reaches back along c is in it from the step on that wrote it.
 */
import { declare, type Engine, type Executable, type Matrix } from '../engine/engine.ts';
import { Recorder } from '../engine/recorder.ts';
import { zero } from '../inference/evaluator.ts';
import type { LanguageModel, StreamState } from '../model/language-model.ts';
import { recordLoss } from '../model/loss.ts';
import type { ParameterLayout } from '../model/parameters.ts';
import type { IdSequence } from '../text/id-sequence.ts';

/** Windows read side by side. */
const BATCH = 8;

/** Symbols that a window has before its lags, so that even the first of these starts from a state in use, not from zero. */
const WARM_UP = 50;

/** Quartiles over the windows, [lags] each: k = 0 is 1. NaN where no window tells: numbers there are beyond the engine's. */
export interface Quartiles {
  readonly lower: readonly number[];
  readonly median: readonly number[];
  readonly upper: readonly number[];
}

export interface GradientFlow {
  /** The lags are k = 0 … lags − 1. */
  readonly lags: number;
  /** Windows that were read, evenly spread over the text. */
  readonly windows: number;
  /** From the bottom up: ‖∂L_t/∂h_{t−k}‖ / ‖∂L_t/∂h_t‖ of the layer's h. */
  readonly layers: readonly Quartiles[];
}

/** How much is measured. */
export interface FlowOptions {
  /** Lags, at least 1; fewer where the text is too short for them. */
  readonly lags: number;
  /** Windows, at least 1; fewer where the text has not so many. */
  readonly windows: number;
}

/** How a text is cut into windows. */
interface Cut {
  /** Steps of a window; the last `lags` of them are measured. */
  readonly steps: number;
  readonly lags: number;
  /** The first symbol of each window. */
  readonly starts: readonly number[];
}

/**
 * Cuts a text of `length` symbols. Every window needs one symbol more than it has steps, the target.
 * @throws RangeError for fewer than 2 symbols
 */
export function cutWindows(length: number, options: FlowOptions): Cut {
  if (length < 2) throw new RangeError('a gradient needs a text of at least 2 symbols');
  const lags = Math.min(options.lags, length - 1);
  const steps = Math.min(lags + WARM_UP, length - 1);
  const last = length - 1 - steps;
  const count = Math.min(options.windows, last + 1);
  const starts = Array.from({ length: count }, (_, i) =>
    count === 1 ? last : Math.round((i * last) / (count - 1)),
  );
  return { steps, lags, starts };
}

/** Measures the gradients of one model on one text. */
export class GradientFlowMeter {
  readonly #engine: Engine;
  readonly #ids: IdSequence;
  readonly #cut: Cut;
  readonly #executable: Executable;
  readonly #inputs: Matrix;
  readonly #targets: Matrix;
  readonly #state: StreamState;
  /** Per layer [(steps+1)·B, H]: ∂L_t/∂h of step s in block s + 1. */
  readonly #hidden: readonly Matrix[];

  /**
   * Records the pass. The weights are read where they lie: later changes are seen.
   * @throws RangeError for a text of fewer than 2 symbols
   */
  constructor(engine: Engine, model: LanguageModel, ids: IdSequence, cut: FlowOptions) {
    this.#engine = engine;
    this.#ids = ids;
    this.#cut = cutWindows(ids.length, cut);
    const { steps, starts } = this.#cut;
    const B = Math.min(BATCH, starts.length);
    const recorder = new Recorder('gradient flow');
    this.#inputs = declare('flow.ids', 'input', steps * B, 1, 'i32');
    this.#targets = declare('flow.targets', 'input', steps * B, 1, 'i32');
    this.#state = model.declareState(B);
    // The weights' own gradients come with the pass; nobody reads them.
    const gradient = declare('flow.gradient', 'state', 1, model.layout.length);
    const { logits, backward } = model.recordForward(recorder, { ids: this.#inputs, state: this.#state });
    const losses = recorder.temporary('losses', steps * B, 1);
    recordLoss(recorder, 'cross-entropy', {
      losses,
      logits,
      targets: this.#targets,
      gradient: logits,
      scale: 1,
    });
    this.#hidden = backward(logits, model.layout.views(gradient)).hidden.map((input, l) => {
      const out = declare(`flow.hidden_l${l}`, 'state', input.rows, input.columns);
      recorder.add('copy', { out, input });
      return out;
    });
    this.#executable = engine.prepare(recorder.finish());
  }

  /**
   * @param options.onProgress is told how many of how many windows are done
   * @param options.signal ends the measurement early
   * @throws the signal's reason when it is aborted; CharloomError IO if the text is on a disk that fails
   */
  async measure(
    options: { onProgress?: (windows: number, total: number) => void; signal?: AbortSignal } = {},
  ): Promise<GradientFlow> {
    const { steps, lags, starts } = this.#cut;
    const B = this.#state[0]![0]!.rows;
    /** By layer and lag: the ratios of all windows. */
    const ratios = this.#hidden.map(() => Array.from({ length: lags }, (): number[] => []));
    for (let first = 0; first < starts.length; first += B) {
      options.signal?.throwIfAborted();
      const batch = starts.slice(first, first + B);
      await this.#run(batch);
      for (const [l, hidden] of this.#hidden.entries()) {
        const values = await this.#engine.read(hidden);
        for (let b = 0; b < batch.length; b++) {
          const norm = (k: number): number => rowNorm(values, (steps - k) * B + b, hidden.columns);
          for (let k = 0; k < lags; k++) ratios[l]![k]!.push(norm(k) / norm(0));
        }
      }
      options.onProgress?.(first + batch.length, starts.length);
    }
    return { lags, windows: starts.length, layers: ratios.map(quartilesOf) };
  }

  /** Reads the windows that start at these symbols, at most B of them, and goes back through them. */
  async #run(starts: readonly number[]): Promise<void> {
    const { steps } = this.#cut;
    const B = this.#state[0]![0]!.rows;
    const inputs = new Int32Array(steps * B);
    const targets = new Int32Array(steps * B).fill(-1); // −1: no target
    const window = new Int32Array(steps + 1);
    for (const [b, start] of starts.entries()) {
      this.#ids.read(start, window);
      for (let t = 0; t < steps; t++) inputs[t * B + b] = window[t]!;
      targets[(steps - 1) * B + b] = window[steps]!;
    }
    this.#engine.write(this.#inputs, inputs);
    this.#engine.write(this.#targets, targets);
    zero(this.#engine, this.#state.flat());
    await this.#executable.run();
  }
}

/** ‖row‖₂. The squares of all that float32 holds are well inside of the numbers of JavaScript. */
function rowNorm(values: Float32Array | Float64Array, row: number, columns: number): number {
  let sum = 0;
  for (let i = row * columns; i < (row + 1) * columns; i++) sum += values[i]! * values[i]!;
  return Math.sqrt(sum);
}

/** @param ratios per lag, those of all windows; what is no number tells nothing */
function quartilesOf(ratios: readonly (readonly number[])[]): Quartiles {
  const sorted = ratios.map((values) => values.filter(Number.isFinite).sort((a, b) => a - b));
  const at = (fraction: number): number[] => sorted.map((values) => quantile(values, fraction));
  return { lower: at(0.25), median: at(0.5), upper: at(0.75) };
}

/** Between neighbours linearly; NaN of nothing. */
function quantile(sorted: readonly number[], fraction: number): number {
  if (sorted.length === 0) return Number.NaN;
  const place = fraction * (sorted.length - 1);
  const below = Math.floor(place);
  const low = sorted[below]!;
  return low + (place - below) * ((sorted[below + 1] ?? low) - low);
}

/** The first lag at which the norm has fallen to `factor` (below 1) or grown to it (above 1); undefined if it never does. */
export function lagOf(factor: number, norms: readonly number[]): number | undefined {
  const k = norms.findIndex((norm) => (factor < 1 ? norm <= factor : norm >= factor));
  return k < 0 ? undefined : k;
}

/**
 * `weights` with the recurrent matrices multiplied by `gain`. Those of a new network, of each gate, are orthogonal, so that the
 * gain is their only singular value, by which Pascanu, Mikolov & Bengio (2013) tell vanishing from exploding.
 */
export function withGain(weights: Float32Array, layout: ParameterLayout, gain: number): Float32Array {
  const scaled = weights.slice();
  for (const { name, rows, columns, offset } of layout.entries) {
    if (!name.includes('weight_hh')) continue;
    for (let i = offset; i < offset + rows * columns; i++) scaled[i]! *= gain;
  }
  return scaled;
}
