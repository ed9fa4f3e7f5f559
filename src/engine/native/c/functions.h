/*
 * Exponential functions of a vector, as `../../simd/assembly/math.ts` has them: e^x = 2^n (1 + m) with n = round(x / ln 2),
 * r = x - n ln 2 and m = e^r - 1, |r| <= ln 2 / 2. NaN in gives NaN out; infinities give the limits.
 */
#pragma once
#include <math.h>
#include "vectors.h"

/* 1.5 * 2^23: adding it rounds a float to an integer and leaves that integer in the low bits. */
#define ROUND 12582912.0f
/* ln 2 in two parts; n times the first, of 9 bits, is exact. */
#define LN2_HIGH 0.693359375f
#define LN2_LOW -2.1219444005469057e-4f

/* x / ln 2, rounded to an integer, plus ROUND. */
INLINE vec quotient(vec x) { return x * 1.4426950408889634f + ROUND; }

/* 2^n of the n that `quotient` left in the low bits: n moves into the exponent. -126 <= n <= 127. */
INLINE vec power(vec q) { return (vec)(((ivec)q << 23) + (ivec)splat(1)); }

/* m = e^r - 1, by its Taylor series to the seventh power; what is left of it is below 2^-27. */
INLINE vec mantissa(vec x, vec q) {
  const vec n = q - ROUND;
  const vec r = x - n * LN2_HIGH - n * LN2_LOW;
  const vec square = r * r;
  const vec p01 = 1.0f / 2 + r * (1.0f / 6);
  const vec p23 = 1.0f / 24 + r * (1.0f / 120);
  const vec p45 = 1.0f / 720 + r * (1.0f / 5040);
  return r + square * (p01 + square * (p23 + square * p45));
}

/* e^x for x <= 0; 0 below -87.3, where floats lose their precision. */
INLINE vec exponential(vec x) {
  const vec lowest = splat(-87.3f);
  const ivec under = x < lowest;
  const vec clamped = choose(under, lowest, x);
  const vec q = quotient(clamped);
  const vec scale = power(q);
  /* In this order: scale * mantissa alone may be a denormal. */
  const vec value = scale * (1 + mantissa(clamped, q));
  return (vec)(~under & (ivec)value);
}

/* 1 / (1 + e^-x), from e^-|x|, which cannot overflow. */
INLINE vec sigmoid(vec x) {
  const vec z = exponential((vec)((ivec)x | INT32_MIN));
  return choose((ivec)x >> 31, z, splat(1)) / (1 + z);
}

/* tanh x = -u / (u + 2) with u = e^(-2|x|) - 1 in [-1, 0], and the sign of x. */
INLINE vec hyperbolic_tangent(vec x) {
  const ivec sign = (ivec)x & INT32_MIN;
  const vec twice = (vec)((ivec)x & INT32_MAX) * -2;
  const vec clamped = choose(twice < -40, splat(-40), twice);
  const vec q = quotient(clamped);
  const vec scale = power(q);
  const vec u = scale * mantissa(clamped, q) + (scale - 1);
  return (vec)((ivec)(u / (-2 - u)) | sign);
}

/* Derivatives, from the values s = sigmoid(x) and t = tanh x. */
INLINE vec sigmoid_slope(vec s) { return s * (1 - s); }
INLINE vec tanh_slope(vec t) { return 1 - t * t; }
