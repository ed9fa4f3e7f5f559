/** Moving data, and the sums over it. */

import { SUM_BLOCK } from '../../commands/opcodes';
import { loadLanes, storeLanes } from './lanes';
import { refuse } from './threads';

export function fill(out: usize, length: i32, value: f32): void {
  const values = f32x4.splat(value);
  for (let i = 0; i < length; i += 4) storeLanes(out + ((i as usize) << 2), values, length - i);
}

/** out[r, :] = input[r, :] · scale[r]; a scale of 0 gives 0 even where the input is not finite. */
export function scaleRows(out: usize, input: usize, scale: usize, rows: i32, columns: i32): void {
  const bytes = (columns as usize) << 2;
  for (let row = 0; row < rows; row++) {
    const factor = load<f32>(scale + ((row as usize) << 2));
    if (factor === 0) fill(out, columns, 0);
    else {
      const factors = f32x4.splat(factor);
      for (let j = 0; j < columns; j += 4) {
        const at = (j as usize) << 2;
        const lanes = columns - j;
        storeLanes(out + at, f32x4.mul(loadLanes(input + at, lanes), factors), lanes);
      }
    }
    out += bytes;
    input += bytes;
  }
}

/** out[index[0], :] = input; out [rows, columns]. Refuses an index out of range. */
export function storeRow(out: usize, index: usize, input: usize, rows: i32, columns: i32): void {
  const given = load<i32>(index);
  const row = (given as u32) < (rows as u32) ? given : refuse();
  const bytes = (columns as usize) << 2;
  memory.copy(out + (row as usize) * bytes, input, bytes);
}

/**
 * out[0, c] = Σ_r input[r, c], for the columns from `first` on, `count` of them; `out` is the first of these. Rows are
 * added in groups of four, the groups in order.
 */
export function sumRows(out: usize, input: usize, rows: i32, columns: i32, first: i32, count: i32): void {
  const stride = (columns as usize) << 2;
  input += (first as usize) << 2;
  fill(out, count, 0);
  for (let r = 0; r < rows; r += 4) {
    const group = rows - r;
    for (let j = 0; j < count; j += 4) {
      const lanes = count - j;
      const at = (j as usize) << 2;
      const from = input + at;
      let sum = loadLanes(from, lanes);
      if (group > 1) sum = f32x4.add(sum, loadLanes(from + stride, lanes));
      if (group > 2) {
        let pair = loadLanes(from + 2 * stride, lanes);
        if (group > 3) pair = f32x4.add(pair, loadLanes(from + 3 * stride, lanes));
        sum = f32x4.add(sum, pair);
      }
      storeLanes(out + at, f32x4.add(loadLanes(out + at, lanes), sum), lanes);
    }
    input += 4 * stride;
  }
}

/**
 * Sums of the blocks (SUM_BLOCK elements) from number `first` on, `count` of them, in float64; `sums` and `input` are
 * those of the first. `length` is that of all blocks.
 */
export function sumBlocks(sums: usize, input: usize, length: i32, first: i32, count: i32): void {
  for (let block = 0; block < count; block++) {
    const sum = blockSum(input, min(SUM_BLOCK, length - (first + block) * SUM_BLOCK));
    store<f64>(sums + ((block as usize) << 3), sum);
    input += SUM_BLOCK << 2;
  }
}

/** The same with the squares of the elements, which fit into float64 with room to spare. */
export function squareBlocks(sums: usize, input: usize, length: i32, first: i32, count: i32): void {
  for (let block = 0; block < count; block++) {
    const sum = blockSumOfSquares(input, min(SUM_BLOCK, length - (first + block) * SUM_BLOCK));
    store<f64>(sums + ((block as usize) << 3), sum);
    input += SUM_BLOCK << 2;
  }
}

/** out = scale · the sum of the blocks' sums */
export function finishSum(out: usize, sums: usize, blocks: i32, scale: f64): void {
  store<f32>(out, (total(sums, blocks) * scale) as f32);
}

/** out = the root of the sum of the blocks' sums */
export function finishNorm(out: usize, sums: usize, blocks: i32): void {
  store<f32>(out, Math.sqrt(total(sums, blocks)) as f32);
}

function total(sums: usize, blocks: i32): f64 {
  let total: f64 = 0;
  for (let block = 0; block < blocks; block++) total += load<f64>(sums + ((block as usize) << 3));
  return total;
}

function blockSum(input: usize, length: i32): f64 {
  let low = f64x2.splat(0);
  let high = low;
  for (let i = 0; i < length; i += 4) {
    const x = loadLanes(input + ((i as usize) << 2), length - i);
    low = f64x2.add(low, f64x2.promote_low_f32x4(x));
    high = f64x2.add(high, f64x2.promote_low_f32x4(v128.shuffle<i64>(x, x, 1, 0)));
  }
  const both = f64x2.add(low, high);
  return f64x2.extract_lane(both, 0) + f64x2.extract_lane(both, 1);
}

function blockSumOfSquares(input: usize, length: i32): f64 {
  let low = f64x2.splat(0);
  let high = low;
  for (let i = 0; i < length; i += 4) {
    const x = loadLanes(input + ((i as usize) << 2), length - i);
    const x01 = f64x2.promote_low_f32x4(x);
    const x23 = f64x2.promote_low_f32x4(v128.shuffle<i64>(x, x, 1, 0));
    low = f64x2.add(low, f64x2.mul(x01, x01));
    high = f64x2.add(high, f64x2.mul(x23, x23));
  }
  const both = f64x2.add(low, high);
  return f64x2.extract_lane(both, 0) + f64x2.extract_lane(both, 1);
}
