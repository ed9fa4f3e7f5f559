import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { SurpriseRecord, surprisePage } from '../../src/page/surprise.ts';
import {
  bitsOf,
  isUnknown,
  LAST_RANK,
  NO_BITS,
  type SurpriseData,
  UNKNOWN_FLAG,
} from '../../src/page/surprise-data.ts';
import { IdSequence } from '../../src/text/id-sequence.ts';
import type { Unit } from '../../src/text/symbol-reader.ts';
import { SymbolText } from '../../src/text/symbol-text.ts';
import { Vocabulary } from '../../src/text/vocabulary.ts';
import { blockTexts, dataOf, unpacked } from './unpacked.ts';

const BITS = [0, 2.5, 400, 13.337];

/** A page on symbols of which the vocabulary knows the letters; their bits are those above, in turn. */
function pageOf(symbols: readonly string[], unit: Unit = 'character', guesses = 2) {
  const vocabulary = Vocabulary.fromCounts(unit, new Map([...'abc'].map((letter) => [letter, 1])), 1);
  const distinct = [...new Set(symbols)];
  const raw = IdSequence.of(Uint32Array.from(symbols, (symbol) => distinct.indexOf(symbol)));
  const ids = raw.mapped(vocabulary.idsOf(distinct));
  const text = new SymbolText(unit, ids, distinct);
  const record = new SurpriseRecord(symbols.length, guesses);
  const n = symbols.length - 1;
  record.add({
    start: 1,
    losses: Float64Array.from({ length: n }, (_, i) => BITS[i % BITS.length]! * Math.LN2),
    guesses: {
      each: guesses,
      ids: Uint32Array.from({ length: guesses * n }, (_, i) => i % vocabulary.size),
      probabilities: Float64Array.from({ length: guesses * n }, (_, i) => (i % 2 === 0 ? 0.6 : 1e-4)),
      ranks: Uint32Array.from({ length: n }, (_, i) => (i === 0 ? 70_000 : 1)),
    },
  });
  return surprisePage({
    model: 'runs/<b>',
    source: '"text"',
    text,
    ids,
    vocabulary,
    unknownCharacters: 0,
    evaluation: { predictions: n, crossEntropy: 1, bitsPerCharacter: 2, perplexity: 3 },
    record,
    passages: [{ start: 1, end: Math.min(3, symbols.length), cost: 5, line: 1 }],
  });
}

describe('the page on surprise', () => {
  it('has of every symbol what it cost, its rank and the guesses', () => {
    const page = pageOf([...'ab漢c\na']);
    const { blocks, starts, length, passages, names } = dataOf<SurpriseData>(page);
    assert.deepEqual([blocks.length, starts, length, passages], [1, [0], 6, [1]]);
    assert.deepEqual(names, ['a', 'b', 'c', 'unknown']);
    const { words, bytes, left } = unpacked(blocks[0]!);
    assert.deepEqual(words(6), [1, 1, 1, 1, 2, 1]);
    const unknown = 250 | UNKNOWN_FLAG;
    assert.deepEqual(words(6), [NO_BITS, 0, unknown, NO_BITS - 1, 1334 | UNKNOWN_FLAG, 0]);
    assert.deepEqual(words(6), [0, LAST_RANK, 1, 1, 1, 1]);
    assert.deepEqual(words(6), [0, 0, 2, 0, 2, 0]);
    // What is as good as impossible is left out.
    assert.deepEqual(words(6), [0, 0, 0, 0, 0, 0]);
    assert.deepEqual(bytes(6), [0, 153, 153, 153, 153, 153]);
    assert.deepEqual(bytes(6), [0, 0, 0, 0, 0, 0]);
    assert.equal(left(), 0);
  });

  it('tells its script what a symbol cost, also one that the model does not know, and that the first cost nothing', () => {
    for (const symbols of ['ab漢c\na', '漢bac\na']) {
      const { words } = unpacked(dataOf<SurpriseData>(pageOf([...symbols])).blocks[0]!);
      words(6);
      const kept = [...words(6)];
      const costs = [null, 0, 2.5, 327.66, 13.34, 0];
      assert.deepEqual(kept.map(bitsOf), costs);
      assert.deepEqual(
        kept.map(isUnknown),
        [...symbols].map((symbol) => !'abc'.includes(symbol)),
      );
    }
  });

  it('shows text with markup and control characters as text', () => {
    const symbols = [..."</div><script>alert('&amp;')</script>\0\x1b\r\n\u202e"];
    const page = pageOf(symbols);
    for (const raw of ['<script>alert', '<b>', '\0', '\x1b', '\r', '\u202e']) assert.ok(!page.includes(raw));
    assert.deepEqual(blockTexts(page), ["</div><script>alert('&amp;')</script>␀␛␍↵\n\\u{202e}"]);
    const { words } = unpacked(dataOf<SurpriseData>(page).blocks[0]!);
    assert.equal(
      words(symbols.length).reduce((sum, units) => sum + units, 0),
      blockTexts(page)[0]!.length,
    );
  });

  it('divides a long text at the ends of lines, and where there are none all the same', () => {
    for (const line of [`${'a'.repeat(99)}\n`, 'a', '漢😀👨‍👩‍👧‍👦\n']) {
      const symbols = [...line.repeat(Math.ceil(30_000 / line.length))];
      const page = pageOf(symbols);
      const { starts, length } = dataOf<SurpriseData>(page);
      const texts = blockTexts(page);
      assert.equal(texts.join('').replaceAll('↵', ''), symbols.join(''));
      assert.equal(texts.length, starts.length);
      for (const [i, text] of texts.entries()) {
        const count = (starts[i + 1] ?? length) - starts[i]!;
        assert.ok(count > 0 && count <= 4096);
        if (i < texts.length - 1) {
          assert.ok(count >= 2048);
          assert.equal(text.endsWith('\n'), line.length > 1);
        }
      }
    }
  });

  it('is there for the smallest text, for graphemes and for bytes', () => {
    for (const [unit, symbols, text] of [
      ['character', ['a', 'b'], 'ab'],
      ['grapheme', ['👨‍👩‍👧‍👦', '\r\n', 'e\u0301'], '👨‍👩‍👧‍👦↵\ne\u0301'],
      ['byte', ['\xe6', '\xbc', '\xa2', 'a', '\xff'], '··漢a\ufffd'],
    ] as const) {
      assert.deepEqual(blockTexts(pageOf(symbols, unit)), [text]);
    }
  });
});
