/** Optimizer updates; all of them clip, and none of them moves when the gradient norm is not finite. */
import type { Bound, Kernels } from './operand.ts';

type OptimizerOperation = 'adam' | 'rmsprop' | 'sgd';

/** Calls `update` with each index and its clipped gradient. */
function eachGradient(
  { gradient, norm, clipNorm }: Bound<OptimizerOperation>,
  update: (i: number, g: number) => void,
): void {
  const length = norm.data[0]!;
  if (!Number.isFinite(length)) return;
  const clip = clipNorm > 0 ? Math.min(1, clipNorm / (length + 1e-6)) : 1;
  for (let i = 0; i < gradient.data.length; i++) update(i, gradient.data[i]! * clip);
}

export const optimizerKernels: Kernels<OptimizerOperation> = {
  adam(operands) {
    const { parameters, firstMoment, secondMoment, rates } = operands;
    const { weightDecay, decoupled, beta1, beta2, epsilon } = operands;
    const [learningRate, correction1, correction2] = rates.data as Float64Array;
    eachGradient(operands, (i, clipped) => {
      let g = clipped;
      if (decoupled) parameters.data[i]! *= 1 - learningRate! * weightDecay;
      else g += weightDecay * parameters.data[i]!;
      firstMoment.data[i] = beta1 * firstMoment.data[i]! + (1 - beta1) * g;
      secondMoment.data[i] = beta2 * secondMoment.data[i]! + (1 - beta2) * g * g;
      const rootMeanSquare = Math.sqrt(secondMoment.data[i]! / correction2!);
      parameters.data[i]! -=
        (learningRate! * (firstMoment.data[i]! / correction1!)) / (rootMeanSquare + epsilon);
    });
  },

  rmsprop(operands) {
    const { parameters, secondMoment, rates, weightDecay, alpha, epsilon } = operands;
    const learningRate = rates.data[0]!;
    eachGradient(operands, (i, clipped) => {
      const g = clipped + weightDecay * parameters.data[i]!;
      secondMoment.data[i] = alpha * secondMoment.data[i]! + (1 - alpha) * g * g;
      parameters.data[i]! -= (learningRate * g) / (Math.sqrt(secondMoment.data[i]!) + epsilon);
    });
  },

  sgd(operands) {
    const { parameters, velocity, rates, weightDecay, momentum } = operands;
    const learningRate = rates.data[0]!;
    eachGradient(operands, (i, clipped) => {
      velocity.data[i] = momentum * velocity.data[i]! + clipped + weightDecay * parameters.data[i]!;
      parameters.data[i]! -= learningRate * velocity.data[i]!;
    });
  },
};
