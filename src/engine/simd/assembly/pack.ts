/**
 * Packing for the matrix product: the operands are rearranged so that its inner loop reads both of them in
 * one contiguous stream each, whatever their strides were. Missing rows and columns are packed as zeros.
 */

import { loadLanes } from './lanes';
import { BLOCK_DEPTH, TILE_COLUMNS, TILE_ROWS } from './opcodes';

/** Bytes of one depth step of a packed panel of B, and of a packed tile of A. */
export const PANEL_STEP: usize = TILE_COLUMNS * 4;
export const TILE_STEP: usize = TILE_ROWS * 4;

/** Bytes from one packed tile of A to the next: one depth block. */
export const TILE_BYTES: usize = (BLOCK_DEPTH as usize) * TILE_STEP;

/**
 * B [depth, columns] into panels [⌈columns / 8⌉][depth][8]. Four rows at a time: each is read in one stream,
 * and each panel gets two whole cache lines.
 */
export function packPanels(panels: usize, b: usize, depth: i32, columns: i32): void {
  const stride = (columns as usize) << 2;
  const panelBytes = (depth as usize) * PANEL_STEP;
  for (let k = 0; k < depth; k += 4) {
    const steps = min(4, depth - k);
    let panel = panels + (k as usize) * PANEL_STEP;
    for (let j = 0; j < columns; j += TILE_COLUMNS) {
      const lanes = columns - j;
      let from = b + ((j as usize) << 2);
      let to = panel;
      for (let step = 0; step < steps; step++) {
        v128.store(to, loadLanes(from, lanes));
        v128.store(to, lanes > 4 ? loadLanes(from + 16, lanes - 4) : i32x4.splat(0), 16);
        from += stride;
        to += PANEL_STEP;
      }
      panel += panelBytes;
    }
    b += 4 * stride;
  }
}

/** Bᵀ, given as b [columns, depth], into the same panels. */
export function packPanelsTransposed(panels: usize, b: usize, depth: i32, columns: i32): void {
  const stride = (depth as usize) << 2;
  for (let j = 0; j < columns; j += TILE_COLUMNS) {
    const rows = columns - j;
    packRows(panels, PANEL_STEP, b, stride, min(4, rows), depth);
    packRows(panels + 16, PANEL_STEP, b + 4 * stride, stride, min(4, rows - 4), depth);
    panels += (depth as usize) * PANEL_STEP;
    b += (TILE_COLUMNS as usize) * stride;
  }
}

/** A block [rows, depth] of A, whose rows are `stride` bytes apart, into tiles [⌈rows / 4⌉][depth][4]. */
export function packTiles(tiles: usize, a: usize, stride: usize, rows: i32, depth: i32): void {
  for (let i = 0; i < rows; i += TILE_ROWS) {
    packRows(tiles, TILE_STEP, a, stride, min(4, rows - i), depth);
    tiles += TILE_BYTES;
    a += (TILE_ROWS as usize) * stride;
  }
}

/** The same block given as aᵀ [depth, rows], its rows `stride` bytes apart. */
export function packTilesTransposed(tiles: usize, a: usize, stride: usize, rows: i32, depth: i32): void {
  for (let k = 0; k < depth; k += 4) {
    const steps = min(4, depth - k);
    let tile = tiles + (k as usize) * TILE_STEP;
    for (let i = 0; i < rows; i += TILE_ROWS) {
      const lanes = rows - i;
      let from = a + ((i as usize) << 2);
      let to = tile;
      for (let step = 0; step < steps; step++) {
        v128.store(to, loadLanes(from, lanes));
        from += stride;
        to += TILE_STEP;
      }
      tile += TILE_BYTES;
    }
    a += 4 * stride;
  }
}

/** Up to 4 rows of `depth` floats become the 4 lanes of `depth` steps; rows that are not there become 0. */
function packRows(to: usize, step: usize, from: usize, stride: usize, rows: i32, depth: i32): void {
  const zero = i32x4.splat(0);
  for (let k = 0; k < depth; k += 4) {
    const lanes = depth - k;
    const x0 = rows > 0 ? loadLanes(from, lanes) : zero;
    const x1 = rows > 1 ? loadLanes(from + stride, lanes) : zero;
    const x2 = rows > 2 ? loadLanes(from + 2 * stride, lanes) : zero;
    const x3 = rows > 3 ? loadLanes(from + 3 * stride, lanes) : zero;
    const low01 = v128.shuffle<i32>(x0, x1, 0, 4, 1, 5);
    const low23 = v128.shuffle<i32>(x2, x3, 0, 4, 1, 5);
    const high01 = v128.shuffle<i32>(x0, x1, 2, 6, 3, 7);
    const high23 = v128.shuffle<i32>(x2, x3, 2, 6, 3, 7);
    v128.store(to, v128.shuffle<i64>(low01, low23, 0, 2));
    if (lanes > 1) v128.store(to + step, v128.shuffle<i64>(low01, low23, 1, 3));
    if (lanes > 2) v128.store(to + 2 * step, v128.shuffle<i64>(high01, high23, 0, 2));
    if (lanes > 3) v128.store(to + 3 * step, v128.shuffle<i64>(high01, high23, 1, 3));
    from += 16;
    to += 4 * step;
  }
}

/** out [columns, rows] = inputᵀ, input [rows, columns]. */
export function transpose(out: usize, input: usize, rows: i32, columns: i32): void {
  const stride = (rows as usize) << 2;
  for (let r = 0; r < rows; r += 4) {
    const lanes = rows - r;
    let to = out + ((r as usize) << 2);
    if (lanes >= 4) packRows(to, stride, input, (columns as usize) << 2, 4, columns);
    else {
      for (let c = 0; c < columns; c++) {
        for (let lane = 0; lane < lanes; lane++) {
          const from = input + (((lane * columns + c) as usize) << 2);
          store<f32>(to + ((lane as usize) << 2), load<f32>(from));
        }
        to += stride;
      }
    }
    input += 4 * ((columns as usize) << 2);
  }
}
