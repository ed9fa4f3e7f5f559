/**
 * Bytes to symbols, the units of text that a model predicts.
 *
 * Inside of the text layer a symbol is a number, its code: the byte, the code point, or a number above the code points for a
 * grapheme cluster of several of them. No string is made per symbol.
 */
import { GraphemeJoiner } from './graphemes.ts';
import { Utf8Decoder } from './utf8.ts';

/** What one symbol is: a Unicode code point, an extended grapheme cluster, or a byte. */
export type Unit = 'character' | 'grapheme' | 'byte';

export const UNITS: readonly Unit[] = ['character', 'grapheme', 'byte'];

/** More distinct symbols than any model can use: a bound on memory for hostile files. */
export const MAX_SYMBOLS = 2 ** 21;

/** Bytes to read at once: what is made of them stays in the cache from one pass to the next. */
export const SLICE_BYTES = 2 ** 14;

/** Reads texts one after the other, each in pieces, as the codes of their symbols. */
export class SymbolReader {
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
    if (this.#joiner) this.#joiner.name = name;
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

/** The symbols of one text, as vocabularies write them. @throws CharloomError BAD_DATA as `SymbolReader.push` */
export function* symbolsOf(unit: Unit, bytes: Uint8Array, name: string): Generator<string> {
  const reader = new SymbolReader(unit);
  reader.begin(name);
  for (let at = 0; at < bytes.length; at += SLICE_BYTES) {
    for (const code of reader.push(bytes.subarray(at, at + SLICE_BYTES))) yield reader.symbolOf(code);
  }
  for (const code of reader.end()) yield reader.symbolOf(code);
}
