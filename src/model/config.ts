/** What a model is: everything that fixes its weights' shapes and its arithmetic. Stored in `config.json`. */
import { type Check, checkFields, choice, integer, number, type Origin } from '../fields.ts';

export const CELLS = ['lstm', 'gru', 'rnn'] as const;
export const ACTIVATIONS = ['tanh', 'relu'] as const;
export type CellName = (typeof CELLS)[number];
export type Activation = (typeof ACTIVATIONS)[number];

export interface ModelConfig {
  readonly cell: CellName;
  /** f of the textbook RNN; LSTM and GRU do not use it. */
  readonly activation: Activation;
  /** L, stacked recurrent layers. */
  readonly layers: number;
  /** H, units per layer. */
  readonly hidden: number;
  /** E, width of the learned embedding; 0 feeds one-hot vectors. */
  readonly embedding: number;
  /** V, symbols including the unknown one. */
  readonly vocabulary: number;
  /** Probability of dropping a unit on every non-recurrent connection, in training only. */
  readonly dropout: number;
}

/** A cell as people call it: LSTM, GRU, textbook RNN (tanh). */
export function cellLabel({ cell, activation }: Pick<ModelConfig, 'cell' | 'activation'>): string {
  return cell === 'rnn' ? `textbook RNN (${activation})` : cell.toUpperCase();
}

/** The sizes are bounded where index arithmetic or memory would fail later and less clearly. */
const CHECKS: { readonly [K in keyof ModelConfig]: Check } = {
  cell: choice(CELLS),
  activation: choice(ACTIVATIONS),
  layers: integer(1, 64),
  hidden: integer(1, 16384),
  embedding: integer(0, 16384),
  vocabulary: integer(2, 2_200_000),
  dropout: number(0, 0.999),
};

/** @throws CharloomError naming the first field that is not what it must be */
export function checkModelConfig(value: unknown, origin: Origin): ModelConfig {
  return checkFields<ModelConfig>(value, CHECKS, origin);
}
