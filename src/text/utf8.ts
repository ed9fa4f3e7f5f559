/** UTF-8 to code points, piece by piece: strictly, or so that nothing is lost. */
import { CharloomError } from '../errors.ts';

const BYTE_ORDER_MARK = 0xfeff;

/**
 * A byte that is no part of valid UTF-8 as a code point: that byte above this number. So no text has it, since UTF-8 has no
 * surrogates (Python's "surrogateescape", PEP 383).
 */
const ESCAPED_BYTE = 0xdc00;

/** Code points that `push` may write beyond the number of its bytes: an unfinished sequence that turns out to be invalid. */
export const HELD_BACK = 3;

/**
 * The decoder of one text (the algorithm of the WHATWG Encoding Standard, §8.1.1): refuses overlong forms,
 * surrogates, code points above U+10FFFF and truncated sequences. `TextDecoder` would refuse them too, but
 * it does not tell where they are, and it makes strings where code points are wanted.
 */
export class Utf8Decoder {
  readonly #name: string;
  readonly #lossless: boolean;
  /** Offset in the text of the first byte of the next piece. */
  #offset = 0;
  /** Of the unfinished sequence: where it starts, its bytes and bits so far, the bytes to come, bounds of the next one. */
  #start = 0;
  readonly #sequence = new Uint8Array(HELD_BACK);
  #seen = 0;
  #codePoint = 0;
  #needed = 0;
  #lower = 0x80;
  #upper = 0xbf;
  #atStart = true;

  /**
   * @param name of the text, for error messages
   * @param options.lossless nothing is refused or dropped: a byte that is not UTF-8 becomes a surrogate, which
   *   `encodeUtf8` turns into that byte again
   */
  constructor(name: string, { lossless = false }: { lossless?: boolean } = {}) {
    this.#name = name;
    this.#lossless = lossless;
  }

  /**
   * Decodes the next piece; an unfinished sequence at its end waits for the next one. A byte order mark at
   * the start of the text is dropped, unless nothing is to be lost.
   * @param codePoints receives the code points: at least `bytes.length + HELD_BACK` long
   * @returns how many code points were written
   * @throws CharloomError BAD_DATA at the first sequence that is not UTF-8, with its byte offset
   */
  push(bytes: Uint8Array, codePoints: Int32Array): number {
    let count = 0;
    let i = 0;
    while (i < bytes.length) {
      if (this.#needed === 0) {
        // Nearly all of every text.
        const ascii = copyAscii(bytes, i, codePoints, count);
        i += ascii;
        count += ascii;
        const threes = decodeThrees(bytes, i, codePoints, count);
        i += 3 * threes;
        count += threes;
        if (ascii + threes > 0) continue;
      }
      const byte = bytes[i]!;
      if (this.#needed > 0) {
        const valid = byte >= this.#lower && byte <= this.#upper;
        this.#lower = 0x80;
        this.#upper = 0xbf;
        if (!valid) {
          count += this.#giveUp(codePoints, count);
          continue; // with the same byte, which may begin another sequence
        }
        this.#codePoint = (this.#codePoint << 6) | (byte & 0x3f);
        if (--this.#needed === 0) codePoints[count++] = this.#codePoint;
        else this.#sequence[this.#seen++] = byte;
      } else if (!this.#begin(byte, this.#offset + i)) {
        count += this.#giveUp(codePoints, count);
      }
      i++;
    }
    this.#offset += bytes.length;
    if (this.#atStart && count > 0) {
      this.#atStart = false;
      if (codePoints[0] === BYTE_ORDER_MARK && !this.#lossless) {
        codePoints.copyWithin(0, 1, count);
        count--;
      }
    }
    return count;
  }

  /**
   * Ends the text.
   * @param codePoints receives what is left, if nothing is to be lost: `HELD_BACK` at most
   * @returns how many code points were written
   * @throws CharloomError BAD_DATA if the text ends within a sequence
   */
  end(codePoints: Int32Array): number {
    return this.#needed > 0 ? this.#giveUp(codePoints, 0) : 0;
  }

  /** The first byte of a sequence of two to four. @returns whether it is one */
  #begin(byte: number, offset: number): boolean {
    this.#start = offset;
    this.#sequence[0] = byte;
    this.#seen = 1;
    if (byte >= 0xc2 && byte <= 0xdf) {
      this.#needed = 1;
      this.#codePoint = byte & 0x1f;
    } else if (byte >= 0xe0 && byte <= 0xef) {
      if (byte === 0xe0) this.#lower = 0xa0; // below: overlong
      if (byte === 0xed) this.#upper = 0x9f; // above: surrogates
      this.#needed = 2;
      this.#codePoint = byte & 0x0f;
    } else if (byte >= 0xf0 && byte <= 0xf4) {
      if (byte === 0xf0) this.#lower = 0x90; // below: overlong
      if (byte === 0xf4) this.#upper = 0x8f; // above: more than U+10FFFF
      this.#needed = 3;
      this.#codePoint = byte & 0x07;
    } else {
      return false;
    }
    return true;
  }

  /** Of a sequence that is invalid: refuses the text, or writes its bytes so far as code points. @returns their number */
  #giveUp(codePoints: Int32Array, at: number): number {
    if (!this.#lossless) this.#refuse();
    for (let i = 0; i < this.#seen; i++) codePoints[at + i] = ESCAPED_BYTE + this.#sequence[i]!;
    this.#needed = 0;
    return this.#seen;
  }

  #refuse(): never {
    const lead = this.#sequence[0]!;
    const utf16 = this.#start === 0 && lead >= 0xfe;
    throw new CharloomError(
      'BAD_DATA',
      `${this.#name} is not valid UTF-8: invalid sequence at byte offset ${this.#start} (0x${lead.toString(16)})`,
      utf16
        ? 'it looks like UTF-16: convert it to UTF-8 first'
        : 'convert it to UTF-8, or train on its bytes with --unit byte',
    );
  }
}

const encoder = new TextEncoder();

/** The bytes of a text, those that the lossless decoder escaped included. */
export function encodeUtf8(text: string): Uint8Array {
  if (!/\p{Surrogate}/u.test(text)) return encoder.encode(text);
  const bytes: number[] = [];
  for (const character of text) {
    const byte = character.codePointAt(0)! - ESCAPED_BYTE;
    if (byte >= 0x80 && byte <= 0xff) bytes.push(byte);
    else bytes.push(...encoder.encode(character));
  }
  return Uint8Array.from(bytes);
}

/** Copies a run of ASCII, `bytes` from `at` on, to `codePoints` from `to` on. @returns its length */
function copyAscii(bytes: Uint8Array, at: number, codePoints: Int32Array, to: number): number {
  let i = at;
  for (; i < bytes.length; i++) {
    const byte = bytes[i]!;
    if (byte >= 0x80) break;
    codePoints[to + i - at] = byte;
  }
  return i - at;
}

/**
 * Decodes a run of sequences of three bytes (ideographs, kana, Hangul), as `copyAscii` does. It ends before one that
 * is not all there, and before the leading bytes E0 and ED, which have bounds of their own.
 * @returns its length in code points
 */
function decodeThrees(bytes: Uint8Array, at: number, codePoints: Int32Array, to: number): number {
  let count = 0;
  for (let i = at; i + 2 < bytes.length; i += 3) {
    const first = bytes[i]!;
    const second = bytes[i + 1]!;
    const third = bytes[i + 2]!;
    if (first <= 0xe0 || first > 0xef || first === 0xed) break;
    if ((second & 0xc0) !== 0x80 || (third & 0xc0) !== 0x80) break;
    codePoints[to + count++] = ((first & 0x0f) << 12) | ((second & 0x3f) << 6) | (third & 0x3f);
  }
  return count;
}
