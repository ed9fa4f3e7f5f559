/** Collecting the symbols of texts, while they are read, as ids. */
import { CharloomError } from '../errors.ts';
import { FIRST_CLUSTER_CODE } from './graphemes.ts';
import type { IdSequence } from './id-sequence.ts';
import { IdStore, type IdStoreOptions } from './id-store.ts';
import { MAX_SYMBOLS, SLICE_BYTES, SymbolReader, type Unit } from './symbol-reader.ts';

/**
 * Collects texts as ids in order of first appearance: the first symbol is 0, the next new one 1, and so on.
 * So one pass over a text is enough, even one that cannot be read twice, before its vocabulary is known.
 */
export class SymbolCollector {
  readonly #reader: SymbolReader;
  readonly #ids: IdStore;
  readonly #expectedBytes: number | undefined;
  #bytes = 0;
  /** Symbol code -> id + 1; 0 is a symbol not seen yet. Pages that no symbol touches cost no memory. */
  #idPlusOne: Int32Array;
  readonly #codes: number[] = [];

  /**
   * @param options where the ids are kept
   * @param options.expectedBytes of all texts; undefined where that is not known
   */
  constructor(
    unit: Unit,
    { expectedBytes, ...store }: IdStoreOptions & { expectedBytes?: number | undefined } = {},
  ) {
    this.#reader = new SymbolReader(unit);
    this.#ids = new IdStore(store);
    this.#expectedBytes = expectedBytes;
    this.#idPlusOne = new Int32Array(unit === 'byte' ? 256 : FIRST_CLUSTER_CODE);
  }

  /** Number of symbols so far. */
  get length(): number {
    return this.#ids.length;
  }

  /** Starts the next text; `name` is for error messages. */
  begin(name: string): void {
    this.#reader.begin(name);
  }

  /**
   * @throws CharloomError BAD_DATA if the text is not UTF-8 (units character and grapheme); CANNOT_CREATE, IO if
   *   the ids do not fit into memory, nor on the disk
   */
  push(bytes: Uint8Array): void {
    // In slices, which stay in the cache from one pass over them to the next.
    for (let at = 0; at < bytes.length; at += SLICE_BYTES) {
      const slice = bytes.subarray(at, at + SLICE_BYTES);
      this.#bytes += slice.length;
      this.#append(this.#reader.push(slice));
    }
  }

  /** Ends the text. @throws as `push` */
  end(): void {
    this.#append(this.#reader.end());
  }

  /** All ids, and the symbol of each distinct id. @throws as `push` */
  finish(): { ids: IdSequence; symbols: string[] } {
    return { ids: this.#ids.finish(), symbols: this.#codes.map((code) => this.#reader.symbolOf(code)) };
  }

  /** Removes the temporary file, if there is one: what is in it cannot be read any more. */
  close(): void {
    this.#ids.close();
  }

  #append(codes: Int32Array): void {
    let done = replaceKnown(codes, 0, this.#idPlusOne);
    while (done < codes.length) {
      this.#add(codes[done]!);
      done = replaceKnown(codes, done, this.#idPlusOne);
    }
    if (this.#expectedBytes !== undefined) {
      const share = this.#bytes / this.#expectedBytes;
      this.#ids.expectedLength = Math.ceil((this.length + codes.length) / share);
    }
    this.#ids.append(codes, this.#codes.length);
  }

  /** Gives a new symbol its id. */
  #add(code: number): void {
    if (code >= this.#idPlusOne.length) {
      const table = new Int32Array(2 * code);
      table.set(this.#idPlusOne);
      this.#idPlusOne = table;
    }
    const idPlusOne = this.#codes.push(code);
    this.#idPlusOne[code] = idPlusOne;
    if (idPlusOne > MAX_SYMBOLS) {
      throw new CharloomError('BAD_DATA', `the text has more than ${MAX_SYMBOLS} distinct symbols`);
    }
  }
}

/**
 * Replaces codes by ids, from `start` on, as long as they are known.
 * @returns where it stopped: at the first new symbol, or at the end
 */
function replaceKnown(codes: Int32Array, start: number, idPlusOne: Int32Array): number {
  for (let i = start; i < codes.length; i++) {
    const code = codes[i]!;
    if (code >= idPlusOne.length) return i;
    const found = idPlusOne[code]!;
    if (found === 0) return i;
    codes[i] = found - 1;
  }
  return codes.length;
}
