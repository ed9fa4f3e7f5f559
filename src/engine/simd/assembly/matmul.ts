/**
 * out [rows, columns] = A·B (+ bias) (+ out), on packed operands.
 *
 * For a block of 256 rows and 256 steps of depth, A is packed into tiles (260 KiB, which stay in the second
 * cache); then each panel of B (8 KiB, which stay in the first) meets every tile. The sum of one element runs
 * through its depth block in order, and the blocks' sums are added in order: no split of the rows can change
 * its bits, and rounding errors grow with the block, not with the whole depth.
 */

import { beside, unroll } from './lanes';
import { BLOCK_DEPTH, BLOCK_ROWS, TILE_COLUMNS, TILE_ROWS } from './layout';
import { PANEL_STEP, packTiles, packTilesTransposed, panelBlockBytes, TILE_BYTES, TILE_STEP } from './pack';
import { finishRow, rowProduct } from './row-product';

/** Steps of depth in a turn of the inner loop. */
const TURN: usize = 16;

/**
 * Computes the panels of 8 columns from `firstPanel` on, `panelCount` of them; `out`, `panels` and `bias` are those of all.
 *
 * @param a first element of A [rows, depth] or, if `transposed`, of aᵀ [depth, rows]
 * @param stride bytes from one row of `a` to the next
 * @param panels B as `packPanels` leaves it
 * @param bias [1, columns], or 0 for none
 * @param accumulate whether the product is added to what `out` holds
 * @param tiles room for a packed block of A (BLOCK_BYTES)
 */
export function matmul(
  out: usize,
  a: usize,
  stride: usize,
  transposed: bool,
  panels: usize,
  bias: usize,
  accumulate: bool,
  rows: i32,
  columns: i32,
  depth: i32,
  firstPanel: i32,
  panelCount: i32,
  tiles: usize,
): void {
  const outStride = (columns as usize) << 2;
  const firstColumn = firstPanel * TILE_COLUMNS;
  const endColumn = min(columns, (firstPanel + panelCount) * TILE_COLUMNS);
  for (let i = 0; i < rows; i += BLOCK_ROWS) {
    const blockRows = min(BLOCK_ROWS, rows - i);
    const fullRows = blockRows - (blockRows % TILE_ROWS);
    const outRows = out + (i as usize) * outStride;
    let blockPanels = panels;
    for (let k = 0; k < depth; k += BLOCK_DEPTH) {
      const blockDepth = min(BLOCK_DEPTH, depth - k);
      const across: usize = transposed ? 4 : stride; // from one row of A to the next
      const along: usize = transposed ? stride : 4; // from one step of depth to the next
      const block = a + (i as usize) * across + (k as usize) * along;
      if (transposed) packTilesTransposed(tiles, block, stride, fullRows, blockDepth);
      else packTiles(tiles, block, stride, fullRows, blockDepth);
      const firstDepth = k === 0;
      const add = accumulate || !firstDepth;
      const panelBytes = (blockDepth as usize) * PANEL_STEP;
      const firstBlockPanel = blockPanels + (firstPanel as usize) * panelBytes;
      if (fullRows > 0) {
        let panel = firstBlockPanel;
        for (let j = firstColumn; j < endColumn; j += TILE_COLUMNS) {
          const at = (j as usize) << 2;
          const biasAt = firstDepth && bias !== 0 ? bias + at : 0;
          panelProduct(
            outRows + at,
            outStride,
            tiles,
            panel,
            biasAt,
            add,
            fullRows,
            endColumn - j,
            blockDepth,
          );
          panel += panelBytes;
        }
      }
      for (let row = fullRows; row < blockRows; row++) {
        const at = (firstColumn as usize) << 2;
        const outRow = outRows + (row as usize) * outStride + at;
        const from = block + (row as usize) * across;
        const biasAt = firstDepth && bias !== 0 ? bias + at : 0;
        rowProduct(outRow, from, along, firstBlockPanel, biasAt, add, endColumn - firstColumn, blockDepth);
      }
      blockPanels += panelBlockBytes(blockDepth, columns);
    }
  }
}

/**
 * All tiles of a block of A times one panel of B: 8 columns (or `columns`, if fewer are left) of the output. A tile is 4 rows
 * by 8 columns in registers: 8 sums, 2 vectors of B, 4 elements of A. (Not a function of its own: V8 would call it, which
 * takes a tenth of the time of 32 steps.)
 */
function panelProduct(
  out: usize,
  stride: usize,
  tile: usize,
  panel: usize,
  bias: usize,
  accumulate: bool,
  rows: i32,
  columns: i32,
  depth: i32,
): void {
  for (let i = 0; i < rows; i += TILE_ROWS, out += (TILE_ROWS as usize) * stride, tile += TILE_BYTES) {
    let a = tile;
    let b = panel;
    let s00 = f32x4.splat(0);
    let s01 = s00;
    let s10 = s00;
    let s11 = s00;
    let s20 = s00;
    let s21 = s00;
    let s30 = s00;
    let s31 = s00;
    // Many steps a turn, since a turn costs instructions of its own; an exit after each, without which the compiler moves the
    // loads of all of them to the front, where they would not fit into the registers.
    const end = a + (depth as usize) * TILE_STEP;
    for (let step: usize = 0; a !== end; step = (step + 1) % unroll(TURN)) {
      const b0 = v128.load(b, step * PANEL_STEP);
      const b1 = v128.load(b, step * PANEL_STEP + 16);
      const x0 = v128.load32_splat(a);
      const x1 = v128.load32_splat(a, 4);
      const x2 = v128.load32_splat(a, 8);
      const x3 = v128.load32_splat(a, 12);
      let left = f32x4.add(s00, f32x4.mul(x0, b0));
      let right = f32x4.add(s01, f32x4.mul(x0, b1));
      s00 = beside(left, right);
      s01 = beside(right, left);
      left = f32x4.add(s10, f32x4.mul(x1, b0));
      right = f32x4.add(s11, f32x4.mul(x1, b1));
      s10 = beside(left, right);
      s11 = beside(right, left);
      left = f32x4.add(s20, f32x4.mul(x2, b0));
      right = f32x4.add(s21, f32x4.mul(x2, b1));
      s20 = beside(left, right);
      s21 = beside(right, left);
      left = f32x4.add(s30, f32x4.mul(x3, b0));
      right = f32x4.add(s31, f32x4.mul(x3, b1));
      s30 = beside(left, right);
      s31 = beside(right, left);
      a += TILE_STEP;
      if (step === TURN - 1) b += TURN * PANEL_STEP;
    }
    if (columns < TILE_COLUMNS) {
      finishRow(out, s00, s01, bias, accumulate, columns);
      finishRow(out + stride, s10, s11, bias, accumulate, columns);
      finishRow(out + 2 * stride, s20, s21, bias, accumulate, columns);
      finishRow(out + 3 * stride, s30, s31, bias, accumulate, columns);
      continue;
    }
    const out1 = out + stride;
    const out2 = out1 + stride;
    const out3 = out2 + stride;
    if (bias !== 0) {
      const b0 = v128.load(bias);
      const b1 = v128.load(bias, 16);
      s00 = f32x4.add(s00, b0);
      s01 = f32x4.add(s01, b1);
      s10 = f32x4.add(s10, b0);
      s11 = f32x4.add(s11, b1);
      s20 = f32x4.add(s20, b0);
      s21 = f32x4.add(s21, b1);
      s30 = f32x4.add(s30, b0);
      s31 = f32x4.add(s31, b1);
    }
    if (accumulate) {
      s00 = f32x4.add(s00, v128.load(out));
      s01 = f32x4.add(s01, v128.load(out, 16));
      s10 = f32x4.add(s10, v128.load(out1));
      s11 = f32x4.add(s11, v128.load(out1, 16));
      s20 = f32x4.add(s20, v128.load(out2));
      s21 = f32x4.add(s21, v128.load(out2, 16));
      s30 = f32x4.add(s30, v128.load(out3));
      s31 = f32x4.add(s31, v128.load(out3, 16));
    }
    v128.store(out, s00);
    v128.store(out, s01, 16);
    v128.store(out1, s10);
    v128.store(out1, s11, 16);
    v128.store(out2, s20);
    v128.store(out2, s21, 16);
    v128.store(out3, s30);
    v128.store(out3, s31, 16);
  }
}
