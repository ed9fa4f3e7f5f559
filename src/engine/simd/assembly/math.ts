/**
 * Exponential functions of four floats, from additions, multiplications and divisions only, so that their
 * bits are the same on every machine. NaN in gives NaN out; infinities give the limits.
 *
 * All rest on e^x = 2ⁿ·(1 + m) with n = round(x / ln 2), r = x − n·ln 2 and m = e^r − 1, |r| ≤ ln 2 / 2.
 * Keeping m apart from 1 is what makes tanh accurate near 0.
 */

/**
 * The constants stand in memory, where loading one into all four lanes is a single instruction. Of a vector
 * constant in the code V8 makes three, and these functions would spend half of their time on that.
 */
const SIGN_BIT: usize = memory.data<f32>([-0.0]);
const ONE: usize = memory.data<f32>([1]);
const MINUS_TWO: usize = memory.data<f32>([-2]);
/** 1.5·2²³: adding it rounds a float to an integer and leaves that integer in the low bits. */
const ROUND: usize = memory.data<f32>([12582912]);
const LOG2_E: usize = memory.data<f32>([Math.LOG2E as f32]);
/** ln 2 in two parts; n times the first, of 9 bits, is exact. */
const LN2_HIGH: usize = memory.data<f32>([0.693359375]);
const LN2_LOW: usize = memory.data<f32>([-2.1219444005469057e-4]);
/** Coefficients of e^r − 1 after r: 1 / 2!, ..., 1 / 7!. The remainder is below 2⁻²⁷. */
const TAYLOR: usize = memory.data<f32>([1 / 2, 1 / 6, 1 / 24, 1 / 120, 1 / 720, 1 / 5040]);
/** Below it e^x is 0: floats lose their precision there. */
const LOWEST_EXP: usize = memory.data<f32>([-87.3]);
/** e^(2x) below which tanh x is −1. */
const LOWEST_TANH: usize = memory.data<f32>([-40]);

function constant(address: usize): v128 {
  return v128.load32_splat(address);
}

/** x / ln 2, rounded to an integer, plus ROUND. */
function quotient(x: v128): v128 {
  return f32x4.add(f32x4.mul(x, constant(LOG2_E)), constant(ROUND));
}

/** 2ⁿ of the n that `quotient` left in the low bits: n moves into the exponent. -126 <= n <= 127. */
function power(q: v128): v128 {
  return i32x4.add(i32x4.shl(q, 23), constant(ONE));
}

/** m = e^r − 1 with r = x − n·ln 2. */
function mantissa(x: v128, q: v128): v128 {
  const n = f32x4.sub(q, constant(ROUND));
  const r = f32x4.sub(f32x4.sub(x, f32x4.mul(n, constant(LN2_HIGH))), f32x4.mul(n, constant(LN2_LOW)));
  // In pairs, which the processor computes side by side.
  const square = f32x4.mul(r, r);
  const p01 = f32x4.add(constant(TAYLOR), f32x4.mul(r, constant(TAYLOR + 4)));
  const p23 = f32x4.add(constant(TAYLOR + 8), f32x4.mul(r, constant(TAYLOR + 12)));
  const p45 = f32x4.add(constant(TAYLOR + 16), f32x4.mul(r, constant(TAYLOR + 20)));
  const p = f32x4.add(p01, f32x4.mul(square, f32x4.add(p23, f32x4.mul(square, p45))));
  return f32x4.add(r, f32x4.mul(square, p));
}

/** e^x for x <= 0. Within 2 ulp. */
export function exp(x: v128): v128 {
  const lowest = constant(LOWEST_EXP);
  // a < b ? b : a, unlike max, is one instruction, and passes on a NaN in its first operand.
  const clamped = f32x4.pmax(x, lowest);
  const q = quotient(clamped);
  const scale = power(q);
  const value = f32x4.add(scale, f32x4.mul(scale, mantissa(clamped, q)));
  return v128.andnot(value, f32x4.lt(x, lowest));
}

/** σ(x) = 1 / (1 + e^−x), from e^−|x|, which cannot overflow. Within 3 ulp. */
export function sigmoid(x: v128): v128 {
  const one = constant(ONE);
  const z = exp(v128.or(x, constant(SIGN_BIT)));
  return f32x4.div(v128.bitselect(z, one, i32x4.shr_s(x, 31)), f32x4.add(one, z));
}

/** tanh x = −u / (u + 2) with u = e^(−2|x|) − 1 in [−1, 0], and the sign of x. Within 3 ulp. */
export function tanh(x: v128): v128 {
  const signBit = constant(SIGN_BIT);
  const minusTwo = constant(MINUS_TWO);
  const clamped = f32x4.pmax(f32x4.mul(v128.andnot(x, signBit), minusTwo), constant(LOWEST_TANH));
  const q = quotient(clamped);
  const scale = power(q);
  const u = f32x4.add(f32x4.mul(scale, mantissa(clamped, q)), f32x4.sub(scale, constant(ONE)));
  return v128.or(f32x4.div(u, f32x4.sub(minusTwo, u)), v128.and(x, signBit));
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
