/** What the page on cells and its script agree on. */

/** Symbols that the page shows. */
export const PAGE_SYMBOLS = 30_000;
/** Cells that it can show them by. */
export const PAGE_NEURONS = 48;
/** Activations are told in so many steps on either side of zero. */
export const STEPS = 127;

export interface NeuronData {
  /** As people write it. */
  readonly name: string;
  /** The activation that STEPS stands for: 1, or more where activations have no bound. */
  readonly extent: number;
  /** Per block of text its activations in steps, of 8 bits each, as `packed` makes them. */
  readonly blocks: readonly string[];
}

/** What the script is given. */
export interface NeuronsData {
  /** What is shown of a cell. */
  readonly activation: string;
  /** Symbols that are shown. */
  readonly length: number;
  /** First symbol of each block. */
  readonly starts: readonly number[];
  /** UTF-16 units of the symbols of each block, of 16 bits each, as `packed` makes them. */
  readonly blocks: readonly string[];
  readonly neurons: readonly NeuronData[];
}
