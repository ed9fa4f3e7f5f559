/**
 * One time step of each cell, forward beside backward. All matrices have `rows` rows (B); gates lie side by
 * side in a row, each `width` (H) wide. A row depends on no other row, and in a forward step no hidden unit on another:
 * these compute the units [from, to).
 */
import { loadLanes, storeLanes } from './lanes';
import { sigmoid, tanh } from './math';

/** hidden = f(preactivation); [B, H] each. f: ReLU or tanh. */
export function rnnForward(
  hidden: usize,
  preactivation: usize,
  relu: bool,
  rows: i32,
  width: i32,
  from: i32,
  to: i32,
): void {
  const zero = f32x4.splat(0);
  const bytes = (width as usize) << 2;
  for (let row = 0; row < rows; row++) {
    for (let j = from; j < to; j += 4) {
      const at = (j as usize) << 2;
      const lanes = width - j;
      const x = loadLanes(preactivation + at, lanes);
      // x < 0 ? 0 : x, so that a NaN stays one.
      storeLanes(hidden + at, relu ? f32x4.pmax(x, zero) : tanh(x), lanes);
    }
    preactivation += bytes;
    hidden += bytes;
  }
}

/** preactivationGradient = hiddenGradient ⊙ f′; f′ from the output: 1 − h² for tanh, h > 0 for ReLU. */
export function rnnBackward(
  preactivationGradient: usize,
  hidden: usize,
  hiddenGradient: usize,
  length: i32,
  relu: bool,
): void {
  const zero = f32x4.splat(0);
  for (let i = 0; i < length; i += 4) {
    const at = (i as usize) << 2;
    const lanes = length - i;
    const h = loadLanes(hidden + at, lanes);
    const d = loadLanes(hiddenGradient + at, lanes);
    const gradient = relu ? v128.andnot(d, f32x4.le(h, zero)) : f32x4.mul(d, tanhSlope(h));
    storeLanes(preactivationGradient + at, gradient, lanes);
  }
}

/** gates [B, 4H] = i, f, g, o, in: preactivations, out: activated; cell = f ⊙ previousCell + i ⊙ g; hidden = o ⊙ tanh(cell). */
export function lstmForward(
  gates: usize,
  previousCell: usize,
  cell: usize,
  hidden: usize,
  rows: i32,
  width: i32,
  from: i32,
  to: i32,
): void {
  const bytes = (width as usize) << 2;
  for (let row = 0; row < rows; row++) {
    for (let j = from; j < to; j += 4) {
      const at = (j as usize) << 2;
      const lanes = width - j;
      const input = gates + at;
      const forget = input + bytes;
      const candidate = forget + bytes;
      const output = candidate + bytes;
      const i = sigmoid(loadLanes(input, lanes));
      storeLanes(input, i, lanes);
      const f = sigmoid(loadLanes(forget, lanes));
      storeLanes(forget, f, lanes);
      const g = tanh(loadLanes(candidate, lanes));
      storeLanes(candidate, g, lanes);
      const c = f32x4.add(f32x4.mul(f, loadLanes(previousCell + at, lanes)), f32x4.mul(i, g));
      storeLanes(cell + at, c, lanes);
      const o = sigmoid(loadLanes(output, lanes));
      storeLanes(output, o, lanes);
      storeLanes(hidden + at, f32x4.mul(o, tanh(c)), lanes);
    }
    gates += 4 * bytes;
    previousCell += bytes;
    cell += bytes;
    hidden += bytes;
  }
}

/** gatesGradient [B, 4H] of the preactivations; cellGradient, in: ∂L/∂c_t from step t + 1, out: ∂L/∂c_{t−1} from step t. */
export function lstmBackward(
  gates: usize,
  previousCell: usize,
  cell: usize,
  hiddenGradient: usize,
  cellGradient: usize,
  gatesGradient: usize,
  rows: i32,
  width: i32,
): void {
  const bytes = (width as usize) << 2;
  for (let row = 0; row < rows; row++) {
    for (let j = 0; j < width; j += 4) {
      const at = (j as usize) << 2;
      const lanes = width - j;
      const activated = gates + at;
      const i = loadLanes(activated, lanes);
      const f = loadLanes(activated + bytes, lanes);
      const g = loadLanes(activated + 2 * bytes, lanes);
      const o = loadLanes(activated + 3 * bytes, lanes);
      const c = tanh(loadLanes(cell + at, lanes));
      const dh = loadLanes(hiddenGradient + at, lanes);
      // ∂L/∂c_t: what step t + 1 sent, and what hidden = o ⊙ tanh(c_t) sends.
      const dc = f32x4.add(loadLanes(cellGradient + at, lanes), f32x4.mul(f32x4.mul(dh, o), tanhSlope(c)));
      const out = gatesGradient + at;
      storeLanes(out, f32x4.mul(f32x4.mul(dc, g), sigmoidSlope(i)), lanes);
      storeLanes(
        out + bytes,
        f32x4.mul(f32x4.mul(dc, loadLanes(previousCell + at, lanes)), sigmoidSlope(f)),
        lanes,
      );
      storeLanes(out + 2 * bytes, f32x4.mul(f32x4.mul(dc, i), tanhSlope(g)), lanes);
      storeLanes(out + 3 * bytes, f32x4.mul(f32x4.mul(dh, c), sigmoidSlope(o)), lanes);
      storeLanes(cellGradient + at, f32x4.mul(dc, f), lanes);
    }
    gates += 4 * bytes;
    gatesGradient += 4 * bytes;
    previousCell += bytes;
    cell += bytes;
    hiddenGradient += bytes;
    cellGradient += bytes;
  }
}

/** inputGates [B, 3H] = r, z, n, in: preactivations, out: activated; hidden = (1 − z) ⊙ n + z ⊙ previousHidden. */
export function gruForward(
  inputGates: usize,
  hiddenGates: usize,
  previousHidden: usize,
  hidden: usize,
  rows: i32,
  width: i32,
  from: i32,
  to: i32,
): void {
  const bytes = (width as usize) << 2;
  for (let row = 0; row < rows; row++) {
    for (let j = from; j < to; j += 4) {
      const at = (j as usize) << 2;
      const lanes = width - j;
      const input = inputGates + at;
      const recurrent = hiddenGates + at;
      const r = sigmoid(f32x4.add(loadLanes(input, lanes), loadLanes(recurrent, lanes)));
      const z = sigmoid(f32x4.add(loadLanes(input + bytes, lanes), loadLanes(recurrent + bytes, lanes)));
      const n = tanh(
        f32x4.add(loadLanes(input + 2 * bytes, lanes), f32x4.mul(r, loadLanes(recurrent + 2 * bytes, lanes))),
      );
      storeLanes(input, r, lanes);
      storeLanes(input + bytes, z, lanes);
      storeLanes(input + 2 * bytes, n, lanes);
      // n + z ⊙ (previousHidden − n)
      const h = loadLanes(previousHidden + at, lanes);
      storeLanes(hidden + at, f32x4.add(n, f32x4.mul(z, f32x4.sub(h, n))), lanes);
    }
    inputGates += 3 * bytes;
    hiddenGates += 3 * bytes;
    previousHidden += bytes;
    hidden += bytes;
  }
}

/** Gradients of both preactivations [B, 3H]; previousHiddenGradient += hiddenGradient ⊙ z. */
export function gruBackward(
  inputGates: usize,
  hiddenGates: usize,
  previousHidden: usize,
  hiddenGradient: usize,
  previousHiddenGradient: usize,
  inputGatesGradient: usize,
  hiddenGatesGradient: usize,
  rows: i32,
  width: i32,
): void {
  const bytes = (width as usize) << 2;
  const one = f32x4.splat(1);
  for (let row = 0; row < rows; row++) {
    for (let j = 0; j < width; j += 4) {
      const at = (j as usize) << 2;
      const lanes = width - j;
      const activated = inputGates + at;
      const r = loadLanes(activated, lanes);
      const z = loadLanes(activated + bytes, lanes);
      const n = loadLanes(activated + 2 * bytes, lanes);
      const recurrentN = loadLanes(hiddenGates + at + 2 * bytes, lanes);
      const dh = loadLanes(hiddenGradient + at, lanes);
      // Of the preactivations: n = tanh(inputₙ + r ⊙ hiddenₙ).
      const dn = f32x4.mul(f32x4.mul(dh, f32x4.sub(one, z)), tanhSlope(n));
      const dz = f32x4.mul(
        f32x4.mul(dh, f32x4.sub(loadLanes(previousHidden + at, lanes), n)),
        sigmoidSlope(z),
      );
      const dr = f32x4.mul(f32x4.mul(dn, recurrentN), sigmoidSlope(r));
      const input = inputGatesGradient + at;
      storeLanes(input, dr, lanes);
      storeLanes(input + bytes, dz, lanes);
      storeLanes(input + 2 * bytes, dn, lanes);
      const recurrent = hiddenGatesGradient + at;
      storeLanes(recurrent, dr, lanes);
      storeLanes(recurrent + bytes, dz, lanes);
      storeLanes(recurrent + 2 * bytes, f32x4.mul(dn, r), lanes);
      const previous = previousHiddenGradient + at;
      storeLanes(previous, f32x4.add(loadLanes(previous, lanes), f32x4.mul(dh, z)), lanes);
    }
    inputGates += 3 * bytes;
    hiddenGates += 3 * bytes;
    inputGatesGradient += 3 * bytes;
    hiddenGatesGradient += 3 * bytes;
    previousHidden += bytes;
    hiddenGradient += bytes;
    previousHiddenGradient += bytes;
  }
}

/** σ′ from s = σ(x). */
function sigmoidSlope(s: v128): v128 {
  return f32x4.mul(s, f32x4.sub(f32x4.splat(1), s));
}

/** tanh′ from t = tanh x. */
function tanhSlope(t: v128): v128 {
  return f32x4.sub(f32x4.splat(1), f32x4.mul(t, t));
}
