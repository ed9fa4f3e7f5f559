/**
 * Sums. Long ones in blocks, so that rounding errors grow with the square root of their lengths; sums over
 * everything in two dispatches, the first of which leaves `PARTIALS` numbers.
 */
import { type Kernel, kernel } from '../commands.ts';

export const PARTIALS = 1024;
const BLOCK = 64;

/** A loop over the elements v of `input` [n] that are thread x's. */
const each = (statement: string): string => `for (let round = 0; round < this.constants.rounds; round++) {
        if (round * ${PARTIALS} + this.thread.x < this.constants.n) {
          const v = input[round * ${PARTIALS} + this.thread.x];
          ${statement}
        }
      }`;

/** (input [R, C]) → out[c] = Σ_r input[r][c] */
export function sumRows(R: number): Kernel {
  return kernel(
    'sumRows',
    `function (input) {
      let total = 0;
      for (let block = 0; block < this.constants.blocks; block++) {
        let s = 0;
        for (let r = 0; r < ${BLOCK}; r++) {
          if (block * ${BLOCK} + r < this.constants.R) {
            s += input[block * ${BLOCK} + r][this.thread.x];
          }
        }
        total += s;
      }
      return total;
    }`,
    { R, blocks: Math.ceil(R / BLOCK) },
  );
}

/** (input [n]) → PARTIALS sums of its elements; thread x takes x, x + PARTIALS, … */
export function partialSums(n: number): Kernel {
  return kernel(
    'partialSums',
    `function (input) {
      let s = 0;
      ${each('s += v;')}
      return s;
    }`,
    { n, rounds: Math.ceil(n / PARTIALS) },
  );
}

/** (input [count]) → scale · its sum */
export function totalSum(count: number, scale: number): Kernel {
  return kernel(
    'totalSum',
    `function (input) {
      let total = 0;
      for (let block = 0; block < this.constants.blocks; block++) {
        let s = 0;
        for (let r = 0; r < ${BLOCK}; r++) {
          if (block * ${BLOCK} + r < this.constants.count) { s += input[block * ${BLOCK} + r]; }
        }
        total += s;
      }
      return total * this.constants.scale;
    }`,
    { count, blocks: Math.ceil(count / BLOCK) },
    { scale },
  );
}

/**
 * (input [n]) → [PARTIALS, 2]: the largest magnitude m among a thread's elements, and Σ (x / m)² of them, which
 * neither overflows nor vanishes where x² would. NaN, which a maximum may overlook, is in the sum.
 */
export function partialNorms(n: number): Kernel {
  return kernel(
    'partialNorms',
    `function (input) {
      let m = 0;
      ${each('m = Math.max(m, Math.abs(v));')}
      let d = m;
      if (d === 0) { d = 1; }
      let s = 0;
      ${each('s += v / d * (v / d);')}
      return [m, s];
    }`,
    { n, rounds: Math.ceil(n / PARTIALS) },
    {},
    2,
  );
}

/** (partial norms [PARTIALS, 2]) → the norm */
export const totalNorm = kernel(
  'totalNorm',
  `function (input) {
    let m = 0;
    for (let i = 0; i < ${PARTIALS}; i++) { m = Math.max(m, input[i][0]); }
    let d = m;
    if (d === 0) { d = 1; }
    let s = 0;
    for (let i = 0; i < ${PARTIALS}; i++) {
      // A part without a magnitude has a sum of 0, or NaN.
      if (input[i][0] === 0) { s += input[i][1]; } else { s += input[i][1] * (input[i][0] / d) * (input[i][0] / d); }
    }
    return d * Math.sqrt(s);
  }`,
);
