import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { CostliestPassages, type Passage } from '../../src/analysis/passages.ts';
import { Random } from '../../src/random.ts';

function found(costs: readonly number[], width: number, count: number, first = 0): Passage[] {
  const passages = new CostliestPassages(width, count, first);
  for (const cost of costs) passages.push(cost);
  return passages.finish();
}

/** The definition, word for word: every passage against every one that it overlaps. */
function byDefinition(costs: readonly number[], width: number, count: number): Passage[] {
  const sums = Array.from({ length: costs.length - width + 1 }, (_, start) =>
    costs.slice(start, start + width).reduce((sum, cost) => sum + cost, 0),
  );
  return sums
    .map((cost, start) => ({ start, end: start + width, cost }))
    .filter(({ start, cost }) =>
      sums.every((other, i) => Math.abs(i - start) >= width || (i < start ? other < cost : other <= cost)),
    )
    .sort((a, b) => b.cost - a.cost || a.start - b.start)
    .slice(0, count);
}

describe('the costliest passages', () => {
  it('are those of the definition, also where many cost the same', () => {
    const random = new Random(3);
    for (let round = 0; round < 300; round++) {
      const width = 1 + random.integer(9);
      const costs = Array.from({ length: width + random.integer(60) }, () => random.integer(1 + (round % 7)));
      const count = 1 + random.integer(6);
      assert.deepEqual(found(costs, width, count), byDefinition(costs, width, count));
    }
  });

  it('are one when the text is shorter than the width, and none of no text', () => {
    assert.deepEqual(found([2, 3], 5, 3, 1), [{ start: 1, end: 3, cost: 5 }]);
    assert.deepEqual(found([2], 5, 1), [{ start: 0, end: 1, cost: 2 }]);
    assert.deepEqual(found([], 5, 3), []);
    assert.deepEqual(found([2, 3], 5, 0), []);
    assert.deepEqual(found([2, 3, 1, 4, 2], 2, 0), []);
  });

  it('keep their cost exact over a long text', () => {
    const costs = Array.from({ length: 100_000 }, (_, i) => (i < 50_000 ? 1e9 : 1e-3) / 3);
    costs.splice(80_000, 4, 1, 2, 3, 4);
    const last = found(costs, 4, 1e6).find(({ start }) => start === 80_000);
    assert.equal(last?.cost, 10);
  });
});
