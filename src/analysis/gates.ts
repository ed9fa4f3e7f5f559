/**
 * How often the gates of each cell are nearly open or nearly shut: the saturation statistics of Karpathy, Johnson & Li 2015,
 * "Visualizing and Understanding Recurrent Networks".
 */
import type { CellName } from '../model/config.ts';

/** A gate below is left-saturated: nearly shut. */
const LEFT = 0.1;
/** A gate above is right-saturated: nearly open. */
const RIGHT = 0.9;

interface Gate {
  readonly name: string;
  /** Which of the gates that lie side by side. */
  readonly place: number;
}

/** The gates in question. The candidates g and n are tanh, no gates; the textbook RNN has none. */
export const GATES: Readonly<Record<CellName, readonly Gate[]>> = {
  lstm: [
    { name: 'forget', place: 1 },
    { name: 'input', place: 0 },
    { name: 'output', place: 3 },
  ],
  gru: [
    { name: 'update', place: 1 },
    { name: 'reset', place: 0 },
  ],
  rnn: [],
};

/** One gate of one layer. */
export interface GateSaturation {
  readonly layer: number;
  readonly gate: string;
  /** [H] each: fraction of time at which the cell's gate is left- or right-saturated. */
  readonly left: readonly number[];
  readonly right: readonly number[];
}

/** Counts while a text is read. */
export class GateCounts {
  readonly #cell: CellName;
  readonly #hidden: number;
  /** [layer][gate] [H] each. */
  readonly #left: readonly (readonly Float64Array[])[];
  readonly #right: readonly (readonly Float64Array[])[];
  #count = 0;

  constructor(cell: CellName, layers: number, hidden: number) {
    this.#cell = cell;
    this.#hidden = hidden;
    const zeros = () => Array.from({ length: layers }, () => GATES[cell].map(() => new Float64Array(hidden)));
    this.#left = zeros();
    this.#right = zeros();
  }

  /** @param layers per layer [count, G·H] activated gates */
  add(layers: readonly ArrayLike<number>[], count: number): void {
    this.#count += count;
    const H = this.#hidden;
    for (const [l, gates] of layers.entries()) {
      const width = gates.length / count;
      for (const [g, { place }] of GATES[this.#cell].entries()) {
        const left = this.#left[l]![g]!;
        const right = this.#right[l]![g]!;
        for (let i = 0; i < count; i++) {
          for (let h = 0, at = i * width + place * H; h < H; h++, at++) {
            const value = gates[at]!;
            // No branches: they would be unpredictable.
            left[h]! += Number(value < LEFT);
            right[h]! += Number(value > RIGHT);
          }
        }
      }
    }
  }

  /** Layer by layer, gate by gate. */
  fractions(): GateSaturation[] {
    const fraction = (count: number): number => count / this.#count;
    return this.#left.flatMap((gates, layer) =>
      gates.map((left, g) => ({
        layer,
        gate: GATES[this.#cell][g]!.name,
        left: Array.from(left, fraction),
        right: Array.from(this.#right[layer]![g]!, fraction),
      })),
    );
  }
}
