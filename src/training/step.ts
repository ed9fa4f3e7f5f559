/** One training step as a recorded program: forward, loss, BPTT, clipping, update. */
import { declare, type Engine, Matrix, type Program } from '../engine/engine.ts';
import { Recorder } from '../engine/recorder.ts';
import type { LanguageModel, StreamState } from '../model/language-model.ts';
import { recordLoss } from '../model/loss.ts';
import type { TrainingConfig } from './config.ts';
import type { Optimizer } from './optimizer.ts';

/** Steps whose loss and gradient norm wait on the device before the host must read them. */
export const HISTORY_ROWS = 64;
/** The host reads them, and lets the event loop turn, at least this often. */
export const FLUSH_MILLISECONDS = 50;

export interface TrainingStep {
  readonly program: Program;
  /** [T·B, 1] i32 inputs: token ids and the ids that follow them. */
  readonly ids: Matrix;
  readonly targets: Matrix;
  /** [B, 1] input: 1 carries a stream's state over from the last step, 0 starts it from zero. */
  readonly keep: Matrix;
  /** [1, 1] i32 inputs: dropout seed; row of `history` to fill. */
  readonly dropoutSeed: Matrix;
  readonly historyRow: Matrix;
  /** [1, 3] input: the optimizer's; see `Optimizer.ratesAt`. */
  readonly rates: Matrix;
  /** [HISTORY_ROWS, 2]: mean loss and gradient norm (before clipping) of a step. */
  readonly history: Matrix;
  /** The carried state of the B streams. */
  readonly state: StreamState;
}

/** Records the training step of `model`, with the inputs that the host fills in before each replay. */
export function recordTrainingStep(
  model: LanguageModel,
  { batchSize: B, sequenceLength: T, loss }: TrainingConfig,
  optimizer: Optimizer,
): TrainingStep {
  const recorder = new Recorder('training step');
  const rows = T * B;
  const ids = declare('ids', 'input', rows, 1, 'i32');
  const targets = declare('targets', 'input', rows, 1, 'i32');
  const keep = declare('keep', 'input', B, 1);
  const dropoutSeed = declare('dropoutSeed', 'input', 1, 1, 'i32');
  const historyRow = declare('historyRow', 'input', 1, 1, 'i32');
  const history = declare('history', 'state', HISTORY_ROWS, 2);
  // A state, not a temporary: the padding between weights is never written and must stay zero for the norm.
  const gradient = declare('gradient', 'state', 1, model.layout.length);
  const state = model.declareState(B);

  const { logits, backward } = model.recordForward(recorder, { ids, state, keep, dropoutSeed });
  const losses = recorder.temporary('losses', rows, 1);
  recordLoss(recorder, loss, { losses, logits, targets, gradient: logits, scale: 1 / rows });
  backward(logits, model.layout.views(gradient));

  const lossAndNorm = recorder.temporary('lossAndNorm', 2, 1);
  const norm = lossAndNorm.slice(1, 1);
  recorder.add('sum', { out: lossAndNorm.slice(0, 1), input: losses, scale: 1 / rows });
  recorder.add('norm', { out: norm, input: gradient });
  recorder.add('storeRow', {
    out: history,
    row: historyRow,
    input: new Matrix(lossAndNorm.tensor, 0, 1, 2),
  });
  optimizer.record(recorder, gradient, norm);

  return {
    program: recorder.finish(),
    ids,
    targets,
    keep,
    dropoutSeed,
    historyRow,
    rates: optimizer.rates,
    history,
    state,
  };
}

/** The values of the inputs of one step, each shaped as the matrix of its name in `TrainingStep`. */
export interface StepInputs {
  readonly ids: Int32Array;
  readonly targets: Int32Array;
  readonly keep: Float32Array;
  readonly dropoutSeed: number;
  readonly historyRow: number;
  readonly rates: readonly number[];
}

/** Hands the inputs of the next replay to the engine. */
export function writeInputs(engine: Engine, step: TrainingStep, inputs: StepInputs): void {
  engine.write(step.ids, inputs.ids);
  engine.write(step.targets, inputs.targets);
  engine.write(step.keep, inputs.keep);
  engine.write(step.dropoutSeed, [inputs.dropoutSeed]);
  engine.write(step.historyRow, [inputs.historyRow]);
  engine.write(step.rates, inputs.rates);
}
