/** A report in the browser: charts as wide as the window, with the axes that the reader chose, and what is under the pointer; samples. */
import { type Chart, type Layout, layoutOf, lineChart } from '../chart.ts';
import { type ChartChoice, type ChartedRun, FIRST_CHOICE, reportCharts } from '../report-charts.ts';
import { pageData } from './parts/data.ts';

const { runs } = pageData<{ readonly runs: readonly ChartedRun[] }>();
const widest = 1100;

let choice: ChartChoice = FIRST_CHOICE;

/** One chart in the page. */
class Plot {
  readonly #figure: HTMLElement;
  readonly #frame: HTMLElement;
  readonly #readout: HTMLElement;
  #chart: Chart;
  #layout: Layout;
  /** The place among the values of the first curve that is read out; undefined while none is. */
  #at: number | undefined;

  constructor(figure: HTMLElement, chart: Chart) {
    this.#figure = figure;
    this.#frame = figure.querySelector<HTMLElement>('.scroll')!;
    this.#readout = figure.querySelector<HTMLElement>('.readout')!;
    this.#chart = chart;
    this.#layout = layoutOf(chart);
    figure.classList.add('fitted');
    this.#frame.tabIndex = 0;
    this.#frame.setAttribute('role', 'group');
    this.#frame.setAttribute('aria-label', `${chart.title}: arrow keys read the values out`);
    this.#readout.setAttribute('aria-live', 'polite');
    this.#frame.addEventListener('pointermove', (event) => this.#point(event.clientX));
    this.#frame.addEventListener('pointerleave', () => this.#show(undefined));
    this.#frame.addEventListener('keydown', (event) => this.#key(event));
    this.#frame.addEventListener('blur', () => this.#show(undefined));
  }

  get id(): string {
    return this.#figure.id;
  }

  draw(chart: Chart): void {
    const width = Math.min(widest, Math.max(280, this.#figure.clientWidth));
    this.#chart = { ...chart, width };
    this.#layout = layoutOf(this.#chart);
    this.#frame.innerHTML = lineChart(this.#chart).markup;
    this.#show(undefined);
  }

  /** The x values that can be read out: those of the curve that has most. */
  get #values(): readonly number[] {
    return this.#chart.series.reduce<readonly number[]>(
      (most, { x }) => (x.length > most.length ? x : most),
      [],
    );
  }

  #point(clientX: number): void {
    const svg = this.#frame.querySelector('svg')!.getBoundingClientRect();
    const { left, right, width, x } = this.#layout;
    const at = ((clientX - svg.left) * width) / svg.width;
    this.#show(nearest(this.#values, x.value((at - left) / (right - left))));
  }

  #key(event: KeyboardEvent): void {
    const last = this.#values.length - 1;
    const at = this.#at ?? last;
    const stride = Math.max(1, Math.round(last / 100));
    const next = { ArrowLeft: at - stride, ArrowRight: at + stride, Home: 0, End: last }[event.key];
    if (next === undefined) return;
    event.preventDefault();
    this.#show(Math.max(0, Math.min(last, next)));
  }

  #show(at: number | undefined): void {
    this.#at = at;
    this.#frame.querySelector('.cursor')?.remove();
    const value = at === undefined ? undefined : this.#values[at];
    if (value === undefined) {
      this.#readout.textContent = '';
      return;
    }
    const { left, right, top, bottom, x } = this.#layout;
    const place = `${left + x.fraction(value) * (right - left)}`;
    const line = document.createElementNS('http://www.w3.org/2000/svg', 'line');
    const ends = { class: 'cursor', x1: place, x2: place, y1: `${top}`, y2: `${bottom}` };
    for (const [name, end] of Object.entries(ends)) line.setAttribute(name, end);
    this.#frame.querySelector('svg')!.append(line);
    const figures = this.#chart.series.flatMap((series) => {
      const i = nearest(series.x, value);
      const y = i === undefined ? undefined : series.y[i];
      if (typeof y !== 'number') return [];
      const elsewhere = series.x[i!] === value ? '' : ` at ${short(series.x[i!]!)}`;
      return [`${series.name} ${short(y)}${spread(series.band, i!, y)}${elsewhere}`];
    });
    const unit = choice.against === 'steps' ? 'step' : 'minute';
    this.#readout.textContent = `${unit} ${short(value)}: ${figures.join(', ')}`;
  }
}

/** The place of the value of an ascending list that is nearest to `value`. */
function nearest(values: readonly number[], value: number): number | undefined {
  let [low, high] = [0, values.length - 1];
  if (high < 0) return undefined;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (values[middle]! <= value) low = middle;
    else high = middle;
  }
  return Math.abs(values[low]! - value) <= Math.abs(values[high]! - value) ? low : high;
}

const short = (value: number): string => `${Number(value.toPrecision(4))}`;

function spread(band: Chart['series'][number]['band'], i: number, mean: number): string {
  const [lower, upper] = [band?.lower[i], band?.upper[i]];
  if (typeof lower !== 'number' || typeof upper !== 'number' || (lower === mean && upper === mean)) return '';
  return ` (${short(lower)} to ${short(upper)})`;
}

const charts = reportCharts(runs, choice);
const plots = [...document.querySelectorAll<HTMLElement>('.plot')].map(
  (figure) => new Plot(figure, charts.get(figure.id)!),
);

function drawAll(): void {
  const chosen = reportCharts(runs, choice);
  for (const plot of plots) plot.draw(chosen.get(plot.id)!);
}

const controls = document.querySelector<HTMLFormElement>('.controls')!;
controls.hidden = false;
// A browser that comes back to the page may remember what was chosen.
controls.reset();
controls.addEventListener('change', () => {
  const chosen = new FormData(controls);
  choice = { ...FIRST_CHOICE, ...(Object.fromEntries(chosen) as Partial<ChartChoice>) };
  drawAll();
});

let drawnWidth = 0;
new ResizeObserver(() => {
  const width = document.querySelector('main')!.clientWidth;
  if (width === drawnWidth) return;
  drawnWidth = width;
  // Not at once: what is drawn changes the sizes that are observed.
  requestAnimationFrame(drawAll);
}).observe(document.body);

for (const samples of document.querySelectorAll<HTMLElement>('.samples')) {
  const slider = samples.querySelector<HTMLElement>('.slider');
  if (!slider) continue;
  const input = slider.querySelector('input')!;
  const all = [...samples.querySelectorAll<HTMLElement>('.sample')];
  const show = (): void => {
    const chosen = Number(input.value);
    for (const [i, sample] of all.entries()) sample.hidden = i !== chosen;
    const step = all[chosen]!.dataset.step;
    input.setAttribute('aria-valuetext', `step ${step}, ${chosen + 1} of ${all.length}`);
  };
  slider.hidden = false;
  input.value = input.max;
  input.addEventListener('input', show);
  show();
}
