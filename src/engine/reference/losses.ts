/** Losses on the softmax of the logits, with their gradients. */
import type { Bound, Kernels } from './operand.ts';

type LossOperation = 'softmaxCrossEntropy' | 'softmaxSquaredError';

/**
 * Walks the rows that have a target: hands the row's probabilities p, ln Σ exp(logits) − logit[target] and the
 * target to `loss`, which returns the loss of the row and fills `p` with the gradient (before `scale`).
 */
function eachRow(
  { losses, logits, targets, gradient, scale }: Bound<LossOperation>,
  loss: (p: Float64Array, surprise: number, target: number) => number,
): void {
  const V = logits.columns;
  for (let r = 0; r < logits.rows; r++) {
    const target = targets.data[r]!;
    if (target < 0) {
      losses.data[r] = 0;
      gradient?.data.fill(0, r * V, (r + 1) * V);
      continue;
    }
    const row = (logits.data as Float64Array).subarray(r * V, (r + 1) * V);
    const likeliest = row.reduce((best, x, v) => (x > row[best]! ? v : best), 0);
    const max = row[likeliest]!;
    const p = Float64Array.from(row, (x) => Math.exp(x - max));
    // exp(max − max) is 1; the sum of the others apart keeps the digits of a loss near 0.
    let others = 0;
    for (let v = 0; v < V; v++) if (v !== likeliest) others += p[v]!;
    for (let v = 0; v < V; v++) p[v]! /= 1 + others;
    losses.data[r] = loss(p, Math.log1p(others) + (max - row[target]!), target);
    if (gradient) for (let v = 0; v < V; v++) gradient.data[r * V + v] = scale * p[v]!;
  }
}

export const lossKernels: Kernels<LossOperation> = {
  softmaxCrossEntropy(operands) {
    eachRow(operands, (p, surprise, target) => {
      p[target]! -= 1;
      return surprise;
    });
  },

  // with e = p − onehot: L = Σ e², ∂L/∂logit_v = 2 p_v (e_v − Σ_u p_u e_u)
  softmaxSquaredError(operands) {
    eachRow(operands, (p, _surprise, target) => {
      let loss = 0;
      let mean = 0;
      for (let v = 0; v < p.length; v++) {
        const e = p[v]! - (v === target ? 1 : 0);
        loss += e * e;
        mean += p[v]! * e;
      }
      for (let v = 0; v < p.length; v++) p[v] = 2 * p[v]! * (p[v]! - (v === target ? 1 : 0) - mean);
      return loss;
    });
  },
};
