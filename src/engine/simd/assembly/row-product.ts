/** One row of A times packed panels of B: the rows that do not fill a tile of `matmul.ts`, and all of a single text. */
import { loadLanes, storeLanes } from './lanes';
import { TILE_COLUMNS } from './layout';
import { PANEL_STEP } from './pack';

/**
 * The panels of `columns` columns from the first on, three at a time. The row's elements lie `step` bytes apart, from `a`
 * on: they are read once for every three panels, which is less than packing them would take. A sum runs through its terms
 * in the same order as in a tile.
 */
export function rowProduct(
  out: usize,
  a: usize,
  step: usize,
  panel: usize,
  bias: usize,
  accumulate: bool,
  columns: i32,
  depth: i32,
): void {
  const panelBytes = (depth as usize) * PANEL_STEP;
  for (let left = columns; left > 0; left -= 3 * TILE_COLUMNS) {
    rowTimesThreePanels(out, a, step, panel, panelBytes, bias, accumulate, left);
    panel += 3 * panelBytes;
    out += 3 * PANEL_STEP;
    if (bias !== 0) bias += 3 * PANEL_STEP;
  }
}

/**
 * 1 row by 24 columns, or as many as are left: so many sums hide the time that an addition takes, and fewer would take no
 * less. Eight steps a turn are a quarter faster than two; for the exits between them see `tileProduct`.
 */
function rowTimesThreePanels(
  out: usize,
  a: usize,
  step: usize,
  p0: usize,
  panelBytes: usize,
  bias: usize,
  accumulate: bool,
  columns: i32,
): void {
  let s00 = f32x4.splat(0);
  let s01 = s00;
  let s10 = s00;
  let s11 = s00;
  let s20 = s00;
  let s21 = s00;
  const end = p0 + panelBytes;
  // In place of a panel that is not there, one that is; its sums are not written.
  let p1 = columns > TILE_COLUMNS ? end : p0;
  let p2 = columns > 2 * TILE_COLUMNS ? end + panelBytes : p0;
  while (true) {
    let x = v128.load32_splat(a);
    s00 = f32x4.add(s00, f32x4.mul(x, v128.load(p0)));
    s01 = f32x4.add(s01, f32x4.mul(x, v128.load(p0, 16)));
    s10 = f32x4.add(s10, f32x4.mul(x, v128.load(p1)));
    s11 = f32x4.add(s11, f32x4.mul(x, v128.load(p1, 16)));
    s20 = f32x4.add(s20, f32x4.mul(x, v128.load(p2)));
    s21 = f32x4.add(s21, f32x4.mul(x, v128.load(p2, 16)));
    a += step;
    if (p0 + PANEL_STEP === end) break;
    x = v128.load32_splat(a);
    s00 = f32x4.add(s00, f32x4.mul(x, v128.load(p0, 32)));
    s01 = f32x4.add(s01, f32x4.mul(x, v128.load(p0, 48)));
    s10 = f32x4.add(s10, f32x4.mul(x, v128.load(p1, 32)));
    s11 = f32x4.add(s11, f32x4.mul(x, v128.load(p1, 48)));
    s20 = f32x4.add(s20, f32x4.mul(x, v128.load(p2, 32)));
    s21 = f32x4.add(s21, f32x4.mul(x, v128.load(p2, 48)));
    a += step;
    if (p0 + 2 * PANEL_STEP === end) break;
    x = v128.load32_splat(a);
    s00 = f32x4.add(s00, f32x4.mul(x, v128.load(p0, 64)));
    s01 = f32x4.add(s01, f32x4.mul(x, v128.load(p0, 80)));
    s10 = f32x4.add(s10, f32x4.mul(x, v128.load(p1, 64)));
    s11 = f32x4.add(s11, f32x4.mul(x, v128.load(p1, 80)));
    s20 = f32x4.add(s20, f32x4.mul(x, v128.load(p2, 64)));
    s21 = f32x4.add(s21, f32x4.mul(x, v128.load(p2, 80)));
    a += step;
    if (p0 + 3 * PANEL_STEP === end) break;
    x = v128.load32_splat(a);
    s00 = f32x4.add(s00, f32x4.mul(x, v128.load(p0, 96)));
    s01 = f32x4.add(s01, f32x4.mul(x, v128.load(p0, 112)));
    s10 = f32x4.add(s10, f32x4.mul(x, v128.load(p1, 96)));
    s11 = f32x4.add(s11, f32x4.mul(x, v128.load(p1, 112)));
    s20 = f32x4.add(s20, f32x4.mul(x, v128.load(p2, 96)));
    s21 = f32x4.add(s21, f32x4.mul(x, v128.load(p2, 112)));
    a += step;
    if (p0 + 4 * PANEL_STEP === end) break;
    x = v128.load32_splat(a);
    s00 = f32x4.add(s00, f32x4.mul(x, v128.load(p0, 128)));
    s01 = f32x4.add(s01, f32x4.mul(x, v128.load(p0, 144)));
    s10 = f32x4.add(s10, f32x4.mul(x, v128.load(p1, 128)));
    s11 = f32x4.add(s11, f32x4.mul(x, v128.load(p1, 144)));
    s20 = f32x4.add(s20, f32x4.mul(x, v128.load(p2, 128)));
    s21 = f32x4.add(s21, f32x4.mul(x, v128.load(p2, 144)));
    a += step;
    if (p0 + 5 * PANEL_STEP === end) break;
    x = v128.load32_splat(a);
    s00 = f32x4.add(s00, f32x4.mul(x, v128.load(p0, 160)));
    s01 = f32x4.add(s01, f32x4.mul(x, v128.load(p0, 176)));
    s10 = f32x4.add(s10, f32x4.mul(x, v128.load(p1, 160)));
    s11 = f32x4.add(s11, f32x4.mul(x, v128.load(p1, 176)));
    s20 = f32x4.add(s20, f32x4.mul(x, v128.load(p2, 160)));
    s21 = f32x4.add(s21, f32x4.mul(x, v128.load(p2, 176)));
    a += step;
    if (p0 + 6 * PANEL_STEP === end) break;
    x = v128.load32_splat(a);
    s00 = f32x4.add(s00, f32x4.mul(x, v128.load(p0, 192)));
    s01 = f32x4.add(s01, f32x4.mul(x, v128.load(p0, 208)));
    s10 = f32x4.add(s10, f32x4.mul(x, v128.load(p1, 192)));
    s11 = f32x4.add(s11, f32x4.mul(x, v128.load(p1, 208)));
    s20 = f32x4.add(s20, f32x4.mul(x, v128.load(p2, 192)));
    s21 = f32x4.add(s21, f32x4.mul(x, v128.load(p2, 208)));
    a += step;
    if (p0 + 7 * PANEL_STEP === end) break;
    x = v128.load32_splat(a);
    s00 = f32x4.add(s00, f32x4.mul(x, v128.load(p0, 224)));
    s01 = f32x4.add(s01, f32x4.mul(x, v128.load(p0, 240)));
    s10 = f32x4.add(s10, f32x4.mul(x, v128.load(p1, 224)));
    s11 = f32x4.add(s11, f32x4.mul(x, v128.load(p1, 240)));
    s20 = f32x4.add(s20, f32x4.mul(x, v128.load(p2, 224)));
    s21 = f32x4.add(s21, f32x4.mul(x, v128.load(p2, 240)));
    a += step;
    p0 += 8 * PANEL_STEP;
    p1 += 8 * PANEL_STEP;
    p2 += 8 * PANEL_STEP;
    if (p0 === end) break;
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
