/** The figure of gradients over time lags: one panel for each cell, all with the same axes, as an SVG file of its own. */
import type { FlowCurve, FlowPanel } from '../analysis/gradient-comparison.ts';
import { type Chart, legendLine, lineChart, type Series } from './chart.ts';
import { html } from './html.ts';
import { styleOf } from './page.ts';

const PANEL = { width: 400, height: 250 };
const HEAD = 86;
const FOOT = 30;
/** Norms beyond these are cut off: the rest would have no room. */
const RANGE = { low: 1e-20, high: 1e20 };

/** Light, and on a ground of its own, so that it is the same wherever it stands. */
const [TEXT, QUIET, LINE] = ['#1d1d1b', '#55554f', '#dcdcd6'];
const SERIES = ['#0b5cad', '#b3430c', '#1b7a43', '#7a3ea8', '#8a6100', '#a3215b'];

/** After the style of charts, whose colours are variables of the page: not every program that shows or converts SVG knows such. */
const COLOURS = `.ground { fill: #fcfcfb; }
.figure { font: 600 17px system-ui, sans-serif; fill: ${TEXT}; }
.note { font: 13px system-ui, sans-serif; fill: ${QUIET}; }
.chart text { fill: ${TEXT}; }
.chart .axes text { fill: ${QUIET}; }
.chart .grid { stroke: ${LINE}; }
.chart .axis, .chart .tick { stroke: ${QUIET}; }
${SERIES.map(
  (colour, i) => `.curve.colour-${i} { stroke: ${colour}; }
.point.colour-${i}, .band.colour-${i} { fill: ${colour}; }
`,
).join('')}`;

/**
 * @param subtitle what was measured, one line
 * @throws CharloomError UNAVAILABLE if the pages have not been built
 */
export function gradientFigure(panels: readonly FlowPanel[], subtitle: string): string {
  const range = normRange(panels);
  const rows = Math.ceil(panels.length / 2);
  const [width, height] = [2 * PANEL.width, HEAD + rows * PANEL.height + FOOT];
  const title = 'How far gradients reach back in time';
  return html`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-labelledby="title">
<title id="title">${title}: ${subtitle}</title>
<style>${styleOf('chart')}
${COLOURS}</style>
<rect class="ground" width="${width}" height="${height}" rx="6"/>
<text class="figure" x="16" y="26">${title}</text>
<text class="note" x="16" y="46">${subtitle}</text>
${legendLine(legendOf(panels), 16, 68)}
${panels.map(
  (
    panel,
    i,
  ) => html`<g transform="translate(${(i % 2) * PANEL.width} ${HEAD + Math.floor(i / 2) * PANEL.height})">
${lineChart(chartOf(panel, range))}
</g>
`,
)}<text class="note" x="16" y="${height - 10}">Lines: medians; bands: the middle half of the windows. Gain: factor of the orthogonal initial W_hh.</text>
</svg>
`.markup;
}

function chartOf({ name, curves }: FlowPanel, range: readonly [number, number]): Chart {
  return {
    title: name,
    heading: true,
    legend: false,
    x: { label: 'steps back, k' },
    y: { label: 'norm, k = 0 is 1', scale: 'log', range },
    series: curves.map(seriesOf),
    ...PANEL,
  };
}

function seriesOf({ label, norms: { lower, median, upper } }: FlowCurve): Series {
  return { name: label, x: median.map((_, k) => k), y: median, band: { lower, upper } };
}

/** Every label once: all panels have the same gains first, and one has what was trained after them. */
function legendOf(panels: readonly FlowPanel[]): Series[] {
  const longest = panels.reduce((most, panel) => (panel.curves.length > most.curves.length ? panel : most));
  return longest.curves.map(seriesOf);
}

/** The range of all medians, in whole powers of ten; 1 is in it. */
export function normRange(panels: readonly FlowPanel[]): readonly [low: number, high: number] {
  let [low, high] = [0.1, 1];
  for (const { curves } of panels) {
    for (const { norms } of curves) {
      for (const norm of norms.median) {
        if (!(norm > 0 && Number.isFinite(norm))) continue;
        low = Math.min(low, norm);
        high = Math.max(high, norm);
      }
    }
  }
  const power = (value: number, round: (exponent: number) => number): number =>
    Number(`1e${round(Math.log10(value))}`);
  return [
    power(Math.max(low, RANGE.low), (exponent) => Math.floor(exponent + 1e-9)),
    power(Math.min(high, RANGE.high), (exponent) => Math.ceil(exponent - 1e-9)),
  ];
}
