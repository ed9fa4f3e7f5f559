/** Curves on a terminal. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { plot } from '../../src/cli/terminal/plot.ts';

const drawn = (range: [low: number, high: number], values: readonly number[] = [1]): string[] =>
  plot({
    title: 'norms',
    along: 'lag',
    range,
    curves: [{ label: 'a', values }],
    nameColumns: 1,
    columns: 40,
    rows: 13,
  });

/** By row from the top, what stands at the axis. */
const labels = (lines: readonly string[]): Record<number, string> =>
  Object.fromEntries(
    lines.slice(1, -2).flatMap((line, row) => (line[6] === '┤' ? [[row, line.slice(0, 6).trim()]] : [])),
  );

describe('the y axis', () => {
  it('has powers of ten, each where it is', () => {
    assert.deepEqual(labels(drawn([0.1, 10])), { 0: '1e1', 5: '1e0', 9: '1e-1' });
    for (const [row, label] of Object.entries(labels(drawn([1e-20, 1e6])))) {
      const lines = drawn([1e-20, 1e6], [Number(label), Number(label)]);
      assert.match(lines[Number(row) + 1]!, /[\u2800-\u28ff]/, `a curve at ${label} is in its row`);
    }
  });

  it('has five labels at most, and never the same twice', () => {
    for (const range of [
      [1e-38, 1e38],
      [1e-20, 1e6],
      [0.5, 3],
      [1e-3, 1e5],
    ] as [number, number][]) {
      const shown = Object.values(labels(drawn(range)));
      assert.ok(shown.length >= 2 && shown.length <= 6, shown.join());
      assert.equal(new Set(shown).size, shown.length);
    }
  });

  it('has its ends where no power of ten is within it', () => {
    assert.deepEqual(labels(drawn([2, 8])), { 0: '8e0', 9: '2e0' });
  });
});

describe('a curve', () => {
  it('is drawn from left to right, with its name at its end', () => {
    const lines = drawn([1, 100], [1, 100]);
    assert.match(lines[10]!, /^ +1e0┤[\u2800-\u28ff]/);
    assert.match(lines[1]!, /^ +1e2┤ +[\u2800-\u28ff]+ a$/);
    assert.match(lines.at(-1)!, /^ +0 +lag +1 *$/);
  });

  it('has a gap where a value is not above 0, and is cut off beyond the range', () => {
    const dots = (lines: readonly string[]): number =>
      [...lines.join('')].filter((c) => c >= '\u2800' && c <= '\u28ff').length;
    const whole = dots(drawn([0.1, 10], [1, 1, 1, 1, 1]));
    assert.ok(dots(drawn([0.1, 10], [1, 1, 0, 1, 1])) < whole);
    assert.equal(dots(drawn([0.1, 10], [1000, 1000])), 0);
  });
});
