/** Moving data, products and sums, token ids to vectors, dropout. */
import { dropoutKeeps } from '../engine.ts';
import type { Kernels, Operand } from './operand.ts';

type MatrixOperation =
  | 'fill'
  | 'copy'
  | 'scaleRows'
  | 'storeRow'
  | 'matmul'
  | 'sumRows'
  | 'sum'
  | 'norm'
  | 'gather'
  | 'gatherGradient'
  | 'dropout';

/** Element (row, column) of a matrix or of its transpose. */
function at(matrix: Operand, transposed: boolean | undefined, row: number, column: number): number {
  return transposed
    ? matrix.data[column * matrix.columns + row]!
    : matrix.data[row * matrix.columns + column]!;
}

export const matrixKernels: Kernels<MatrixOperation> = {
  fill({ out, value }) {
    out.data.fill(value);
  },

  copy({ out, input }) {
    out.data.set(input.data);
  },

  scaleRows({ out, input, scale }) {
    for (let r = 0; r < out.rows; r++) {
      const s = scale.data[r]!;
      for (let c = 0; c < out.columns; c++) {
        const i = r * out.columns + c;
        out.data[i] = s === 0 ? 0 : input.data[i]! * s;
      }
    }
  },

  storeRow({ out, row, input }) {
    out.data.set(input.data, row.data[0]! * out.columns);
  },

  matmul({ out, a, b, transposeA, transposeB, accumulate, bias }) {
    const inner = transposeA ? a.rows : a.columns;
    for (let r = 0; r < out.rows; r++) {
      for (let c = 0; c < out.columns; c++) {
        let sum = accumulate ? out.data[r * out.columns + c]! : 0;
        if (bias) sum += bias.data[c]!;
        for (let k = 0; k < inner; k++) sum += at(a, transposeA, r, k) * at(b, transposeB, k, c);
        out.data[r * out.columns + c] = sum;
      }
    }
  },

  sumRows({ out, input }) {
    out.data.fill(0);
    for (let r = 0; r < input.rows; r++) {
      for (let c = 0; c < input.columns; c++) out.data[c]! += input.data[r * input.columns + c]!;
    }
  },

  sum({ out, input, scale }) {
    let total = 0;
    for (const x of input.data) total += x;
    out.data[0] = scale * total;
  },

  norm({ out, input }) {
    let total = 0;
    for (const x of input.data) total += x * x;
    out.data[0] = Math.sqrt(total);
  },

  gather({ out, table, ids, transpose, bias }) {
    for (let r = 0; r < out.rows; r++) {
      for (let c = 0; c < out.columns; c++) {
        out.data[r * out.columns + c] = at(table, transpose, ids.data[r]!, c) + (bias ? bias.data[c]! : 0);
      }
    }
  },

  gatherGradient({ out, ids, gradient, transpose }) {
    out.data.fill(0);
    for (let r = 0; r < gradient.rows; r++) {
      for (let c = 0; c < gradient.columns; c++) {
        const i = transpose ? c * out.columns + ids.data[r]! : ids.data[r]! * out.columns + c;
        out.data[i]! += gradient.data[r * gradient.columns + c]!;
      }
    }
  },

  dropout({ out, input, seed, stream, rate }) {
    const scale = 1 / (1 - rate);
    for (let r = 0; r < out.rows; r++) {
      for (let c = 0; c < out.columns; c++) {
        const i = r * out.columns + c;
        out.data[i] = dropoutKeeps(seed.data[0]!, stream, r, c, rate) ? input.data[i]! * scale : 0;
      }
    }
  },
};
