/** How the symbols of a text are shown one by one, where each has a colour and none may be invisible or act on its own. */
import type { Unit } from '../text/symbol-reader.ts';

const NEWLINE = '↵';
/** Stands for the bytes of a character before its last. */
const UNFINISHED = '·';

/** Control and format characters but for joiners, and separators that break lines. */
const INVISIBLE = /[\p{Cc}\p{Zl}\p{Zp}]|(?![\u200c\u200d])\p{Cf}/gu;

/**
 * Shows the symbols of one text, in order. A line break is shown as ↵ and breaks the line, a tab as an arrow of fixed width,
 * a control character as its picture or its number. Of bytes, a character in UTF-8 stands at its last one.
 */
export class Glyphs {
  readonly #bytes: boolean;
  /** The bytes of a character that is not complete. */
  #pending: number[] = [];

  constructor(unit: Unit) {
    this.#bytes = unit === 'byte';
  }

  /** What is shown for the next symbol. Never empty. */
  next(symbol: string): string {
    if (!this.#bytes || (symbol < '\x80' && this.#pending.length === 0)) return glyph(symbol);
    const byte = symbol.charCodeAt(0);
    const continues = byte >= 0x80 && byte < 0xc0 && this.#pending.length > 0;
    this.#pending = continues ? [...this.#pending, byte] : [byte];
    if (byte < 0x80) {
      this.#pending = [];
      return glyph(symbol);
    }
    if (this.#pending.length < lengthOf(this.#pending[0]!)) return UNFINISHED;
    const character = new TextDecoder('utf-8', { ignoreBOM: true }).decode(Uint8Array.from(this.#pending));
    this.#pending = [];
    return glyph(character);
  }
}

/** Bytes of the character that starts with this one. */
function lengthOf(first: number): number {
  if (first >= 0xf0 && first < 0xf8) return 4;
  if (first >= 0xe0) return first < 0xf0 ? 3 : 1;
  return first >= 0xc0 ? 2 : 1;
}

function glyph(symbol: string): string {
  switch (symbol) {
    case '\n':
    case '\r\n':
      return `${NEWLINE}\n`;
    case '\t':
      return '→   ';
    default:
      return visible(symbol);
  }
}

/** A text in which none of its control and format characters acts, nor is invisible, but for `kept`. */
export function visible(text: string, kept = ''): string {
  return text.replace(INVISIBLE, (character) => (kept.includes(character) ? character : picture(character)));
}

function picture(character: string): string {
  const code = character.codePointAt(0)!;
  if (code < 0x20) return String.fromCodePoint(0x2400 + code);
  return code === 0x7f ? '\u2421' : `\\u{${code.toString(16)}}`;
}

/**
 * The name of a symbol of a vocabulary, as it stands in lists: never blank.
 * @param symbol as vocabularies write it: the unknown one is empty
 */
export function nameOf(symbol: string, unit: Unit): string {
  if (symbol === '') return 'unknown';
  if (unit === 'byte' && symbol >= '\x80') {
    return `\\x${symbol.charCodeAt(0).toString(16).toUpperCase()}`;
  }
  // A mark that combines with what is before it gets something to combine with.
  if (/^\p{M}/u.test(symbol)) return `◌${symbol}`;
  return symbol === ' '
    ? 'space'
    : glyph(symbol).trim() || `U+${symbol.codePointAt(0)!.toString(16).toUpperCase().padStart(4, '0')}`;
}
