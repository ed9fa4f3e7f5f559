/**
 * What the recurrent layer needs from a cell: how many gates it has, which states it carries, and its
 * forward and backward step.
 */
import type { Matrix } from '../../engine/engine.ts';
import type { Recorder } from '../../engine/recorder.ts';
import type { ModelConfig } from '../config.ts';
import { gru } from './gru.ts';
import { lstm } from './lstm.ts';
import { rnn } from './rnn.ts';

/** Sizes and weights of one layer unrolled over T steps of B streams. */
export interface Unrolled {
  readonly recorder: Recorder;
  readonly T: number;
  readonly B: number;
  readonly H: number;
  /** W_hh [gates·H, H] and b_hh [1, gates·H]. */
  readonly hiddenWeight: Matrix;
  readonly hiddenBias: Matrix;
  /** One sequence [(T+1)·B, H] per carried state: block 0 is the state before step 0, block t+1 that after step t. */
  readonly states: readonly Matrix[];
}

/** One layer's steps. The layer calls forward for t = 0..T−1, then (in training) backward for t = T−1..0. */
export interface CellSteps {
  /** [T·B, gates·H]: W_ih x + b_ih, of which the layer has filled step t's rows before the step. */
  readonly inputGates: Matrix;
  /** h_{t-1} (and what else is carried) to h_t. */
  forward(t: number): void;
  /**
   * Starts the backward pass. `hiddenGradient` [(T+1)·B, H] has ∂L/∂h_t from above in block t+1 and zeros in
   * block 0; every backward step adds to block t what flows back through time.
   */
  startBackward(hiddenGradient: Matrix): CellGradients;
}

export interface CellGradients {
  backward(t: number): void;
  /** [T·B, gates·H] gradients with respect to W_ih x + b_ih and to W_hh h + b_hh; one matrix where they agree. */
  readonly inputGates: Matrix;
  readonly hiddenGates: Matrix;
  /** ∂L/∂(initial state) [B, H], in the order of `Cell.states`, valid after the last backward step. */
  readonly initialStates: readonly Matrix[];
}

export interface Cell {
  /** Blocks of H rows in the weights. */
  readonly gates: number;
  /** Names of the carried states; the first is the output h. */
  readonly states: readonly string[];
  unroll(layer: Unrolled): CellSteps;
}

/** The cell that a model is made of. */
export function cellOf(config: Pick<ModelConfig, 'cell' | 'activation'>): Cell {
  switch (config.cell) {
    case 'lstm':
      return lstm;
    case 'gru':
      return gru;
    case 'rnn':
      return rnn(config.activation);
  }
}
