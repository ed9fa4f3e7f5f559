/**
 * Loops over the terms of a sum.
 *
 * Where threads are few, as in a single time step, a GPU has nothing to do while one waits for memory. So a turn of the
 * loop takes several terms, whose loads do not wait for one another. The order of the additions is that of a plain loop.
 */

const EACH_TURN = 8;
/** Shorter sums are plain loops: there is little to wait for, and long kernels take long to compile. */
const SHORT = 32;

/**
 * Kernel statements `term(k, name)` for k = 0 … count − 1, where k is the text of an index, and `name` may be part of the
 * names of constants that belong to this term.
 */
export function overTerms(count: number, term: (k: string, name: string) => string): string {
  const each = count < SHORT ? 1 : EACH_TURN;
  const turns = Math.floor(count / each);
  const terms = (from: number, to: number, index: (j: number) => string): string =>
    Array.from({ length: to - from }, (_, i) => term(index(from + i), `${from + i}`)).join('\n');
  // k++ leaves k an integer, where k += would make it a float.
  return `for (let k = 0; k < ${turns}; k++) {
      ${terms(0, each, (j) => (each === 1 ? 'k' : `k * ${each} + ${j}`))}
    }
    ${terms(turns * each, count, String)}`;
}
