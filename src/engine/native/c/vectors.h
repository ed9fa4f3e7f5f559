/*
 * As many floats at a time as the processor's vectors hold, also where fewer are left. Nothing outside of a matrix is ever
 * read or written. GNU vector extensions: the same source for AVX-512, AVX, SSE and NEON, the width chosen at compile time.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined(__AVX512F__)
#define VECTOR_BYTES 64
#define REGISTERS 32
#elif defined(__AVX__)
#define VECTOR_BYTES 32
#define REGISTERS 16
#elif defined(__aarch64__)
#define VECTOR_BYTES 16
#define REGISTERS 32
#else
#define VECTOR_BYTES 16
#define REGISTERS 16
#endif

enum { LANES = VECTOR_BYTES / 4 };

#define INLINE static inline __attribute__((always_inline))

typedef float vec __attribute__((vector_size(VECTOR_BYTES)));
typedef int32_t ivec __attribute__((vector_size(VECTOR_BYTES)));
typedef uint32_t uvec __attribute__((vector_size(VECTOR_BYTES)));

INLINE vec splat(float x) { return (vec){0} + x; }

INLINE vec load(const float *p) {
  vec v;
  memcpy(&v, p, sizeof v);
  return v;
}

INLINE void store(float *p, vec v) { memcpy(p, &v, sizeof v); }

/* The next `count` floats (all lanes, if more are left); the missing ones are `fill`. */
INLINE vec load_or(const float *p, int count, vec fill) {
  if (count >= LANES) return load(p);
  float lanes[LANES];
  store(lanes, fill);
  for (int i = 0; i < count; i++) lanes[i] = p[i];
  return load(lanes);
}

INLINE vec load_some(const float *p, int count) { return load_or(p, count, (vec){0}); }

/* Writes the first `count` floats of `v` (all lanes, if more are left). */
INLINE void store_some(float *p, vec v, int count) {
  if (count >= LANES) {
    store(p, v);
    return;
  }
  float lanes[LANES];
  store(lanes, v);
  for (int i = 0; i < count; i++) p[i] = lanes[i];
}

/* Where `mask` is all ones `a`, where it is 0 `b`. */
INLINE vec choose(ivec mask, vec a, vec b) { return (vec)((mask & (ivec)a) | (~mask & (ivec)b)); }

INLINE vec square_root(vec v) {
  for (int i = 0; i < LANES; i++) v[i] = __builtin_sqrtf(v[i]);
  return v;
}

/* In the order of the lanes. */
INLINE float sum_of(vec v) {
  float sum = v[0];
  for (int i = 1; i < LANES; i++) sum += v[i];
  return sum;
}
