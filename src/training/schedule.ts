/** The learning rate over the run. */
import type { TrainingConfig } from './config.ts';

/** Linear and cosine schedules end at this fraction of the peak, so that the last steps still learn. */
const FINAL_FRACTION = 0.05;

export interface Progress {
  /** Steps done before this one. */
  readonly step: number;
  /** Epochs begun before this step's; the first epoch is 0. */
  readonly epoch: number;
  /** Fraction of the budget used, in [0, 1]. */
  readonly fraction: number;
}

/**
 * The learning rate of the next step: a linear warm-up, times
 * - `constant`: 1;
 * - `linear`, `cosine` (Loshchilov & Hutter 2017): from 1 down to 0.05 at the end of the budget;
 * - `step`: decayRate per epoch after the first `decayAfter` epochs (char-rnn).
 */
export function learningRateAt(config: TrainingConfig, { step, epoch, fraction }: Progress): number {
  const warmup = Math.min(1, (step + 1) / config.warmup); // 1 without any
  return config.learningRate * warmup * decay(config, epoch, fraction);
}

function decay(config: TrainingConfig, epoch: number, fraction: number): number {
  switch (config.schedule) {
    case 'constant':
      return 1;
    case 'linear':
      return 1 - (1 - FINAL_FRACTION) * fraction;
    case 'cosine':
      return FINAL_FRACTION + (1 - FINAL_FRACTION) * 0.5 * (1 + Math.cos(Math.PI * fraction));
    case 'step':
      return config.decayRate ** Math.max(0, epoch - config.decayAfter + 1);
  }
}
