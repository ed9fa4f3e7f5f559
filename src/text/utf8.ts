/** UTF-8 to code points, strictly and piece by piece. */
import { CharloomError } from '../errors.ts';

const BYTE_ORDER_MARK = 0xfeff;

/**
 * The decoder of one text (the algorithm of the WHATWG Encoding Standard, §8.1.1): refuses overlong forms,
 * surrogates, code points above U+10FFFF and truncated sequences. `TextDecoder` would refuse them too, but
 * it does not tell where they are, and it makes strings where code points are wanted.
 */
export class Utf8Decoder {
  readonly #name: string;
  /** Offset in the text of the first byte of the next piece. */
  #offset = 0;
  /** Of the unfinished sequence: where it starts, the bits so far, the bytes to come, bounds of the next one. */
  #start = 0;
  #lead = 0;
  #codePoint = 0;
  #needed = 0;
  #lower = 0x80;
  #upper = 0xbf;
  #atStart = true;

  /** @param name of the text, for error messages */
  constructor(name: string) {
    this.#name = name;
  }

  /**
   * Decodes the next piece; an unfinished sequence at its end waits for the next one. A byte order mark at
   * the start of the text is dropped.
   * @param codePoints receives the code points: at least `bytes.length` long
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
        if (byte < this.#lower || byte > this.#upper) this.#refuse();
        this.#lower = 0x80;
        this.#upper = 0xbf;
        this.#codePoint = (this.#codePoint << 6) | (byte & 0x3f);
        if (--this.#needed === 0) codePoints[count++] = this.#codePoint;
      } else {
        this.#begin(byte, this.#offset + i);
      }
      i++;
    }
    this.#offset += bytes.length;
    if (this.#atStart && count > 0) {
      this.#atStart = false;
      if (codePoints[0] === BYTE_ORDER_MARK) {
        codePoints.copyWithin(0, 1, count);
        count--;
      }
    }
    return count;
  }

  /** @throws CharloomError BAD_DATA if the text ends within a sequence */
  end(): void {
    if (this.#needed > 0) this.#refuse();
  }

  /** The first byte of a sequence of two to four. */
  #begin(byte: number, offset: number): void {
    this.#start = offset;
    this.#lead = byte;
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
      this.#refuse();
    }
  }

  #refuse(): never {
    const utf16 = this.#start === 0 && this.#lead >= 0xfe;
    throw new CharloomError(
      'BAD_DATA',
      `${this.#name} is not valid UTF-8: invalid sequence at byte offset ${this.#start} (0x${this.#lead.toString(16)})`,
      utf16
        ? 'it looks like UTF-16: convert it to UTF-8 first'
        : 'convert it to UTF-8, or train on its bytes with --unit byte',
    );
  }
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
