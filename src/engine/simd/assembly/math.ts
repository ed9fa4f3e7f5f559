/**
 * Exponential functions of four floats, from additions, multiplications and divisions only, so that their
 * bits are the same on every machine. NaN in gives NaN out; infinities give the limits.
 *
 * All rest on e^x = 2ⁿ·(1 + m) with n = round(x / ln 2), r = x − n·ln 2 and m = e^r − 1, |r| ≤ ln 2 / 2.
 * Keeping m apart from 1 is what makes tanh accurate near 0.
 */

/** 1.5·2²³: adding it rounds a float to an integer and leaves that integer in the low bits. */
const ROUND: f32 = 12582912;
const LOG2_E: f32 = Math.LOG2E as f32;
/** ln 2 in two parts; n times the first, of 9 bits, is exact. */
const LN2_HIGH: f32 = 0.693359375;
const LN2_LOW: f32 = -2.1219444005469057e-4;

/** x / ln 2, rounded to an integer, plus ROUND. */
function quotient(x: v128): v128 {
  return f32x4.add(f32x4.mul(x, f32x4.splat(LOG2_E)), f32x4.splat(ROUND));
}

/** 2ⁿ of the n that `quotient` left in the low bits: n moves into the exponent. -126 <= n <= 127. */
function power(q: v128): v128 {
  return i32x4.add(i32x4.shl(q, 23), i32x4.splat(0x3f800000));
}

/** m = e^r − 1 with r = x − n·ln 2: Taylor up to r⁷, whose remainder is below 2⁻²⁷. */
function mantissa(x: v128, q: v128): v128 {
  const n = f32x4.sub(q, f32x4.splat(ROUND));
  const r = f32x4.sub(f32x4.sub(x, f32x4.mul(n, f32x4.splat(LN2_HIGH))), f32x4.mul(n, f32x4.splat(LN2_LOW)));
  let p = f32x4.add(f32x4.splat(1.0 / 720.0), f32x4.mul(r, f32x4.splat(1.0 / 5040.0)));
  p = f32x4.add(f32x4.splat(1.0 / 120.0), f32x4.mul(r, p));
  p = f32x4.add(f32x4.splat(1.0 / 24.0), f32x4.mul(r, p));
  p = f32x4.add(f32x4.splat(1.0 / 6.0), f32x4.mul(r, p));
  p = f32x4.add(f32x4.splat(0.5), f32x4.mul(r, p));
  return f32x4.add(r, f32x4.mul(f32x4.mul(r, r), p));
}

/** e^x for x <= 0. Below −87.3, where floats lose their precision, it is 0. Within 2 ulp. */
export function exp(x: v128): v128 {
  const lowest = f32x4.splat(-87.3);
  // a < b ? b : a, unlike max, is one instruction, and passes on a NaN in its first operand.
  const clamped = f32x4.pmax(x, lowest);
  const q = quotient(clamped);
  const scale = power(q);
  const value = f32x4.add(scale, f32x4.mul(scale, mantissa(clamped, q)));
  return v128.andnot(value, f32x4.lt(x, lowest));
}

/** σ(x) = 1 / (1 + e^−x), from e^−|x|, which cannot overflow. Within 3 ulp; 0 below −87.3. */
export function sigmoid(x: v128): v128 {
  const one = f32x4.splat(1);
  const z = exp(v128.or(x, f32x4.splat(-0.0)));
  return f32x4.div(v128.bitselect(z, one, i32x4.shr_s(x, 31)), f32x4.add(one, z));
}

/** tanh x = −u / (u + 2) with u = e^(−2|x|) − 1 in [−1, 0], and the sign of x. Within 3 ulp. */
export function tanh(x: v128): v128 {
  const signBit = f32x4.splat(-0.0);
  const y = f32x4.mul(v128.andnot(x, signBit), f32x4.splat(-2));
  const clamped = f32x4.pmax(y, f32x4.splat(-40)); // there tanh is 1 already
  const q = quotient(clamped);
  const scale = power(q);
  const u = f32x4.add(f32x4.mul(scale, mantissa(clamped, q)), f32x4.sub(scale, f32x4.splat(1)));
  const positive = f32x4.div(u, f32x4.sub(f32x4.splat(-2), u));
  return v128.or(positive, v128.and(x, signBit));
}

/**
 * ln(1 + x) for x >= 0, with full relative accuracy for tiny x. One number per row of a loss: float64 costs
 * nothing there.
 */
export function log1p(x: f64): f64 {
  if (x < 1e-8) return x; // the next term, x²/2, is below a float's precision
  const y = 1 + x;
  if (!(y < Infinity)) return y;
  // y = 2ⁿ·z with z in [√½, √2); ln z = 2·artanh w with w = (z − 1) / (z + 1), |w| < 0.172.
  const bits = reinterpret<i64>(y);
  const n = (bits - 0x3fe6a09f00000000) >> 52;
  const z = reinterpret<f64>(bits - (n << 52));
  // Where n = 0, z − 1 is x itself, not what rounding 1 + x has left of it.
  const d = n === 0 ? x : z - 1;
  const w = d / (n === 0 ? 2 + x : z + 1);
  const v = w * w;
  const series = 1 + v * (1.0 / 3 + v * (1.0 / 5 + v * (1.0 / 7 + v * (1.0 / 9 + v * (1.0 / 11)))));
  return (n as f64) * Math.LN2 + 2 * w * series;
}
