/** What the model's tests share: one batch of declared tensors, programs over them, and how to compare numbers. */
import assert from 'node:assert/strict';
import { declare, type Matrix, type Program } from '../../src/engine/engine.ts';
import { Recorder } from '../../src/engine/recorder.ts';
import type { LanguageModel, StreamState } from '../../src/model/language-model.ts';
import { type LossName, recordLoss } from '../../src/model/loss.ts';

/** Inputs and results of T steps of B streams; the results are copied to where `Engine.read` may read them. */
export interface Batch {
  readonly ids: Matrix;
  readonly targets: Matrix;
  readonly dropoutSeed: Matrix;
  /** [B, 1] */
  readonly keep: Matrix;
  readonly state: StreamState;
  /** [T·B, V] */
  readonly logits: Matrix;
  /** [T·B, 1] */
  readonly losses: Matrix;
  /** [1, 1] */
  readonly loss: Matrix;
  /** Flat, as the weights. */
  readonly gradients: Matrix;
  /** ∂L/∂(initial state), shaped as the state. */
  readonly stateGradients: StreamState;
}

export function declareBatch(model: LanguageModel, T: number, B: number): Batch {
  const R = T * B;
  return {
    ids: declare('ids', 'input', R, 1, 'i32'),
    targets: declare('targets', 'input', R, 1, 'i32'),
    dropoutSeed: declare('dropoutSeed', 'input', 1, 1, 'i32'),
    keep: declare('keep', 'input', B, 1),
    state: model.declareState(B),
    logits: declare('logits', 'state', R, model.config.vocabulary),
    losses: declare('losses', 'state', R, 1),
    loss: declare('loss', 'state', 1, 1),
    gradients: declare('gradients', 'state', 1, model.layout.length),
    stateGradients: model.declareState(B),
  };
}

export interface Settings {
  readonly loss: LossName;
  /** What the sum of the losses is multiplied by: 1 / (number of targets) makes it their mean. */
  readonly scale: number;
  readonly dropout?: boolean;
  readonly keep?: boolean;
  readonly lag?: number;
  /** Default: true. */
  readonly backward?: boolean;
}

/** Records logits, losses and (with `backward`) all gradients of one batch; more can be recorded after it. */
export function recordBatch(
  recorder: Recorder,
  model: LanguageModel,
  batch: Batch,
  settings: Settings,
): void {
  const { ids, targets, state, losses } = batch;
  const { scale, loss } = settings;
  const forward = model.recordForward(recorder, {
    ids,
    state,
    ...(settings.dropout && { dropoutSeed: batch.dropoutSeed }),
    ...(settings.keep && { keep: batch.keep }),
    ...(settings.lag && { lag: settings.lag }),
  });
  const { logits } = forward;
  recorder.add('copy', { out: batch.logits, input: logits });
  if (settings.backward === false) {
    recordLoss(recorder, loss, { losses, logits, targets, scale });
  } else {
    recordLoss(recorder, loss, { losses, logits, targets, gradient: logits, scale });
    const { initialState } = forward.backward(logits, model.layout.views(batch.gradients));
    initialState.flat().forEach((input, i) => {
      recorder.add('copy', { out: batch.stateGradients.flat()[i]!, input });
    });
  }
  recorder.add('sum', { out: batch.loss, input: losses, scale });
}

export function batchProgram(model: LanguageModel, batch: Batch, settings: Settings): Program {
  const recorder = new Recorder('batch');
  recordBatch(recorder, model, batch, settings);
  return recorder.finish();
}

type Numbers = ArrayLike<number>;

const norm = (values: Numbers): number => Math.hypot(...Array.from(values));

/** ‖actual − expected‖ / max(‖actual‖, ‖expected‖), Euclidean; 0 where both are 0. */
export function relativeError(actual: Numbers, expected: Numbers): number {
  assert.equal(actual.length, expected.length);
  const difference = Array.from(actual, (value, i) => value - expected[i]!);
  return norm(difference) / (Math.max(norm(actual), norm(expected)) || 1);
}

/** Asserts that `relativeError` is at most `tolerance` (NaN is not), and returns it. */
export function assertClose(actual: Numbers, expected: Numbers, tolerance: number, what: string): number {
  const error = relativeError(actual, expected);
  assert.ok(error <= tolerance, `${what}: relative error ${error}, allowed is ${tolerance}`);
  return error;
}
