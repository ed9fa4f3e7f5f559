/** The mask of `dropoutKeeps` in `../../engine.ts`, four columns at a time. The two must agree bit for bit. */
import { loadLanes, storeLanes } from './lanes';

/** `DROPOUT_MULTIPLIERS`, and the 12 bits of a half; in memory for the reason given in `math.ts`. */
const MULTIPLIERS: usize = memory.data<i32>([2909, 2531, 3371, 2253, 2775, 3867]);
const HALF: usize = memory.data<i32>([4095]);

/** One round of the Feistel network, in 12 bits: left + y² / 64 with y = right · multiplier + key. */
function mix(left: v128, right: v128, multiplier: usize, key: v128): v128 {
  const half = v128.load32_splat(HALF);
  const y = v128.and(i32x4.add(i32x4.mul(right, v128.load32_splat(multiplier)), key), half);
  return v128.and(i32x4.add(left, i32x4.shr_u(i32x4.mul(y, y), 6)), half);
}

/**
 * out = input ⊙ mask · scale, scale = 1 / (1 − rate). A dropped element is 0 whatever the input.
 *
 * @param firstRow number of the first row of `out` and `input`
 * @param threshold 24-bit numbers below it are dropped
 */
export function dropout(
  out: usize,
  input: usize,
  seed: usize,
  stream: i32,
  threshold: i32,
  scale: f32,
  firstRow: i32,
  rows: i32,
  columns: i32,
): void {
  const bytes = (columns as usize) << 2;
  const drawn = load<i32>(seed);
  const low = i32x4.splat((drawn & 4095) + stream * 911);
  const lowest = i32x4.splat(threshold);
  const scales = f32x4.splat(scale);
  const consecutive = i32x4(0, 1, 2, 3);
  for (let row = firstRow; row < firstRow + rows; row++) {
    const rowKey = (drawn >>> 12) + stream * 613 + (row >>> 12) * 157;
    for (let j = 0; j < columns; j += 4) {
      const high = i32x4.splat(rowKey + (j >>> 12) * 1031);
      let left = i32x4.splat(row & 4095);
      let right = i32x4.add(i32x4.splat(j & 4095), consecutive);
      left = mix(left, right, MULTIPLIERS, low);
      right = mix(right, left, MULTIPLIERS + 4, high);
      left = mix(left, right, MULTIPLIERS + 8, low);
      right = mix(right, left, MULTIPLIERS + 12, high);
      left = mix(left, right, MULTIPLIERS + 16, low);
      right = mix(right, left, MULTIPLIERS + 20, high);
      const kept = i32x4.ge_s(i32x4.add(i32x4.shl(left, 12), right), lowest);
      const at = (j as usize) << 2;
      const lanes = columns - j;
      storeLanes(out + at, v128.and(f32x4.mul(loadLanes(input + at, lanes), scales), kept), lanes);
    }
    out += bytes;
    input += bytes;
  }
}
