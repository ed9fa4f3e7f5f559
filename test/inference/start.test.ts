/** What a text begins with that has no prompt. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { startOf } from '../../src/inference/start.ts';
import { Random } from '../../src/random.ts';
import { Vocabulary } from '../../src/text/vocabulary.ts';

const vocabularyOf = (symbols: readonly string[]): Vocabulary =>
  Vocabulary.parse({ unit: 'character', symbols, unknown: symbols.indexOf('') });

describe('the start of a text', () => {
  it('is the prompt if there is one', () => {
    assert.deepEqual(startOf(Uint8Array.of(2, 0), vocabularyOf(['\n', 'a', 'b', '']), new Random(1)), [2, 0]);
  });

  it('is a line break if the vocabulary has one', () => {
    for (let seed = 0; seed < 20; seed++) {
      assert.deepEqual(startOf([], vocabularyOf(['\t', '\n', 'a', 'b', '']), new Random(seed)), [1]);
    }
  });

  it('is any known symbol if there is no line break, wherever the unknown one stands', () => {
    for (const symbols of [
      ['a', 'b', 'c', ''],
      ['a', '', 'b', 'c'],
      ['', 'a', 'b', 'c'],
    ]) {
      const random = new Random(1);
      const drawn = Array.from({ length: 200 }, () => startOf([], vocabularyOf(symbols), random));
      const found = new Set(drawn.map(([id]) => symbols[id!]));
      assert.deepEqual([...found].sort(), ['a', 'b', 'c']);
      assert.ok(drawn.every(({ length }) => length === 1));
    }
  });
});
