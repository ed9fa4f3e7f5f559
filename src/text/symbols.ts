/**
 * Bytes to symbols, the units of text that a model predicts.
 *
 * Inside this layer a symbol is a number, its code: the byte, the code point, or a number above the code
 * points for a grapheme cluster of several of them. No string is made per symbol.
 */

import { CharloomError } from '../errors.ts';
import { FIRST_CLUSTER_CODE, GraphemeJoiner } from './graphemes.ts';
import { IdBuffer, type Ids } from './ids.ts';
import { Utf8Decoder } from './utf8.ts';

/** What one symbol is: a Unicode code point, an extended grapheme cluster, or a byte. */
export type Unit = 'character' | 'grapheme' | 'byte';

export const UNITS: readonly Unit[] = ['character', 'grapheme', 'byte'];

/** More distinct symbols than any model can use: a bound on memory for hostile files. */
export const MAX_SYMBOLS = 2 ** 21;

/** Reads texts one after the other, each in pieces, as the codes of their symbols. */
class SymbolReader {
  readonly #unit: Unit;
  readonly #joiner: GraphemeJoiner | undefined;
  #decoder = new Utf8Decoder('');
  #codes = new Int32Array(0);

  constructor(unit: Unit) {
    this.#unit = unit;
    this.#joiner = unit === 'grapheme' ? new GraphemeJoiner() : undefined;
  }

  /** Starts the next text. Neither a character nor a cluster spans two of them. */
  begin(name: string): void {
    this.#decoder = new Utf8Decoder(name);
  }

  /** The codes of the symbols that are complete with this piece. The array is reused by the next call. */
  push(bytes: Uint8Array): Int32Array {
    if (this.#codes.length < bytes.length) this.#codes = new Int32Array(bytes.length);
    const codes = this.#codes;
    if (this.#unit === 'byte') {
      codes.set(bytes);
      return codes.subarray(0, bytes.length);
    }
    const codePoints = codes.subarray(0, this.#decoder.push(bytes, codes));
    return this.#joiner ? this.#joiner.push(codePoints, false) : codePoints;
  }

  /** Ends the text: the codes of the symbols that were held back. */
  end(): Int32Array {
    this.#decoder.end();
    const nothing = new Int32Array(0);
    return this.#joiner ? this.#joiner.push(nothing, true) : nothing;
  }

  /** The symbol of a code, as vocabularies write it: bytes as the characters U+0000 to U+00FF. */
  symbolOf(code: number): string {
    return this.#joiner?.clusterOf(code) ?? String.fromCodePoint(code);
  }
}

/**
 * Collects texts as ids in order of first appearance: the first symbol is 0, the next new one 1, and so on.
 * So one pass over a text is enough, even one that cannot be read twice, before its vocabulary is known.
 */
export class SymbolCollector {
  readonly #reader: SymbolReader;
  readonly #ids: IdBuffer;
  /** Symbol code -> id + 1; 0 is a symbol not seen yet. Pages that no symbol touches cost no memory. */
  #idPlusOne: Int32Array;
  readonly #codes: number[] = [];

  /** @param expected number of symbols, to save copying; any number is right */
  constructor(unit: Unit, expected = 0) {
    this.#reader = new SymbolReader(unit);
    this.#ids = new IdBuffer(expected);
    this.#idPlusOne = new Int32Array(unit === 'byte' ? 256 : FIRST_CLUSTER_CODE);
  }

  /** Number of symbols so far. */
  get length(): number {
    return this.#ids.length;
  }

  /** Starts the next text; `name` is for error messages. */
  begin(name: string): void {
    this.#reader.begin(name);
  }

  /** @throws CharloomError BAD_DATA if the text is not UTF-8 (units character and grapheme) */
  push(bytes: Uint8Array): void {
    this.#append(this.#reader.push(bytes));
  }

  /** Ends the text. @throws as `push` */
  end(): void {
    this.#append(this.#reader.end());
  }

  /** All ids, and the symbol of each distinct id. */
  finish(): { ids: Ids; symbols: string[] } {
    return { ids: this.#ids.finish(), symbols: this.#codes.map((code) => this.#reader.symbolOf(code)) };
  }

  #append(codes: Int32Array): void {
    let table = this.#idPlusOne;
    for (let i = 0; i < codes.length; i++) {
      const code = codes[i]!;
      if (code >= table.length) table = this.#growTable(code);
      let idPlusOne = table[code]!;
      if (idPlusOne === 0) {
        idPlusOne = this.#codes.push(code);
        table[code] = idPlusOne;
        if (idPlusOne > MAX_SYMBOLS) {
          throw new CharloomError('BAD_DATA', `the text has more than ${MAX_SYMBOLS} distinct symbols`);
        }
      }
      codes[i] = idPlusOne - 1;
    }
    this.#ids.append(codes, this.#codes.length);
  }

  #growTable(code: number): Int32Array {
    const table = new Int32Array(2 * code);
    table.set(this.#idPlusOne);
    this.#idPlusOne = table;
    return table;
  }
}
