/* Moving data, and the sums over it. */
#pragma once
#include "cells.h"
#include "threads.h"

enum { SUM_BLOCK = OP_SUM_BLOCK };

static void fill(float *out, size_t length, float value) {
  for (size_t i = 0; i < length; i++) out[i] = value;
}

/* out[r, :] = input[r, :] scale[r]; a scale of 0 gives 0 even where the input is not finite. */
static void scale_rows(float *out, const float *input, const float *scale, int rows, int columns) {
  for (int row = 0; row < rows; row++) {
    if (scale[row] == 0) fill(out, (size_t)columns, 0);
    else for (int j = 0; j < columns; j++) out[j] = input[j] * scale[row];
    out += columns;
    input += columns;
  }
}

/* out[index[0], :] = input; out [rows, columns]. */
static void store_row(worker *self, float *out, const int32_t *index, const float *input, int rows, int columns) {
  const size_t row = (size_t)checked(self, *index, rows);
  memcpy(out + row * (size_t)columns, input, (size_t)columns * sizeof(float));
}

/* out[0, c] = sum over r of input[r, c]; `out` starts at column `first`, and gets `count` of them. Rows in fours. */
static void sum_rows(float *out, const float *input, int rows, int columns, int first, int count) {
  input += first;
  fill(out, (size_t)count, 0);
  for (int r = 0; r < rows; r += 4) {
    const int group = rows - r;
    EACH_COLUMN(j, left, 0, count, count) {
      const float *from = input + j;
      vec sum = load_some(from, left);
      if (group > 1) sum += load_some(from + columns, left);
      if (group > 2) {
        vec pair = load_some(from + 2 * (size_t)columns, left);
        if (group > 3) pair += load_some(from + 3 * (size_t)columns, left);
        sum += pair;
      }
      store_some(out + j, load_some(out + j, left) + sum, left);
    }
    input += 4 * (size_t)columns;
  }
}

/* The sum of a block, or of its squares, which fit into a double with room to spare. Eight sums, added in order. */
INLINE double block_sum(const float *input, int length, bool squares) {
  double sums[8] = {0};
  for (int i = 0; i + 8 <= length; i += 8) {
    for (int lane = 0; lane < 8; lane++) {
      const double x = input[i + lane];
      sums[lane] += squares ? x * x : x;
    }
  }
  for (int i = length & ~7; i < length; i++) sums[i & 7] += squares ? (double)input[i] * input[i] : input[i];
  double sum = 0;
  for (int lane = 0; lane < 8; lane++) sum += sums[lane];
  return sum;
}

/* Sums of the blocks from number `first` on, `count` of them; `sums` and `input` are those of the first of them. */
static void sum_blocks(double *sums, const float *input, int64_t length, int first, int count, bool squares) {
  for (int block = 0; block < count; block++) {
    const int64_t left = length - ((int64_t)first + block) * SUM_BLOCK;
    sums[block] = block_sum(input, left < SUM_BLOCK ? (int)left : SUM_BLOCK, squares);
    input += SUM_BLOCK;
  }
}

static double total(const double *sums, int blocks) {
  double total = 0;
  for (int block = 0; block < blocks; block++) total += sums[block];
  return total;
}
