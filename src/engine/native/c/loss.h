/*
 * Losses on the softmax of the logits, row by row, with the gradient of each.
 *
 * With z the largest logit and S the sum of e^(x - z) over all others, the sum of the softmax is 1 + S. Keeping S apart from
 * 1 keeps every digit where a model is nearly certain: -ln p = (z - x) + ln(1 + S), and 1 - p of the likeliest symbol is
 * S / (1 + S).
 */
#pragma once
#include "data.h"

/* The largest of `count` floats. A NaN is passed over here: it comes to light in `others_sum`. */
static float largest(const float *x, int count) {
  vec most = splat(-INFINITY);
  EACH_COLUMN(j, left, 0, count, count) {
    const vec values = load_or(x + j, left, splat(-INFINITY));
    most = choose(values > most, values, most);
  }
  float result = most[0];
  for (int lane = 1; lane < LANES; lane++) if (most[lane] > result) result = most[lane];
  return result;
}

/* S: the sum of e^(x - z) without one largest element. Writes all e^(x - z) to `powers`, unless that is NULL. */
static float others_sum(float *powers, const float *x, int count, float z) {
  vec sum = {0};
  ivec ties = {0};
  EACH_COLUMN(j, left, 0, count, count) {
    const vec logits = load_or(x + j, left, splat(-INFINITY));
    const ivec is_largest = logits == z;
    const vec power = exponential(logits - z);
    ties -= is_largest;
    sum += (vec)(~is_largest & (ivec)power);
    if (powers) store_some(powers + j, power, left);
  }
  int tied = 0;
  for (int lane = 0; lane < LANES; lane++) tied += ties[lane];
  return sum_of(sum) + (float)(tied - 1);
}

static void scale_row(float *x, int count, float factor) {
  for (int j = 0; j < count; j++) x[j] *= factor;
}

/* The target of a row, below 0 for none. */
INLINE int target_of(worker *self, const int32_t *targets, int row, int columns) {
  return targets[row] < columns ? targets[row] : refuse(self);
}

/* 1 - p of the target, from its e^(x - z) and S. */
INLINE float missing(float power, float others) {
  return (power == 1 ? others : 1 + others - power) / (1 + others);
}

/* losses = -ln p[target]; gradient = scale (p - onehot), or NULL for none (it may be `logits`). */
static void cross_entropy(worker *self, float *losses, const float *logits, const int32_t *targets, float *gradient,
                          float scale, int rows, int columns) {
  for (int row = 0; row < rows; row++) {
    const int target = target_of(self, targets, row, columns);
    losses[row] = 0;
    if (target >= 0) {
      const float z = largest(logits, columns);
      const float distance = z - logits[target];
      const float others = others_sum(gradient, logits, columns, z);
      losses[row] = (float)((double)distance + log1p((double)others));
      if (gradient) {
        const float rest = missing(gradient[target], others);
        scale_row(gradient, columns, scale / (1 + others));
        gradient[target] = -scale * rest;
      }
    } else if (gradient) {
      fill(gradient, (size_t)columns, 0);
    }
    logits += columns;
    if (gradient) gradient += columns;
  }
}

/*
 * losses = sum of e^2 with e = p - onehot; gradient = scale 2p (e - sum of p e). `probabilities` [rows, columns] becomes
 * that gradient, or, unless `with_gradient`, is only used on the way.
 */
static void squared_error(worker *self, float *losses, const float *logits, const int32_t *targets,
                          float *probabilities, bool with_gradient, float scale, int rows, int columns) {
  for (int row = 0; row < rows; row++) {
    const int target = target_of(self, targets, row, columns);
    losses[row] = 0;
    if (target >= 0) {
      const float others = others_sum(probabilities, logits, columns, largest(logits, columns));
      const float rest = missing(probabilities[target], others);
      scale_row(probabilities, columns, 1 / (1 + others));
      const float p = probabilities[target];
      probabilities[target] = 0;
      vec squares = {0};
      EACH_COLUMN(j, left, 0, columns, columns) {
        const vec values = load_some(probabilities + j, left);
        squares += values * values;
      }
      const float sum = sum_of(squares);
      losses[row] = sum + rest * rest;
      if (with_gradient) {
        /* The sum of p e is that of p^2 without the target, minus p (1 - p) of the target. */
        const float mean = sum - p * rest;
        for (int j = 0; j < columns; j++) probabilities[j] *= 2 * scale * (probabilities[j] - mean);
        probabilities[target] = -2 * scale * p * (rest + mean);
      }
    } else {
      fill(probabilities, (size_t)columns, 0);
    }
    logits += columns;
    probabilities += columns;
  }
}
