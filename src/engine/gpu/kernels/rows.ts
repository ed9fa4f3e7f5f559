/** Moving and scaling rows, token ids to vectors, dropout. A thread computes out[row y][column x]. */
import { DROPOUT_MULTIPLIERS, dropoutThreshold, type Operations } from '../../engine.ts';
import { type Kernel, kernel } from '../commands.ts';

export const fill = (value: number): Kernel =>
  kernel('fill', 'function () { return this.constants.value; }', {}, { value });

/** (input [R, C], scale [R]) */
export const scaleRows = kernel(
  'scaleRows',
  `function (input, scale) {
    if (scale[this.thread.y] === 0) { return 0; }
    return input[this.thread.y][this.thread.x] * scale[this.thread.y];
  }`,
);

/** (old [R, C], row [1], input [C]) */
export const storeRow = kernel(
  'storeRow',
  `function (old, row, input) {
    if (row[0] === this.thread.y) { return input[this.thread.x]; }
    return old[this.thread.y][this.thread.x];
  }`,
);

/** (table, ids [R], bias [C]?) */
export function gather({ transpose, bias }: Operations['gather']): Kernel {
  const value = transpose
    ? 'table[this.thread.x][ids[this.thread.y]]'
    : 'table[ids[this.thread.y]][this.thread.x]';
  return kernel(
    'gather',
    `function (table, ids${bias ? ', bias' : ''}) { return ${value}${bias ? ' + bias[this.thread.x]' : ''}; }`,
  );
}

/** (ids [R], gradient [R, C]) → [parts] sums; every thread looks through the ids of its part, z, for its own. */
export function gatherGradient(
  { ids: { rows: R }, transpose }: Operations['gatherGradient'],
  parts: number,
): Kernel {
  const [id, column] = transpose ? ['x', 'y'] : ['y', 'x'];
  const row = parts === 1 ? 'i' : 'this.thread.z * this.constants.length + i';
  return kernel(
    'gatherGradient',
    `function (ids, gradient) {
      let s = 0;
      for (let i = 0; i < this.constants.length; i++) {
        if (${row} < this.constants.R && ids[${row}] === this.thread.${id}) { s += gradient[${row}][this.thread.${column}]; }
      }
      return s;
    }`,
    { R, length: Math.ceil(R / parts) },
  );
}

/** (input [R, C], seed [1]): the mask of `dropoutKeeps`, with products by powers of two for shifts: unlike
 * divisions, which GPUs approximate, they are exact. */
export function dropout({ stream, rate }: Operations['dropout']): Kernel {
  const low = (x: string): string => `(${x} - Math.floor(${x} * ${1 / 4096}) * 4096)`;
  const rounds = DROPOUT_MULTIPLIERS.map(
    (multiplier, round) => `
      scrambled = right * ${multiplier} + ${round % 2 === 0 ? 'lowKey' : 'highKey'};
      scrambled = ${low('scrambled')};
      mixed = left + Math.floor(scrambled * scrambled * ${1 / 64});
      mixed = ${low('mixed')};
      left = right;
      right = mixed;`,
  ).join('');
  return kernel(
    'dropout',
    `function (input, seed) {
      const row = this.thread.y;
      const column = this.thread.x;
      const rowHigh = Math.floor(row * ${1 / 4096});
      const columnHigh = Math.floor(column * ${1 / 4096});
      const seedHigh = Math.floor(seed[0] * ${1 / 4096});
      const lowKey = seed[0] - seedHigh * 4096 + ${stream * 911};
      const highKey = seedHigh + ${stream * 613} + rowHigh * 157 + columnHigh * 1031;
      let left = row - rowHigh * 4096;
      let right = column - columnHigh * 4096;
      let scrambled = 0.5;
      let mixed = 0.5;
      ${rounds}
      if (left * 4096 + right < this.constants.threshold) { return 0; }
      return input[this.thread.y][this.thread.x] * this.constants.scale;
    }`,
    {},
    { threshold: dropoutThreshold(rate), scale: 1 / (1 - rate) },
  );
}
