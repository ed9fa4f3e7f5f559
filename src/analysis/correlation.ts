/** Correlations of many cells with many features, from sums alone. */

/** Below this standard deviation a cell hardly moves: what it correlates with would be its rounding errors. */
const STILL = 1e-3;

/**
 * Pearson's r of every cell with every feature: for a binary feature that is the point-biserial correlation. Memory: one number
 * for each pair.
 */
export class CorrelationSums {
  readonly #cells: number;
  readonly #a: Float64Array;
  readonly #aa: Float64Array;
  readonly #x: Float64Array;
  readonly #xx: Float64Array;
  /** [features, cells] */
  readonly #xa: Float64Array;
  readonly #occurrences: Float64Array;
  #count = 0;

  constructor(cells: number, features: number) {
    this.#cells = cells;
    this.#a = new Float64Array(cells);
    this.#aa = new Float64Array(cells);
    this.#x = new Float64Array(features);
    this.#xx = new Float64Array(features);
    this.#xa = new Float64Array(features * cells);
    this.#occurrences = new Float64Array(features);
  }

  /** Symbols so far. */
  get count(): number {
    return this.#count;
  }

  /**
   * Takes the symbols [from, to) of a window.
   * @param activations per layer [window, H], in the order of the cells
   * @param features per feature [window]
   */
  add(
    activations: readonly (Float32Array | Float64Array)[],
    features: readonly Uint8Array[],
    from: number,
    to: number,
  ): void {
    this.#count += Math.max(0, to - from);
    const H = this.#cells / activations.length;
    for (const [l, layer] of activations.entries()) {
      const a = this.#a.subarray(l * H, (l + 1) * H);
      const aa = this.#aa.subarray(l * H, (l + 1) * H);
      for (let i = from; i < to; i++) {
        for (let h = 0, at = i * H; h < H; h++, at++) {
          const value = layer[at]!;
          a[h]! += value;
          aa[h]! += value * value;
        }
      }
    }
    for (const [f, values] of features.entries()) {
      for (let i = from; i < to; i++) {
        const x = values[i]!;
        if (x === 0) continue;
        this.#occurrences[f]!++;
        this.#x[f]! += x;
        this.#xx[f]! += x * x;
        for (const [l, layer] of activations.entries()) {
          const start = f * this.#cells + l * H;
          const xa = this.#xa.subarray(start, start + H);
          for (let h = 0, at = i * H; h < H; h++, at++) xa[h]! += x * layer[at]!;
        }
      }
    }
  }

  /** At how many symbols a feature is not 0. */
  occurrences(feature: number): number {
    return this.#occurrences[feature]!;
  }

  /** r in [−1, 1]; 0 where one of both does not vary. */
  correlation(feature: number, cell: number): number {
    const n = this.#count;
    const meanA = this.#a[cell]! / n;
    const meanX = this.#x[feature]! / n;
    const varianceA = this.#aa[cell]! / n - meanA * meanA;
    const varianceX = this.#xx[feature]! / n - meanX * meanX;
    if (!(varianceA > STILL * STILL && varianceX > 0)) return 0;
    const covariance = this.#xa[feature * this.#cells + cell]! / n - meanX * meanA;
    return covariance / Math.sqrt(varianceA * varianceX);
  }
}
