/** The training losses, on the softmax of the logits against the next symbol. */
import type { LossOperands } from '../engine/engine.ts';
import type { Recorder } from '../engine/recorder.ts';

export const LOSSES = ['cross-entropy', 'mse'] as const;
/**
 * `cross-entropy`: −ln p(next symbol), nats. `mse`: the squared error of the probabilities against the one-hot
 * target, summed over the vocabulary (Brier 1950), so that it does not shrink as the vocabulary grows. Both
 * are means over the predictions.
 */
export type LossName = (typeof LOSSES)[number];

/**
 * Records the loss of every row [R, 1], and, if `gradient` [R, V] is given, `scale` times its gradient with
 * respect to the logits (`gradient` may be `logits` itself).
 */
export function recordLoss(recorder: Recorder, loss: LossName, operands: LossOperands): void {
  recorder.add(loss === 'mse' ? 'softmaxSquaredError' : 'softmaxCrossEntropy', operands);
}
