/*
 * One time step of each cell, forward beside backward. All matrices have `rows` rows (B); gates lie side by side in a row,
 * each `width` (H) wide. A row depends on no other row, and in a forward step no hidden unit on another: these compute the
 * units [from, to). See `Operations` in engine.ts for the formulas.
 */
#pragma once
#include "functions.h"

/* The columns j of a row in [from, to), a vector at a time, and how many are left of the row. */
#define EACH_COLUMN(j, left, from, to, width) \
  for (int j = (from), left; left = (width) - j, j < (to); j += LANES)

static void rnn_forward(float *hidden, const float *preactivation, bool relu, int rows, int width, int from, int to) {
  for (int row = 0; row < rows; row++) {
    EACH_COLUMN(j, left, from, to, width) {
      const vec x = load_some(preactivation + j, left);
      /* x < 0 ? 0 : x, so that a NaN stays one. */
      store_some(hidden + j, relu ? (vec)(~(x < 0) & (ivec)x) : hyperbolic_tangent(x), left);
    }
    preactivation += width;
    hidden += width;
  }
}

static void rnn_backward(float *gradient, const float *hidden, const float *hidden_gradient, int length, bool relu) {
  EACH_COLUMN(j, left, 0, length, length) {
    const vec h = load_some(hidden + j, left);
    const vec d = load_some(hidden_gradient + j, left);
    store_some(gradient + j, relu ? (vec)(~(h <= 0) & (ivec)d) : d * tanh_slope(h), left);
  }
}

static void lstm_forward(float *gates, const float *previous_cell, float *cell, float *hidden, int rows, int width,
                         int from, int to) {
  for (int row = 0; row < rows; row++) {
    EACH_COLUMN(j, left, from, to, width) {
      float *input = gates + j, *forget = input + width, *candidate = forget + width, *output = candidate + width;
      const vec i = sigmoid(load_some(input, left));
      const vec f = sigmoid(load_some(forget, left));
      const vec g = hyperbolic_tangent(load_some(candidate, left));
      const vec o = sigmoid(load_some(output, left));
      const vec c = f * load_some(previous_cell + j, left) + i * g;
      store_some(input, i, left);
      store_some(forget, f, left);
      store_some(candidate, g, left);
      store_some(output, o, left);
      store_some(cell + j, c, left);
      store_some(hidden + j, o * hyperbolic_tangent(c), left);
    }
    gates += 4 * width;
    previous_cell += width;
    cell += width;
    hidden += width;
  }
}

static void lstm_backward(const float *gates, const float *previous_cell, const float *cell,
                          const float *hidden_gradient, float *cell_gradient, float *gates_gradient, int rows,
                          int width) {
  for (int row = 0; row < rows; row++) {
    EACH_COLUMN(j, left, 0, width, width) {
      const float *activated = gates + j;
      const vec i = load_some(activated, left);
      const vec f = load_some(activated + width, left);
      const vec g = load_some(activated + 2 * width, left);
      const vec o = load_some(activated + 3 * width, left);
      const vec c = hyperbolic_tangent(load_some(cell + j, left));
      const vec dh = load_some(hidden_gradient + j, left);
      /* dL/dc_t: what step t + 1 sent, and what hidden = o tanh(c_t) sends. */
      const vec dc = load_some(cell_gradient + j, left) + dh * o * tanh_slope(c);
      const vec df = dc * load_some(previous_cell + j, left) * sigmoid_slope(f);
      float *out = gates_gradient + j;
      store_some(out, dc * g * sigmoid_slope(i), left);
      store_some(out + width, df, left);
      store_some(out + 2 * width, dc * i * tanh_slope(g), left);
      store_some(out + 3 * width, dh * c * sigmoid_slope(o), left);
      store_some(cell_gradient + j, dc * f, left);
    }
    gates += 4 * width;
    gates_gradient += 4 * width;
    previous_cell += width;
    cell += width;
    hidden_gradient += width;
    cell_gradient += width;
  }
}

static void gru_forward(float *input_gates, const float *hidden_gates, const float *previous_hidden, float *hidden,
                        int rows, int width, int from, int to) {
  for (int row = 0; row < rows; row++) {
    EACH_COLUMN(j, left, from, to, width) {
      float *input = input_gates + j;
      const float *recurrent = hidden_gates + j;
      const vec r = sigmoid(load_some(input, left) + load_some(recurrent, left));
      const vec z = sigmoid(load_some(input + width, left) + load_some(recurrent + width, left));
      const vec n = hyperbolic_tangent(load_some(input + 2 * width, left) + r * load_some(recurrent + 2 * width, left));
      const vec h = load_some(previous_hidden + j, left);
      store_some(input, r, left);
      store_some(input + width, z, left);
      store_some(input + 2 * width, n, left);
      store_some(hidden + j, n + z * (h - n), left);
    }
    input_gates += 3 * width;
    hidden_gates += 3 * width;
    previous_hidden += width;
    hidden += width;
  }
}

static void gru_backward(const float *input_gates, const float *hidden_gates, const float *previous_hidden,
                         const float *hidden_gradient, float *previous_hidden_gradient, float *input_gradient,
                         float *recurrent_gradient, int rows, int width) {
  for (int row = 0; row < rows; row++) {
    EACH_COLUMN(j, left, 0, width, width) {
      const float *activated = input_gates + j;
      const vec r = load_some(activated, left);
      const vec z = load_some(activated + width, left);
      const vec n = load_some(activated + 2 * width, left);
      const vec recurrent_n = load_some(hidden_gates + j + 2 * width, left);
      const vec dh = load_some(hidden_gradient + j, left);
      /* Of the preactivations: n = tanh(input_n + r hidden_n). */
      const vec dn = dh * (1 - z) * tanh_slope(n);
      const vec dz = dh * (load_some(previous_hidden + j, left) - n) * sigmoid_slope(z);
      const vec dr = dn * recurrent_n * sigmoid_slope(r);
      float *input = input_gradient + j, *recurrent = recurrent_gradient + j;
      store_some(input, dr, left);
      store_some(input + width, dz, left);
      store_some(input + 2 * width, dn, left);
      store_some(recurrent, dr, left);
      store_some(recurrent + width, dz, left);
      store_some(recurrent + 2 * width, dn * r, left);
      float *previous = previous_hidden_gradient + j;
      store_some(previous, load_some(previous, left) + dh * z, left);
    }
    input_gates += 3 * width;
    hidden_gates += 3 * width;
    input_gradient += 3 * width;
    recurrent_gradient += 3 * width;
    previous_hidden += width;
    hidden_gradient += width;
    previous_hidden_gradient += width;
  }
}
