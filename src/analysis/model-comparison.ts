/** Where each of two models of the same text is the better one: on which symbols, and in which passages. */
import { CostliestPassages, type Passage } from './passages.ts';

/** A symbol that one model predicts with fewer bits than the other, all in all. */
export interface SymbolGain {
  readonly id: number;
  /** How often it was to be predicted. */
  readonly occurrences: number;
  /** Bits of all occurrences under the better model, and under the other one. */
  readonly bits: number;
  readonly otherBits: number;
}

/** What one model is better at; the greatest gain first. */
export interface Gains {
  readonly symbols: readonly SymbolGain[];
  /** Passages that do not overlap; `cost` is how many bits more they cost the other model. */
  readonly passages: readonly Passage[];
}

export interface ComparisonOptions {
  /** Symbols and passages to tell of each model, at most. */
  readonly symbols: number;
  readonly passages: number;
  /** Symbols of a passage. */
  readonly width: number;
}

export class ModelComparison {
  readonly #options: ComparisonOptions;
  readonly #occurrences: Float64Array;
  /** Bits by symbol, of the one and of the other model. */
  readonly #bits: readonly [Float64Array, Float64Array];
  /** Passages by what the one model gains over the other, and the other way round. */
  readonly #passages: readonly [CostliestPassages, CostliestPassages];

  /** @param vocabulary V, greater than every symbol */
  constructor(vocabulary: number, options: ComparisonOptions) {
    this.#options = options;
    this.#occurrences = new Float64Array(vocabulary);
    this.#bits = [new Float64Array(vocabulary), new Float64Array(vocabulary)];
    const passages = (): CostliestPassages =>
      // The first symbol of a text is not predicted.
      new CostliestPassages(options.width, options.passages, 1);
    this.#passages = [passages(), passages()];
  }

  /** Takes what the next symbol cost under each model, in bits. */
  push(symbol: number, one: number, other: number): void {
    this.#occurrences[symbol]!++;
    this.#bits[0][symbol]! += one;
    this.#bits[1][symbol]! += other;
    this.#passages[0].push(other - one);
    this.#passages[1].push(one - other);
  }

  /** What the one model is better at, and what the other. Nothing may be pushed any more. */
  finish(): [Gains, Gains] {
    return [this.#gainsOf(0), this.#gainsOf(1)];
  }

  #gainsOf(model: 0 | 1): Gains {
    const own = this.#bits[model];
    const other = this.#bits[1 - model]!;
    const symbols: SymbolGain[] = [];
    for (let id = 0; id < own.length; id++) {
      if (own[id]! >= other[id]!) continue;
      symbols.push({ id, occurrences: this.#occurrences[id]!, bits: own[id]!, otherBits: other[id]! });
    }
    symbols.sort((a, b) => b.otherBits - b.bits - (a.otherBits - a.bits));
    return {
      symbols: symbols.slice(0, this.#options.symbols),
      passages: this.#passages[model].finish().filter(({ cost }) => cost > 0),
    };
  }
}
