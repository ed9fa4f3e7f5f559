/**
 * Losses on the softmax of the logits, row by row, with the gradient of each.
 *
 * With z the largest logit and S = Σ e^(x − z) over all others, the sum of the softmax is 1 + S. Keeping S
 * apart from 1 keeps every digit where a model is nearly certain: −ln p = (z − x) + ln(1 + S), and 1 − p of
 * the likeliest symbol is S / (1 + S).
 */
import { loadLanes, loadLanesOr, storeLanes, sumLanes } from './lanes';
import { exp, log1p } from './math';
import { refuse } from './threads';

/** The largest of `count` floats. A NaN is passed over here: it comes to light in `othersSum`. */
function largest(x: usize, count: i32): f32 {
  const lowest = f32x4.splat(-Infinity);
  let most = lowest;
  for (let j = 0; j < count; j += 4) {
    most = f32x4.pmax(most, loadLanesOr(x + ((j as usize) << 2), count - j, lowest));
  }
  return max(
    max(f32x4.extract_lane(most, 0), f32x4.extract_lane(most, 1)),
    max(f32x4.extract_lane(most, 2), f32x4.extract_lane(most, 3)),
  );
}

/** S: the sum of e^(x − z) without one largest element. Writes all e^(x − z) to `powers`, unless that is 0. */
function othersSum(powers: usize, x: usize, count: i32, z: f32): f32 {
  const shift = f32x4.splat(z);
  const none = f32x4.splat(-Infinity);
  let sum = f32x4.splat(0);
  let ties = i32x4.splat(0);
  for (let j = 0; j < count; j += 4) {
    const at = (j as usize) << 2;
    const lanes = count - j;
    const logits = loadLanesOr(x + at, lanes, none);
    const isLargest = f32x4.eq(logits, shift);
    ties = i32x4.sub(ties, isLargest);
    const power = exp(f32x4.sub(logits, shift));
    sum = f32x4.add(sum, v128.andnot(power, isLargest));
    if (powers !== 0) storeLanes(powers + at, power, lanes);
  }
  const count01 = i32x4.extract_lane(ties, 0) + i32x4.extract_lane(ties, 1);
  const count23 = i32x4.extract_lane(ties, 2) + i32x4.extract_lane(ties, 3);
  return sumLanes(sum) + ((count01 + count23 - 1) as f32);
}

/** x[j] *= factor */
function scaleRow(x: usize, count: i32, factor: f32): void {
  const factors = f32x4.splat(factor);
  for (let j = 0; j < count; j += 4) {
    const at = (j as usize) << 2;
    const lanes = count - j;
    storeLanes(x + at, f32x4.mul(loadLanes(x + at, lanes), factors), lanes);
  }
}

/** The target of a row, below 0 for none; one that is out of range is refused. */
function targetOf(targets: usize, row: i32, columns: i32): i32 {
  const target = load<i32>(targets + ((row as usize) << 2));
  return target < columns ? target : refuse();
}

/** 1 − p of the target, from its e^(x − z) and S. */
function missing(power: f32, others: f32): f32 {
  return (power === 1 ? others : 1 + others - power) / (1 + others);
}

/** losses = −ln p[target]; gradient = scale · (p − onehot), or 0 for none (`gradient` may be `logits`). */
export function crossEntropy(
  losses: usize,
  logits: usize,
  targets: usize,
  gradient: usize,
  scale: f32,
  rows: i32,
  columns: i32,
): void {
  const bytes = (columns as usize) << 2;
  for (let row = 0; row < rows; row++) {
    const target = targetOf(targets, row, columns);
    let loss: f32 = 0;
    if (target >= 0) {
      const at = (target as usize) << 2;
      const z = largest(logits, columns);
      const distance = z - load<f32>(logits + at);
      const others = othersSum(gradient, logits, columns, z);
      loss = ((distance as f64) + log1p(others as f64)) as f32;
      if (gradient !== 0) {
        const rest = missing(load<f32>(gradient + at), others);
        scaleRow(gradient, columns, scale / (1 + others));
        store<f32>(gradient + at, -scale * rest);
      }
    } else if (gradient !== 0) memory.fill(gradient, 0, bytes);
    store<f32>(losses + ((row as usize) << 2), loss);
    logits += bytes;
    if (gradient !== 0) gradient += bytes;
  }
}

/**
 * losses = Σ e² with e = p − onehot; gradient = scale · 2p ⊙ (e − Σ p·e).
 * `probabilities` [rows, columns] becomes that gradient, or, unless `withGradient`, is only used on the way.
 */
export function squaredError(
  losses: usize,
  logits: usize,
  targets: usize,
  probabilities: usize,
  withGradient: bool,
  scale: f32,
  rows: i32,
  columns: i32,
): void {
  const bytes = (columns as usize) << 2;
  for (let row = 0; row < rows; row++) {
    const target = targetOf(targets, row, columns);
    let loss: f32 = 0;
    if (target >= 0) {
      const at = (target as usize) << 2;
      const others = othersSum(probabilities, logits, columns, largest(logits, columns));
      const rest = missing(load<f32>(probabilities + at), others);
      scaleRow(probabilities, columns, 1 / (1 + others));
      const p = load<f32>(probabilities + at);
      store<f32>(probabilities + at, 0);
      const squares = sumOfSquares(probabilities, columns);
      store<f32>(probabilities + at, p);
      loss = squares + rest * rest;
      if (withGradient) {
        // Σ p·e is Σ p² without the target, minus p(1 − p) of the target.
        const mean = squares - p * rest;
        squaredErrorGradient(probabilities, columns, mean, 2 * scale);
        store<f32>(probabilities + at, -2 * scale * p * (rest + mean));
      }
    } else memory.fill(probabilities, 0, bytes);
    store<f32>(losses + ((row as usize) << 2), loss);
    logits += bytes;
    probabilities += bytes;
  }
}

/** p[j] = factor · p[j] · (p[j] − mean) */
function squaredErrorGradient(p: usize, count: i32, mean: f32, factor: f32): void {
  const means = f32x4.splat(mean);
  const factors = f32x4.splat(factor);
  for (let j = 0; j < count; j += 4) {
    const at = (j as usize) << 2;
    const lanes = count - j;
    const x = loadLanes(p + at, lanes);
    storeLanes(p + at, f32x4.mul(f32x4.mul(x, factors), f32x4.sub(x, means)), lanes);
  }
}

function sumOfSquares(x: usize, count: i32): f32 {
  let sum = f32x4.splat(0);
  for (let j = 0; j < count; j += 4) {
    const values = loadLanes(x + ((j as usize) << 2), count - j);
    sum = f32x4.add(sum, f32x4.mul(values, values));
  }
  return sumLanes(sum);
}
