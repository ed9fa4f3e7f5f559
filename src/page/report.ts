/** The report of one run, or of several side by side: curves, samples, figures and settings in one document. */
import type { RunFigures, RunHistory } from '../analysis/run-history.ts';
import type { ThinnedCurve } from '../analysis/thinning.ts';
import { cellLabel } from '../model/config.ts';
import { ParameterLayout } from '../model/parameters.ts';
import { halved } from '../training/divergence.ts';
import type { RunConfig } from '../training/run-config.ts';
import { type Chart, lineChart } from './chart.ts';
import { type Content, type Html, html } from './html.ts';
import { renderPage } from './page.ts';
import { areTimed, type ChartedRun, reportCharts } from './report-charts.ts';
import { differingSettings, settingsOf } from './settings-table.ts';

export interface ReportedRun {
  /** How the report calls it. */
  readonly name: string;
  readonly config: RunConfig;
  readonly history: RunHistory;
}

/**
 * The document.
 * @param runs at least one
 * @throws CharloomError UNAVAILABLE if the pages have not been built
 */
export function renderReport(runs: readonly ReportedRun[]): string {
  const charted = runs.map(chartedRun);
  const charts = new Map([...reportCharts(charted)].map(([id, chart]) => [id, figure(id, chart)]));
  const title = runs.length === 1 ? runs[0]!.name : `${runs.length} runs`;
  const sections = runs.map((run, i) => runSection(run, `run-${i + 1}`, runs.length > 1, charts));
  const body =
    runs.length === 1
      ? html`<main id="top">${sections}</main>`
      : html`<main id="top">${comparison(runs, charts)}${sections}</main>`;
  return renderPage({
    title: `${title} - charloom`,
    client: 'report',
    data: { runs: charted },
    body: html`${body}${controls(charted)}`,
  });
}

type Charts = ReadonlyMap<string, Html>;

/** The curves of a run with as many digits as can be seen. */
function chartedRun({ name, config, history }: ReportedRun): ChartedRun {
  const { training, validation, rollbacks } = history;
  const times = (part: {
    readonly steps: readonly number[];
    readonly minutes: readonly number[] | undefined;
  }) => ({
    steps: rounded(part.steps),
    ...(part.minutes && { minutes: rounded(part.minutes) }),
  });
  return {
    name,
    loss: config.training.loss,
    training: {
      ...times(training),
      loss: roundedCurve(training.loss),
      learningRate: roundedCurve(training.learningRate),
      gradientNorm: roundedCurve(training.gradientNorm),
    },
    validation: { ...times(validation), crossEntropy: roundedCurve(validation.crossEntropy) },
    rollbacks,
  };
}

const rounded = (values: readonly number[]): number[] => values.map((value) => Number(value.toPrecision(6)));

function roundedCurve({ mean, lower, upper }: ThinnedCurve): ThinnedCurve {
  return { mean: rounded(mean), lower: rounded(lower), upper: rounded(upper) };
}

/** Shown by the script, which they need. */
function controls(runs: readonly ChartedRun[]): Html {
  const choice = (name: string, legend: string, values: readonly (readonly [string, string])[]): Html =>
    html`<fieldset><legend>${legend}</legend>${values.map(
      ([value, label], i) =>
        html`<label><input type="radio" name="${name}" value="${value}"${i === 0 ? html` checked` : undefined}> ${label}</label>`,
    )}</fieldset>`;
  return html`<form class="controls" hidden aria-label="Axes of the charts">
${
  areTimed(runs)
    ? choice('against', 'Across', [
        ['steps', 'steps'],
        ['minutes', 'minutes'],
      ])
    : undefined
}
${choice('lossScale', 'Loss', [
  ['linear', 'linear'],
  ['log', 'logarithmic'],
])}
</form>`;
}

function figure(id: string, chart: Chart): Html {
  return html`<figure class="plot" id="${id}"><figcaption>${chart.title}</figcaption><div class="scroll">${lineChart(chart)}</div><p class="readout quiet"></p></figure>\n`;
}

function comparison(runs: readonly ReportedRun[], charts: Charts): Html {
  const differing = differingSettings(runs.map(({ config }) => config));
  const link = (i: number): Html => html`<a href="#run-${i + 1}">${runs[i]!.name}</a>`;
  return html`<h1>${runs.length} runs</h1>
<nav aria-label="Runs"><ul class="runs">${runs.map((_, i) => html`<li>${link(i)}</li>`)}</ul></nav>
<section>
<h2>How far they came</h2>
<div class="scroll"><table>
<thead><tr><th>run</th>${FIGURES.map(([label]) => html`<th class="number">${label}</th>`)}</tr></thead>
<tbody>${runs.map(
    ({ history }, i) =>
      html`<tr><td>${link(i)}</td>${FIGURES.map(([, value]) => html`<td class="number">${value(history.figures, runs[i]!.config)}</td>`)}</tr>\n`,
  )}</tbody>
</table></div>
${
  new Set(runs.map(textOf)).size > 1
    ? html`<p class="warning">The runs read different texts, or cut them into other symbols or parts: their losses are not of the same thing.</p>`
    : undefined
}${charts.get('all-validation')}${charts.get('all-training')}
${charts.has('all-training') ? undefined : html`<p class="quiet">Some of the runs minimise the cross-entropy and some the squared error: their training losses cannot be compared.</p>`}
</section>
<section>
<h2>Settings that differ</h2>
${
  differing.length === 0
    ? html`<p>None: the runs have the same settings.</p>`
    : html`<div class="scroll"><table>
<thead><tr><th>setting</th>${runs.map((_, i) => html`<th>${link(i)}</th>`)}</tr></thead>
<tbody>${differing.map(({ name, values }) => html`<tr><th scope="row">${name}</th>${values.map((value) => html`<td>${value}</td>`)}</tr>\n`)}</tbody>
</table></div>`
}
</section>
`;
}

/** What decides over which predictions a loss is the mean. */
function textOf({ config: { text, files } }: ReportedRun): string {
  return JSON.stringify([text, files.map(({ sha256 }) => sha256)]);
}

/** The columns of the table of several runs. */
const FIGURES: readonly (readonly [string, (figures: RunFigures, config: RunConfig) => string])[] = [
  ['best validation, nats', ({ best }) => nats(best?.crossEntropy)],
  ['bits/character', ({ best }) => bits(best?.crossEntropy)],
  ['at step', ({ best }) => (best ? whole(best.step) : '-')],
  ['training loss', ({ trainingLoss }) => nats(trainingLoss)],
  ['steps', ({ steps }) => whole(steps)],
  ['characters', ({ characters }) => whole(characters)],
  ['minutes', ({ minutes }) => time(minutes)],
  ['parameters', (_, { model }) => whole(new ParameterLayout(model).count)],
];

function runSection(
  { name, config, history }: ReportedRun,
  id: string,
  several: boolean,
  charts: Charts,
): Html {
  const { figures, samples, warnings, damagedLines } = history;
  const { model, training, files } = config;
  const heading = several ? html`<h2 class="run">${name}</h2>` : html`<h1>${name}</h1>`;
  const part = (title: string, content: Content): Html =>
    several ? html`<h3>${title}</h3>${content}` : html`<h2>${title}</h2>${content}`;
  const textName = files.map((file) => file.name).join(', ');
  return html`<section id="${id}">
${heading}
<p class="quiet">${cellLabel(model)}, ${model.layers} × ${model.hidden}, ${whole(new ParameterLayout(model).count)} parameters, on ${textName}. ${ending(figures)}${several ? html` <a href="#top">All runs</a>` : undefined}</p>
${part('Figures', figureTable(figures, config))}
${
  damagedLines > 0
    ? html`<p class="warning">${damagedLines} ${damagedLines === 1 ? 'line' : 'lines'} of its metrics.jsonl could not be read and are missing here.</p>`
    : undefined
}${warnings.map(({ step, message }) => html`<p class="warning">Step ${step}: ${message}.</p>`)}
${part('Curves', html`${charts.get(`${id}-loss`)}${charts.get(`${id}-validation`)}${explained(training, model.dropout, history)}${charts.get(`${id}-gradient`)}${charts.get(`${id}-rate`)}`)}
${samples.length > 0 ? part('Samples over time', sampleSlider(samples, id)) : part('Samples over time', html`<p class="quiet">None were drawn: see <code>--sample-every</code> of <code>charloom train</code>.</p>`)}
${part(
  'Configuration',
  html`<div class="scroll"><table class="settings"><tbody>${settingsOf(config).map(
    ({ name: setting, value }) => html`<tr><th scope="row">${setting}</th><td>${value}</td></tr>\n`,
  )}</tbody></table></div>`,
)}
</section>
`;
}

/** How the curves are to be read. */
function explained(
  { loss }: RunConfig['training'],
  dropout: number,
  { validation, training }: RunHistory,
): Html {
  const thinned = training.loss.mean.some((mean, i) => training.loss.lower[i] !== mean);
  return html`<p class="quiet">${thinned ? 'Lines are means of neighbouring steps, bands reach from their least to their greatest value. ' : undefined}${
    validation.steps.length === 0
      ? 'Validation was not measured. '
      : loss === 'cross-entropy' && dropout > 0
        ? `The training loss is measured with dropout (${dropout}), validation without, so that it may be the lower one. `
        : undefined
  }Minutes are those of training steps, without evaluating, sampling and saving.</p>`;
}

function ending({ steps, ended }: RunFigures): string {
  if (ended === null)
    return `At step ${whole(steps)} and not ended: it is still being trained, or was stopped.`;
  return ended === 'interrupted'
    ? `Interrupted at step ${whole(steps)}.`
    : `Ended at step ${whole(steps)} by its budget of ${ended}.`;
}

function figureTable(figures: RunFigures, { training }: RunConfig): Html {
  const { best, validation, trainingLoss, minutes, steps, epochs, characters, rollbacks, learningRate } =
    figures;
  const inNats = (loss: number): string =>
    `${nats(loss)} nats per character, ${bits(loss)} bits, perplexity ${Math.exp(loss).toFixed(2)}`;
  const evaluation = (found: RunFigures['best']): string =>
    found ? `${inNats(found.crossEntropy)} (step ${whole(found.step)})` : 'not measured';
  const rows: [string, string][] = [
    ['best validation', evaluation(best)],
    ['last validation', evaluation(validation)],
    [
      'training loss, last 50 steps',
      trainingLoss === null
        ? 'not known'
        : training.loss === 'mse'
          ? `${nats(trainingLoss)} (squared error)`
          : inNats(trainingLoss),
    ],
    ['steps', `${whole(steps)}${epochs === null ? '' : ` (${epochs.toFixed(2)} epochs)`}`],
    ['characters read', whole(characters)],
    [
      'training time',
      minutes === null || minutes === 0
        ? 'not known'
        : `${time(minutes)} minutes, ${whole(Math.round(characters / (minutes * 60)))} characters/s`,
    ],
    [
      'learning rate at the end',
      learningRate === null ? 'not known' : `${Number(learningRate.toPrecision(3))}`,
    ],
    ...(rollbacks > 0
      ? [
          [
            'went back',
            `${rollbacks} ${rollbacks === 1 ? 'time' : 'times'}: the learning rate was ${halved(rollbacks)}`,
          ] as [string, string],
        ]
      : []),
  ];
  return html`<div class="scroll"><table><tbody>${rows.map(
    ([label, value]) => html`<tr><th scope="row">${label}</th><td>${value}</td></tr>\n`,
  )}</tbody></table></div>`;
}

function sampleSlider(samples: RunHistory['samples'], id: string): Html {
  return html`<div class="samples">
${
  samples.length > 1
    ? html`<p class="slider" hidden><label for="${id}-sample">Step</label><input type="range" id="${id}-sample" min="0" max="${samples.length - 1}" step="1" value="${samples.length - 1}"></p>`
    : undefined
}
${samples.map(({ step, text }) => html`<figure class="sample" data-step="${step}"><figcaption class="quiet">Step ${whole(step)}</figcaption><pre class="text">\n${text}</pre></figure>\n`)}</div>`;
}

const nats = (value: number | null | undefined): string => value?.toFixed(4) ?? '-';
const bits = (value: number | undefined): string =>
  value === undefined ? '-' : (value / Math.LN2).toFixed(3);
const whole = (value: number): string => value.toLocaleString('en-US');
const time = (minutes: number | null): string =>
  minutes === null ? '-' : minutes < 1 ? minutes.toPrecision(2) : minutes.toFixed(1);
