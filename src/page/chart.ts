/**
 * Line charts as SVG: axes with ticks, several curves told apart by colour and dashes, bands, marks, a legend. Pure: pages are
 * made with it, and so are, in the browser, charts of another size or scale. Its style is `client/chart.css`: a page may have
 * no style attributes.
 */

import { type Scale, type ScaleKind, scaleOf } from './axis-scale.ts';
import { type Content, type Html, html } from './html.ts';

/** One curve. What is no finite number (or not above 0 on a log scale) is a gap in it. */
export interface Series {
  readonly name: string;
  readonly x: readonly number[];
  readonly y: readonly number[];
  /** Least and greatest of what y stands for: a band behind the curve. */
  readonly band?: { readonly lower: readonly number[]; readonly upper: readonly number[] };
  /** Each value gets a point. */
  readonly points?: boolean;
  /** Which colour and dashes, from 0 on; default: the curve's place among the curves. */
  readonly look?: number;
}

/** A place on the x axis that something happened at. */
export interface Mark {
  readonly x: number;
  readonly label: string;
}

export interface Axis {
  readonly label: string;
  readonly scale?: ScaleKind;
  /** Values that the axis has to have room for, beside those of the curves. */
  readonly include?: readonly number[];
  /** The axis goes from here to there, whatever the curves do: what is beyond is cut off. */
  readonly range?: readonly [low: number, high: number];
}

export interface Chart {
  /** What the chart shows, for screen readers and as its heading. */
  readonly title: string;
  /** What can be seen in it, in words. */
  readonly description?: string;
  readonly x: Axis;
  readonly y: Axis;
  readonly series: readonly Series[];
  readonly marks?: readonly Mark[];
  /** Pixels. Default: 720 x 320. */
  readonly width?: number;
  readonly height?: number;
  /** Whether its title stands above it; default: no, the page has a heading. */
  readonly heading?: boolean;
  /** Default: where there are several curves. */
  readonly legend?: boolean;
}

/** Where the things of a chart are, in pixels of its own. */
export interface Layout {
  readonly width: number;
  readonly height: number;
  readonly left: number;
  readonly right: number;
  readonly top: number;
  readonly bottom: number;
  readonly x: Scale;
  readonly y: Scale;
  /** The rows of the legend; every entry is the place of a curve, and where it begins. */
  readonly legend: readonly (readonly { readonly series: number; readonly at: number }[])[];
}

/** Colours, and patterns of dashes, that `chart.css` has. */
const COLOURS = 6;
const DASHES = 6;

const LINE = 18;
const LEGEND_SAMPLE = 30;
const LEGEND_GAP = 16;
const LONGEST_NAME = 48;

export function layoutOf(chart: Chart): Layout {
  const { width = 720, height = 320, series, legend = series.length > 1 } = chart;
  const ticks = Math.max(2, Math.min(8, Math.floor(height / 45)));
  const y = axisScale(
    chart.y,
    series.flatMap(({ y, band }) => [y, band?.lower ?? [], band?.upper ?? []]),
    ticks,
    false,
  );
  const x = axisScale(chart.x, [...series.map(({ x }) => x)], Math.max(2, Math.floor(width / 75)), true);
  const widest = Math.max(...y.ticks.map((tick) => textWidth(y.format(tick))));
  const left = Math.ceil(widest) + 30;
  const right = width - 14;
  const rows = legend ? legendRows(series, right - left) : [];
  return {
    width,
    height,
    left,
    right,
    top: 10 + (chart.heading ? LINE + 4 : 0) + rows.length * LINE,
    bottom: height - 42,
    x,
    y,
    legend: rows.map((row) => row.map(({ series: i, at }) => ({ series: i, at: left + at }))),
  };
}

function axisScale(axis: Axis, lists: readonly (readonly number[])[], count: number, exact: boolean): Scale {
  const { scale = 'linear', range, include = [] } = axis;
  if (range) return scaleOf(range, scale, count, true);
  function* values() {
    for (const list of lists) yield* list;
    yield* include;
  }
  return scaleOf(values(), scale, count, exact);
}

function legendRows(series: readonly Series[], room: number): { series: number; at: number }[][] {
  const rows: { series: number; at: number }[][] = [];
  let at = 0;
  for (const [i, { name }] of series.entries()) {
    const width = LEGEND_SAMPLE + textWidth(shortened(name)) + LEGEND_GAP;
    if (rows.length === 0 || at + width > room + LEGEND_GAP) {
      rows.push([]);
      at = 0;
    }
    rows.at(-1)!.push({ series: i, at });
    at += width;
  }
  return rows;
}

/** About: pixels of text at 13 px, wide characters as wide as they are high. */
function textWidth(text: string): number {
  let width = 0;
  for (const character of text) width += character > '\u2e7f' ? 13 : 7;
  return width;
}

function shortened(name: string): string {
  const characters = [...name];
  return characters.length <= LONGEST_NAME ? name : `${characters.slice(0, LONGEST_NAME - 1).join('')}…`;
}

/** The classes of a curve's colour and dashes; beyond six curves colours meet other dashes. A curve alone needs no dashes. */
function looksOf(series: readonly Series[]): string[] {
  return series.map(({ look }, i) => {
    const n = look ?? i;
    const dashes = series.length > 1 ? (n + Math.floor(n / COLOURS)) % DASHES : 0;
    return `colour-${n % COLOURS} dash-${dashes}`;
  });
}

/** Identifiers of clip paths are the document's: two charts of a page must not have the same. */
let charts = 0;

export function lineChart(chart: Chart): Html {
  const layout = layoutOf(chart);
  const { width, height, left, right, top, bottom } = layout;
  const place = placing(layout);
  const clip = `plot-${++charts}`;
  const looks = looksOf(chart.series);
  return html`<svg xmlns="http://www.w3.org/2000/svg" class="chart" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-labelledby="${clip}-title ${clip}-description">
<title id="${clip}-title">${chart.title}</title>
<desc id="${clip}-description">${chart.description ?? described(chart)}</desc>
<clipPath id="${clip}"><rect x="${left - 3}" y="${top - 3}" width="${right - left + 6}" height="${bottom - top + 4}"/></clipPath>
${chart.heading ? html`<text class="heading" x="${left}" y="16">${chart.title}</text>\n` : undefined}${axes(chart, layout)}
<g clip-path="url(#${clip})">
${(chart.marks ?? []).map((mark) => markOf(mark, layout))}${chart.series.map((series, i) => html`${bandOf(series, looks[i]!, place)}`)}${chart.series.map((series, i) => html`${curveOf(series, looks[i]!, place)}`)}</g>
${layout.legend.map((row, i) => row.map((entry) => legendEntry(chart.series[entry.series]!, looks[entry.series]!, entry.at, top - 4 - (layout.legend.length - i - 0.5) * LINE)))}</svg>`;
}

/** In words, as far as a program can tell: for whoever cannot see the curves. */
function described({ series, x, y }: Chart): string {
  const parts = series.flatMap(({ name, x: xs, y: ys }) => {
    const places = ys.flatMap((value, i) => (Number.isFinite(value) && Number.isFinite(xs[i]!) ? [i] : []));
    if (places.length === 0) return [`${name}: nothing`];
    const [first, last] = [places[0]!, places.at(-1)!];
    const least = places.reduce((best, i) => (ys[i]! < ys[best]! ? i : best));
    const at = (i: number): string => `${short(ys[i]!)} at ${short(xs[i]!)}`;
    return [`${name}: from ${at(first)} to ${at(last)}, least ${at(least)}`];
  });
  return `${y.label} against ${x.label}. ${parts.join('; ')}.`;
}

const short = (value: number): string => `${Number(value.toPrecision(4))}`;

/** A point of the curve in pixels, as SVG has it; undefined where there is none. */
type Place = (x: number, y: number) => string | undefined;

function placing({ x, y, left, right, top, bottom }: Layout): Place {
  // What is far beyond the plot stays near it: renderers go astray with huge numbers.
  const near = (fraction: number): number => Math.min(4, Math.max(-4, fraction));
  return (xValue, yValue) => {
    // What was NaN is null after a journey through JSON.
    if (!Number.isFinite(xValue) || !Number.isFinite(yValue)) return undefined;
    const [u, v] = [x.fraction(xValue), y.fraction(yValue)];
    if (!Number.isFinite(u) || !Number.isFinite(v)) return undefined;
    return `${pixel(left + near(u) * (right - left))},${pixel(bottom - near(v) * (bottom - top))}`;
  };
}

/** A tenth of a pixel is seen by nobody. */
const pixel = (value: number): number => Math.round(value * 10) / 10;

function axes({ x: xAxis, y: yAxis }: Chart, { x, y, left, right, top, bottom, height }: Layout): Html {
  const middle = (top + bottom) / 2;
  return html`<g class="axes">
${y.ticks.map((tick) => {
  const at = pixel(bottom - y.fraction(tick) * (bottom - top));
  return html`<line class="grid" x1="${left}" x2="${right}" y1="${at}" y2="${at}"/><text x="${left - 6}" y="${at + 4.5}" text-anchor="end">${y.format(tick)}</text>\n`;
})}${x.ticks.map((tick) => {
  const at = pixel(left + x.fraction(tick) * (right - left));
  return html`<line class="tick" x1="${at}" x2="${at}" y1="${bottom}" y2="${bottom + 5}"/><text x="${at}" y="${bottom + 18}" text-anchor="middle">${x.format(tick)}</text>\n`;
})}<line class="axis" x1="${left}" x2="${right}" y1="${bottom}" y2="${bottom}"/>
<text class="label" x="${(left + right) / 2}" y="${height - 6}" text-anchor="middle">${xAxis.label}</text>
<text class="label" x="${-middle}" y="14" transform="rotate(-90)" text-anchor="middle">${yAxis.label}</text>
</g>`;
}

function markOf({ x: value, label }: Mark, { x, left, right, top, bottom }: Layout): Content {
  const fraction = x.fraction(value);
  if (!(fraction >= 0 && fraction <= 1)) return undefined;
  const at = pixel(left + fraction * (right - left));
  const before = fraction > 0.7;
  return html`<g class="mark"><title>${label}</title><line x1="${at}" x2="${at}" y1="${top}" y2="${bottom}"/><text x="${at + (before ? -4 : 4)}" y="${top + 11}" text-anchor="${before ? 'end' : 'start'}">${label}</text></g>\n`;
}

/** The stretches of a curve between its gaps. */
function stretches(length: number, at: (i: number) => string | undefined): string[][] {
  const found: string[][] = [];
  let open: string[] | undefined;
  for (let i = 0; i < length; i++) {
    const point = at(i);
    if (point === undefined) {
      open = undefined;
      continue;
    }
    if (!open) {
      open = [];
      found.push(open);
    }
    open.push(point);
  }
  return found;
}

function curveOf({ x, y, points }: Series, look: string, place: Place): Content {
  const parts = stretches(x.length, (i) => place(x[i]!, y[i]!));
  const path = parts.filter((part) => part.length > 1).map((part) => `M${part.join(' ')}`);
  // A single value between gaps would be a line of no length.
  const dots = points ? parts.flat() : parts.flatMap((part) => (part.length === 1 ? part : []));
  return html`${path.length > 0 ? html`<path class="curve ${look}" d="${path.join('')}"/>\n` : undefined}${dots.map(
    (dot) => {
      const [cx, cy] = dot.split(',');
      return html`<circle class="point ${look}" cx="${cx}" cy="${cy}" r="2.5"/>\n`;
    },
  )}`;
}

function bandOf({ x, band }: Series, look: string, place: Place): Content {
  if (!band) return undefined;
  const edges = (i: number): string | undefined => {
    const [low, high] = [place(x[i]!, band.lower[i]!), place(x[i]!, band.upper[i]!)];
    return low === undefined || high === undefined ? undefined : `${low} ${high}`;
  };
  const path = stretches(x.length, edges).map((part) => {
    const pairs = part.map((edge) => edge.split(' '));
    const lower = pairs.map(([low]) => low!);
    const upper = pairs.map(([, high]) => high!).reverse();
    return `M${lower.join(' ')} ${upper.join(' ')}Z`;
  });
  return path.length > 0 ? html`<path class="band ${look}" d="${path.join('')}"/>\n` : undefined;
}

/** The legend of curves that several charts have in common: one line from `x` on, at the height `y`. */
export function legendLine(series: readonly Series[], x: number, y: number): Html {
  const looks = looksOf(series);
  const [row] = legendRows(series, Number.POSITIVE_INFINITY);
  return html`<g class="chart">${row?.map(({ series: i, at }) => legendEntry(series[i]!, looks[i]!, x + at, y))}</g>`;
}

function legendEntry({ name, points }: Series, look: string, at: number, y: number): Html {
  const [x, row] = [pixel(at), pixel(y)];
  return html`<g class="legend"><path class="curve ${look}" d="M${x},${row} ${x + 24},${row}"/>${points ? html`<circle class="point ${look}" cx="${x + 12}" cy="${row}" r="2.5"/>` : undefined}<text x="${x + LEGEND_SAMPLE}" y="${row + 4.5}">${shortened(name)}</text></g>\n`;
}
