/**
 * Symbols that a model does not know, for the arithmetic coder: after the unknown symbol comes which one it was. Nothing is known
 * of them, so it is written plainly: how long the code point is in UTF-8, or that it is a byte outside of UTF-8, then which of
 * those; for grapheme clusters, after every code point, whether another follows.
 */
import type { Unit } from '../text/symbol-reader.ts';
import type { ArithmeticDecoder, ArithmeticEncoder } from './arithmetic-coder.ts';

/** What a code point can be: [first, end). The first are bytes that are not UTF-8, as a lossless reader gives them. */
const CLASSES = [
  [0xdc80, 0xdd00],
  [0, 0x80],
  [0x80, 0x800],
  [0x800, 0x10000],
  [0x10000, 0x110000],
] as const;

export function encodeEscape(encoder: ArithmeticEncoder, symbol: string, unit: Unit): void {
  if (unit === 'byte') {
    encoder.encode(symbol.charCodeAt(0), 1, 256);
    return;
  }
  const codePoints = Array.from(symbol, (character) => character.codePointAt(0)!);
  for (const [i, codePoint] of codePoints.entries()) {
    const which = CLASSES.findIndex(([first, end]) => codePoint >= first && codePoint < end);
    const [first, end] = CLASSES[which]!;
    encoder.encode(which, 1, CLASSES.length);
    encoder.encode(codePoint - first, 1, end - first);
    if (unit === 'grapheme') encoder.encode(i + 1 < codePoints.length ? 1 : 0, 1, 2);
  }
}

/** The symbol that `encodeEscape` was given. @throws CharloomError BAD_DATA if the bytes are damaged */
export function decodeEscape(decoder: ArithmeticDecoder, unit: Unit): string {
  const oneOf = (count: number): number => {
    const found = decoder.find(count);
    decoder.remove(found, 1);
    return found;
  };
  if (unit === 'byte') return String.fromCharCode(oneOf(256));
  let symbol = '';
  do {
    const [first, end] = CLASSES[oneOf(CLASSES.length)]!;
    symbol += String.fromCodePoint(first + oneOf(end - first));
  } while (unit === 'grapheme' && oneOf(2) === 1);
  return symbol;
}
