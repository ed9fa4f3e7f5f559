/** The n-gram model against other programs (test/golden/make_ngrams.py), and what must hold for any text. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import {
  type Discounts,
  estimateDiscounts,
  FALLBACK_DISCOUNTS,
  KneserNey,
  type KneserNeyOptions,
  MAX_ORDER,
  type Reader,
} from '../../src/analysis/kneser-ney.ts';
import { Random } from '../../src/random.ts';
import { IdSequence } from '../../src/text/id-sequence.ts';

interface Case {
  readonly text: string;
  /** Characters of the text to count, from its start. */
  readonly training: number;
  readonly evaluated: readonly [number, number];
  readonly order: number;
}
interface Goldens {
  readonly nltk: { readonly cases: readonly (Case & { discount: number; probabilities: number[] })[] };
  readonly modified: readonly (Case & {
    unknown: number;
    discounts: Discounts[];
    crossEntropy: number;
    greatest: number;
  })[];
}

const goldens = JSON.parse(
  readFileSync(new URL('../golden/ngrams.json', import.meta.url), 'utf8'),
) as Goldens;

/** The ids of a case's two texts; the unknown symbol is the last. */
function read({ text: name, training, evaluated }: Case) {
  const text = [...readFileSync(new URL(`../../corpora/${name}`, import.meta.url), 'utf8')];
  const symbols = [...new Set(text.slice(0, training))];
  const ids = new Map(symbols.map((symbol, id) => [symbol, id]));
  const encode = (part: string[]): number[] => part.map((symbol) => ids.get(symbol) ?? symbols.length);
  return {
    training: encode(text.slice(0, training)),
    evaluated: encode(text.slice(...evaluated)),
    V: symbols.length + 1,
  };
}

const train = (ids: readonly number[], V: number, order: number, options?: KneserNeyOptions) =>
  KneserNey.train(IdSequence.of(Uint16Array.from(ids)), V, order, options);

/** The probability of each symbol but the first. */
function probabilities(model: KneserNey, ids: readonly number[]): number[] {
  const reader = model.reader();
  return ids.map((id) => reader.read(id)).slice(1);
}

const near = (actual: number, expected: number, tolerance: number): void =>
  assert.ok(Math.abs(actual - expected) <= tolerance, `${actual} instead of ${expected}`);

function randomIds(length: number, V: number): number[] {
  const random = new Random(3);
  return Array.from({ length }, () => random.integer(V));
}

function sumOver(V: number, reader: Reader): number {
  let sum = 0;
  for (let id = 0; id < V; id++) sum += reader.probability(id);
  return sum;
}

describe('an n-gram model', () => {
  for (const golden of goldens.nltk.cases) {
    const { order, discount, evaluated } = golden;
    it(`with one discount gives NLTK's probabilities: order ${order}, symbols ${evaluated.join(' to ')}`, async () => {
      const text = read(golden);
      const discounts = Array.from({ length: order }, (_, i): Discounts => {
        return i === 0 ? [0, 0, 0] : [discount, discount, discount];
      });
      const model = await train(text.training, text.V, order, { discounts });
      const found = probabilities(model, text.evaluated);
      assert.equal(found.length, golden.probabilities.length);
      found.forEach((p, i) => {
        near(p / golden.probabilities[i]!, 1, 1e-10);
      });
    });
  }

  for (const golden of goldens.modified) {
    const { text: name, training, order } = golden;
    it(`is the formula in its plainest form: ${name}, ${training} symbols, order ${order}`, async () => {
      const { training, evaluated, V } = read(golden);
      const model = await train(training, V, order);
      model.discounts.flat().forEach((discount, i) => {
        near(discount, golden.discounts.flat()[i]!, 1e-10);
      });
      assert.equal(evaluated.filter((id) => id === V - 1).length, golden.unknown);
      const nats = probabilities(model, evaluated).map((p) => -Math.log(p));
      near(nats.reduce((sum, loss) => sum + loss) / nats.length, golden.crossEntropy, 1e-10);
      near(Math.max(...nats), golden.greatest, 1e-9);
    });
  }

  const anyText = fc.integer({ min: 2, max: 9 }).chain((V) =>
    fc.record({
      V: fc.constant(V),
      // The last symbol is the unknown one, which is seldom in a training text.
      training: fc.array(fc.integer({ min: 0, max: V - (V > 2 ? 2 : 1) }), { maxLength: 200 }),
      other: fc.array(fc.integer({ min: 0, max: V - 1 }), { maxLength: 30 }),
      order: fc.integer({ min: 1, max: MAX_ORDER }),
    }),
  );

  it('sums to 1 over the vocabulary after any context, seen or not, and excludes no symbol', async () => {
    await fc.assert(
      fc.asyncProperty(anyText, async ({ V, training, other, order }) => {
        const model = await train(training, V, order);
        for (const text of [training, other]) {
          const reader = model.reader();
          near(sumOver(V, reader), 1, 1e-12);
          for (const id of text) {
            const p = reader.probability(id);
            assert.ok(p > 0 && p <= 1, `${p}`);
            assert.equal(reader.read(id), p);
            near(sumOver(V, reader), 1, 1e-12);
          }
        }
      }),
      { numRuns: 150 },
    );
  });

  it('forgets what lies further back than its order', async () => {
    await fc.assert(
      fc.asyncProperty(anyText, async ({ V, training, other, order }) => {
        const model = await train(training, V, order);
        const [long, short] = [model.reader(), model.reader()];
        const context = other.slice(Math.max(0, other.length - order + 1));
        for (const id of other) long.read(id);
        for (const id of context) short.read(id);
        for (let id = 0; id < V; id++) assert.equal(long.probability(id), short.probability(id));
      }),
      { numRuns: 100 },
    );
  });

  it('knows by heart a text that repeats, and nothing before the first symbol', async () => {
    const model = await train(
      Array.from({ length: 3000 }, (_, i) => i % 3),
      4,
      5,
    );
    // From the fourth prediction on the context is as long as it can be, and occurrences are counted.
    const p = probabilities(model, [0, 1, 2, 0, 1, 2, 0, 1, 2]);
    for (const probability of p.slice(3)) assert.ok(probability > 0.99, `${probability}`);
    const empty = await train([], 7, 3);
    near(empty.reader().probability(6), 1 / 7, 1e-15);
  });

  it('knows more than 65536 symbols apart', async () => {
    const V = 70_000;
    const ids = Array.from({ length: 400 }, (_, i) => (i % 4) * 17_000 + 3);
    const model = await KneserNey.train(IdSequence.of(Uint32Array.from(ids)), V, 3);
    const p = probabilities(model, ids.slice(0, 50)).slice(2);
    assert.ok(Math.min(...p) > 0.9, `${Math.min(...p)}`);
  });

  it("takes Chen & Goodman's discounts, or a fallback where they cannot be had", () => {
    // By hand: Y = 10 / 20.
    assert.deepEqual(estimateDiscounts([10, 5, 3, 2]), [0.5, 2 - (3 * 0.5 * 3) / 5, 3 - (4 * 0.5 * 2) / 3]);
    for (const counts of [
      [0, 0, 0, 0],
      [0, 5, 3, 2],
      [10, 0, 3, 2],
      [10, 5, 0, 2],
      [10, 1, 9, 2], // D2 would be negative
    ] as const) {
      assert.deepEqual(estimateDiscounts(counts), FALLBACK_DISCOUNTS);
    }
  });

  it('is refused for orders that it cannot have', async () => {
    for (const order of [0, -1, 2.5, MAX_ORDER + 1, Number.NaN])
      await assert.rejects(train([0, 1], 3, order), RangeError);
  });

  it('stops where memory ends, and when it is told to', async () => {
    const random = randomIds(100_000, 251);
    await assert.rejects(train(random, 252, 8, { memoryBytes: 2 ** 20 }), {
      code: 'UNAVAILABLE',
      message:
        /^the n-grams of \d+ symbols, of orders up to 8, need \d+ MiB of memory, but there may be 1 MiB$/,
    });
    const enough = await train(random, 252, 8, { memoryBytes: 2 ** 28 });
    assert.ok(enough.ngrams > 251);
    const reason = new Error('enough');
    const long = randomIds(1_000_000, 251);
    await assert.rejects(train(long, 252, 8, { signal: AbortSignal.abort(reason) }), reason);
  });

  it('counts half a million symbols at order 8 in a few seconds', async () => {
    const random = Array.from(
      { length: 500_000 },
      (_, i) => Math.abs(Math.imul(i ^ (i >> 5), 0x9e3779b1)) % 37,
    );
    const told: number[] = [];
    const start = performance.now();
    const model = await train(random, 38, 8, { onProgress: (symbols) => told.push(symbols) });
    assert.ok(performance.now() - start < 20_000);
    assert.ok(model.ngrams > 100_000);
    // The last part of the text may take long enough to be told of, too.
    assert.ok(told.length > 0 && told[0]! > 0 && told[0]! < 500_000);
    assert.ok(told.every((symbols, i) => i === 0 || symbols > told[i - 1]!));
    assert.ok(told.at(-1)! <= 500_000);
  });
});
