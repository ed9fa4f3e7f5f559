/**
 * Block sizes of the kernels, and addresses of what threads share. This file is read by AssemblyScript and by TypeScript
 * alike.
 */

/** Rows and columns of the matrix product's register tile; B is packed in panels of TILE_COLUMNS columns. */
export const TILE_ROWS = 4;
export const TILE_COLUMNS = 8;
/** A block of A, [BLOCK_ROWS, BLOCK_DEPTH], is packed at a time. */
export const BLOCK_ROWS = 256;
export const BLOCK_DEPTH = 256;
/** Bytes that the matrix product needs for a packed block of A: see TILE_BYTES in `pack.ts`. */
export const BLOCK_BYTES = (BLOCK_ROWS / TILE_ROWS) * (BLOCK_DEPTH * TILE_ROWS * 4 + 64);

/**
 * Byte addresses, one cache line each, of what threads share beside the tensors: see `threads.ts`. Address 0 stands for "no
 * operand"; constants of the kernels lie from 1024 on.
 */
export const JOB = 64;
export const ARRIVED = 128;
export const GENERATION = 192;
export const ASLEEP = 256;
export const REFUSED = 320;
/** A line for each thread: see `../../commands/shares.ts`. */
export const SHARES = 4096;
