/** A text as it was read: what it says, not the ids by which a model knows it. */
import type { IdSequence } from './id-sequence.ts';
import type { Unit } from './symbol-reader.ts';

/** The symbols of a text, also those that the vocabulary of a model lacks. It can be read at any place. */
export class SymbolText {
  readonly unit: Unit;
  /** All distinct symbols of the whole reading. */
  readonly symbols: readonly string[];
  readonly #ids: IdSequence;

  /**
   * @param ids of a text that was read, or of a part of it
   * @param symbols of the same reading: what each id of `ids.unmapped()` stands for
   */
  constructor(unit: Unit, ids: IdSequence, symbols: readonly string[]) {
    this.unit = unit;
    this.#ids = ids.unmapped();
    this.symbols = symbols;
  }

  get length(): number {
    return this.#ids.length;
  }

  /** Which of `symbols` the text has from `start` on: as many as `out` holds. @throws as `read` */
  readIndices(start: number, out: Int32Array): void {
    this.#ids.read(start, out);
  }

  /**
   * The symbols from `start` to before `end`; bytes as the characters U+0000 to U+00FF.
   * @throws RangeError if there are not so many; CharloomError IO if they are on a disk that fails
   */
  read(start: number, end: number): string[] {
    const ids = new Int32Array(end - start);
    this.#ids.read(start, ids);
    return Array.from(ids, (id) => this.symbols[id]!);
  }

  /** The same as text; of bytes that are not UTF-8, U+FFFD. @throws as `read` */
  text(start: number, end: number): string {
    const symbols = this.read(start, end);
    if (this.unit !== 'byte') return symbols.join('');
    return new TextDecoder('utf-8', { ignoreBOM: true }).decode(
      Uint8Array.from(symbols, (symbol) => symbol.charCodeAt(0)),
    );
  }

  /** The number of the line, from 1 on, in which each of these places lies. @throws CharloomError as `read` */
  lines(places: readonly number[]): number[] {
    const ends = Uint8Array.from(this.symbols, (symbol) => Number(symbol.endsWith('\n')));
    const sorted = [...new Set(places)].sort((a, b) => a - b);
    const found = new Map<number, number>();
    let line = 1;
    let start = 0;
    let next = 0;
    for (const ids of this.#ids.windows()) {
      if (next === sorted.length) break;
      for (let i = 0; i < ids.length; i++) {
        if (sorted[next] === start + i) found.set(sorted[next++]!, line);
        line += ends[ids[i]!]!;
      }
      start += ids.length;
    }
    return places.map((place) => found.get(place) ?? line);
  }
}
