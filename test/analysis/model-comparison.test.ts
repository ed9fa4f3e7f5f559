/** Where two models differ. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ModelComparison } from '../../src/analysis/model-comparison.ts';

describe('a comparison of two models', () => {
  it('tells the symbols and passages that each is better at, the greatest gain first', () => {
    const comparison = new ModelComparison(4, { symbols: 2, passages: 1, width: 2 });
    // Symbol, bits under the one, bits under the other.
    for (const [symbol, one, other] of [
      [0, 1, 3],
      [1, 5, 1],
      [0, 2, 3],
      [2, 1, 9],
      [1, 4, 2],
      [2, 2, 1],
    ] as const) {
      comparison.push(symbol, one, other);
    }
    const [one, other] = comparison.finish();
    assert.deepEqual(one, {
      symbols: [
        { id: 2, occurrences: 2, bits: 3, otherBits: 10 },
        { id: 0, occurrences: 2, bits: 3, otherBits: 6 },
      ],
      // Places count from 0 on; the first symbol of the text was not predicted.
      passages: [{ start: 3, end: 5, cost: 9 }],
    });
    assert.deepEqual(other.symbols, [{ id: 1, occurrences: 2, bits: 3, otherBits: 9 }]);
    assert.deepEqual(other.passages, [{ start: 2, end: 4, cost: 3 }]);
  });

  it('tells no more than was asked for, and nothing of models that are the same or of no text', () => {
    const options = { symbols: 1, passages: 5, width: 3 };
    const better = new ModelComparison(3, options);
    for (const symbol of [0, 1, 2, 2]) better.push(symbol, 1, 2);
    assert.deepEqual(
      better.finish()[0].symbols.map(({ id }) => id),
      [2],
    );
    const same = new ModelComparison(3, options);
    for (const symbol of [0, 1, 2]) same.push(symbol, 1.5, 1.5);
    const nothing = { symbols: [], passages: [] };
    assert.deepEqual(same.finish(), [nothing, nothing]);
    assert.deepEqual(new ModelComparison(3, options).finish(), [nothing, nothing]);
  });
});
