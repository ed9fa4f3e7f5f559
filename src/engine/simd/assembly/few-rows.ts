/**
 * out [rows, columns] = A·B (+ bias) (+ out) for very few rows, as in sampling. Every weight is used `rows`
 * times only, so packing would cost more than the product: B is read as it lies, once, at the speed of memory. Only the
 * columns from `first` on, `count` of them, are computed.
 */
import { loadLanes, storeLanes } from './lanes';

/** B given as b [columns, depth]: dot products, the rows of four columns at a time. */
export function fewRowsTransposed(
  out: usize,
  a: usize,
  b: usize,
  bias: usize,
  accumulate: bool,
  rows: i32,
  columns: i32,
  depth: i32,
  first: i32,
  count: i32,
): void {
  const stride = (depth as usize) << 2;
  b += (first as usize) * stride;
  for (let j = first; j < first + count; j += 4) {
    const lanes = first + count - j;
    const at = (j as usize) << 2;
    // Where fewer than four columns are left, the last one stands in for the others.
    const b1 = lanes > 1 ? b + stride : b;
    const b2 = lanes > 2 ? b1 + stride : b1;
    const b3 = lanes > 3 ? b2 + stride : b2;
    for (let i = 0; i < rows; i++) {
      const sums = dotProducts(a + (i as usize) * stride, b, b1, b2, b3, depth);
      finish(out + (((i * columns) as usize) << 2) + at, sums, bias ? bias + at : 0, accumulate, lanes);
    }
    b += 4 * stride;
  }
}

/** [a·b0, a·b1, a·b2, a·b3] */
function dotProducts(a: usize, b0: usize, b1: usize, b2: usize, b3: usize, depth: i32): v128 {
  let s0 = f32x4.splat(0);
  let s1 = s0;
  let s2 = s0;
  let s3 = s0;
  const end = a + (((depth & ~3) as usize) << 2);
  while (a !== end) {
    const x = v128.load(a);
    s0 = f32x4.add(s0, f32x4.mul(x, v128.load(b0)));
    s1 = f32x4.add(s1, f32x4.mul(x, v128.load(b1)));
    s2 = f32x4.add(s2, f32x4.mul(x, v128.load(b2)));
    s3 = f32x4.add(s3, f32x4.mul(x, v128.load(b3)));
    a += 16;
    b0 += 16;
    b1 += 16;
    b2 += 16;
    b3 += 16;
  }
  const lanes = depth & 3;
  if (lanes) {
    const x = loadLanes(a, lanes);
    s0 = f32x4.add(s0, f32x4.mul(x, loadLanes(b0, lanes)));
    s1 = f32x4.add(s1, f32x4.mul(x, loadLanes(b1, lanes)));
    s2 = f32x4.add(s2, f32x4.mul(x, loadLanes(b2, lanes)));
    s3 = f32x4.add(s3, f32x4.mul(x, loadLanes(b3, lanes)));
  }
  // Transpose and add: lane n of the result is the sum of the lanes of sn.
  const low01 = v128.shuffle<i32>(s0, s1, 0, 4, 1, 5);
  const high01 = v128.shuffle<i32>(s0, s1, 2, 6, 3, 7);
  const low23 = v128.shuffle<i32>(s2, s3, 0, 4, 1, 5);
  const high23 = v128.shuffle<i32>(s2, s3, 2, 6, 3, 7);
  const half01 = f32x4.add(low01, high01);
  const half23 = f32x4.add(low23, high23);
  return f32x4.add(v128.shuffle<i64>(half01, half23, 0, 2), v128.shuffle<i64>(half01, half23, 1, 3));
}

/** B given as b [depth, columns]: its rows, times the elements of A, are added up 16 columns at a time. */
export function fewRows(
  out: usize,
  a: usize,
  b: usize,
  bias: usize,
  accumulate: bool,
  rows: i32,
  columns: i32,
  depth: i32,
  first: i32,
  count: i32,
): void {
  const stride = (columns as usize) << 2;
  for (let i = 0; i < rows; i++) {
    let j = first;
    for (; j + 16 <= first + count; j += 16) {
      const at = (j as usize) << 2;
      let s0 = f32x4.splat(0);
      let s1 = s0;
      let s2 = s0;
      let s3 = s0;
      let from = b + at;
      for (let k = 0; k < depth; k++) {
        const x = v128.load32_splat(a + ((k as usize) << 2));
        s0 = f32x4.add(s0, f32x4.mul(x, v128.load(from)));
        s1 = f32x4.add(s1, f32x4.mul(x, v128.load(from, 16)));
        s2 = f32x4.add(s2, f32x4.mul(x, v128.load(from, 32)));
        s3 = f32x4.add(s3, f32x4.mul(x, v128.load(from, 48)));
        from += stride;
      }
      finish(out + at, s0, bias ? bias + at : 0, accumulate, 4);
      finish(out + at + 16, s1, bias ? bias + at + 16 : 0, accumulate, 4);
      finish(out + at + 32, s2, bias ? bias + at + 32 : 0, accumulate, 4);
      finish(out + at + 48, s3, bias ? bias + at + 48 : 0, accumulate, 4);
    }
    for (; j < first + count; j += 4) {
      const at = (j as usize) << 2;
      const lanes = first + count - j;
      let sum = f32x4.splat(0);
      let from = b + at;
      for (let k = 0; k < depth; k++) {
        const x = v128.load32_splat(a + ((k as usize) << 2));
        sum = f32x4.add(sum, f32x4.mul(x, loadLanes(from, lanes)));
        from += stride;
      }
      finish(out + at, sum, bias ? bias + at : 0, accumulate, lanes);
    }
    a += (depth as usize) << 2;
    out += stride;
  }
}

function finish(out: usize, sums: v128, bias: usize, accumulate: bool, lanes: i32): void {
  if (bias !== 0) sums = f32x4.add(sums, loadLanes(bias, lanes));
  if (accumulate) sums = f32x4.add(sums, loadLanes(out, lanes));
  storeLanes(out, sums, lanes);
}
