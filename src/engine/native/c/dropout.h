/* The mask of `dropoutKeeps` in engine.ts, bit for bit. */
#pragma once
#include "data.h"

/* One round of the Feistel network, in 12 bits: left + y^2 / 64 with y = right * multiplier + key. */
INLINE int32_t mix(int32_t left, int32_t right, int32_t multiplier, int32_t key) {
  const int32_t y = (right * multiplier + key) & 4095;
  return (left + (y * y >> 6)) & 4095;
}

/* out = input * mask * scale; numbers below `threshold` are dropped, to 0 whatever the input. */
static void dropout(float *out, const float *input, const int32_t *seed, int stream, int threshold, float scale,
                    int first_row, int rows, int columns) {
  const int32_t low = (*seed & 4095) + stream * 911;
  for (int row = first_row; row < first_row + rows; row++) {
    const int32_t row_key = (int32_t)((uint32_t)*seed >> 12) + stream * 613 + (row >> 12) * 157;
    for (int j = 0; j < columns; j++) {
      const int32_t high = row_key + (j >> 12) * 1031;
      int32_t left = row & 4095;
      int32_t right = j & 4095;
      left = mix(left, right, 2909, low);
      right = mix(right, left, 2531, high);
      left = mix(left, right, 3371, low);
      right = mix(right, left, 2253, high);
      left = mix(left, right, 2775, low);
      right = mix(right, left, 3867, high);
      out[j] = (left << 12) + right >= threshold ? input[j] * scale : 0;
    }
    out += columns;
    input += columns;
  }
}
