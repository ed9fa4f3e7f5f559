/*
 * Optimizer updates. A gradient norm that is not finite means a diverged step: then nothing is written. `rates` are the
 * learning rate, 1 - beta1^t and 1 - beta2^t.
 */
#pragma once
#include "cells.h"

/* What all of them are given. */
typedef struct {
  float *parameters;
  const float *gradient, *norm, *rates;
  int length;
  float clip_norm, weight_decay;
} update;

INLINE bool diverged(const update *u) { return !(*u->norm < INFINITY); }

/* min(1, clip_norm / (norm + 1e-6)); 1 without clipping. */
INLINE float clip_factor(const update *u) {
  if (u->clip_norm == 0) return 1;
  const double factor = (double)u->clip_norm / ((double)*u->norm + 1e-6);
  return factor < 1 ? (float)factor : 1;
}

/* Adam, or AdamW if `decoupled`. `decay` and its `rest` (1 - decay) of the two moments. */
static void adam(const update *u, float *first_moment, float *second_moment, const float decay[2], const float rest[2],
                 float epsilon, bool decoupled) {
  if (diverged(u)) return;
  const double rate = u->rates[0];
  const float clip = clip_factor(u);
  const float step = (float)(rate / u->rates[1]);
  /* The root of v / correction is the root of v times this. */
  const float root_correction = (float)(1 / sqrt((double)u->rates[2]));
  const float keep = decoupled ? (float)(1 - rate * u->weight_decay) : 1;
  const float weight_decay = decoupled ? 0 : u->weight_decay;
  EACH_COLUMN(i, left, 0, u->length, u->length) {
    const vec theta = load_some(u->parameters + i, left);
    const vec g = load_some(u->gradient + i, left) * clip + theta * weight_decay;
    const vec m = load_some(first_moment + i, left) * decay[0] + g * rest[0];
    const vec v = load_some(second_moment + i, left) * decay[1] + g * g * rest[1];
    store_some(first_moment + i, m, left);
    store_some(second_moment + i, v, left);
    store_some(u->parameters + i, theta * keep - m * step / (square_root(v) * root_correction + epsilon), left);
  }
}

/* v = alpha v + (1 - alpha) g^2; theta -= rate g / (root of v + epsilon). */
static void rmsprop(const update *u, float *second_moment, float alpha, float rest, float epsilon) {
  if (diverged(u)) return;
  const float clip = clip_factor(u);
  EACH_COLUMN(i, left, 0, u->length, u->length) {
    const vec theta = load_some(u->parameters + i, left);
    const vec g = load_some(u->gradient + i, left) * clip + theta * u->weight_decay;
    const vec v = load_some(second_moment + i, left) * alpha + g * g * rest;
    store_some(second_moment + i, v, left);
    store_some(u->parameters + i, theta - g * u->rates[0] / (square_root(v) + epsilon), left);
  }
}

/* u = momentum u + g; theta -= rate u. */
static void sgd(const update *u, float *velocity, float momentum) {
  if (diverged(u)) return;
  const float clip = clip_factor(u);
  EACH_COLUMN(i, left, 0, u->length, u->length) {
    const vec theta = load_some(u->parameters + i, left);
    const vec g = load_some(u->gradient + i, left) * clip + theta * u->weight_decay;
    const vec moved = load_some(velocity + i, left) * momentum + g;
    store_some(velocity + i, moved, left);
    store_some(u->parameters + i, theta - moved * u->rates[0], left);
  }
}
