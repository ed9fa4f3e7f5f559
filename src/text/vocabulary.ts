/** The symbols that a model knows, and the numbers it knows them by. */
import { CharloomError } from '../errors.ts';
import { shown } from '../fields.ts';
import { type Ids, newIds } from './ids.ts';
import { MAX_SYMBOLS, symbolsOf, UNITS, type Unit } from './symbol-reader.ts';

/** How the unknown symbol is written in the list of symbols. */
const UNKNOWN = '';
const REPLACEMENT_CHARACTER = '\uFFFD';
/** In UTF-16 code units: room for the longest grapheme cluster that `GraphemeJoiner` lets through. */
const MAX_SYMBOL_LENGTH = 2048;

export interface VocabularyJson {
  unit: Unit;
  symbols: readonly string[];
  unknown: number;
}

/** Turns ids into text one by one, for output as it is generated. */
export interface StreamDecoder {
  /** The text that is certain with this id: of an unfinished UTF-8 sequence nothing yet. */
  push(id: number): string;
  /** What is left at the end: U+FFFD for an unfinished sequence, else nothing. */
  end(): string;
}

/** The symbols of one model in id order; the unknown one stands after those of the text that the first training was on. */
export class Vocabulary {
  readonly unit: Unit;
  /** In id order. Bytes are written as the characters U+0000 to U+00FF, the unknown symbol as ''. */
  readonly symbols: readonly string[];
  /** The id of every symbol that is not in the vocabulary. */
  readonly unknown: number;
  readonly #ids: ReadonlyMap<string, number>;

  private constructor(unit: Unit, symbols: readonly string[]) {
    this.unit = unit;
    this.symbols = symbols;
    this.#ids = new Map(symbols.map((symbol, id) => [symbol, id]));
    this.unknown = this.#ids.get(UNKNOWN)!;
  }

  /**
   * The symbols that occur at least `minCount` times, sorted by code point, then the unknown symbol.
   * @throws CharloomError BAD_DATA if there is none
   */
  static fromCounts(unit: Unit, counts: ReadonlyMap<string, number>, minCount: number): Vocabulary {
    const symbols = frequent(counts, minCount);
    if (symbols.length === 0) {
      throw new CharloomError(
        'BAD_DATA',
        `no symbol of the training text occurs ${minCount} times or more`,
        'lower --min-count, or give more text',
      );
    }
    return new Vocabulary(unit, [...symbols, UNKNOWN]);
  }

  /**
   * This vocabulary, all ids as they are, and after it the symbols it lacks that occur at least `minCount` times.
   * @throws CharloomError BAD_DATA if those are too many
   */
  extended(counts: ReadonlyMap<string, number>, minCount: number): Vocabulary {
    const lacking = frequent(counts, minCount).filter((symbol) => !this.#ids.has(symbol));
    if (this.size + lacking.length > MAX_SYMBOLS + 1) {
      throw new CharloomError(
        'BAD_DATA',
        `the text adds ${lacking.length} symbols to a vocabulary of ${this.size}, but ${MAX_SYMBOLS} are the most`,
        'raise --min-count',
      );
    }
    return new Vocabulary(this.unit, [...this.symbols, ...lacking]);
  }

  /**
   * @param json parsed JSON of the form that `toJSON` gives
   * @param label what messages call it: the name of its file
   * @throws CharloomError BAD_DATA if it is not exactly that
   */
  static parse(json: unknown, label = 'the vocabulary'): Vocabulary {
    const invalid = (problem: string): CharloomError =>
      new CharloomError('BAD_DATA', `${label} is not a valid vocabulary: ${problem}`);
    if (typeof json !== 'object' || json === null || Array.isArray(json)) throw invalid('not an object');
    const fields = new Map<string, unknown>(Object.entries(json));
    for (const key of fields.keys()) {
      if (!['unit', 'symbols', 'unknown'].includes(key)) throw invalid(`unexpected field ${shown(key)}`);
    }
    const unit = UNITS.find((name) => name === fields.get('unit'));
    if (!unit) throw invalid(`"unit" is not one of ${UNITS.join(', ')}`);
    const symbols = fields.get('symbols');
    if (!Array.isArray(symbols)) throw invalid('"symbols" is not an array');
    if (symbols.length < 2 || symbols.length > MAX_SYMBOLS + 1) {
      throw invalid(`"symbols" has ${symbols.length} entries; 2 to ${MAX_SYMBOLS + 1} are allowed`);
    }
    for (const [id, symbol] of symbols.entries()) {
      if (typeof symbol !== 'string' || (symbol !== UNKNOWN && !isSymbol(symbol, unit))) {
        throw invalid(`symbol ${id} is not one ${unit}`);
      }
    }
    const vocabulary = new Vocabulary(unit, Object.freeze([...symbols]));
    if (vocabulary.#ids.size !== symbols.length) throw invalid('"symbols" has a symbol twice');
    if (vocabulary.unknown === undefined || fields.get('unknown') !== vocabulary.unknown) {
      throw invalid('"unknown" is not the index of the empty string in "symbols"');
    }
    return vocabulary;
  }

  get size(): number {
    return this.symbols.length;
  }

  /** The id of a symbol; that of the unknown symbol if the vocabulary lacks it. */
  idOf(symbol: string): number {
    return this.#ids.get(symbol) ?? this.unknown;
  }

  /**
   * The ids of a text (a byte order mark at its start is dropped), and how many of them are unknown.
   * @param name of the text, for error messages
   * @throws CharloomError BAD_DATA if bytes are given that are not UTF-8, unless the unit is byte
   */
  encode(text: string | Uint8Array, name = 'the text'): { ids: Ids; unknownCount: number } {
    const bytes = typeof text === 'string' ? new TextEncoder().encode(text) : text;
    const ids = newIds(this.size, bytes.length);
    let length = 0;
    let unknownCount = 0;
    for (const symbol of symbolsOf(this.unit, bytes, name)) {
      const id = this.idOf(symbol);
      if (id === this.unknown) unknownCount++;
      ids[length++] = id;
    }
    return { ids: ids.slice(0, length), unknownCount };
  }

  /** The id of each of `symbols`; see `idOf`. */
  idsOf(symbols: readonly string[]): Uint32Array {
    return Uint32Array.from(symbols, (symbol) => this.idOf(symbol));
  }

  /** The text of `ids`; the unknown symbol and invalid UTF-8 are shown as U+FFFD. */
  decode(ids: Iterable<number>): string {
    const decoder = this.decoder();
    const parts: string[] = [];
    for (const id of ids) parts.push(decoder.push(id));
    parts.push(decoder.end());
    return parts.join('');
  }

  decoder(): StreamDecoder {
    if (this.unit === 'byte') return this.#byteDecoder();
    return { push: (id) => this.#symbolAt(id) || REPLACEMENT_CHARACTER, end: () => '' };
  }

  toJSON(): VocabularyJson {
    return { unit: this.unit, symbols: this.symbols, unknown: this.unknown };
  }

  #byteDecoder(): StreamDecoder {
    const utf8 = new TextDecoder('utf-8', { ignoreBOM: true });
    return {
      push: (id) => {
        const symbol = this.#symbolAt(id);
        // The unknown byte ends whatever sequence was under way.
        if (symbol === UNKNOWN) return utf8.decode() + REPLACEMENT_CHARACTER;
        return utf8.decode(Uint8Array.of(symbol.charCodeAt(0)), { stream: true });
      },
      end: () => utf8.decode(),
    };
  }

  #symbolAt(id: number): string {
    const symbol = this.symbols[id];
    if (symbol === undefined) throw new RangeError(`id ${id} is not in a vocabulary of ${this.size}`);
    return symbol;
  }
}

/** The symbols that occur at least `minCount` times, sorted by code point. */
function frequent(counts: ReadonlyMap<string, number>, minCount: number): string[] {
  const symbols: string[] = [];
  for (const [symbol, count] of counts) if (count >= minCount) symbols.push(symbol);
  return symbols.sort(compareCodePoints);
}

/** Order of code points, which is not that of UTF-16 code units. */
function compareCodePoints(a: string, b: string): number {
  const left = [...a];
  const right = [...b];
  for (let i = 0; i < Math.min(left.length, right.length); i++) {
    const difference = left[i]!.codePointAt(0)! - right[i]!.codePointAt(0)!;
    if (difference !== 0) return difference;
  }
  return left.length - right.length;
}

function isSymbol(symbol: string, unit: Unit): boolean {
  if (unit === 'byte') return symbol.length === 1 && symbol.charCodeAt(0) < 256;
  if (/\p{Surrogate}/u.test(symbol)) return false; // with the u flag: a lone one
  if (unit === 'character') return symbol.length === (symbol.codePointAt(0)! > 0xffff ? 2 : 1);
  return symbol.length <= MAX_SYMBOL_LENGTH;
}
