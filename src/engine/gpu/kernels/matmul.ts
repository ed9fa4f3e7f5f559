/**
 * Matrix products. One thread computes four adjacent columns of a row where the width allows it: each value of
 * A is then used four times. `test/bench/gpu-matmul.ts` keeps the table of what else was tried.
 */
import type { Operations } from '../../engine.ts';
import { type Kernel, kernel, type Size, type View, view1d, view2d } from '../commands.ts';
import { sigmoid, tanh } from './arithmetic.ts';

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
