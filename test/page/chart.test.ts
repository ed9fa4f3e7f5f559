/** Scales by what they promise, charts by the numbers in their SVG. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { scaleOf } from '../../src/page/axis-scale.ts';
import { type Chart, layoutOf, lineChart } from '../../src/page/chart.ts';

const chartOf = (changes: Partial<Chart> = {}): Chart => ({
  title: 'Loss',
  x: { label: 'steps' },
  y: { label: 'nats' },
  series: [{ name: 'training', x: [0, 1, 2, 3], y: [4, 3, 2, 1] }],
  ...changes,
});

/** The points of the curves, in pixels. */
function pathsOf(markup: string, kind = 'curve'): [number, number][][] {
  const paths = [...markup.matchAll(new RegExp(`<path class="${kind} [^"]*" d="([^"]*)"`, 'g'))];
  return paths.flatMap(([, d]) =>
    d!
      .split(/[MZ]/)
      .filter(Boolean)
      .map((part) => part.split(' ').map((point) => point.split(',').map(Number) as [number, number])),
  );
}

describe('a scale', () => {
  it('has round ticks, and its ends at ticks', () => {
    const scale = scaleOf([0.13, 4.4], 'linear', 5);
    assert.deepEqual(scale.ticks.map(scale.format), ['0', '1', '2', '3', '4', '5']);
    const narrow = scaleOf([1.371, 1.3744], 'linear', 4);
    assert.deepEqual(narrow.ticks.map(narrow.format), ['1.371', '1.372', '1.373', '1.374', '1.375']);
    const large = scaleOf([0, 1e6], 'linear', 5);
    assert.deepEqual(large.ticks.map(large.format), ['0', '200k', '400k', '600k', '800k', '1M']);
  });

  it('has powers of ten and their parts, if it is logarithmic, as there is room', () => {
    const wide = scaleOf([1e-20, 1e5], 'log', 5);
    assert.deepEqual(wide.ticks.map(wide.format), ['10⁻²⁰', '10⁻¹⁵', '10⁻¹⁰', '10⁻⁵', '1', '10⁵']);
    const decade = scaleOf([0.2, 3], 'log', 4);
    assert.deepEqual(decade.ticks.map(decade.format), ['0.2', '0.5', '1', '2', '5']);
  });

  it('holds every value, in order, whatever the values are', () => {
    const value = fc.double({ noNaN: true });
    fc.assert(
      fc.property(
        fc.array(value, { minLength: 1, maxLength: 5 }),
        fc.constantFrom('linear' as const, 'log' as const),
        fc.integer({ min: 2, max: 10 }),
        fc.boolean(),
        (values, kind, count, exact) => {
          const scale = scaleOf(values, kind, count, exact);
          assert.ok(Number.isFinite(scale.low) && scale.low < scale.high, `${scale.low} ${scale.high}`);
          assert.ok(scale.ticks.length <= 12 * count, `${scale.ticks.length} ticks`);
          for (const tick of scale.ticks)
            assert.ok(scale.fraction(tick) > -1e-6 && scale.fraction(tick) < 1 + 1e-6);
          for (const shown of values) {
            if (Math.abs(shown) > 1e100 || (kind === 'log' && shown < 1e-100)) continue;
            const fraction = scale.fraction(shown);
            assert.ok(fraction > -1e-6 && fraction < 1 + 1e-6, `${shown} at ${fraction}`);
          }
        },
      ),
    );
  });

  it('stands for nothing, and for a single value, as well', () => {
    for (const values of [[], [Number.NaN], [0], [7], [-3], [Number.POSITIVE_INFINITY]]) {
      for (const kind of ['linear', 'log'] as const) {
        const scale = scaleOf(values, kind);
        assert.ok(scale.low < scale.high && scale.ticks.length > 0, `${kind} ${values}`);
      }
    }
  });

  it('gives the value at a fraction back', () => {
    for (const kind of ['linear', 'log'] as const) {
      const scale = scaleOf([0.2, 900], kind);
      for (const value of [0.3, 5, 700]) {
        assert.ok(Math.abs(scale.value(scale.fraction(value)) / value - 1) < 1e-12);
      }
    }
  });
});

describe('a chart', () => {
  it('has its curve where the scales say', () => {
    const chart = chartOf();
    const { left, right, top, bottom, x, y } = layoutOf(chart);
    const [path] = pathsOf(lineChart(chart).markup);
    chart.series[0]!.x.forEach((value, i) => {
      const [px, py] = path![i]!;
      assert.ok(Math.abs(px - (left + x.fraction(value) * (right - left))) <= 0.05);
      assert.ok(Math.abs(py - (bottom - y.fraction(chart.series[0]!.y[i]!) * (bottom - top))) <= 0.05);
    });
    assert.equal(path!.length, 4);
  });

  it('has gaps where there are no numbers, and points between gaps', () => {
    const [nan, inf] = [Number.NaN, Number.POSITIVE_INFINITY];
    const y = [1, 2, nan, 3, null as unknown as number, 4, 5, inf];
    const { markup } = lineChart(chartOf({ series: [{ name: 'a', x: y.map((_, i) => i), y }] }));
    assert.deepEqual(
      pathsOf(markup).map((part) => part.length),
      [2, 2],
    );
    assert.equal(markup.match(/<circle/g)?.length, 1);
    assert.doesNotMatch(markup, /NaN|Infinity|undefined|null/);
  });

  it('leaves out what a logarithm does not have', () => {
    const series = [{ name: 'a', x: [0, 1, 2, 3, 4], y: [1, 10, 0, 100, -5] }];
    const { markup } = lineChart(chartOf({ y: { label: 'norm', scale: 'log' }, series }));
    assert.deepEqual(
      pathsOf(markup).map((part) => part.length),
      [2],
    );
    assert.doesNotMatch(markup, /NaN|Infinity/);
  });

  it('stands without any value', () => {
    for (const series of [[], [{ name: 'a', x: [], y: [] }], [{ name: 'a', x: [1], y: [Number.NaN] }]]) {
      const { markup } = lineChart(chartOf({ series }));
      assert.doesNotMatch(markup, /NaN|Infinity|undefined/);
    }
  });

  it('has a band from the least to the greatest values', () => {
    const band = { lower: [3, 2], upper: [5, 4] };
    const { markup } = lineChart(chartOf({ series: [{ name: 'a', x: [0, 1], y: [4, 3], band }] }));
    const [corners] = pathsOf(markup, 'band');
    const heights = corners!.map(([, y]) => y);
    assert.equal(heights.length, 4);
    assert.ok(heights[0]! > heights[3]! && heights[1]! > heights[2]!, 'lower values are further down');
  });

  it('tells curves apart by more than colour', () => {
    const series = Array.from({ length: 24 }, (_, i) => ({ name: `run ${i}`, x: [0, 1], y: [i, i] }));
    const { markup } = lineChart(chartOf({ series }));
    const looks = [
      ...markup.matchAll(
        /<path class="curve (colour-\d dash-\d)" d="[^"]*"\/>\n<path|<path class="curve (colour-\d dash-\d)"/g,
      ),
    ];
    assert.equal(new Set(looks.map(([, a, b]) => a ?? b)).size, 24);
    const dashes = series.slice(0, 6).map((_, i) => /dash-(\d)/.exec(looks[i]![0])![1]);
    assert.equal(new Set(dashes).size, 6);
  });

  it('keeps its legend inside, in as many rows as it takes', () => {
    const series = Array.from({ length: 9 }, (_, i) => ({
      name: `第${i}個很長的名字 of a run`,
      x: [0, 1],
      y: [i, i],
    }));
    const layout = layoutOf(chartOf({ series, width: 360 }));
    assert.deepEqual(
      layout.legend.flat().map((entry) => entry.series),
      [0, 1, 2, 3, 4, 5, 6, 7, 8],
    );
    for (const row of layout.legend)
      for (const { at } of row) assert.ok(at >= layout.left && at < layout.right);
    assert.ok(layout.top > layout.legend.length * 18);
  });

  it('says what it shows to those who do not see it, and escapes what it is told', () => {
    const series = [{ name: '<b>&', x: [1, 2, 3], y: [5, 2, 3] }];
    const { markup } = lineChart(chartOf({ title: '"<i>', series, legend: true }));
    assert.match(
      markup,
      /role="img" aria-labelledby="(\S+) (\S+)">\n<title id="\1">&quot;&lt;i&gt;<\/title>\n<desc id="\2">/,
    );
    assert.match(markup, /nats against steps\. &lt;b&gt;&amp;: from 5 at 1 to 3 at 3, least 2 at 2\./);
    assert.doesNotMatch(markup, /<b>|<i>| style=/);
  });

  it('marks places on its x axis, but none beyond it', () => {
    const marks = [
      { x: 2, label: 'back to 2' },
      { x: 99, label: 'nowhere' },
    ];
    const { markup } = lineChart(chartOf({ marks }));
    assert.match(markup, /back to 2<\/text>/);
    assert.doesNotMatch(markup, /nowhere/);
  });

  it('has identifiers that no other chart of a page has', () => {
    const ids = [lineChart(chartOf()), lineChart(chartOf())].flatMap(({ markup }) =>
      [...markup.matchAll(/ id="([^"]*)"/g)].map(([, id]) => id),
    );
    assert.equal(new Set(ids).size, ids.length);
  });
});
