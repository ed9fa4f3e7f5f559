/* Token ids to vectors and back. An id outside of the table is refused: a wrong id must not reach memory. */
#pragma once
#include "data.h"

/* out[r, :] = table[ids[r], :] + bias; table [count, width]; bias may be NULL. */
static void gather_rows(worker *self, float *out, const float *table, const int32_t *ids, const float *bias, int rows,
                        int count, int width) {
  for (int row = 0; row < rows; row++) {
    const float *vector = table + (size_t)checked(self, ids[row], count) * (size_t)width;
    if (bias) for (int j = 0; j < width; j++) out[j] = vector[j] + bias[j];
    else memcpy(out, vector, (size_t)width * sizeof(float));
    out += width;
  }
}

/* out = 0; then, row after row, out[ids[r], :] += gradient[r, :]; out [count, width]. `columns` columns from `first` on. */
static void scatter_rows(worker *self, float *out, const int32_t *ids, const float *gradient, int rows, int count,
                         int width, int first, int columns) {
  out += first;
  gradient += first;
  for (int row = 0; row < count; row++) fill(out + (size_t)row * (size_t)width, (size_t)columns, 0);
  for (int row = 0; row < rows; row++) {
    float *vector = out + (size_t)checked(self, ids[row], count) * (size_t)width;
    for (int j = 0; j < columns; j++) vector[j] += gradient[j];
    gradient += width;
  }
}

/*
 * out = 0; then, row after row, out[:, ids[r]] += gradient[r, :] transposed; out [width, count]. Of the rows of `out` from
 * `first` on, `out_rows` of them; `out` is the first of these.
 */
static void scatter_columns(worker *self, float *out, const int32_t *ids, const float *gradient, int rows, int count,
                            int width, int first, int out_rows) {
  gradient += first;
  fill(out, (size_t)out_rows * (size_t)count, 0);
  for (int row = 0; row < rows; row++) {
    float *to = out + checked(self, ids[row], count);
    for (int j = 0; j < out_rows; j++) to[(size_t)j * (size_t)count] += gradient[j];
    gradient += width;
  }
}
