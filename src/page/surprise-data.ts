/** What the page on surprise and its script agree on. */

/** Guesses that are told of every symbol. */
export const GUESSES = 5;

/** Symbols of a vocabulary that the page can name: ids have 16 bits in it. */
export const MOST_NAMES = 0x10000;

/** Bits are kept in hundredths; the upper bit of their 16 says that the symbol is not in the vocabulary. */
export const UNKNOWN_FLAG = 0x8000;
/** Of the first symbol, which is not predicted. */
export const NO_BITS = 0x7fff;

/** The bits that a symbol cost; null of the first one. */
export function bitsOf(kept: number): number | null {
  const hundredths = kept & ~UNKNOWN_FLAG;
  return hundredths === NO_BITS ? null : hundredths / 100;
}

export function isUnknown(kept: number): boolean {
  return (kept & UNKNOWN_FLAG) !== 0;
}

/** A rank that is not smaller is not told exactly. */
export const LAST_RANK = 0xffff;

/** What the script is given. */
export interface SurpriseData {
  /** Names of the vocabulary's symbols, by id. */
  readonly names: readonly string[];
  /** Guesses per symbol. */
  readonly guesses: number;
  /** Symbols of the text. */
  readonly length: number;
  /** First symbol of each block. */
  readonly starts: readonly number[];
  /** n symbols each, as `packed` makes them: [n] lengths, [n] bits, [n] ranks, [guesses, n] ids, all of 16 bits; [guesses, n] probabilities in 1/255. */
  readonly blocks: readonly string[];
  /** First symbols of the costliest passages, the costliest first. */
  readonly passages: readonly number[];
}
