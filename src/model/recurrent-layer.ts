/**
 * One recurrent layer over time: the time loop and its reverse, backpropagation through time (Werbos 1990),
 * once for all cells.
 *
 * The input projection of many steps is one product before their loop, and each weight gradient one product
 * after the reverse loop; only W_hh h_{t-1} has to wait its turn.
 */
import type { Matrix } from '../engine/engine.ts';
import type { Recorder } from '../engine/recorder.ts';
import type { Cell } from './cells/cell.ts';
import {
  type LayerInput,
  recordProjection,
  recordProjectionBackward,
  sliceInput,
} from './input-projection.ts';
import type { Weights } from './parameters.ts';

export interface RecurrentLayer {
  /** h_1..h_T, [T·B, H]. */
  readonly output: Matrix;
  /** The cell's states after each step, [T·B, H] each, in the order of `cell.states`; the first is `output`. */
  readonly states: readonly Matrix[];
  /**
   * The gates of each step, side by side, [T·B, G·H], until the backward pass: activated (LSTM i, f, g, o; GRU r, z, n), the
   * textbook RNN's one "gate" as preactivation.
   */
  readonly gates: Matrix;
  /**
   * Records W_ih x_t + b_ih of the steps [start, start + count), from an input that is recorded up to there; with the first
   * step, also the reading of the carried states.
   */
  project(start: number, count: number): void;
  /** Records these steps themselves; with the last step, also the writing of the carried states. */
  advance(start: number, count: number): void;
  /** Records BPTT, after all steps. @returns ∂L/∂(initial states) */
  backward(gradients: LayerGradients): readonly Matrix[];
}

export interface LayerGradients {
  /** Gradients of the weights, by the same names. */
  readonly weights: Weights;
  /** [(T+1)·B, H]: ∂L/∂h_t from above in block t+1. Block 0 and what flows through time are added here. */
  readonly hidden: Matrix;
  /** Where ∂L/∂input goes, [T·B, W]; none if the input is token ids. */
  readonly input?: Matrix;
}

export interface LayerOptions {
  readonly recorder: Recorder;
  readonly cell: Cell;
  /** Its number, from 0 at the bottom on: part of the names of its weights. */
  readonly l: number;
  readonly weights: Weights;
  readonly input: LayerInput;
  /** Steps. */
  readonly T: number;
  /** Streams of text side by side. */
  readonly B: number;
  /** Hidden units. */
  readonly H: number;
  /** The carried states [B, H] in the order of `cell.states`: read at the start, overwritten with those after step T−1. */
  readonly states: readonly Matrix[];
  /** [B, 1]: what each stream's initial state is multiplied by (0 starts it afresh); without it, all are kept. */
  readonly keep?: Matrix | undefined;
}

/** One layer over T steps of B streams, to be recorded some consecutive steps at a time, or all at once. */
export function recurrentLayer(options: LayerOptions): RecurrentLayer {
  const { recorder, cell, l, weights, input, T, B, H, states, keep } = options;
  const sequences = cell.states.map((name) => recorder.temporary(`${name}_l${l}`, (T + 1) * B, H));
  const inputWeight = weights(`rnn.weight_ih_l${l}`);
  const steps = cell.unroll({
    recorder,
    T,
    B,
    H,
    hiddenWeight: weights(`rnn.weight_hh_l${l}`),
    hiddenBias: weights(`rnn.bias_hh_l${l}`),
    states: sequences,
  });

  const hidden = sequences[0]!;
  return {
    output: hidden.slice(B, T * B),
    states: sequences.map((sequence) => sequence.slice(B, T * B)),
    gates: steps.inputGates,

    project(start, count) {
      const rows = [start * B, count * B] as const;
      const gates = steps.inputGates.slice(...rows);
      recordProjection(
        recorder,
        gates,
        sliceInput(input, ...rows),
        inputWeight,
        weights(`rnn.bias_ih_l${l}`),
      );
      if (start > 0) return;
      sequences.forEach((sequence, i) => {
        const initial = { out: sequence.slice(0, B), input: states[i]! };
        if (keep) recorder.add('scaleRows', { ...initial, scale: keep });
        else recorder.add('copy', initial);
      });
    },

    advance(start, count) {
      for (let t = start; t < start + count; t++) steps.forward(t);
      if (start + count < T) return;
      sequences.forEach((sequence, i) => {
        recorder.add('copy', { out: states[i]!, input: sequence.slice(T * B, B) });
      });
    },

    backward(gradients) {
      recorder.add('fill', { out: gradients.hidden.slice(0, B), value: 0 });
      const { backward, inputGates, hiddenGates, initialStates } = steps.startBackward(gradients.hidden);
      for (let t = T - 1; t >= 0; t--) backward(t);

      recorder.add('matmul', {
        out: gradients.weights(`rnn.weight_hh_l${l}`),
        a: hiddenGates,
        b: hidden.slice(0, T * B),
        transposeA: true,
      });
      const inputBias = gradients.weights(`rnn.bias_ih_l${l}`);
      const hiddenBias = gradients.weights(`rnn.bias_hh_l${l}`);
      recorder.add('sumRows', { out: inputBias, input: inputGates });
      if (hiddenGates === inputGates) recorder.add('copy', { out: hiddenBias, input: inputBias });
      else recorder.add('sumRows', { out: hiddenBias, input: hiddenGates });
      recordProjectionBackward(
        recorder,
        inputGates,
        input,
        inputWeight,
        gradients.weights(`rnn.weight_ih_l${l}`),
        gradients.input,
      );
      return initialStates;
    },
  };
}
