/**
 * Token ids to vectors and back. A table holds its vectors in its rows or, as W_ih does for one-hot input, in
 * its columns. An id outside of the table is refused: a wrong id must not reach memory.
 */
import { fill } from './data';
import { loadLanes, storeLanes } from './lanes';
import { refuse } from './threads';

/** The id of row `row`, in [0, count). */
function idOf(ids: usize, row: i32, count: i32): i32 {
  const id = load<i32>(ids + ((row as usize) << 2));
  return (id as u32) < (count as u32) ? id : refuse();
}

/** out[r, :] = table[ids[r], :] + bias; table [count, width]; bias may be 0 for none. */
export function gatherRows(
  out: usize,
  table: usize,
  ids: usize,
  bias: usize,
  rows: i32,
  count: i32,
  width: i32,
): void {
  const bytes = (width as usize) << 2;
  for (let row = 0; row < rows; row++) {
    const vector = table + (idOf(ids, row, count) as usize) * bytes;
    if (bias !== 0) {
      for (let j = 0; j < width; j += 4) {
        const at = (j as usize) << 2;
        const lanes = width - j;
        storeLanes(out + at, f32x4.add(loadLanes(vector + at, lanes), loadLanes(bias + at, lanes)), lanes);
      }
    } else memory.copy(out, vector, bytes);
    out += bytes;
  }
}

/**
 * out = 0; then, row after row, out[ids[r], :] += gradient[r, :]; out [count, width].
 * Only for the columns from `first` on, `columns` of them.
 */
export function scatterRows(
  out: usize,
  ids: usize,
  gradient: usize,
  rows: i32,
  count: i32,
  width: i32,
  first: i32,
  columns: i32,
): void {
  const bytes = (width as usize) << 2;
  out += (first as usize) << 2;
  gradient += (first as usize) << 2;
  for (let row = 0; row < count; row++) fill(out + (row as usize) * bytes, columns, 0);
  for (let row = 0; row < rows; row++) {
    const vector = out + (idOf(ids, row, count) as usize) * bytes;
    for (let j = 0; j < columns; j += 4) {
      const at = (j as usize) << 2;
      const lanes = columns - j;
      storeLanes(
        vector + at,
        f32x4.add(loadLanes(vector + at, lanes), loadLanes(gradient + at, lanes)),
        lanes,
      );
    }
    gradient += bytes;
  }
}

/**
 * out = 0; then, row after row, out[:, ids[r]] += gradient[r, :]ᵀ; out [width, count].
 * Only for the rows of `out` from `first` on, `outRows` of them; `out` is the first of these.
 */
export function scatterColumns(
  out: usize,
  ids: usize,
  gradient: usize,
  rows: i32,
  count: i32,
  width: i32,
  first: i32,
  outRows: i32,
): void {
  const stride = (count as usize) << 2;
  gradient += (first as usize) << 2;
  memory.fill(out, 0, (outRows as usize) * stride);
  for (let row = 0; row < rows; row++) {
    let to = out + ((idOf(ids, row, count) as usize) << 2);
    for (let j = 0; j < outRows; j++) {
      store<f32>(to, load<f32>(to) + load<f32>(gradient + ((j as usize) << 2)));
      to += stride;
    }
    gradient += (width as usize) << 2;
  }
}
