/**
 * The language model: token ids → embedding (or one-hot) → stack of recurrent layers → logits of the next
 * symbol, y_t = W_hy h_t + b_y.
 *
 * Dropout (Srivastava et al. 2014) sits on every non-recurrent connection (Zaremba et al. 2014): after the
 * learned embedding, between layers, and before the head.
 */
import { declare, type Matrix } from '../engine/engine.ts';
import type { Recorder } from '../engine/recorder.ts';
import { type Cell, cellOf } from './cells/cell.ts';
import type { ModelConfig } from './config.ts';
import type { LayerInput } from './input-projection.ts';
import { declareParameters, ParameterLayout, type Weights } from './parameters.ts';
import { type RecurrentLayer, recurrentLayer } from './recurrent-layer.ts';

/** The carried state of B streams: per layer, one matrix [B, H] for each of the cell's states. */
export type StreamState = readonly (readonly Matrix[])[];

export interface ForwardOptions {
  /** [T·B, 1] token ids, time-major. */
  readonly ids: Matrix;
  /** Read as the initial state, overwritten with the final one. Its rows give B. */
  readonly state: StreamState;
  /** [B, 1]: factor on each stream's initial state; see `recurrentLayer`. */
  readonly keep?: Matrix;
  /** [1, 1] i32: draws the dropout masks; without it nothing is dropped. */
  readonly dropoutSeed?: Matrix;
  /**
   * Steps by which each layer is behind the one below it. The layers then are a wavefront: for so many steps, none needs what
   * another one is computing, so that an engine with threads can be in all of them at once. Without it, each layer goes
   * through the whole text before the next one.
   */
  readonly lag?: number;
}

export interface Forward {
  /** [T·B, V] */
  readonly logits: Matrix;
  /** What each layer computed on the way, from the bottom up. */
  readonly layers: readonly Pick<RecurrentLayer, 'states' | 'gates'>[];
  /** Records the whole backward pass: every weight gradient from ∂L/∂logits [T·B, V]. */
  backward(logitsGradient: Matrix, gradients: Weights): Backward;
}

/** Gradients with respect to what is no weight. */
export interface Backward {
  /** ∂L/∂(initial state), shaped as the state. */
  readonly initialState: StreamState;
  /** Per layer [(T+1)·B, H]: ∂L/∂h_t in block t, through all later steps and all layers above; block 0 is the initial state's. */
  readonly hidden: readonly Matrix[];
}

/** A model: its weights, and how its passes are recorded. It holds no numbers; engines do. */
export class LanguageModel {
  readonly config: ModelConfig;
  readonly layout: ParameterLayout;
  /** All weights, flat [1, layout.length]. */
  readonly parameters: Matrix;
  readonly weights: Weights;
  readonly #cell: Cell;

  constructor(config: ModelConfig) {
    this.config = config;
    this.#cell = cellOf(config);
    this.layout = new ParameterLayout(config);
    this.parameters = declareParameters(this.layout);
    this.weights = this.layout.views(this.parameters);
  }

  /** Declares the carried state of `B` streams; it starts at zero. */
  declareState(B: number): StreamState {
    return Array.from({ length: this.config.layers }, (_, l) =>
      this.#cell.states.map((name) => declare(`state.${name}_l${l}`, 'state', B, this.config.hidden)),
    );
  }

  /**
   * Records the forward pass over the ids. T follows from the number of ids and of streams.
   * @throws RangeError for a lag together with dropout, which would drop the same every so many steps
   */
  recordForward(recorder: Recorder, options: ForwardOptions): Forward {
    const { ids, state, keep, dropoutSeed } = options;
    const { layers, hidden: H, embedding: E, vocabulary: V, dropout: rate } = this.config;
    const B = state[0]![0]!.rows;
    const T = ids.rows / B;
    // A single layer waits for no other one.
    const lag = layers > 1 ? (options.lag ?? T) : T;
    if (lag < T && dropoutSeed) throw new RangeError('no dropout with a lag');
    const weights = this.weights;

    // Mask stream 0 is the embedding's, l + 1 that of layer l's output. On a gradient it is its own backward.
    const drop = (stream: number, input: Matrix, inPlace = false): Matrix => {
      if (!dropoutSeed || rate === 0) return input;
      const out = inPlace
        ? input
        : recorder.temporary(`${input.tensor.name}.dropped`, input.rows, input.columns);
      recorder.add('dropout', { out, input, seed: dropoutSeed, stream, rate });
      return out;
    };

    let input: LayerInput = { ids };
    if (E > 0) {
      const embedded = recorder.temporary('embedded', T * B, E);
      recorder.add('gather', { out: embedded, table: weights('embedding.weight'), ids });
      input = { vectors: drop(0, embedded) };
    }

    const stack: RecurrentLayer[] = [];
    let top!: Matrix;
    for (let front = 0; front < T + (layers - 1) * lag; front += lag) {
      const l = stack.length;
      if (l < layers) {
        const cell = this.#cell;
        stack.push(recurrentLayer({ recorder, cell, l, weights, input, T, B, H, states: state[l]!, keep }));
      }
      const active = stack
        .map((layer, i) => ({ layer, start: front - i * lag }))
        .filter(({ start }) => start < T)
        .map(({ layer, start }) => [layer, start, Math.min(lag, T - start)] as const)
        .reverse();
      for (const [layer, start, count] of active) layer.project(start, count);
      for (const [layer, start, count] of active) layer.advance(start, count);
      if (l < layers) {
        top = drop(l + 1, stack[l]!.output);
        input = { vectors: top };
      }
    }

    const logits = recorder.temporary('logits', T * B, V);
    recorder.add('matmul', {
      out: logits,
      a: top,
      b: weights('head.weight'),
      transposeB: true,
      bias: weights('head.bias'),
    });

    return {
      logits,
      layers: stack,

      backward(logitsGradient, gradients) {
        recorder.add('matmul', {
          out: gradients('head.weight'),
          a: logitsGradient,
          b: top,
          transposeA: true,
        });
        recorder.add('sumRows', { out: gradients('head.bias'), input: logitsGradient });

        // ∂L/∂h of layer l, block t+1 from above; the head's gradient enters at the top.
        let hiddenGradient = recorder.temporary(`hiddenGradient_l${layers - 1}`, (T + 1) * B, H);
        recorder.add('matmul', {
          out: hiddenGradient.slice(B, T * B),
          a: logitsGradient,
          b: weights('head.weight'),
        });

        const initialState: (readonly Matrix[])[] = [];
        const hiddenGradients: Matrix[] = [];
        for (let l = layers - 1; l >= 0; l--) {
          const hidden = hiddenGradient;
          drop(l + 1, hidden.slice(B, T * B), true);
          let below: Matrix | undefined;
          if (l > 0) {
            hiddenGradient = recorder.temporary(`hiddenGradient_l${l - 1}`, (T + 1) * B, H);
            below = hiddenGradient.slice(B, T * B);
          } else if (E > 0) {
            below = recorder.temporary('embeddedGradient', T * B, E);
          }
          initialState.unshift(
            stack[l]!.backward({ weights: gradients, hidden, ...(below && { input: below }) }),
          );
          hiddenGradients.unshift(hidden);
          if (l === 0 && below) {
            const gradient = drop(0, below, true);
            recorder.add('gatherGradient', { out: gradients('embedding.weight'), ids, gradient });
          }
        }
        return { initialState, hidden: hiddenGradients };
      },
    };
  }
}
