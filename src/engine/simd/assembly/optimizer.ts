/**
 * Optimizer updates. A gradient norm that is not finite means a diverged step: then nothing is
 * written. `rates` are the learning rate, 1 − β1ᵗ and 1 − β2ᵗ.
 */
import { loadLanes, storeLanes } from './lanes';

function diverged(norm: usize): bool {
  return !(load<f32>(norm) < Infinity);
}

/** min(1, clipNorm / (norm + 1e-6)); 1 without clipping. */
function clipFactor(norm: usize, clipNorm: f32): f32 {
  if (clipNorm === 0) return 1;
  return min(1.0, (clipNorm as f64) / ((load<f32>(norm) as f64) + 1e-6)) as f32;
}

/** Adam, or AdamW if `decoupled`. */
export function adam(
  parameters: usize,
  gradient: usize,
  norm: usize,
  rates: usize,
  firstMoment: usize,
  secondMoment: usize,
  length: i32,
  clipNorm: f32,
  weightDecay: f32,
  beta1: f32,
  oneMinusBeta1: f32,
  beta2: f32,
  oneMinusBeta2: f32,
  epsilon: f32,
  decoupled: bool,
): void {
  if (diverged(norm)) return;
  const learningRate = load<f32>(rates) as f64;
  const clips = f32x4.splat(clipFactor(norm, clipNorm));
  // √(v / correction2) = √v · rootCorrection
  const step = f32x4.splat((learningRate / (load<f32>(rates, 4) as f64)) as f32);
  const rootCorrection = f32x4.splat((1 / Math.sqrt(load<f32>(rates, 8) as f64)) as f32);
  const keep = f32x4.splat(decoupled ? ((1 - learningRate * (weightDecay as f64)) as f32) : 1);
  const decay = f32x4.splat(decoupled ? 0 : weightDecay);
  const b1 = f32x4.splat(beta1);
  const c1 = f32x4.splat(oneMinusBeta1);
  const b2 = f32x4.splat(beta2);
  const c2 = f32x4.splat(oneMinusBeta2);
  const tiny = f32x4.splat(epsilon);
  for (let i = 0; i < length; i += 4) {
    const at = (i as usize) << 2;
    const lanes = length - i;
    const theta = loadLanes(parameters + at, lanes);
    const g = f32x4.add(f32x4.mul(loadLanes(gradient + at, lanes), clips), f32x4.mul(theta, decay));
    const m = f32x4.add(f32x4.mul(loadLanes(firstMoment + at, lanes), b1), f32x4.mul(g, c1));
    const v = f32x4.add(f32x4.mul(loadLanes(secondMoment + at, lanes), b2), f32x4.mul(f32x4.mul(g, g), c2));
    storeLanes(firstMoment + at, m, lanes);
    storeLanes(secondMoment + at, v, lanes);
    const root = f32x4.add(f32x4.mul(f32x4.sqrt(v), rootCorrection), tiny);
    const change = f32x4.div(f32x4.mul(m, step), root);
    storeLanes(parameters + at, f32x4.sub(f32x4.mul(theta, keep), change), lanes);
  }
}

/** v = αv + (1 − α)g²; θ −= η·g / (√v + ε). */
export function rmsprop(
  parameters: usize,
  gradient: usize,
  norm: usize,
  rates: usize,
  secondMoment: usize,
  length: i32,
  clipNorm: f32,
  weightDecay: f32,
  alpha: f32,
  oneMinusAlpha: f32,
  epsilon: f32,
): void {
  if (diverged(norm)) return;
  const clips = f32x4.splat(clipFactor(norm, clipNorm));
  const decay = f32x4.splat(weightDecay);
  const learningRate = f32x4.splat(load<f32>(rates));
  const a = f32x4.splat(alpha);
  const c = f32x4.splat(oneMinusAlpha);
  const tiny = f32x4.splat(epsilon);
  for (let i = 0; i < length; i += 4) {
    const at = (i as usize) << 2;
    const lanes = length - i;
    const theta = loadLanes(parameters + at, lanes);
    const g = f32x4.add(f32x4.mul(loadLanes(gradient + at, lanes), clips), f32x4.mul(theta, decay));
    const v = f32x4.add(f32x4.mul(loadLanes(secondMoment + at, lanes), a), f32x4.mul(f32x4.mul(g, g), c));
    storeLanes(secondMoment + at, v, lanes);
    const change = f32x4.div(f32x4.mul(g, learningRate), f32x4.add(f32x4.sqrt(v), tiny));
    storeLanes(parameters + at, f32x4.sub(theta, change), lanes);
  }
}

/** u = μu + g; θ −= η·u. */
export function sgd(
  parameters: usize,
  gradient: usize,
  norm: usize,
  rates: usize,
  velocity: usize,
  length: i32,
  clipNorm: f32,
  weightDecay: f32,
  momentum: f32,
): void {
  if (diverged(norm)) return;
  const clips = f32x4.splat(clipFactor(norm, clipNorm));
  const decay = f32x4.splat(weightDecay);
  const learningRate = f32x4.splat(load<f32>(rates));
  const mu = f32x4.splat(momentum);
  for (let i = 0; i < length; i += 4) {
    const at = (i as usize) << 2;
    const lanes = length - i;
    const theta = loadLanes(parameters + at, lanes);
    const g = f32x4.add(f32x4.mul(loadLanes(gradient + at, lanes), clips), f32x4.mul(theta, decay));
    const u = f32x4.add(f32x4.mul(loadLanes(velocity + at, lanes), mu), g);
    storeLanes(velocity + at, u, lanes);
    storeLanes(parameters + at, f32x4.sub(theta, f32x4.mul(u, learningRate)), lanes);
  }
}
