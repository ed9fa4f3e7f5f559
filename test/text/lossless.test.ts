/** Reading any bytes as symbols, so that the symbols, one after the other, are those bytes. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { MAX_CLUSTER_CODE_POINTS } from '../../src/text/graphemes.ts';
import { bytesOfSymbol, SymbolReader, UNITS, type Unit } from '../../src/text/symbol-reader.ts';
import { SymbolCollector } from '../../src/text/symbols.ts';

/** The symbols of `bytes`, read in pieces of `size` bytes. */
function symbolsOf(bytes: Uint8Array, unit: Unit, size = 7): string[] {
  const reader = new SymbolReader(unit, { lossless: true });
  const symbols: string[] = [];
  const keep = (codes: Int32Array): void => {
    for (const code of codes) symbols.push(reader.symbolOf(code));
  };
  for (let at = 0; at < bytes.length; at += size) keep(reader.push(bytes.subarray(at, at + size)));
  keep(reader.end());
  return symbols;
}

/** As a corpus is read. */
function strictSymbolsOf(text: string, unit: Unit): string[] {
  const collector = new SymbolCollector(unit);
  collector.begin('text');
  collector.push(Buffer.from(text));
  collector.end();
  const { ids, symbols } = collector.finish();
  return Array.from(ids.windows()).flatMap((window) => Array.from(window, (id) => symbols[id]!));
}

const joined = (symbols: readonly string[], unit: Unit): Buffer =>
  Buffer.concat(symbols.map((symbol) => bytesOfSymbol(symbol, unit)));

/** Bytes of which many are nearly UTF-8. */
const anyBytes = fc.oneof(
  fc.uint8Array({ maxLength: 80 }),
  fc
    .array(
      fc.constantFrom(
        0x61,
        0x80,
        0xbf,
        0xc1,
        0xc3,
        0xcc,
        0x81,
        0xe0,
        0xed,
        0xa0,
        0xef,
        0xbb,
        0xf0,
        0x9f,
        0xf4,
        0xff,
      ),
    )
    .map((bytes) => Uint8Array.from(bytes)),
  fc.string({ unit: 'binary', maxLength: 40 }).map((text) => Buffer.from(text)),
);

for (const unit of UNITS) {
  describe(`the lossless reader, unit ${unit}`, () => {
    it('when the bytes are anything then its symbols are those bytes, whatever the pieces', () => {
      fc.assert(
        fc.property(anyBytes, fc.integer({ min: 1, max: 9 }), (bytes, size) => {
          const symbols = symbolsOf(bytes, unit, size);
          assert.deepEqual(joined(symbols, unit), Buffer.from(bytes));
          assert.deepEqual(symbols, symbolsOf(bytes, unit, 1000));
        }),
        { numRuns: 300 },
      );
    });

    it('when the bytes are a text then its symbols are those of a corpus', () => {
      fc.assert(
        fc.property(fc.string({ unit: 'grapheme', minLength: 1, maxLength: 40 }), (text) => {
          fc.pre(!text.startsWith('\ufeff'));
          assert.deepEqual(symbolsOf(Buffer.from(text), unit), strictSymbolsOf(text, unit));
        }),
      );
    });
  });
}

describe('what a corpus cannot have', () => {
  it('when bytes are not UTF-8 then each of them is one symbol, which no vocabulary can have', () => {
    const bytes = Buffer.concat([
      Buffer.from('a漢'),
      Buffer.of(0xe6, 0xbc, 0x62, 0xff),
      Buffer.of(0xf0, 0x9f),
    ]);
    assert.deepEqual(symbolsOf(bytes, 'character'), [
      ...['a', '漢', '\udce6', '\udcbc', 'b', '\udcff', '\udcf0', '\udc9f'],
    ]);
  });

  it('when there is a byte order mark then it is a symbol', () => {
    assert.deepEqual(symbolsOf(Buffer.from('\ufeffa'), 'character'), ['\ufeff', 'a']);
  });

  it('when a cluster is longer than any sane one then it is cut', () => {
    const text = `x${'\u0301'.repeat(3 * MAX_CLUSTER_CODE_POINTS)}y`;
    const symbols = symbolsOf(Buffer.from(text), 'grapheme', 100);
    assert.equal(symbols.join(''), text);
    assert.deepEqual([symbols.at(-1), [...symbols[0]!].length], ['y', MAX_CLUSTER_CODE_POINTS]);
    assert.ok(symbols.length < 10);
  });

  it('when there are more clusters than are remembered then none is mistaken for another', () => {
    const clusters = Array.from(
      { length: 70_000 },
      (_, i) =>
        `${String.fromCodePoint(0x4e00 + (i % 20_000))}${'\u0301'.repeat(1 + Math.floor(i / 20_000))}`,
    );
    const text = [...clusters, ...clusters.slice(0, 100)].join('');
    assert.deepEqual(symbolsOf(Buffer.from(text), 'grapheme', 4096), [
      ...clusters,
      ...clusters.slice(0, 100),
    ]);
  });
});
