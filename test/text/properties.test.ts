/** What holds for every text: of the vocabulary, of the streams of a training text, and of its parts. */
import assert from 'node:assert/strict';
import { isUtf8 } from 'node:buffer';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { CharloomError } from '../../src/errors.ts';
import { Batches } from '../../src/text/batches.ts';
import { IdSequence } from '../../src/text/id-sequence.ts';
import { divide, parseSplit, SPLIT_NAMES } from '../../src/text/split.ts';
import { UNITS, type Unit } from '../../src/text/symbol-reader.ts';
import { SymbolCollector } from '../../src/text/symbols.ts';
import { Vocabulary } from '../../src/text/vocabulary.ts';
import { idsIn } from './ids-in.ts';

// What the failed assertion said belongs into the report, where the seed and the counterexample are; and looking
// for a smaller one has to end.
fc.configureGlobal({ includeErrorInReport: true, interruptAfterTimeLimit: 20_000 });

const isBadData = (error: unknown) => error instanceof CharloomError && error.code === 'BAD_DATA';

/** Any code point. What joins its neighbours to clusters would be too rare among all that there are. */
const anyCharacter = fc.oneof(
  fc.string({ unit: 'binary', minLength: 1, maxLength: 1 }),
  fc.constantFrom(
    ...'a \0é漢가\r\n\u0301\u0323\u1112\u1161\u11ab\u0915\u094d\u0937\u0600\u0e33',
    ...'\ufeff\ufe0f\u200d👩👧😀🇩🇪🏽©',
  ),
);

const half = fc.integer({ min: 0xd800, max: 0xdfff }).map((unit) => String.fromCharCode(unit));

/** Any JavaScript string: half of a surrogate pair may stand alone. */
const anyText = fc.string({
  unit: fc.oneof({ weight: 9, arbitrary: anyCharacter }, { weight: 1, arbitrary: half }),
  maxLength: 60,
});

/** One sequence of UTF-8, or nearly: of bytes at the ends of the ranges that it allows. */
const anySequence = fc
  .tuple(
    fc.constantFrom(...Buffer.from('7fc0c1c2dfe0e1ecedeeeff0f1f3f4f5ff', 'hex')),
    fc.array(fc.constantFrom(...Buffer.from('808f909fa0bf', 'hex')), { minLength: 3, maxLength: 3 }),
    fc.integer({ min: -1, max: 2 }),
  )
  .map(([lead, rest, lacking]) => {
    const length = 1 + [0xc0, 0xe0, 0xf0].filter((first) => lead >= first).length;
    return Buffer.from([lead, ...rest]).subarray(0, length - Math.max(0, lacking));
  });

const anyBytes = fc
  .tuple(anyText, fc.array(anySequence, { maxLength: 3 }), anyText)
  .map(([before, middle, after]) => Buffer.concat([Buffer.from(before), ...middle, Buffer.from(after)]));

const anyUnit = fc.constantFrom(...UNITS);

/** UTF-8 knows no halves of surrogate pairs: they are written as U+FFFD. */
const wellFormed = (text: string) => Buffer.from(text).toString();

/** The symbols of a text by the definition of each unit. A byte order mark belongs to bytes only. */
function symbolsOf(unit: Unit, text: string): string[] {
  if (unit === 'byte') return Array.from(Buffer.from(text), (byte) => String.fromCharCode(byte));
  const unmarked = wellFormed(text).replace(/^\ufeff/, '');
  if (unit === 'character') return [...unmarked];
  return Array.from(new Intl.Segmenter('und').segment(unmarked), ({ segment }) => segment);
}

function count(symbols: Iterable<string>): Map<string, number> {
  const counts = new Map<string, number>();
  for (const symbol of symbols) counts.set(symbol, (counts.get(symbol) ?? 0) + 1);
  return counts;
}

/** Symbols as a training text gives them, with how often they occur. */
const anyCounts = fc
  .tuple(anyUnit, fc.array(anyText, { minLength: 1, maxLength: 3 }))
  .map(([unit, texts]) => {
    return { unit, counts: count(texts.flatMap((text) => symbolsOf(unit, text))) };
  });

describe('Vocabulary: for every text', () => {
  for (const unit of UNITS) {
    it(`by ${unit}, decoding what was encoded gives it back, and the ids are those of its symbols`, () => {
      fc.assert(
        fc.property(anyText, (text) => {
          const symbols = symbolsOf(unit, text);
          const vocabulary = Vocabulary.fromCounts(unit, count([...symbols, 'a']), 1);
          const { ids, unknownCount } = vocabulary.encode(text);
          assert.equal(unknownCount, 0);
          assert.deepEqual(
            Array.from(ids, (id) => vocabulary.symbols[id]),
            symbols,
          );
          assert.equal(vocabulary.decode(ids), unit === 'byte' ? wellFormed(text) : symbols.join(''));
        }),
        { numRuns: 300 },
      );
    });

    it(`by ${unit}, a text that comes in pieces of any size has the symbols that it has as a whole`, () => {
      const sizes = fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 6 });
      fc.assert(
        fc.property(anyText, sizes, (text, pieceSizes) => {
          const bytes = Buffer.from(text);
          const collector = new SymbolCollector(unit);
          collector.begin('the text');
          for (let at = 0, n = 0; at < bytes.length; n++) {
            const size = pieceSizes[n % pieceSizes.length]!;
            collector.push(bytes.subarray(at, at + size));
            at += size;
          }
          collector.end();
          const { ids, symbols } = collector.finish();
          const read = idsIn(ids).map((id) => symbols[id]);
          assert.deepEqual(read, symbolsOf(unit, text));
          assert.deepEqual(symbols, [...new Set(read)], 'in order of first appearance');
        }),
        { numRuns: 300 },
      );
    });
  }

  it('bytes are read by byte; by character they are refused if and only if they are not UTF-8, and where', () => {
    const vocabulary = Vocabulary.fromCounts('character', count('a'), 1);
    const allBytes = Array.from({ length: 256 }, (_, byte) => String.fromCharCode(byte));
    const byBytes = Vocabulary.fromCounts('byte', count(allBytes), 1);
    fc.assert(
      fc.property(anyBytes, (bytes) => {
        const { ids } = byBytes.encode(bytes);
        assert.deepEqual([...ids], [...bytes]);
        assert.equal(byBytes.decode(ids), bytes.toString());
        if (isUtf8(bytes)) {
          const withoutMark = new TextDecoder().decode(bytes);
          assert.equal(vocabulary.encode(bytes).ids.length, [...withoutMark].length);
          return;
        }
        assert.throws(
          () => vocabulary.encode(bytes),
          (error) => {
            assert.ok(isBadData(error), `${error}`);
            const offset = Number(/at byte offset (\d+) /.exec((error as Error).message)![1]);
            assert.ok(isUtf8(bytes.subarray(0, offset)), `all is well before ${offset}`);
            assert.ok(!isUtf8(bytes.subarray(0, offset + 4)), `a sequence from ${offset} on is invalid`);
            return true;
          },
        );
      }),
      { numRuns: 300 },
    );
  });
});

describe('Vocabulary: for every count of symbols', () => {
  const anyMinCount = fc.integer({ min: 1, max: 4 });

  it('those that are frequent enough are its symbols, in order of code points, the unknown one last', () => {
    fc.assert(
      fc.property(anyCounts, anyMinCount, ({ unit, counts }, minCount) => {
        const frequent = [...counts.keys()].filter((symbol) => counts.get(symbol)! >= minCount);
        if (frequent.length === 0) {
          assert.throws(() => Vocabulary.fromCounts(unit, counts, minCount), isBadData);
          return;
        }
        const vocabulary = Vocabulary.fromCounts(unit, counts, minCount);
        // The bytes of UTF-8 have the order of the code points.
        frequent.sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
        assert.deepEqual(vocabulary.symbols, [...frequent, '']);
        assert.equal(vocabulary.unknown, frequent.length);
        assert.equal(vocabulary.size, frequent.length + 1);
        for (const [id, symbol] of frequent.entries()) assert.equal(vocabulary.idOf(symbol), id);
      }),
      { numRuns: 300 },
    );
  });

  it('a text has as many unknown symbols as it has rare and new ones, and they are decoded to U+FFFD', () => {
    fc.assert(
      fc.property(anyUnit, anyText, anyText, anyMinCount, (unit, known, added, minCount) => {
        const counts = count([...symbolsOf(unit, known), ...'aaaa']);
        const vocabulary = Vocabulary.fromCounts(unit, counts, minCount);
        const symbols = symbolsOf(unit, known + added);
        const isKnown = (symbol: string) => (counts.get(symbol) ?? 0) >= minCount;
        const { ids, unknownCount } = vocabulary.encode(known + added);
        assert.equal(unknownCount, symbols.filter((symbol) => !isKnown(symbol)).length);
        assert.ok(ids.every((id) => id < vocabulary.size));
        // Of bytes, what is shown for an unknown one depends on its neighbours.
        if (unit === 'byte') return;
        const shown = symbols.map((symbol) => (isKnown(symbol) ? symbol : '\ufffd'));
        assert.equal(vocabulary.decode(ids), shown.join(''));
      }),
      { numRuns: 300 },
    );
  });

  it('written as JSON and parsed, it is the same vocabulary', () => {
    fc.assert(
      fc.property(anyCounts, anyText, ({ unit, counts }, text) => {
        const vocabulary = Vocabulary.fromCounts(unit, counts.set('a', 1), 1);
        const copy = Vocabulary.parse(JSON.parse(JSON.stringify(vocabulary)));
        assert.deepEqual(copy.toJSON(), vocabulary.toJSON());
        assert.deepEqual(copy.encode(text), vocabulary.encode(text));
      }),
      { numRuns: 200 },
    );
  });

  it('JSON of any kind is refused as bad data, or it is what the parsed vocabulary writes', () => {
    const anySymbol = fc.oneof(anyCharacter, fc.string({ maxLength: 2 }), fc.constantFrom('', 'a'));
    // Much of it is nearly right; some of it is.
    const almost = fc
      .record({
        unit: anyUnit,
        symbols: fc.array(anySymbol, { maxLength: 4 }),
        unknown: fc.integer({ min: -1, max: 4 }),
      })
      .map((json) => ({ ...json, unknown: json.unknown % 2 ? json.unknown : json.symbols.indexOf('') }));
    let accepted = 0;
    fc.assert(
      fc.property(fc.oneof({ weight: 9, arbitrary: almost }, fc.jsonValue()), (json) => {
        let vocabulary: Vocabulary;
        try {
          vocabulary = Vocabulary.parse(json);
        } catch (error) {
          assert.ok(isBadData(error), `${error}`);
          return;
        }
        accepted++;
        assert.deepEqual(vocabulary.toJSON(), json);
        for (const [id, symbol] of vocabulary.symbols.entries()) assert.equal(vocabulary.idOf(symbol), id);
      }),
      { numRuns: 1000 },
    );
    assert.ok(accepted > 0);
  });
});

/** A text of `n` symbols of which each is its own place, and no memory is needed for it. */
const placesUpTo = (n: number) => {
  const read = (start: number, out: Int32Array) => {
    for (let i = 0; i < out.length; i++) out[i] = start + i;
  };
  return new IdSequence({ read }, n);
};

interface Shape {
  B: number;
  T: number;
  /** Length of the text. */
  n: number;
}

/** Texts with windows of at most so many steps: long enough for one, and for at most `windows`. */
const shapesOf = (steps: [min: number, max: number], windows: number, streams: number): fc.Arbitrary<Shape> =>
  fc
    .record({ B: fc.integer({ min: 1, max: streams }), T: fc.integer({ min: steps[0], max: steps[1] }) })
    .chain(({ B, T }) =>
      fc.integer({ min: B * (T + 1), max: B * (T * (windows + 1) + 1) - 1 }).map((n): Shape => ({ B, T, n })),
    );

/** Windows to go to, modulo those of an epoch, and how many to take there. */
const anyVisits = (most: number) =>
  fc.array(fc.record({ epoch: fc.nat(3), window: fc.nat(99), count: fc.integer({ min: 1, max: most }) }), {
    minLength: 1,
    maxLength: 5,
  });

describe('Batches: for every length of text, number of streams and length of windows', () => {
  it('every stream is read once an epoch, in order, and targets are the symbols that follow', () => {
    fc.assert(
      fc.property(shapesOf([1, 12], 9, 9), ({ B, T, n }) => {
        const batches = new Batches(placesUpTo(n), B, T);
        const streamLength = Math.floor(n / B);
        const inputs = new Int32Array(T * B);
        const targets = new Int32Array(T * B);
        for (const epoch of [0, 1]) {
          const streams: number[][] = Array.from({ length: B }, () => []);
          do {
            assert.equal(batches.position.epoch, epoch);
            const startsEpoch = streams[0]!.length === 0;
            assert.deepEqual(batches.next(inputs, targets), { epoch, startsEpoch });
            for (const [row, id] of inputs.entries()) {
              streams[row % B]!.push(id);
              assert.equal(targets[row], id + 1, 'the target of an input is its successor');
            }
          } while (batches.position.window > 0);
          for (const [b, seen] of streams.entries()) {
            const expected = Array.from({ length: seen.length }, (_, i) => b * streamLength + i);
            assert.deepEqual(seen, expected, `stream ${b}`);
            // The symbol after the last input is its target; what is left after that is no window.
            const left = streamLength - seen.length - 1;
            assert.ok(left >= 0 && left < T, `${left} symbols of stream ${b} are left over`);
          }
        }
      }),
      { numRuns: 200 },
    );
  });

  it('a text is refused as bad data if and only if a stream is shorter than a window and its last target', () => {
    const size = fc.integer({ min: 1, max: 12 });
    fc.assert(
      fc.property(fc.nat(160), size, size, (n, B, T) => {
        const make = () => new Batches(placesUpTo(n), B, T);
        if (n < B * (T + 1)) assert.throws(make, isBadData);
        else assert.ok(make().windowsPerEpoch >= 1);
      }),
      { numRuns: 300 },
    );
  });

  /** Goes from place to place in one object; every window has to be what the definition says. */
  function visit({ B, T, n }: Shape, visits: { epoch: number; window: number; count: number }[]): void {
    const batches = new Batches(placesUpTo(n), B, T);
    const streamLength = Math.floor(n / B);
    const windows = batches.windowsPerEpoch;
    const inputs = new Int32Array(T * B);
    const targets = new Int32Array(T * B);
    for (const { epoch, window, count } of visits) {
      const first = epoch * windows + (window % windows);
      batches.restore({ epoch, window: first % windows });
      for (let number = first; number < first + count; number++) {
        const position = { epoch: Math.floor(number / windows), window: number % windows };
        assert.deepEqual(batches.position, position);
        const info = batches.next(inputs, targets);
        assert.deepEqual(info, { epoch: position.epoch, startsEpoch: position.window === 0 });
        let wrong = 0;
        for (let row = 0; row < T * B; row++) {
          const id = (row % B) * streamLength + position.window * T + Math.floor(row / B);
          if (inputs[row] !== id || targets[row] !== id + 1) wrong++;
        }
        assert.equal(wrong, 0, `rows of window ${position.window}`);
      }
    }
  }

  it('restored at any window, from any other, what follows is what would have followed', () => {
    fc.assert(fc.property(shapesOf([1, 12], 9, 9), anyVisits(12), visit), { numRuns: 200 });
  });

  it('so it is where the windows of an epoch are too many to be read at once', () => {
    // 2¹⁸ ids are read at once: here one to sixteen windows.
    const large = shapesOf([2 ** 12, 2 ** 15], 24, 8);
    fc.assert(fc.property(large, anyVisits(3), visit), { numRuns: 20 });
  });
});

describe('splits: for every length of text and every three percentages', () => {
  /** The first above 0. With ten decimals the last may be cut off: so near to 100 the sum is taken for it. */
  const anySplit = fc
    .record({
      decimals: fc.constantFrom(0, 1, 3, 10),
      first: fc.integer({ min: 1, max: 100_000 }),
      second: fc.oneof(fc.double({ min: 0, max: 1, noNaN: true }), fc.constant(1)),
      cut: fc.nat(1),
    })
    .map(({ decimals, first, second, cut }) => {
      const unit = 10 ** decimals;
      const train = Math.max(1, Math.round((first / 1000) * unit));
      const validation = Math.round((100 * unit - train) * second);
      const test = 100 * unit - train - validation;
      const lacking = decimals === 10 ? Math.min(validation, cut) : 0;
      return [train, validation - lacking, test].map((part) => (part / unit).toFixed(decimals));
    });

  it('parts are contiguous, cover the text, and are within one symbol of their percentages', () => {
    const anyLength = fc.oneof(fc.nat(500), fc.nat(2 ** 31 - 1));
    fc.assert(
      fc.property(anyLength, anySplit, (n, shares) => {
        const split = parseSplit(shares.join('/'));
        assert.deepEqual(
          SPLIT_NAMES.map((name) => split[name]),
          shares.map(Number),
        );
        const parts = divide(placesUpTo(n), split);
        let end = 0;
        for (const name of SPLIT_NAMES) {
          const { length } = parts[name];
          // The first and the last symbol tell where a part lies.
          for (const place of length > 0 ? [0, length - 1] : []) {
            const [id] = idsIn(parts[name].part(place, place + 1));
            assert.equal(id, end + place, `symbol ${place} of ${name}`);
          }
          end += length;
          const exact = (n * split[name]) / 100;
          // What the sum lacks, 1e-10 of a percent, goes to validation; and products of this size are rounded.
          assert.ok(Math.abs(length - exact) < 1 + 1e-2, `${name}: ${length} instead of ${exact}`);
          if (split[name] === 0) assert.equal(length, 0, name);
        }
        assert.equal(end, n);
      }),
      { numRuns: 500 },
    );
  });
});
