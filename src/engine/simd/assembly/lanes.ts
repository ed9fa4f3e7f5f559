/**
 * Four floats at a time, also where fewer than four are left. Nothing outside a matrix is ever read or
 * written: what lies there may be garbage, or the end of memory.
 */

/** The next `lanes` floats (4 if more are left); the missing ones are `fill`. */
export function loadLanesOr(p: usize, lanes: i32, fill: v128): v128 {
  return lanes >= 4 ? v128.load(p) : loadFew(p, lanes, fill);
}

/** The next `lanes` floats (4 if more are left); the missing ones are 0. */
export function loadLanes(p: usize, lanes: i32): v128 {
  return lanes >= 4 ? v128.load(p) : loadFew(p, lanes, i32x4.splat(0));
}

/** Writes the first `lanes` floats of `value` (4 if more are left). */
export function storeLanes(p: usize, value: v128, lanes: i32): void {
  if (lanes >= 4) v128.store(p, value);
  else storeFew(p, value, lanes);
}

function loadFew(p: usize, lanes: i32, fill: v128): v128 {
  let value = v128.load_lane<f32>(p, fill, 0);
  if (lanes > 1) value = v128.load_lane<f32>(p, value, 1, 4);
  if (lanes > 2) value = v128.load_lane<f32>(p, value, 2, 8);
  return value;
}

function storeFew(p: usize, value: v128, lanes: i32): void {
  v128.store_lane<f32>(p, value, 0);
  if (lanes > 1) v128.store_lane<f32>(p, value, 1, 4);
  if (lanes > 2) v128.store_lane<f32>(p, value, 2, 8);
}

/** Sum of the four floats, in a fixed order. */
export function sumLanes(x: v128): f32 {
  return (
    f32x4.extract_lane(x, 0) +
    f32x4.extract_lane(x, 1) +
    (f32x4.extract_lane(x, 2) + f32x4.extract_lane(x, 3))
  );
}

/**
 * `value`, and a hint: the shuffle takes all lanes from its first operand and costs no instruction, but `value` cannot
 * be scheduled apart from `neighbour`. V8 would put every multiplication right before the addition that waits for it;
 * two sums that name each other become two multiplications, then two additions, which is a tenth faster.
 */
export function beside(value: v128, neighbour: v128): v128 {
  return v128.shuffle<i32>(value, neighbour, 0, 1, 2, 3);
}

/** In `step = (step + 1) % unroll(TURN)`, has the loop unrolled: see `../unroll.mjs`. */
export function unroll(times: usize): usize {
  return times;
}
