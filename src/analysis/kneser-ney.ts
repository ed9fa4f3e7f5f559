/**
 * The classic rival of a recurrent network: an n-gram model with interpolated, modified Kneser-Ney smoothing (Kneser & Ney
 * 1995; Chen & Goodman, "An empirical study of smoothing techniques for language modeling", 1998).
 *
 * An n-gram of the highest order N counts as often as it occurs; a shorter one as often as there are different symbols before
 * it in the text, the start of the text being one. With c the count of context and symbol, and c(h) the sum of all of a context h,
 *
 *     p(w | h) = (c(hw) − D(c(hw)) + Σ_v D(c(hv)) · p(w | h′)) / c(h)
 *
 * where h′ is h without its first symbol, D(0) = 0, and what the shortest context h′ = "nothing" falls back on is 1 / V. D takes
 * three values for each order: of the counts 1, 2, and 3 and more. What D takes from the seen symbols goes to all by p(w | h′), so
 * that every distribution sums to 1.
 */
import { setImmediate as yieldToEventLoop } from 'node:timers/promises';
import { CharloomError } from '../errors.ts';
import type { IdSequence } from '../text/id-sequence.ts';
import { NgramTable } from './ngram-table.ts';

/** Greatest order. */
export const MAX_ORDER = 16;

/** What is taken from counts of 1, of 2, and of 3 and more; each from 0 up to the count. */
export type Discounts = readonly [one: number, two: number, more: number];

/** Where the text has too few n-grams of some count for an estimate: as `lmplz --discount_fallback` of KenLM (Heafield et al. 2013). */
export const FALLBACK_DISCOUNTS: Discounts = [0.5, 1, 1.5];

/** The event loop turns at least this often while n-grams are counted. */
const BREATH_MILLISECONDS = 50;

export interface KneserNeyOptions {
  /** Bytes that the n-grams may take. Default: no limit. */
  readonly memoryBytes?: number;
  /** Instead of estimates: those of n-grams of each order, from 1 on. */
  readonly discounts?: readonly Discounts[];
  /** Is told, often, how many symbols of the text are counted. */
  readonly onProgress?: (symbols: number) => void;
  readonly signal?: AbortSignal | undefined;
}

/** What a context is followed by. */
interface Contexts {
  /** c(h), by the number of the context. */
  readonly totals: Uint32Array;
  /** Σ_v D(c(hv)) */
  readonly discounted: Float64Array;
}

const CONTEXT_BYTES = 12;

export class KneserNey {
  /** N: symbols of the longest n-grams, the predicted one included. */
  readonly order: number;
  /** V, unknown symbol included. */
  readonly vocabulary: number;
  /** Of each order, from 1 on. */
  readonly discounts: readonly Discounts[];
  /** Tables of n-grams, by order from 1 on; [0] is unused. */
  readonly #tables: readonly NgramTable[];
  /** By the length of the context, from 0 on. */
  readonly #contexts: readonly Contexts[];

  private constructor(
    vocabulary: number,
    tables: readonly NgramTable[],
    discounts: readonly Discounts[],
    contexts: readonly Contexts[],
  ) {
    this.order = tables.length - 1;
    this.vocabulary = vocabulary;
    this.discounts = discounts;
    this.#tables = tables;
    this.#contexts = contexts;
  }

  /**
   * Counts the n-grams of a text.
   *
   * @param ids below `vocabulary` (V)
   * @param order N, from 1 to `MAX_ORDER`
   * @throws RangeError for another order; CharloomError UNAVAILABLE if the n-grams need more memory than they may have, IO
   *   if the text is on a disk that fails; the signal's reason when it is aborted
   */
  static async train(
    ids: IdSequence,
    vocabulary: number,
    order: number,
    { memoryBytes = Number.POSITIVE_INFINITY, ...options }: KneserNeyOptions = {},
  ): Promise<KneserNey> {
    if (!Number.isInteger(order) || order < 1 || order > MAX_ORDER) throw new RangeError(`order ${order}`);
    const tables = Array.from({ length: order + 1 }, () => new NgramTable(vocabulary));
    const counter = new Counter(tables, memoryBytes);
    let breath = performance.now();
    for (const window of ids.windows()) {
      counter.count(window);
      if (performance.now() - breath < BREATH_MILLISECONDS) continue;
      options.onProgress?.(counter.symbols);
      await yieldToEventLoop();
      options.signal?.throwIfAborted();
      breath = performance.now();
    }
    const discounts = Array.from(
      { length: order },
      (_, i) =>
        options.discounts?.[i] ?? estimateDiscounts(countsOfCounts(tables[i + 1]!, i + 1, ids.length)),
    );
    const sizes = [1, ...tables.slice(1, -1).map(({ size }) => size)];
    counter.reserve(CONTEXT_BYTES * sizes.reduce((sum, size) => sum + size));
    const contexts = discounts.map((own, length) => contextsOf(tables[length + 1]!, sizes[length]!, own));
    return new KneserNey(vocabulary, tables, discounts, contexts);
  }

  /** Number of distinct n-grams of all orders. */
  get ngrams(): number {
    return this.#tables.reduce((sum, { size }) => sum + size, 0);
  }

  /** Starts to read a text, of which nothing is known at its start. */
  reader(): Reader {
    return new Reader(this);
  }

  /**
   * p(symbol | context) under a context that is told by its n-grams.
   *
   * @param last [N + 1]: by length, the number of the n-gram that the last so many symbols are, −1 if it is not in the training
   *   text; [0] is 0
   * @param next is filled with the same for the context that follows if this symbol comes; another array
   */
  look(last: Int32Array, symbol: number, next: Int32Array): number {
    let p = 1 / this.vocabulary;
    let seen = true;
    for (let n = 1; n <= this.order; n++) {
      const context = last[n - 1]!;
      if (context < 0) {
        // No longer context was seen either.
        next.fill(-1, n);
        break;
      }
      const table = this.#tables[n]!;
      const number: number = seen ? table.find(context, symbol) : -1;
      seen = number >= 0;
      next[n] = number;
      const { totals, discounted } = this.#contexts[n - 1]!;
      const total = totals[context]!;
      // The end of the training text is followed by nothing.
      if (total === 0) continue;
      const count = seen ? table.counts[number]! : 0;
      p = (count - discountOf(count, this.discounts[n - 1]!) + discounted[context]! * p) / total;
    }
    return p;
  }
}

/** Reads a text symbol by symbol; the context of a prediction is what was read before it, N − 1 symbols at most. */
export class Reader {
  readonly #model: KneserNey;
  #last: Int32Array;
  #next: Int32Array;

  constructor(model: KneserNey) {
    this.#model = model;
    this.#last = new Int32Array(model.order + 1).fill(-1, 1);
    this.#next = this.#last.slice();
  }

  /** p(symbol | what was read). */
  probability(symbol: number): number {
    return this.#model.look(this.#last, symbol, this.#next);
  }

  /** Goes on with the next symbol of the text. @returns its probability before it was read */
  read(symbol: number): number {
    const probability = this.probability(symbol);
    [this.#last, this.#next] = [this.#next, this.#last];
    return probability;
  }
}

/** Counts the n-grams of all orders in one pass. */
class Counter {
  /** Symbols counted so far. */
  symbols = 0;
  readonly #tables: readonly NgramTable[];
  readonly #memoryBytes: number;
  #last: Int32Array;
  #next: Int32Array;

  constructor(tables: readonly NgramTable[], memoryBytes: number) {
    this.#tables = tables;
    this.#memoryBytes = memoryBytes;
    this.#last = new Int32Array(tables.length).fill(-1, 1);
    this.#next = this.#last.slice();
  }

  count(window: Int32Array): void {
    const order = this.#tables.length - 1;
    for (let i = 0; i < window.length; i++) {
      const symbol = window[i]!;
      const last = this.#last;
      const next = this.#next;
      const longest = Math.min(order, this.symbols + 1);
      for (let n = 1; n <= longest; n++) {
        const table = this.#tables[n]!;
        if (table.bytesToGrow > 0) this.reserve(table.bytesToGrow);
        const size = table.size;
        const number = table.add(last[n - 1]!, symbol);
        // A new n-gram: its last n − 1 symbols have one more symbol before them.
        if (number === size && n > 1) this.#tables[n - 1]!.counts[next[n - 1]!]!++;
        next[n] = number;
      }
      // Of the n-gram at the start of the text it is the start; where the order is reached, occurrences are counted.
      this.#tables[longest]!.counts[next[longest]!]!++;
      this.#last = next;
      this.#next = last;
      this.symbols++;
    }
  }

  /** @throws CharloomError UNAVAILABLE unless there may be so many bytes more */
  reserve(bytes: number): void {
    const held = this.#tables.reduce((sum, table) => sum + table.bytes, 0);
    if (held + bytes <= this.#memoryBytes) return;
    const mebibytes = (value: number): string => `${Math.ceil(value / 2 ** 20)} MiB`;
    throw new CharloomError(
      'UNAVAILABLE',
      `the n-grams of ${this.symbols} symbols, of orders up to ${this.#tables.length - 1}, need ${mebibytes(held + bytes)} of memory, but there may be ${mebibytes(this.#memoryBytes)}`,
      'a lower order has fewer of them',
    );
  }
}

/** n₁, n₂, n₃, n₄: how many n-grams count 1, 2, 3, 4. */
type CountsOfCounts = readonly [number, number, number, number];

/** @param symbols of the text */
function countsOfCounts({ counts, size }: NgramTable, order: number, symbols: number): CountsOfCounts {
  const found: [number, number, number, number] = [0, 0, 0, 0];
  for (let number = 0; number < size; number++) {
    const count = counts[number]!;
    if (count <= 4) found[count - 1]!++;
  }
  // The start of the text with the order − 1 symbols behind it is an n-gram, too, though it predicts nothing.
  if (order > 1 && symbols >= order - 1) found[0]++;
  return found;
}

/**
 * Chen & Goodman's estimates: D_j = j − (j + 1) · Y · n_{j+1} / n_j with Y = n₁ / (n₁ + 2 n₂).
 * @returns the fallback where one of them cannot be had or is no discount: above 0, and at most j
 */
export function estimateDiscounts(n: CountsOfCounts): Discounts {
  const y = n[0] / (n[0] + 2 * n[1]);
  const at = (j: 1 | 2 | 3): number => j - ((j + 1) * y * n[j]!) / n[j - 1]!;
  const discounts: Discounts = [at(1), at(2), at(3)];
  // `!(…)`: what is not a number is no discount.
  return discounts.some((discount, i) => !(discount > 0 && discount <= i + 1))
    ? FALLBACK_DISCOUNTS
    : discounts;
}

function discountOf(count: number, discounts: Discounts): number {
  return count === 0 ? 0 : discounts[Math.min(count, 3) - 1]!;
}

/** @param size number of contexts */
function contextsOf(followed: NgramTable, size: number, discounts: Discounts): Contexts {
  const totals = new Uint32Array(size);
  const discounted = new Float64Array(size);
  for (let number = 0; number < followed.size; number++) {
    const context = followed.prefixOf(number);
    const count = followed.counts[number]!;
    totals[context]! += count;
    discounted[context]! += discountOf(count, discounts);
  }
  return { totals, discounted };
}
