/**
 * Curves of any length in little memory: neighbouring values are put together, ever more of them, and what is kept of each group
 * is its mean, its least and its greatest value. So no peak is lost, however many steps there are.
 */

/** What is drawn of one quantity. */
export interface ThinnedCurve {
  readonly mean: readonly number[];
  readonly lower: readonly number[];
  readonly upper: readonly number[];
}

interface Group {
  count: number;
  steps: number;
  minutes: number;
  readonly quantities: { count: number; sum: number; least: number; greatest: number }[];
}

/** Several quantities that are measured together, at steps. */
export class Thinning {
  readonly #most: number;
  readonly #quantities: number;
  /** Steps of a group, a power of two; group i holds the steps from i · width on. */
  #width = 1;
  #groups = new Map<number, Group>();

  /**
   * @param most groups that are kept at most, at least 2
   * @param quantities how many values each measurement has
   */
  constructor(most: number, quantities: number) {
    this.#most = most;
    this.#quantities = quantities;
  }

  /** @param values what is not finite counts as missing */
  add(step: number, minutes: number, values: readonly number[]): void {
    // Steps are counted from 1.
    const index = Math.floor(Math.max(0, step - 1) / this.#width);
    let group = this.#groups.get(index);
    if (!group) {
      group = this.#empty();
      this.#groups.set(index, group);
    }
    group.count++;
    group.steps += step;
    group.minutes += minutes;
    for (const [i, quantity] of group.quantities.entries()) {
      const value = values[i]!;
      if (!Number.isFinite(value)) continue;
      quantity.count++;
      quantity.sum += value;
      quantity.least = Math.min(quantity.least, value);
      quantity.greatest = Math.max(quantity.greatest, value);
    }
    while (this.#groups.size > this.#most) this.#halve();
  }

  /** The means of the steps and minutes of each group, and its quantities: NaN where all are missing. */
  get(): { steps: number[]; minutes: number[]; curves: ThinnedCurve[] } {
    const groups = [...this.#groups].sort(([a], [b]) => a - b).map(([, group]) => group);
    const curve = (i: number): ThinnedCurve => {
      const parts = groups.map(({ quantities }) => quantities[i]!);
      return {
        mean: parts.map(({ count, sum }) => sum / count),
        lower: parts.map(({ count, least }) => (count > 0 ? least : Number.NaN)),
        upper: parts.map(({ count, greatest }) => (count > 0 ? greatest : Number.NaN)),
      };
    };
    return {
      steps: groups.map(({ count, steps }) => steps / count),
      minutes: groups.map(({ count, minutes }) => minutes / count),
      curves: Array.from({ length: this.#quantities }, (_, i) => curve(i)),
    };
  }

  #empty(): Group {
    const quantities = Array.from({ length: this.#quantities }, () => ({
      count: 0,
      sum: 0,
      least: Number.POSITIVE_INFINITY,
      greatest: Number.NEGATIVE_INFINITY,
    }));
    return { count: 0, steps: 0, minutes: 0, quantities };
  }

  #halve(): void {
    this.#width *= 2;
    const halved = new Map<number, Group>();
    for (const [index, group] of this.#groups) {
      const place = Math.floor(index / 2);
      const other = halved.get(place);
      if (!other) {
        halved.set(place, group);
        continue;
      }
      other.count += group.count;
      other.steps += group.steps;
      other.minutes += group.minutes;
      for (const [i, quantity] of other.quantities.entries()) {
        const { count, sum, least, greatest } = group.quantities[i]!;
        quantity.count += count;
        quantity.sum += sum;
        quantity.least = Math.min(quantity.least, least);
        quantity.greatest = Math.max(quantity.greatest, greatest);
      }
    }
    this.#groups = halved;
  }
}
