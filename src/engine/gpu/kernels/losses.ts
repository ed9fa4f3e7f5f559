/**
 * Softmax with a loss. A first kernel reduces each row of logits x to [largest, S], S = Σ e^(x − largest)
 * without the largest itself: apart from the 1 that it adds, so that probabilities near 1 keep the digits of
 * what they lack. A second computes the losses, a third the gradient, a thread for each of its elements.
 */
import { type Kernel, kernel } from '../commands.ts';
import { log1p } from './arithmetic.ts';

/** (logits [R, V]) → [R, 2] */
export function softmaxRows(V: number): Kernel {
  return kernel(
    'softmaxRows',
    `function (logits) {
      let largest = logits[this.thread.x][0];
      for (let v = 1; v < this.constants.V; v++) { largest = Math.max(largest, logits[this.thread.x][v]); }
      let others = 0;
      let ties = 0;
      for (let v = 0; v < this.constants.V; v++) {
        if (logits[this.thread.x][v] === largest) { ties += 1; } else {
          others += Math.exp(logits[this.thread.x][v] - largest);
        }
      }
      return [largest, others + (ties - 1)];
    }`,
    { V },
    {},
    2,
  );
}

/** Statements that declare, for the row `row`, `p` of the target and `rest` = 1 − p. */
const target = (row: string): string => `
      const power = Math.exp(logits[${row}][targets[${row}]] - rows[${row}][0]);
      const all = 1 + rows[${row}][1];
      const p = power / all;
      let rest = (all - power) / all;
      if (power === 1) { rest = rows[${row}][1] / all; }`;

/** (logits [R, V], targets [R], rows [R, 2]) → losses [R] = −ln p[target] */
export const crossEntropyLosses = kernel(
  'crossEntropyLosses',
  `function (logits, targets, rows) {
    if (targets[this.thread.x] < 0) { return 0; }
    const distance = rows[this.thread.x][0] - logits[this.thread.x][targets[this.thread.x]];
    const others = rows[this.thread.x][1];
    ${log1p('log', 'others')}
    return distance + log;
  }`,
);

/** (logits [R, V], targets [R], rows [R, 2]) → scale · (p − onehot) */
export function crossEntropyGradient(scale: number): Kernel {
  return kernel(
    'crossEntropyGradient',
    `function (logits, targets, rows) {
      if (targets[this.thread.y] < 0) { return 0; }
      if (targets[this.thread.y] === this.thread.x) {
        ${target('this.thread.y')}
        return -rest * this.constants.scale;
      }
      const other = Math.exp(logits[this.thread.y][this.thread.x] - rows[this.thread.y][0]);
      return other / (1 + rows[this.thread.y][1]) * this.constants.scale;
    }`,
    {},
    { scale },
  );
}

/** (logits [R, V], targets [R], rows [R, 2]) → losses [R] = Σ (p − onehot)² */
export function squaredErrorLosses(V: number): Kernel {
  return kernel(
    'squaredErrorLosses',
    `function (logits, targets, rows) {
      if (targets[this.thread.x] < 0) { return 0; }
      ${target('this.thread.x')}
      let loss = rest * rest;
      for (let v = 0; v < this.constants.V; v++) {
        if (targets[this.thread.x] !== v) {
          const e = Math.exp(logits[this.thread.x][v] - rows[this.thread.x][0]) / all;
          loss += e * e;
        }
      }
      return loss;
    }`,
    { V },
  );
}

/** (logits [R, V], targets [R], rows [R, 2], losses [R]) → scale · 2 p ⊙ (e − Σ p e), with e = p − onehot */
export function squaredErrorGradient(scale: number): Kernel {
  return kernel(
    'squaredErrorGradient',
    `function (logits, targets, rows, losses) {
      if (targets[this.thread.y] < 0) { return 0; }
      ${target('this.thread.y')}
      const mean = losses[this.thread.y] - rest * rest - p * rest;
      if (targets[this.thread.y] === this.thread.x) { return -2 * this.constants.scale * p * (rest + mean); }
      const other = Math.exp(logits[this.thread.y][this.thread.x] - rows[this.thread.y][0]) / all;
      return 2 * this.constants.scale * other * (other - mean);
    }`,
    {},
    { scale },
  );
}
