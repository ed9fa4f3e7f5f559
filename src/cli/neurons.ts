/** `charloom neurons`: what the cells of a network track in a text. */
import { Command, Option } from 'commander';
import { ACTIVATION_NAMES } from '../analysis/activations.ts';
import { collectActivations, mostVaried } from '../analysis/excerpt.ts';
import { FEATURES, FeatureReader } from '../analysis/features.ts';
import {
  type FeatureScore,
  type Neuron,
  type NeuronStudy,
  nameOfNeuron,
  studyNeurons,
  TOO_RARE,
} from '../analysis/neurons.ts';
import { CharloomError } from '../errors.ts';
import { checkFields, integer } from '../fields.ts';
import type { ModelConfig } from '../model/config.ts';
import { neuronsPage } from '../page/neurons.ts';
import { PAGE_NEURONS, PAGE_SYMBOLS } from '../page/neurons-data.ts';
import { SymbolText } from '../text/symbol-text.ts';
import { ActivationDisplay } from './activation-display.ts';
import {
  type EvaluationText,
  noteUnknown,
  readEvaluationText,
  requireOneText,
  type SplitOption,
  splitOption,
} from './evaluation-text.ts';
import { examples } from './help.ts';
import { showNeuron } from './neuron-text.ts';
import { featureTable, gateTable, rankingTable } from './neurons-report.ts';
import { type OpenModel, openModel } from './open-model.ts';
import { addModelOptions, type ModelOptions, numberOption, OPTION_ORIGIN } from './options.ts';
import { type Output, openOutput } from './output-file.ts';
import { textsOf } from './run-corpus.ts';
import { interruption } from './signals.ts';
import { ProgressBar, withBar } from './terminal/bar.ts';
import { pairs } from './terminal/format.ts';
import { note, print, printJson } from './terminal/output.ts';
import { printableLine } from './terminal/printable.ts';

/** Cells that are told of each feature. */
const BEST = 10;
/** Cells of each feature that the page shows. */
const BEST_ON_PAGE = 3;
/** Features that the terminal shows an excerpt of, and symbols of an excerpt. */
const EXCERPTS = 3;
const EXCERPT_SYMBOLS = 240;

interface NeuronsOptions extends ModelOptions {
  readonly split?: SplitOption;
  readonly feature?: string;
  readonly neuron?: string;
  readonly html?: string;
  readonly limit?: number;
  readonly json?: boolean;
}

export function neuronsCommand(): Command {
  const command = new Command('neurons')
    .description('show what the cells of a network track: quotes, lines, words, …')
    .argument('<model>', 'run folder or checkpoint folder')
    .argument('[files...]', "texts to read; '-' is standard input; none: the run's own text")
    .addOption(splitOption())
    .addOption(
      new Option('--feature <name>', 'list the best cells of one feature').choices(
        FEATURES.map(({ name }) => name),
      ),
    )
    .addOption(
      new Option('--neuron <layer:index>', 'colour the text by this cell; both count from 0').conflicts(
        'feature',
      ),
    )
    .option('--html <file>', 'write a page: the ranking, the text coloured by a cell, the gates')
    .addOption(numberOption('--limit <n>', 'read only the first n characters'));
  addModelOptions(command);
  return command
    .option('--json', 'print one JSON object')
    .addHelpText(
      'before',
      examples(
        'charloom neurons runs/book                         which cells track what, with excerpts',
        'charloom neurons runs/book --neuron 0:17           the text in the colours of one cell',
        'charloom neurons runs/book other.txt --html neurons.html',
      ),
    )
    .action(run);
}

async function run(path: string, files: string[], options: NeuronsOptions): Promise<void> {
  const { limit } = checkFields<{ limit: number }>(
    { limit: options.limit ?? Number.MAX_SAFE_INTEGER },
    { limit: integer(2, Number.MAX_SAFE_INTEGER) },
    OPTION_ORIGIN,
  );
  requireOneText(files, options.split);
  const opened = await openModel(path, options);
  const neuron =
    options.neuron === undefined ? undefined : parseNeuron(options.neuron, opened.run.config.model);
  const read = await readEvaluationText(opened.run, files, options.split, limit);
  const text = new SymbolText(opened.run.vocabulary.unit, read.ids, read.symbols);
  let page: Output | undefined;
  try {
    if (options.html !== undefined)
      page = await openOutput(options.html, '--html', { inputs: [...files, ...textsOf(opened.run)] });
    noteUnknown(read);
    if (neuron && !page) await showNeuron(opened, read, text, neuron, options.json);
    else await showStudy(opened, read, text, path, { ...options, page, neuron });
  } finally {
    read.close();
    await page?.discard();
  }
}

/** @throws CharloomError USAGE unless it is a cell of the model */
function parseNeuron(text: string, { layers, hidden }: ModelConfig): Neuron {
  const [layer = Number.NaN, index = Number.NaN] = /^\d+:\d+$/.test(text) ? text.split(':').map(Number) : [];
  if (layer < layers && index < hidden) return { layer, index };
  throw new CharloomError(
    'USAGE',
    `--neuron ${text}: expected layer:index, from 0:0 to ${layers - 1}:${hidden - 1}`,
  );
}

/** The ranking of the cells. */
async function showStudy(
  opened: OpenModel,
  read: EvaluationText,
  text: SymbolText,
  path: string,
  options: Omit<NeuronsOptions, 'neuron'> & {
    readonly page?: Output | undefined;
    readonly neuron?: Neuron | undefined;
  },
): Promise<void> {
  const { run, step, model, engine } = opened;
  const { ids, source } = read;
  const { cell, layers, hidden } = run.config.model;
  const study = await withBar(new ProgressBar('reading', ids.length - 1), (bar) =>
    studyNeurons(engine, model, ids, text, {
      best: BEST,
      signal: interruption.signal,
      onProgress: (done) => bar.update(done),
    }),
  );
  const activation = ACTIVATION_NAMES[cell];
  const { page } = options;
  if (page) {
    const words = { model: `${path}, step ${step}`, source, activation };
    await page.write(await renderStudy(opened, read, study, words, options.neuron));
    await page.finish();
  }
  const asked = study.features.find(({ feature }) => feature.name === options.feature);
  if (options.json) {
    return printJson({
      ...{ characters: ids.length, source, step, engine: engine.description.name },
      ...{ cell, layers, hidden, activation },
      features: (asked ? [asked] : study.features).map(jsonOf),
      gates: study.gates,
    });
  }
  await print(
    `${pairs([
      ['text', `${printableLine(source)}, ${ids.length} characters`],
      ['cells', `${layers} x ${hidden} (${cell.toUpperCase()}), by ${activation} after each character`],
      ['r', 'correlation of cell and feature: chosen on the first half of the text, held out: on the second'],
    ])}\n`,
  );
  if (asked) {
    const { feature, neurons } = asked;
    if (neurons.length === 0) return print(`${feature.name}: ${TOO_RARE}\n`);
    await print(`${feature.name}: ${feature.meaning}\n\n${featureTable(asked)}`);
  } else {
    await print(`${rankingTable(study.features, study.symbols)}\n${gateTable(study.gates)}`);
  }
  if (page) note(`written: ${printableLine(options.html!)}`);
  else await showExcerpts(opened, read, text, asked ? [asked] : study.features.slice(0, EXCERPTS));
}

function jsonOf({ feature, occurrences, neurons }: FeatureScore): object {
  return {
    ...{ name: feature.name, kind: feature.kind, meaning: feature.meaning, occurrences },
    neurons: neurons.map((neuron) => ({ neuron: nameOfNeuron(neuron), ...neuron })),
  };
}

/** Where each feature varies most in the beginning of the text, in the colours of its best cell. */
async function showExcerpts(
  { model, engine }: OpenModel,
  { ids }: EvaluationText,
  text: SymbolText,
  features: readonly FeatureScore[],
): Promise<void> {
  const shown = features.filter(({ neurons }) => neurons.length > 0);
  if (shown.length === 0) return;
  const length = Math.min(ids.length - 1, PAGE_SYMBOLS);
  const neurons = shown.map((feature) => feature.neurons[0]!);
  const beginning = ids.part(0, length + 1);
  const values = await collectActivations(engine, model, beginning, neurons, interruption.signal);
  const tracked = new FeatureReader(text).next(length);
  for (const [k, { feature }] of shown.entries()) {
    const from = mostVaried(tracked[FEATURES.indexOf(feature)]!, Math.min(EXCERPT_SYMBOLS, length));
    const start = lineStart(text, from);
    const end = Math.min(length, start + EXCERPT_SYMBOLS);
    await print(`\n${nameOfNeuron(neurons[k]!)}  ${feature.name}: ${feature.meaning}\n\n`);
    const part = values[k]!.subarray(start, end);
    const display = new ActivationDisplay(text, Math.max(1, ...part.map(Math.abs)));
    await display.show(start, part);
    await display.close(k === shown.length - 1);
  }
}

/** The start of the line of a symbol, if that is not far. */
function lineStart(text: SymbolText, place: number): number {
  const from = Math.max(0, place - EXCERPT_SYMBOLS / 2);
  const before = text.read(from, place);
  const found = before.findLastIndex((symbol) => symbol.endsWith('\n'));
  if (found < 0) return from === 0 ? 0 : place;
  return from + found + 1;
}

async function renderStudy(
  { run, model, engine }: OpenModel,
  { ids, symbols }: EvaluationText,
  study: NeuronStudy,
  words: { readonly model: string; readonly source: string; readonly activation: string },
  asked: Neuron | undefined,
): Promise<string> {
  const listed = study.features.flatMap(({ neurons }) => neurons.slice(0, BEST_ON_PAGE));
  const byName = new Map(
    [...(asked ? [asked] : []), ...listed].map((neuron): [string, Neuron] => [nameOfNeuron(neuron), neuron]),
  );
  const neurons = [...byName.values()].slice(0, PAGE_NEURONS);
  const length = Math.min(ids.length - 1, PAGE_SYMBOLS);
  const beginning = ids.part(0, length + 1);
  return neuronsPage({
    ...words,
    study,
    text: new SymbolText(run.vocabulary.unit, ids.part(0, length), symbols),
    neurons,
    activations: await collectActivations(engine, model, beginning, neurons, interruption.signal),
  });
}
