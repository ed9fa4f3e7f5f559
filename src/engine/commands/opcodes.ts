/**
 * Numbers of the commands that the walkers understand. This file is read by TypeScript, by AssemblyScript (the simd engine)
 * and, as macros, by C (the native engine).
 */

/** All threads have done everything before it. */
export const BARRIER = 0;

export const FILL = 1;
export const COPY = 2;
export const SCALE_ROWS = 3;
export const STORE_ROW = 4;
export const TRANSPOSE = 5;

export const PACK = 10;
export const PACK_TRANSPOSED = 11;
export const MATMUL = 12;
export const MATMUL_TRANSPOSED = 13;
/** The same as MATMUL, but its units are panels of columns, not rows: of each of several groups of columns. */
export const MATMUL_BY_COLUMNS = 14;

/** What a product is told in one number: it adds to what is there; its panels hold bfloat16. */
export const ACCUMULATE = 1;
export const HALVES = 2;

export const SUM_ROWS = 20;
export const SUM_BLOCKS = 21;
export const SQUARE_BLOCKS = 22;
export const FINISH_SUM = 23;
export const FINISH_NORM = 24;

export const GATHER_ROWS = 30;
export const SCATTER_ROWS = 32;
export const SCATTER_COLUMNS = 33;

export const RNN_FORWARD = 40;
export const RNN_BACKWARD = 41;
export const LSTM_FORWARD = 42;
export const LSTM_BACKWARD = 43;
export const GRU_FORWARD = 44;
export const GRU_BACKWARD = 45;

export const DROPOUT = 50;

export const CROSS_ENTROPY = 60;
export const SQUARED_ERROR = 61;

export const ADAM = 70;
export const RMSPROP = 71;
export const SGD = 72;

/** Sums over many numbers run over blocks of so many, whose sums are then added in order. */
export const SUM_BLOCK = 16384;
