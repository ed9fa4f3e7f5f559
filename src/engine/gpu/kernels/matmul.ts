/**
 * Matrix products. One thread computes four adjacent columns of a row where the width allows it: each value of
 * A is then used four times. `test/bench/gpu-matmul.ts` keeps the table of what else was tried.
 */
import { Matrix, type Operations } from '../../engine.ts';
import type { CommandList } from '../command-list.ts';
import { type Kernel, kernel, type Size, type View, view1d, view2d } from '../commands.ts';
import { sigmoid, tanh } from './arithmetic.ts';

/** From as many rows on it takes less time to transpose B first. */
const MANY_ROWS = 256;

/** Dispatches what `product` describes. Threads side by side read Bᵀ across its rows, so a B that is used often is transposed. */
export function dispatchProduct(
  list: CommandList,
  operands: Omit<Operations['matmul'], 'accumulate'>,
  addend?: View,
  lstmGates = false,
): void {
  let { b, transposeB } = operands;
  if (transposeB && operands.out.rows >= MANY_ROWS) {
    const transposed = new Matrix(list.scratch('transposed', b.length), 0, b.columns, b.rows);
    list.dispatch(transpose, [view2d(b)], view2d(transposed), [b.rows, b.columns]);
    b = transposed;
    transposeB = false;
  }
  const { kernel, inputs, grid } = product(
    { ...operands, b, transposeB: transposeB ?? false },
    addend,
    lstmGates,
  );
  list.dispatch(kernel, inputs, view2d(operands.out), grid);
}

const transpose = kernel('transpose', 'function (b) { return b[this.thread.x][this.thread.y]; }');

export interface Product {
  readonly kernel: Kernel;
  readonly inputs: readonly View[];
  readonly grid: Size;
}

/**
 * out = A·B (+ bias) (+ `addend`), see `Operations.matmul`. With `lstmGates` the columns are the blocks
 * i, f, g, o of an LSTM's gates and leave activated.
 */
export function product(
  { out, a, b, transposeA, transposeB, bias }: Omit<Operations['matmul'], 'accumulate'>,
  addend?: View,
  lstmGates = false,
): Product {
  const N = out.columns;
  const width = N % 4 === 0 ? 4 : 1;
  const names = ['a', 'b', ...(bias ? ['bias'] : []), ...(addend ? ['addend'] : [])];
  const each = (text: (j: number) => string): string =>
    Array.from({ length: width }, (_, j) => text(j)).join('\n');
  // Indices stand inline: a variable would become a float, and every index a conversion.
  const column = (j: number): string => (width === 1 ? 'this.thread.x' : `this.thread.x * 4 + ${j}`);
  const aValue = transposeA ? 'a[k][this.thread.y]' : 'a[this.thread.y][k]';
  const bValue = (j: number): string => (transposeB ? `b[${column(j)}][k]` : `b[k][${column(j)}]`);
  const start = (j: number): string =>
    [
      ...(bias ? [`bias[${column(j)}]`] : []),
      ...(addend ? [`addend[this.thread.y][${column(j)}]`] : []),
    ].join(' + ') || '0';
  const activate = (j: number): string =>
    `if (${column(j)} >= this.constants.H * 2 && ${column(j)} < this.constants.H * 3) { s${j} = ${tanh(`s${j}`)}; } else { s${j} = ${sigmoid(`s${j}`)}; }`;
  const source = `function (${names.join(', ')}) {
    ${each((j) => `let s${j} = ${start(j)};`)}
    for (let k = 0; k < this.constants.K; k++) {
      const av = ${aValue};
      ${each((j) => `s${j} += av * ${bValue(j)};`)}
    }
    ${lstmGates ? each(activate) : ''}
    return ${width === 1 ? 's0' : '[s0, s1, s2, s3]'};
  }`;
  const sizes = { K: transposeA ? a.rows : a.columns, ...(lstmGates && { H: N / 4 }) };
  return {
    kernel: kernel('matmul', source, sizes, {}, width),
    inputs: [view2d(a), view2d(b), ...(bias ? [view1d(bias)] : []), ...(addend ? [addend] : [])],
    grid: [N / width, out.rows],
  };
}
