/** One time step of each cell, forward beside backward. Element (b, j) of a [B, H] matrix is b·H + j. */
import type { Kernels } from './operand.ts';

type CellOperation =
  | 'rnnForward'
  | 'rnnBackward'
  | 'lstmForward'
  | 'lstmBackward'
  | 'gruForward'
  | 'gruBackward';

const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));

export const cellKernels: Kernels<CellOperation> = {
  // h = f(a)
  rnnForward({ hidden, preactivation, activation }) {
    for (let i = 0; i < hidden.data.length; i++) {
      const a = preactivation.data[i]!;
      hidden.data[i] = activation === 'tanh' ? Math.tanh(a) : Math.max(0, a);
    }
  },

  // tanh′ = 1 − h²; relu′ = [h > 0]
  rnnBackward({ preactivationGradient, hidden, hiddenGradient, activation }) {
    for (let i = 0; i < hidden.data.length; i++) {
      const h = hidden.data[i]!;
      const slope = activation === 'tanh' ? 1 - h * h : h > 0 ? 1 : 0;
      preactivationGradient.data[i] = hiddenGradient.data[i]! * slope;
    }
  },

  // c = f·c′ + i·g; h = o·tanh(c)
  lstmForward({ gates, previousCell, cell, hidden }) {
    const H = hidden.columns;
    for (let b = 0; b < hidden.rows; b++) {
      for (let j = 0; j < H; j++) {
        const gate = b * 4 * H + j;
        const i = sigmoid(gates.data[gate]!);
        const f = sigmoid(gates.data[gate + H]!);
        const g = Math.tanh(gates.data[gate + 2 * H]!);
        const o = sigmoid(gates.data[gate + 3 * H]!);
        const c = f * previousCell.data[b * H + j]! + i * g;
        gates.data[gate] = i;
        gates.data[gate + H] = f;
        gates.data[gate + 2 * H] = g;
        gates.data[gate + 3 * H] = o;
        cell.data[b * H + j] = c;
        hidden.data[b * H + j] = o * Math.tanh(c);
      }
    }
  },

  // dc = dc(t+1) + dh·o·(1 − tanh²c); each gate through its own slope; dc′ = dc·f
  lstmBackward({ gates, previousCell, cell, hiddenGradient, cellGradient, gatesGradient }) {
    const H = cell.columns;
    for (let b = 0; b < cell.rows; b++) {
      for (let j = 0; j < H; j++) {
        const gate = b * 4 * H + j;
        const i = gates.data[gate]!;
        const f = gates.data[gate + H]!;
        const g = gates.data[gate + 2 * H]!;
        const o = gates.data[gate + 3 * H]!;
        const tanhC = Math.tanh(cell.data[b * H + j]!);
        const dh = hiddenGradient.data[b * H + j]!;
        const dc = cellGradient.data[b * H + j]! + dh * o * (1 - tanhC * tanhC);
        gatesGradient.data[gate] = dc * g * i * (1 - i);
        gatesGradient.data[gate + H] = dc * previousCell.data[b * H + j]! * f * (1 - f);
        gatesGradient.data[gate + 2 * H] = dc * i * (1 - g * g);
        gatesGradient.data[gate + 3 * H] = dh * tanhC * o * (1 - o);
        cellGradient.data[b * H + j] = dc * f;
      }
    }
  },

  // n = tanh(inₙ + r·hidₙ); h = (1 − z)·n + z·h′
  gruForward({ inputGates, hiddenGates, previousHidden, hidden }) {
    const H = hidden.columns;
    for (let b = 0; b < hidden.rows; b++) {
      for (let j = 0; j < H; j++) {
        const gate = b * 3 * H + j;
        const r = sigmoid(inputGates.data[gate]! + hiddenGates.data[gate]!);
        const z = sigmoid(inputGates.data[gate + H]! + hiddenGates.data[gate + H]!);
        const n = Math.tanh(inputGates.data[gate + 2 * H]! + r * hiddenGates.data[gate + 2 * H]!);
        inputGates.data[gate] = r;
        inputGates.data[gate + H] = z;
        inputGates.data[gate + 2 * H] = n;
        hidden.data[b * H + j] = (1 - z) * n + z * previousHidden.data[b * H + j]!;
      }
    }
  },

  // the input and hidden preactivations share their gradient in r and z; in n the hidden one passes through r
  gruBackward(operands) {
    const { inputGates, hiddenGates, previousHidden, hiddenGradient } = operands;
    const { previousHiddenGradient, inputGatesGradient, hiddenGatesGradient } = operands;
    const H = previousHidden.columns;
    for (let b = 0; b < previousHidden.rows; b++) {
      for (let j = 0; j < H; j++) {
        const gate = b * 3 * H + j;
        const r = inputGates.data[gate]!;
        const z = inputGates.data[gate + H]!;
        const n = inputGates.data[gate + 2 * H]!;
        const dh = hiddenGradient.data[b * H + j]!;
        const dn = dh * (1 - z) * (1 - n * n);
        const dr = dn * hiddenGates.data[gate + 2 * H]! * r * (1 - r);
        const dz = dh * (previousHidden.data[b * H + j]! - n) * z * (1 - z);
        inputGatesGradient.data[gate] = dr;
        inputGatesGradient.data[gate + H] = dz;
        inputGatesGradient.data[gate + 2 * H] = dn;
        hiddenGatesGradient.data[gate] = dr;
        hiddenGatesGradient.data[gate + H] = dz;
        hiddenGatesGradient.data[gate + 2 * H] = dn * r;
        previousHiddenGradient.data[b * H + j]! += dh * z;
      }
    }
  },
};
