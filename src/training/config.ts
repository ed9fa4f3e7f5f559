/** How a model is trained: every setting but the model's shape. Stored in `config.json`. */
import { type Check, checkFields, choice, integer, number, type Origin, positive } from '../fields.ts';
import { LOSSES, type LossName } from '../model/loss.ts';
import { MAX_SEED } from '../random.ts';

export const OPTIMIZERS = ['adam', 'adamw', 'rmsprop', 'sgd'] as const;
export const SCHEDULES = ['constant', 'linear', 'cosine', 'step'] as const;
export type OptimizerName = (typeof OPTIMIZERS)[number];
export type ScheduleName = (typeof SCHEDULES)[number];

export interface TrainingConfig {
  /** B, parallel streams. */
  readonly batchSize: number;
  /** T, steps of truncated backpropagation through time. */
  readonly sequenceLength: number;
  /** Budgets, totals from the start of the run; the first one reached ends it. 0 means no such budget. */
  readonly epochs: number;
  readonly steps: number;
  readonly minutes: number;
  readonly optimizer: OptimizerName;
  readonly learningRate: number;
  readonly schedule: ScheduleName;
  /** Steps over which the learning rate rises linearly from 0. */
  readonly warmup: number;
  /** Schedule `step`: the factor per epoch, and the epochs before the first decay. */
  readonly decayRate: number;
  readonly decayAfter: number;
  /** Largest global norm of the gradient; 0 does not clip. */
  readonly clipNorm: number;
  readonly weightDecay: number;
  readonly loss: LossName;
  /** Probability, per stream and step, of starting afresh from the zero state. */
  readonly resetProbability: number;
  /** Steps between evaluations, and between samples; 0 means never. */
  readonly evalEvery: number;
  readonly sampleEvery: number;
  /** Steps between checkpoints, beside those at each new best and at the end; 0 means only these. */
  readonly checkpointEvery: number;
  /** How often a run that diverges goes back to what was saved last, each time with half the learning rate; then it fails. */
  readonly rollbacks: number;
  readonly seed: number;
}

const CHECKS: { readonly [K in keyof TrainingConfig]: Check } = {
  batchSize: integer(1, 65536),
  sequenceLength: integer(1, 65536),
  epochs: number(0, 1e9),
  steps: integer(0, 2 ** 31 - 1),
  minutes: number(0, 1e9),
  optimizer: choice(OPTIMIZERS),
  learningRate: positive(1e6),
  schedule: choice(SCHEDULES),
  warmup: integer(0, 2 ** 31 - 1),
  decayRate: positive(1),
  decayAfter: number(0, 1e9),
  clipNorm: number(0, 1e9),
  weightDecay: number(0, 1000),
  loss: choice(LOSSES),
  resetProbability: number(0, 1),
  evalEvery: integer(0, 2 ** 31 - 1),
  sampleEvery: integer(0, 2 ** 31 - 1),
  checkpointEvery: integer(0, 2 ** 31 - 1),
  rollbacks: integer(0, 100),
  seed: integer(0, MAX_SEED),
};

/** @throws CharloomError naming the first field that is not what it must be */
export function checkTrainingConfig(value: unknown, origin: Origin): TrainingConfig {
  return checkFields<TrainingConfig>(value, CHECKS, origin);
}
