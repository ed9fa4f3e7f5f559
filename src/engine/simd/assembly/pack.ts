/**
 * Packing for the matrix product: the operands are rearranged so that its inner loop reads both of them in
 * one contiguous stream each, whatever their strides were. What stands in the place of missing rows and columns
 * does not matter, since the product does not write them.
 */

import { loadLanes } from './lanes';
import { BLOCK_BYTES, BLOCK_DEPTH, BLOCK_ROWS, TILE_COLUMNS, TILE_ROWS } from './layout';

/** Bytes of one depth step of a packed panel of B, and of a packed tile of A. */
export const PANEL_STEP: usize = TILE_COLUMNS * 4;
export const TILE_STEP: usize = TILE_ROWS * 4;

/**
 * Bytes from one packed tile of A to the next: one depth block, and one cache line more, so that equal places of
 * several tiles do not compete for the same set of a cache.
 */
export const TILE_BYTES: usize = BLOCK_BYTES / (BLOCK_ROWS / TILE_ROWS);

/**
 * B [depth, columns] into panels [depth / 256][⌈columns / 8⌉][256][8]: the panels of one depth block follow each
 * other. Four rows at a time: each is read in one stream, and each panel gets two whole cache lines. Only the panels
 * from number `first` on, `count` of them.
 */
export function packPanels(panels: usize, b: usize, depth: i32, columns: i32, first: i32, count: i32): void {
  const stride = (columns as usize) << 2;
  const end = min(columns, (first + count) * TILE_COLUMNS);
  for (let block = 0; block < depth; block += BLOCK_DEPTH) {
    const steps = min(BLOCK_DEPTH, depth - block);
    for (let k = 0; k < steps; k += 4) {
      const rows = min(4, steps - k);
      let panel = panels + ((first * steps + k) as usize) * PANEL_STEP;
      for (let j = first * TILE_COLUMNS; j < end; j += TILE_COLUMNS) {
        const lanes = columns - j;
        let from = b + ((j as usize) << 2);
        let to = panel;
        for (let row = 0; row < rows; row++) {
          if (lanes >= TILE_COLUMNS) {
            v128.store(to, v128.load(from));
            v128.store(to, v128.load(from, 16), 16);
          } else {
            v128.store(to, loadLanes(from, lanes));
            v128.store(to, lanes > 4 ? loadLanes(from + 16, lanes - 4) : i32x4.splat(0), 16);
          }
          from += stride;
          to += PANEL_STEP;
        }
        panel += (steps as usize) * PANEL_STEP;
      }
      b += (rows as usize) * stride;
    }
    panels += panelBlockBytes(steps, columns);
  }
}

/** Bᵀ, given as b [columns, depth], into the same panels. */
export function packPanelsTransposed(
  panels: usize,
  b: usize,
  depth: i32,
  columns: i32,
  first: i32,
  count: i32,
): void {
  const stride = (depth as usize) << 2;
  const end = min(columns, (first + count) * TILE_COLUMNS);
  for (let block = 0; block < depth; block += BLOCK_DEPTH) {
    const steps = min(BLOCK_DEPTH, depth - block);
    let from = b + ((first * TILE_COLUMNS) as usize) * stride + ((block as usize) << 2);
    let panel = panels + ((first * steps) as usize) * PANEL_STEP;
    for (let j = first * TILE_COLUMNS; j < end; j += TILE_COLUMNS) {
      const rows = columns - j;
      packRows(panel, PANEL_STEP, from, stride, rows, steps);
      if (rows > 4) packRows(panel + 16, PANEL_STEP, from + 4 * stride, stride, rows - 4, steps);
      else packRows(panel + 16, PANEL_STEP, from, stride, rows, steps);
      panel += (steps as usize) * PANEL_STEP;
      from += (TILE_COLUMNS as usize) * stride;
    }
    panels += panelBlockBytes(steps, columns);
  }
}

/** Bytes of all panels of one depth block. */
export function panelBlockBytes(depth: i32, columns: i32): usize {
  return (((columns + TILE_COLUMNS - 1) / TILE_COLUMNS) as usize) * (depth as usize) * PANEL_STEP;
}

/** A block [rows, depth] of A, whose rows are `stride` bytes apart, into tiles [⌈rows / 4⌉][depth][4]. */
export function packTiles(tiles: usize, a: usize, stride: usize, rows: i32, depth: i32): void {
  for (let i = 0; i < rows; i += TILE_ROWS) {
    packRows(tiles, TILE_STEP, a, stride, rows - i, depth);
    tiles += TILE_BYTES;
    a += (TILE_ROWS as usize) * stride;
  }
}

/** The same block given as aᵀ [depth, rows], its rows `stride` bytes apart. */
export function packTilesTransposed(tiles: usize, a: usize, stride: usize, rows: i32, depth: i32): void {
  for (let k = 0; k < depth; k += 4) {
    const steps = min(4, depth - k);
    let tile = tiles + (k as usize) * TILE_STEP;
    let from = a;
    for (let i = 0; i < rows; i += TILE_ROWS) {
      if (steps === 4 && i + TILE_ROWS <= rows) {
        v128.store(tile, v128.load(from));
        v128.store(tile, v128.load(from + stride), 16);
        v128.store(tile, v128.load(from + 2 * stride), 32);
        v128.store(tile, v128.load(from + 3 * stride), 48);
      } else {
        for (let step = 0; step < steps; step++) {
          const row = from + (step as usize) * stride;
          v128.store(tile + (step as usize) * TILE_STEP, loadLanes(row, rows - i));
        }
      }
      tile += TILE_BYTES;
      from += TILE_STEP;
    }
    a += 4 * stride;
  }
}

/**
 * Four rows of `depth` floats become the lanes of `depth` steps. Where fewer than four rows are left, the first one
 * stands in for the others.
 */
function packRows(to: usize, step: usize, from: usize, stride: usize, rows: i32, depth: i32): void {
  let row0 = from;
  let row1 = rows > 1 ? from + stride : from;
  let row2 = rows > 2 ? from + 2 * stride : from;
  let row3 = rows > 3 ? from + 3 * stride : from;
  let k = 0;
  for (; k + 4 <= depth; k += 4) {
    const x0 = v128.load(row0);
    const x1 = v128.load(row1);
    const x2 = v128.load(row2);
    const x3 = v128.load(row3);
    const low01 = v128.shuffle<i32>(x0, x1, 0, 4, 1, 5);
    const low23 = v128.shuffle<i32>(x2, x3, 0, 4, 1, 5);
    const high01 = v128.shuffle<i32>(x0, x1, 2, 6, 3, 7);
    const high23 = v128.shuffle<i32>(x2, x3, 2, 6, 3, 7);
    v128.store(to, v128.shuffle<i64>(low01, low23, 0, 2));
    v128.store(to + step, v128.shuffle<i64>(low01, low23, 1, 3));
    v128.store(to + 2 * step, v128.shuffle<i64>(high01, high23, 0, 2));
    v128.store(to + 3 * step, v128.shuffle<i64>(high01, high23, 1, 3));
    row0 += 16;
    row1 += 16;
    row2 += 16;
    row3 += 16;
    to += 4 * step;
  }
  for (; k < depth; k++) {
    store<f32>(to, load<f32>(row0));
    store<f32>(to, load<f32>(row1), 4);
    store<f32>(to, load<f32>(row2), 8);
    store<f32>(to, load<f32>(row3), 12);
    row0 += 4;
    row1 += 4;
    row2 += 4;
    row3 += 4;
    to += step;
  }
}

/** out [columns, rows] = inputᵀ, input [rows, columns]; only of the rows of `input` from `first` on, `count` of them. */
export function transpose(out: usize, input: usize, rows: i32, columns: i32, first: i32, count: i32): void {
  const stride = (rows as usize) << 2;
  input += ((first * columns) as usize) << 2;
  for (let r = first; r < first + count; r += 4) {
    const lanes = first + count - r;
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
