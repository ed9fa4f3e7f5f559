/** What a cell may track: features of a text, told of every symbol from what was read so far. */
import type { SymbolText } from '../text/symbol-text.ts';

export interface Feature {
  readonly name: string;
  /** Binary features are 0 or 1, graded ones count up to `MOST`. */
  readonly kind: 'binary' | 'graded';
  /** What it says of the symbol just read. */
  readonly meaning: string;
}

/** Graded features do not go beyond it: a few lines or words of monstrous length would outweigh all others. */
export const MOST = 255;

export const FEATURES: readonly Feature[] = [
  { name: 'quotes', kind: 'binary', meaning: 'inside quotation marks' },
  { name: 'brackets', kind: 'graded', meaning: 'depth of brackets' },
  { name: 'line-position', kind: 'graded', meaning: 'characters since the line began' },
  { name: 'line-remaining', kind: 'graded', meaning: 'characters until the line ends' },
  { name: 'line-break', kind: 'binary', meaning: 'a line break' },
  { name: 'paragraph-line', kind: 'graded', meaning: 'lines since the last empty line' },
  { name: 'indentation', kind: 'graded', meaning: 'blanks that the line begins with' },
  { name: 'sentence-position', kind: 'graded', meaning: 'characters since a sentence ended' },
  { name: 'word', kind: 'binary', meaning: 'a letter, mark or digit: inside a word' },
  { name: 'word-position', kind: 'graded', meaning: 'characters since the word began' },
  { name: 'space', kind: 'binary', meaning: 'a blank within a line' },
  { name: 'vowel', kind: 'binary', meaning: 'a vowel (Latin letters)' },
  { name: 'capital', kind: 'binary', meaning: 'a capital letter' },
  { name: 'digit', kind: 'binary', meaning: 'a digit' },
  { name: 'punctuation', kind: 'binary', meaning: 'a mark of punctuation' },
  { name: 'cjk-punctuation', kind: 'binary', meaning: 'a mark of Chinese, Japanese or Korean punctuation' },
];

const INDEX = new Map(FEATURES.map(({ name }, index) => [name, index]));

/** What a symbol is, one bit each. */
const NEWLINE = 1;
const BLANK = 2;
const WORD = 4;
const VOWEL = 8;
const CAPITAL = 16;
const DIGIT = 32;
const PUNCTUATION = 64;
const CJK = 128;
const OPENS = 256;
const CLOSES = 512;
const QUOTE = 1024;
const OPENS_QUOTE = 2048;
const CLOSES_QUOTE = 4096;
const ENDS_SENTENCE = 8192;
const ESCAPES = 16384;

/** Of a cluster its first character decides; bytes beyond ASCII are none of all this. */
function classOf(symbol: string, bytes: boolean): number {
  if (bytes && symbol >= '\x80') return 0;
  const first = String.fromCodePoint(symbol.codePointAt(0)!);
  const is = (pattern: RegExp, flag: number): number => (pattern.test(first) ? flag : 0);
  return (
    (symbol.endsWith('\n') ? NEWLINE : is(/\s/u, BLANK)) |
    is(/[\p{L}\p{M}\p{N}]/u, WORD) |
    (/^[aeiouy]/i.test(first.normalize('NFD')) ? VOWEL : 0) |
    is(/\p{Lu}/u, CAPITAL) |
    is(/\p{Nd}/u, DIGIT) |
    is(/\p{P}/u, PUNCTUATION) |
    is(/(?=\p{P})[\u3000-\u303f\u30fb\ufe30-\ufe4f\uff00-\uff65]/u, CJK) |
    is(/[([{（［｛【〔《〈]/u, OPENS) |
    is(/[)\]}）］｝】〕》〉]/u, CLOSES) |
    (first === '"' ? QUOTE : 0) |
    is(/[“«「『]/u, OPENS_QUOTE) |
    is(/[”»」』]/u, CLOSES_QUOTE) |
    is(/[.!?。！？…]/u, ENDS_SENTENCE) |
    (first === '\\' ? ESCAPES : 0)
  );
}

/** Reads the features of a text from its first symbol on. */
export class FeatureReader {
  readonly #text: SymbolText;
  readonly #classes: Uint16Array;
  #at = 0;
  #depth = 0;
  #quoted = false;
  /** Whether a backslash takes the meaning of what comes next. */
  #escaped = false;
  #quoteDepth = 0;
  #linePosition = 0;
  #lineIsBlank = true;
  #indentation = 0;
  #paragraphLine = 0;
  #sentencePosition = 0;
  #wordPosition = 0;
  /** Place of the next line break, or the end of the text. */
  #lineEnd = -1;

  constructor(text: SymbolText) {
    this.#text = text;
    this.#classes = Uint16Array.from(text.symbols, (symbol) => classOf(symbol, text.unit === 'byte'));
  }

  /**
   * The features of the next `count` symbols, in the order of `FEATURES`: [count] each.
   * @throws RangeError if there are not so many; CharloomError IO if the text is on a disk that fails
   */
  next(count: number): Uint8Array[] {
    const indices = new Int32Array(count);
    this.#text.readIndices(this.#at, indices);
    const values = FEATURES.map(() => new Uint8Array(count));
    const put = (name: string, i: number, value: number | boolean): void => {
      values[INDEX.get(name)!]![i] = Math.min(MOST, Number(value));
    };
    for (let i = 0; i < count; i++) {
      const kind = this.#classes[indices[i]!]!;
      const has = (flag: number): boolean => (kind & flag) !== 0;
      this.#step(kind);
      put('quotes', i, this.#quoted || this.#quoteDepth > 0);
      put('brackets', i, this.#depth);
      put('line-position', i, this.#linePosition);
      put('line-remaining', i, this.#lineEnd - this.#at);
      put('line-break', i, has(NEWLINE));
      put('paragraph-line', i, this.#paragraphLine);
      put('indentation', i, this.#indentation);
      put('sentence-position', i, this.#sentencePosition);
      put('word', i, has(WORD));
      put('word-position', i, this.#wordPosition);
      put('space', i, has(BLANK));
      put('vowel', i, has(VOWEL));
      put('capital', i, has(CAPITAL));
      put('digit', i, has(DIGIT));
      put('punctuation', i, has(PUNCTUATION));
      put('cjk-punctuation', i, has(CJK));
    }
    return values;
  }

  /** Reads one symbol. */
  #step(kind: number): void {
    this.#at++;
    if (kind & QUOTE && !this.#escaped) this.#quoted = !this.#quoted;
    this.#escaped = (kind & ESCAPES) !== 0 && !this.#escaped;
    if (kind & OPENS_QUOTE) this.#quoteDepth++;
    if (kind & CLOSES_QUOTE) this.#quoteDepth = Math.max(0, this.#quoteDepth - 1);
    if (kind & OPENS) this.#depth++;
    if (kind & CLOSES) this.#depth = Math.max(0, this.#depth - 1);
    this.#sentencePosition = kind & ENDS_SENTENCE ? 0 : this.#sentencePosition + 1;
    this.#wordPosition = kind & WORD ? this.#wordPosition + 1 : 0;
    if (kind & NEWLINE) {
      this.#paragraphLine = this.#lineIsBlank ? 0 : this.#paragraphLine + 1;
      // A quotation mark that is missing counts only up to the next empty line.
      if (this.#lineIsBlank) {
        this.#quoted = false;
        this.#quoteDepth = 0;
      }
      this.#linePosition = 0;
      this.#indentation = 0;
      this.#lineIsBlank = true;
    } else {
      this.#linePosition++;
      if (kind & BLANK) this.#indentation += Number(this.#lineIsBlank);
      else this.#lineIsBlank = false;
    }
    if (this.#at > this.#lineEnd) this.#lineEnd = this.#findLineEnd();
  }

  /** The first line break from here on; the end of the text if there is none. */
  #findLineEnd(): number {
    const { length } = this.#text;
    for (let start = this.#at; start < length; start += MOST) {
      const indices = new Int32Array(Math.min(MOST, length - start));
      this.#text.readIndices(start, indices);
      const found = indices.findIndex((index) => (this.#classes[index]! & NEWLINE) !== 0);
      if (found >= 0) return start + found;
    }
    return length;
  }
}
