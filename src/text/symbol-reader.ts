/**
 * Bytes to symbols, the units of text that a model predicts.
 *
 * Inside of the text layer a symbol is a number, its code: the byte, the code point, or a number above the code points for a
 * grapheme cluster of several of them. No string is made per symbol.
 */
import { GraphemeJoiner } from './graphemes.ts';
import { encodeUtf8, HELD_BACK, Utf8Decoder } from './utf8.ts';

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
  readonly #options: { lossless?: boolean };
  readonly #joiner: GraphemeJoiner | undefined;
  #decoder: Utf8Decoder;
  #codes = new Int32Array(HELD_BACK);

  /**
   * @param options.lossless any bytes are read, and their symbols, one after the other, are those bytes again: see
   *   `bytesOfSymbol`. Codes are valid until the next call then.
   */
  constructor(unit: Unit, options: { lossless?: boolean } = {}) {
    this.#unit = unit;
    this.#options = options;
    this.#decoder = new Utf8Decoder('', options);
    this.#joiner = unit === 'grapheme' ? new GraphemeJoiner(options) : undefined;
  }

  /** Starts the next text. Neither a character nor a cluster spans two of them. */
  begin(name: string): void {
    this.#decoder = new Utf8Decoder(name, this.#options);
    if (this.#joiner) this.#joiner.name = name;
  }

  /** The codes of the symbols that are complete with this piece. The array is reused by the next call. */
  push(bytes: Uint8Array): Int32Array {
    if (this.#codes.length < bytes.length + HELD_BACK) {
      this.#codes = new Int32Array(bytes.length + HELD_BACK);
    }
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
    const codePoints = this.#codes.subarray(0, this.#decoder.end(this.#codes));
    return this.#joiner ? this.#joiner.push(codePoints, true) : codePoints;
  }

  /** The symbol of a code, as vocabularies write it: bytes as the characters U+0000 to U+00FF. */
  symbolOf(code: number): string {
    return this.#joiner?.clusterOf(code) ?? String.fromCodePoint(code);
  }
}

/** The bytes that a symbol of a lossless reader was read from. */
export function bytesOfSymbol(symbol: string, unit: Unit): Uint8Array {
  return unit === 'byte' ? Uint8Array.of(symbol.charCodeAt(0)) : encodeUtf8(symbol);
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
