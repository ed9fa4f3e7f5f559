/** `charloom gradients`: how the gradient vanishes or explodes on its way back in time, in a model and in new networks of each cell. */
import { statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Command, InvalidArgumentError, Option } from 'commander';
import {
  COMPARED_CELLS,
  compareCells,
  type FlowPanel,
  lagsOfFactors,
  type MeasuredNetwork,
  panelsOf,
} from '../analysis/gradient-comparison.ts';
import { GradientFlowMeter } from '../analysis/gradient-flow.ts';
import { CharloomError } from '../errors.ts';
import { checkFields, integer } from '../fields.ts';
import type { ModelConfig } from '../model/config.ts';
import { gradientFigure, normRange } from '../page/gradient-figure.ts';
import { MAX_SEED } from '../random.ts';
import { loadCorpus } from '../text/corpus.ts';
import type { IdSequence } from '../text/id-sequence.ts';
import { isStdin } from '../text/source.ts';
import { parseSplit } from '../text/split.ts';
import { PRESETS } from '../training/presets.ts';
import { openEngine } from './engine.ts';
import { readEvaluationText } from './evaluation-text.ts';
import { examples } from './help.ts';
import { type OpenModel, openModel } from './open-model.ts';
import {
  checkpointOption,
  inferenceDeviceOption,
  numberOption,
  OPTION_ORIGIN,
  threadsOption,
} from './options.ts';
import { type Output, openOutput } from './output-file.ts';
import { readText } from './read-text.ts';
import { textsOf } from './run-corpus.ts';
import { interruption } from './signals.ts';
import { ProgressBar } from './terminal/bar.ts';
import { table } from './terminal/format.ts';
import { note, print, printJson } from './terminal/output.ts';
import { plot, sideBySide } from './terminal/plot.ts';
import { printableLine } from './terminal/printable.ts';
import { styled } from './terminal/style.ts';

/** The text where none is given. */
const BUNDLED = fileURLToPath(new URL('../../corpora/lighthouse.txt', import.meta.url));
/** The size of new networks where no model says another. */
const SIZE = PRESETS.tiny!.settings;

interface GradientsOptions {
  readonly lags: number;
  readonly windows: number;
  readonly gain: readonly number[];
  readonly seed?: number;
  readonly checkpoint: string;
  readonly device: string;
  readonly threads?: number;
  readonly svg?: string;
  readonly json?: boolean;
}

export function gradientsCommand(): Command {
  return new Command('gradients')
    .description('measure how gradients vanish or explode on their way back in time, in each kind of cell')
    .argument('[model]', 'run folder or checkpoint folder; without one, new networks alone')
    .argument(
      '[file]',
      "text to read; '-' is standard input (default: the run's validation part, or a bundled play)",
    )
    .addOption(numberOption('--lags <n>', 'lags to measure, from 0 on; at most 2000').default(100))
    .addOption(numberOption('--windows <n>', 'places of the text to go back from').default(32))
    .addOption(
      new Option('--gain <factors...>', 'factors of the orthogonal recurrent matrices of the new networks')
        .argParser(parseGain)
        .default([0.5, 1, 1.5], '0.5 1 1.5'),
    )
    .addOption(numberOption('--seed <n>', "of the new networks (default: the model's, or 1)"))
    .addOption(checkpointOption())
    .addOption(inferenceDeviceOption())
    .addOption(threadsOption())
    .option('--svg <file>', "write the figure; '-' is standard output")
    .option('--json', 'print one JSON object')
    .addHelpText(
      'before',
      examples(
        'charloom gradients                                 new networks of each cell, on a bundled play',
        'charloom gradients runs/book other.txt --svg gradients.svg',
        'charloom gradients book.txt --gain 0.9 1.1 --lags 200',
      ),
    )
    .action(gradients);
}

/** Commander hands over one argument after the other, the first with the default. */
function parseGain(text: string, before: unknown): number[] {
  const gain = Number(text);
  if (text.trim() === '' || !Number.isFinite(gain) || gain < 0) {
    throw new InvalidArgumentError('Not a number from 0 up.');
  }
  const given = before as number[] & { readonly given?: true };
  return Object.assign([...(given.given ? given : []), gain], { given: true as const });
}

/** What is measured on what. */
interface Subject {
  /** The trained model, if there is one. */
  readonly opened?: OpenModel;
  /** Of the new networks. */
  readonly config: ModelConfig;
  readonly ids: IdSequence;
  readonly source: string;
  readonly close: () => void;
}

async function gradients(
  first: string | undefined,
  second: string | undefined,
  options: GradientsOptions,
): Promise<void> {
  checkOptions(options);
  const [path, file] =
    first !== undefined && second === undefined && !isFolder(first) ? [undefined, first] : [first, second];
  const subject = path === undefined ? await newNetworks(file) : await trained(path, file, options);
  const { opened, ids, source } = subject;
  const seed = options.seed ?? opened?.run.config.training.seed ?? 1;
  let figure: Output | undefined;
  try {
    if (ids.length < 2) {
      throw new CharloomError('BAD_DATA', `${source}: ${ids.length} characters, gradients need at least 2`);
    }
    if (options.svg !== undefined) {
      const inputs = [file ?? BUNDLED, ...(opened ? textsOf(opened.run) : [])];
      figure = await openOutput(options.svg, '--svg', { stdout: true, inputs });
    }
    await show(subject, await measure(subject, seed, options), seed, options, figure);
  } finally {
    subject.close();
    await figure?.discard();
  }
}

async function show(
  { opened, config, ids, source }: Subject,
  networks: readonly MeasuredNetwork[],
  seed: number,
  options: GradientsOptions,
  figure: Output | undefined,
): Promise<void> {
  const { lags, windows } = networks[0]!.flow;
  if (lags < options.lags) {
    note(
      `${printableLine(source)} has ${ids.length} characters: ${lags} lags are measured, not ${options.lags}`,
    );
  }
  const size = `${config.layers} x ${config.hidden}`;
  const panels = panelsOf(networks);
  if (figure) {
    const subtitle = `‖∂L(t)/∂h(t−k)‖ over k. ${opened ? 'Trained and new' : 'New'} networks of ${size}; ${windows} ${windows === 1 ? 'window' : 'windows'} of ${source}.`;
    await figure.write(gradientFigure(panels, subtitle));
    await figure.finish();
  }
  if (options.json) {
    return printJson({
      source,
      lags,
      windows,
      seed,
      size,
      ...(opened && { step: opened.step }),
      networks: panels.flatMap(asJson),
    });
  }
  if (options.svg === '-') return;
  await print(`${sideBySide(...plots(panels))}${lagTable(panels, lags)}`);
  note(
    `medians over ${windows} ${windows === 1 ? 'window' : 'windows'} of ${printableLine(source)}; networks of ${size}; >: not within ${lags - 1} steps`,
  );
}

function checkOptions({ lags, windows, seed, svg, json }: GradientsOptions): void {
  checkFields<{ lags: number; windows: number; seed: number }>(
    { lags, windows, seed: seed ?? 1 },
    { lags: integer(2, 2000), windows: integer(1, 100_000), seed: integer(0, MAX_SEED) },
    OPTION_ORIGIN,
  );
  if (svg === '-' && json)
    throw new CharloomError(
      'USAGE',
      '--svg - and --json both write to standard output',
      'name a file for the figure',
    );
}

function isFolder(path: string): boolean {
  return !isStdin(path) && statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}

async function newNetworks(file: string | undefined): Promise<Subject> {
  const path = file ?? BUNDLED;
  const corpus = await readText((onProgress) =>
    loadCorpus([path], { split: parseSplit('100/0/0'), onProgress }),
  );
  const { hidden, layers, embedding } = SIZE;
  const config: ModelConfig = {
    cell: 'gru',
    activation: 'tanh',
    dropout: 0,
    hidden,
    layers,
    embedding,
    vocabulary: corpus.vocabulary.size,
  };
  return { config, ids: corpus.ids, source: corpus.files[0]!.name, close: corpus.close };
}

async function trained(path: string, file: string | undefined, options: GradientsOptions): Promise<Subject> {
  const opened = await openModel(path, options);
  const { ids, source, close } = await readEvaluationText(
    opened.run,
    file === undefined ? [] : [file],
    undefined,
  );
  return { opened, config: { ...opened.model.config, dropout: 0 }, ids, source, close };
}

async function measure(
  { opened, config, ids }: Subject,
  seed: number,
  { lags, windows, gain: gains, device, threads }: GradientsOptions,
): Promise<MeasuredNetwork[]> {
  const count = COMPARED_CELLS * gains.length + (opened ? 1 : 0);
  const bar = new ProgressBar('measuring networks', 100, (percent) => `${percent.toFixed(0)}%`);
  const networks: MeasuredNetwork[] = [];
  const options = {
    lags,
    windows,
    signal: interruption.signal,
    onProgress: (done: number, total: number) => bar.update((100 * (networks.length + done / total)) / count),
  };
  const open = () => openEngine(device, { threads });
  try {
    for await (const network of compareCells(open, config, ids, { ...options, gains, seed }))
      networks.push(network);
    if (opened) {
      const meter = new GradientFlowMeter(opened.engine, opened.model, ids, options);
      networks.push({ config: opened.model.config, gain: undefined, flow: await meter.measure(options) });
    }
  } finally {
    bar.close();
  }
  return networks;
}

const LEAST_PLOT_COLUMNS = 38;
const PLOT_ROWS = 13;

/** The plots, and how many stand beside each other. */
function plots(panels: readonly FlowPanel[]): [string[][], number] {
  const style = styled(process.stdout);
  const paints = [style.blue, style.yellow, style.magenta, style.green, style.cyan, style.red];
  const columns = process.stdout.columns || 80;
  const perRow = columns >= 2 * LEAST_PLOT_COLUMNS + 2 ? 2 : 1;
  const width = Math.min(60, perRow === 2 ? Math.floor((columns - 2) / 2) : columns);
  const range = normRange(panels);
  const short = (label: string): string => label.replace('gain ', 'x').replace('trained, layer ', 'layer ');
  const labels = panels.flatMap(({ curves }) => curves.map(({ label }) => short(label)));
  return [
    panels.map(({ name, curves }) =>
      plot({
        title: `${' '.repeat(7)}${name}`,
        along: 'steps back',
        range,
        curves: curves.map(({ label, norms }, i) => ({
          label: short(label),
          values: norms.median,
          paint: paints[i % paints.length]!,
        })),
        nameColumns: Math.max(...labels.map(({ length }) => length)),
        columns: width,
        rows: PLOT_ROWS,
      }),
    ),
    perRow,
  ];
}

function lagTable(panels: readonly FlowPanel[], lags: number): string {
  const header = ['NETWORK', 'WEIGHTS', '1/2', '1/10', '1/1000', 'x2', 'x10', 'x1000', `AT k = ${lags - 1}`];
  const rows = panels.flatMap(({ name, curves }) =>
    curves.map((curve, i) => [
      i === 0 ? name : '',
      curve.label,
      ...lagsOfFactors(curve).map((lag) => (lag === null ? '>' : `${lag}`)),
      norm(curve.norms.median.at(-1)!),
    ]),
  );
  return table([header, ...rows]);
}

/** What single precision cannot hold is 0, or no number. */
function norm(value: number): string {
  if (Number.isNaN(value)) return 'overflow';
  return value === 0
    ? '< 1e-38'
    : value.toPrecision(2).length < 8
      ? value.toPrecision(2)
      : value.toExponential(1);
}

function asJson({ cell, activation, curves }: FlowPanel): object[] {
  return curves.map((curve) => {
    const { trained: isTrained, gain, layer, norms } = curve;
    const [half, tenth, thousandth, double, tenfold, thousandfold] = lagsOfFactors(curve);
    return {
      cell,
      ...(cell === 'rnn' && { activation }),
      trained: isTrained,
      ...(gain !== undefined && { gain }),
      layer,
      lagOf: { half, tenth, thousandth, double, tenfold, thousandfold },
      norms: norms.median,
      lowerQuartiles: norms.lower,
      upperQuartiles: norms.upper,
    };
  });
}
