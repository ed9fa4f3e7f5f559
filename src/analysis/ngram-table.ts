/**
 * The distinct n-grams of one length, in an open hash table over typed arrays: millions of them, at 10 to 20 bytes each. An
 * n-gram is its first n − 1 symbols, which are an n-gram of the table one length below, and its last symbol.
 */
import { type Ids, newIds } from '../text/ids.ts';

const INITIAL_ENTRIES = 2 ** 10;
/** Of the entries when there is no room for more. */
const GROWTH = 1.5;
/** Slots are at most this full. */
const LOAD = 0.75;

export class NgramTable {
  /** Number of n-grams; they are numbered from 0 on, in the order in which they came. */
  size = 0;
  /** [size or more]: how often each n-gram counts. */
  counts = new Uint32Array(INITIAL_ENTRIES);
  readonly #vocabulary: number;
  /** The number of the first n − 1 symbols, in the table one length below. */
  #prefixes = new Int32Array(INITIAL_ENTRIES);
  #symbols: Ids;
  /** The number of an n-gram plus 1, or 0 for none; a power of two of them. */
  #slots = new Int32Array(2 * INITIAL_ENTRIES);

  /** @param vocabulary V, greater than every symbol */
  constructor(vocabulary: number) {
    this.#vocabulary = vocabulary;
    this.#symbols = newIds(vocabulary, INITIAL_ENTRIES);
  }

  get bytes(): number {
    return (
      this.counts.byteLength + this.#prefixes.byteLength + this.#symbols.byteLength + this.#slots.byteLength
    );
  }

  /** The most bytes that it takes to add one more n-gram. */
  get bytesToGrow(): number {
    let bytes = 0;
    if (this.size === this.#prefixes.length) bytes += (this.bytes - this.#slots.byteLength) * GROWTH;
    if (this.size >= LOAD * this.#slots.length) bytes += 2 * this.#slots.byteLength;
    return bytes;
  }

  /** The number of the n-gram `prefix` with `symbol` behind it, or −1. */
  find(prefix: number, symbol: number): number {
    const mask = this.#slots.length - 1;
    for (let slot = hash(prefix, symbol) & mask; ; slot = (slot + 1) & mask) {
      const found = this.#slots[slot]! - 1;
      if (found < 0 || (this.#prefixes[found] === prefix && this.#symbols[found] === symbol)) return found;
    }
  }

  /** The same; an n-gram that is not there comes in, with a count of 0, and its number is the old `size`. */
  add(prefix: number, symbol: number): number {
    const mask = this.#slots.length - 1;
    let slot = hash(prefix, symbol) & mask;
    for (; this.#slots[slot] !== 0; slot = (slot + 1) & mask) {
      const found = this.#slots[slot]! - 1;
      if (this.#prefixes[found] === prefix && this.#symbols[found] === symbol) return found;
    }
    if (this.size === this.#prefixes.length) this.#growEntries();
    const number = this.size++;
    this.#prefixes[number] = prefix;
    this.#symbols[number] = symbol;
    this.#slots[slot] = number + 1;
    if (this.size > LOAD * this.#slots.length) this.#growSlots();
    return number;
  }

  /** The number of the first n − 1 symbols of n-gram `number`. */
  prefixOf(number: number): number {
    return this.#prefixes[number]!;
  }

  #growEntries(): void {
    const length = Math.ceil(GROWTH * this.size);
    const counts = new Uint32Array(length);
    counts.set(this.counts);
    this.counts = counts;
    const prefixes = new Int32Array(length);
    prefixes.set(this.#prefixes);
    this.#prefixes = prefixes;
    const symbols = newIds(this.#vocabulary, length);
    symbols.set(this.#symbols);
    this.#symbols = symbols;
  }

  #growSlots(): void {
    const slots = new Int32Array(2 * this.#slots.length);
    const mask = slots.length - 1;
    for (let number = 0; number < this.size; number++) {
      let slot = hash(this.#prefixes[number]!, this.#symbols[number]!) & mask;
      while (slots[slot] !== 0) slot = (slot + 1) & mask;
      slots[slot] = number + 1;
    }
    this.#slots = slots;
  }
}

/** The finaliser of MurmurHash3 (Appleby) over both. */
function hash(prefix: number, symbol: number): number {
  let h = Math.imul(prefix, 0x9e3779b1) ^ Math.imul(symbol + 1, 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return h ^ (h >>> 16);
}
