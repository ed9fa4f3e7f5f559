/**
 * Arithmetic coding (Rissanen & Langdon 1979): a sequence of symbols becomes one number in an interval as wide as the
 * product of their probabilities, so that it takes −log₂ of it in bits, and hardly more.
 *
 * This is the range coder of Martin (1979): the interval [low, low + range) is kept in integers, and bytes of it that are
 * certain are written, the most significant ones first. A probability is the part [start, start + size) of a `total`, so it is a
 * fraction of integers: both directions compute the same. Numbers of JavaScript are exact up to 2⁵³; no intermediate passes
 * 2⁴⁹, and since range ≥ 2⁴⁰ a total of at most 2²⁸ leaves 12 bits for range / total: its rounding costs, in the mean, less than
 * 10⁻⁴ bits a symbol.
 */
import { CharloomError } from '../errors.ts';
import { ByteWriter } from './byte-writer.ts';

/** The interval is within [0, WHOLE). */
const WHOLE = 2 ** 48;
/** Bytes in it. */
const WINDOW_BYTES = 6;
/** A narrower range is widened by a byte. One byte of the window stands above this. */
const TOP_BYTE = 2 ** 40;

/** The greatest total of frequencies. */
export const MAX_TOTAL = 2 ** 28;

/** Symbols to bytes. */
export class ArithmeticEncoder {
  readonly #out = new ByteWriter();
  #low = 0;
  #range = WHOLE;

  /** Bytes so far; there will be no fewer. */
  get length(): number {
    return this.#out.length;
  }

  /** Encodes a symbol that has the part [start, start + size) of [0, total), size ≥ 1, total ≤ MAX_TOTAL. */
  encode(start: number, size: number, total: number): void {
    const unit = Math.floor(this.#range / total);
    this.#low += unit * start;
    this.#range = unit * size;
    this.#carry();
    while (this.#range < TOP_BYTE) {
      this.#shift();
      this.#range *= 256;
    }
  }

  /** All bytes: the shortest number in the interval, its last zeros left out. */
  finish(): Uint8Array {
    const end = this.#low + this.#range;
    let bytes = 0;
    let number = end;
    for (; ; bytes++) {
      const unit = WHOLE / 256 ** bytes;
      number = Math.ceil(this.#low / unit) * unit;
      if (number < end) break;
    }
    this.#low = number;
    this.#carry();
    for (let i = 0; i < bytes; i++) this.#shift();
    return this.#out.bytes();
  }

  /** The bytes that were written are too small by one, if the sum has passed the window. */
  #carry(): void {
    if (this.#low < WHOLE) return;
    this.#low -= WHOLE;
    this.#out.increment();
  }

  /** Writes the first byte of the window. */
  #shift(): void {
    const byte = Math.floor(this.#low / TOP_BYTE);
    this.#out.push(byte);
    this.#low = (this.#low - byte * TOP_BYTE) * 256;
  }
}

/** Bytes to the same symbols: every `find` with the total, then the `remove` with the part, that the encoder had. */
export class ArithmeticDecoder {
  readonly #bytes: Uint8Array;
  readonly #name: string;
  #at = 0;
  /** The number, less the encoder's low. */
  #code = 0;
  #range = WHOLE;
  #unit = 0;

  /** @param name of the bytes, for error messages */
  constructor(bytes: Uint8Array, name: string) {
    this.#bytes = bytes;
    this.#name = name;
    for (let i = 0; i < WINDOW_BYTES; i++) this.#shift();
  }

  /**
   * A number in the part of [0, total) that the next symbol has.
   * @throws CharloomError BAD_DATA if no encoder has written these bytes
   */
  find(total: number): number {
    this.#unit = Math.floor(this.#range / total);
    const found = Math.floor(this.#code / this.#unit);
    if (found >= total) throw this.#damaged('there is no such symbol');
    return found;
  }

  /** Goes on behind the symbol that has [start, start + size) of the total. @throws CharloomError BAD_DATA */
  remove(start: number, size: number): void {
    this.#code -= this.#unit * start;
    this.#range = this.#unit * size;
    while (this.#range < TOP_BYTE) {
      this.#shift();
      this.#range *= 256;
    }
  }

  /** @throws CharloomError BAD_DATA if there are bytes that no symbol needed */
  finish(): void {
    if (this.#at < this.#bytes.length) throw this.#damaged('it goes on after its last symbol');
  }

  #shift(): void {
    // The encoder leaves bytes out of its last window, and there only.
    if (this.#at >= this.#bytes.length + WINDOW_BYTES) throw this.#damaged('it ends too early');
    this.#code = this.#code * 256 + (this.#bytes[this.#at++] ?? 0);
  }

  #damaged(how: string): CharloomError {
    return new CharloomError('BAD_DATA', `${this.#name} is damaged: ${how}`);
  }
}
