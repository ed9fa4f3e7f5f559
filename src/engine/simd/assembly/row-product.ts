/** One row of A times packed panels of B: the rows that do not fill a tile of `matmul.ts`, and all of a single text. */
import { loadLanes, storeLanes, unroll } from './lanes';
import { TILE_COLUMNS } from './layout';
import { PANEL_STEP } from './pack';

/** Steps of depth in a turn of the inner loop. */
const TURN: usize = 8;

/**
 * The panels of `columns` columns from the first on, three at a time. The row's elements lie `stride` bytes apart, from `a`
 * on: they are read once for every three panels, which is less than packing them would take. A sum runs through its terms
 * in the same order as in a tile.
 */
export function rowProduct(
  out: usize,
  a: usize,
  stride: usize,
  panel: usize,
  bias: usize,
  accumulate: bool,
  columns: i32,
  depth: i32,
): void {
  const panelBytes = (depth as usize) * PANEL_STEP;
  for (let left = columns; left > 0; left -= 3 * TILE_COLUMNS) {
    rowTimesThreePanels(out, a, stride, panel, bias, accumulate, left, depth);
    panel += 3 * panelBytes;
    out += 3 * PANEL_STEP;
    if (bias !== 0) bias += 3 * PANEL_STEP;
  }
}

/**
 * 1 row by 24 columns, or as many as are left: so many sums hide the time that an addition takes, and fewer would take no
 * less. Eight steps a turn are a quarter faster than two; for the exits between them see `panelProduct` in `matmul.ts`.
 */
function rowTimesThreePanels(
  out: usize,
  a: usize,
  stride: usize,
  p0: usize,
  bias: usize,
  accumulate: bool,
  columns: i32,
  depth: i32,
): void {
  const panelBytes = (depth as usize) * PANEL_STEP;
  let s00 = f32x4.splat(0);
  let s01 = s00;
  let s10 = s00;
  let s11 = s00;
  let s20 = s00;
  let s21 = s00;
  // In place of a panel that is not there, one that is; its sums are not written.
  let p1 = columns > TILE_COLUMNS ? p0 + panelBytes : p0;
  let p2 = columns > 2 * TILE_COLUMNS ? p1 + panelBytes : p0;
  const end = a + (depth as usize) * stride;
  for (let step: usize = 0; a !== end; step = (step + 1) % unroll(TURN)) {
    const x = v128.load32_splat(a);
    s00 = f32x4.add(s00, f32x4.mul(x, v128.load(p0, step * PANEL_STEP)));
    s01 = f32x4.add(s01, f32x4.mul(x, v128.load(p0, step * PANEL_STEP + 16)));
    s10 = f32x4.add(s10, f32x4.mul(x, v128.load(p1, step * PANEL_STEP)));
    s11 = f32x4.add(s11, f32x4.mul(x, v128.load(p1, step * PANEL_STEP + 16)));
    s20 = f32x4.add(s20, f32x4.mul(x, v128.load(p2, step * PANEL_STEP)));
    s21 = f32x4.add(s21, f32x4.mul(x, v128.load(p2, step * PANEL_STEP + 16)));
    a += stride;
    if (step === TURN - 1) {
      p0 += TURN * PANEL_STEP;
      p1 += TURN * PANEL_STEP;
      p2 += TURN * PANEL_STEP;
    }
  }
  finishRow(out, s00, s01, bias, accumulate, columns);
  if (columns <= TILE_COLUMNS) return;
  const bias1 = bias !== 0 ? bias + PANEL_STEP : 0;
  finishRow(out + PANEL_STEP, s10, s11, bias1, accumulate, columns - TILE_COLUMNS);
  if (columns <= 2 * TILE_COLUMNS) return;
  const bias2 = bias !== 0 ? bias + 2 * PANEL_STEP : 0;
  finishRow(out + 2 * PANEL_STEP, s20, s21, bias2, accumulate, columns - 2 * TILE_COLUMNS);
}

/** Writes the sums of one row and 8 columns, or of as many as are left. */
export function finishRow(
  out: usize,
  low: v128,
  high: v128,
  bias: usize,
  accumulate: bool,
  columns: i32,
): void {
  if (bias !== 0) {
    low = f32x4.add(low, loadLanes(bias, columns));
    if (columns > 4) high = f32x4.add(high, loadLanes(bias + 16, columns - 4));
  }
  if (accumulate) {
    low = f32x4.add(low, loadLanes(out, columns));
    if (columns > 4) high = f32x4.add(high, loadLanes(out + 16, columns - 4));
  }
  storeLanes(out, low, columns);
  if (columns > 4) storeLanes(out + 16, high, columns - 4);
}
