/** What a training run tells the world; `train --json` prints each as one line, `metrics.jsonl` keeps them. */

export interface StepEvent {
  readonly event: 'step';
  readonly step: number;
  /** Passes over the training text so far, e.g. 1.25. */
  readonly epoch: number;
  /** Mean training loss of the step, nats per character (or the squared error). */
  readonly loss: number;
  readonly learningRate: number;
  /** Global norm before clipping. */
  readonly gradientNorm: number;
  readonly charactersPerSecond: number;
  /** Fraction of the budget used, and the seconds left at the present speed. */
  readonly progress: number;
  readonly secondsLeft: number;
}

/** The figures of an evaluation. */
export interface Validation {
  readonly step: number;
  /** Nats per character. */
  readonly crossEntropy: number;
  readonly bitsPerCharacter: number;
  readonly perplexity: number;
  /** Running mean of the training loss, for comparison. */
  readonly trainingLoss: number | null;
}

export interface EvalEvent extends Validation {
  readonly event: 'eval';
  readonly split: 'validation';
  /** Whether it is the lowest cross-entropy of the run so far. */
  readonly best: boolean;
}

export interface SampleEvent {
  readonly event: 'sample';
  readonly step: number;
  readonly text: string;
}

export interface CheckpointEvent {
  readonly event: 'checkpoint';
  readonly step: number;
  readonly path: string;
}

export interface WarningEvent {
  readonly event: 'warning';
  readonly step: number;
  readonly message: string;
}

/** The run diverged, and went back to an earlier state with a lower learning rate. */
export interface RollbackEvent {
  readonly event: 'rollback';
  /** Where it goes on: the step of the latest checkpoint, 0 if there is none. */
  readonly step: number;
  /** Where it diverged, and what was not finite. */
  readonly divergedAt: number;
  readonly reason: string;
  /** How often the run has gone back so far, and the factor of its learning rate from now on. */
  readonly rollbacks: number;
  readonly learningRateFactor: number;
}

export type DoneReason = 'epochs' | 'steps' | 'minutes' | 'interrupted';

export interface DoneEvent {
  readonly event: 'done';
  readonly step: number;
  /** Which budget ended the run, or that it was interrupted. */
  readonly reason: DoneReason;
  /** Training time, over all sessions of the run. */
  readonly seconds: number;
  readonly characters: number;
  /** The best evaluation, if there was any. */
  readonly best: Best | null;
}

export interface Best {
  readonly step: number;
  readonly crossEntropy: number;
}

export type TrainingEvent =
  | StepEvent
  | EvalEvent
  | SampleEvent
  | CheckpointEvent
  | WarningEvent
  | RollbackEvent
  | DoneEvent;
