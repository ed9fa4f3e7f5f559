/** `charloom surprise`: what every character of a text cost a model, in bits. */
import { resolve } from 'node:path';
import { Command } from 'commander';
import { CostliestPassages, type Passage } from '../analysis/passages.ts';
import { surprise } from '../analysis/surprise.ts';
import { CharloomError } from '../errors.ts';
import { checkFields, integer } from '../fields.ts';
import { type Evaluation, evaluationOf } from '../inference/evaluator.ts';
import { SurpriseRecord, surprisePage } from '../page/surprise.ts';
import { GUESSES, MOST_NAMES } from '../page/surprise-data.ts';
import { MOST_SYMBOLS } from '../page/text-blocks.ts';
import { SymbolText } from '../text/symbol-text.ts';
import type { Vocabulary } from '../text/vocabulary.ts';
import {
  type EvaluationText,
  noteUnknown,
  readEvaluationText,
  requireFinite,
  requireOneText,
  type SplitOption,
  splitOption,
} from './evaluation-text.ts';
import { examples } from './help.ts';
import { type OpenModel, openModel } from './open-model.ts';
import { addModelOptions, type ModelOptions, numberOption, OPTION_ORIGIN } from './options.ts';
import { type Output, openOutput } from './output-file.ts';
import { textsOf } from './run-corpus.ts';
import { interruption } from './signals.ts';
import { CharacterLines } from './surprise-characters.ts';
import { surpriseDisplay } from './surprise-display.ts';
import { ProgressBar } from './terminal/bar.ts';
import { pairs, table } from './terminal/format.ts';
import { note, print, printJson } from './terminal/output.ts';
import { printableLine } from './terminal/printable.ts';

interface Figures {
  readonly passages: number;
  readonly width: number;
  readonly limit?: number;
}

interface SurpriseOptions extends Figures, ModelOptions {
  readonly split?: SplitOption;
  readonly html?: string;
  readonly perCharacter?: string;
  readonly json?: boolean;
}

export function surpriseCommand(): Command {
  const command = new Command('surprise')
    .description('show what every character of a text cost a model, in bits')
    .argument('<model>', 'run folder or checkpoint folder')
    .argument('[files...]', "texts to read; '-' is standard input; none: the run's own text")
    .addOption(splitOption())
    .option('--html <file>', "write a page: the text in colours, the model's guesses at every character")
    .option('--per-character <file>', 'write one JSON object per character, as lines')
    .addOption(numberOption('--passages <n>', 'costliest passages to list').default(10))
    .addOption(numberOption('--width <n>', 'characters of a passage').default(32))
    .addOption(numberOption('--limit <n>', 'read only the first n characters'));
  addModelOptions(command);
  return command
    .option('--json', 'print one JSON object')
    .addHelpText(
      'before',
      examples(
        'charloom surprise runs/book other.txt              in colours, on a terminal',
        'charloom surprise runs/book other.txt --html surprise.html',
        'charloom surprise runs/book --split test --json',
      ),
    )
    .action(run);
}

async function run(path: string, files: string[], options: SurpriseOptions): Promise<void> {
  const figures = checkFields<Required<Figures>>(
    { ...options, limit: options.limit ?? Number.MAX_SAFE_INTEGER },
    { passages: integer(0, 1000), width: integer(1, 1e6), limit: integer(2, Number.MAX_SAFE_INTEGER) },
    OPTION_ORIGIN,
  );
  requireOneText(files, options.split);
  const opened = await openModel(path, options);
  const text = await readEvaluationText(opened.run, files, options.split, figures.limit);
  const outputs: Output[] = [];
  const open = async (path: string | undefined, flag: string): Promise<Output | undefined> => {
    const file =
      path === undefined
        ? undefined
        : await openOutput(path, flag, { inputs: [...files, ...textsOf(opened.run)] });
    if (file) outputs.push(file);
    return file;
  };
  try {
    const { html, perCharacter } = options;
    if (html !== undefined && perCharacter !== undefined && resolve(html) === resolve(perCharacter)) {
      throw new CharloomError('USAGE', `--html and --per-character are both ${html}`, 'give two names');
    }
    if (html !== undefined) requireFit(text, opened.run.vocabulary);
    const targets = {
      html: await open(html, '--html'),
      perCharacter: await open(perCharacter, '--per-character'),
    };
    const reading = await read(opened, text, figures, options.json === true, targets);
    if (targets.html) {
      await targets.html.write(pageOf(opened, text, reading, path));
      await targets.html.finish();
    }
    await targets.perCharacter?.finish();
    await show(opened, text, reading, options);
  } finally {
    text.close();
    for (const file of outputs) await file.discard();
  }
}

/** @throws CharloomError USAGE if the text is too long for a page, or the vocabulary too large */
function requireFit({ ids, source }: EvaluationText, { size }: Vocabulary): void {
  if (size > MOST_NAMES) {
    throw new CharloomError(
      'USAGE',
      `--html: the model knows ${size} symbols, a page can name ${MOST_NAMES}`,
      '--per-character has no such limit',
    );
  }
  if (ids.length <= MOST_SYMBOLS) return;
  throw new CharloomError(
    'USAGE',
    `${source} has ${ids.length} characters: a page of more than ${MOST_SYMBOLS} would not open`,
    `--limit ${MOST_SYMBOLS} reads only so many of them`,
  );
}

interface Targets {
  readonly html: Output | undefined;
  readonly perCharacter: Output | undefined;
}

/** What was found while the text was read. */
interface Reading {
  readonly text: SymbolText;
  readonly evaluation: Evaluation;
  readonly seconds: number;
  readonly passages: readonly (Passage & { readonly line: number })[];
  /** Of every symbol, where there is to be a page. */
  readonly record: SurpriseRecord | undefined;
  /** Whether the text was shown. */
  readonly shown: boolean;
}

/** Reads the text, shows it or keeps what is to be written of it. @throws CharloomError DIVERGED */
async function read(
  { run: { vocabulary }, model, engine }: OpenModel,
  evaluated: EvaluationText,
  { passages: listed, width }: Figures,
  json: boolean,
  { html, perCharacter }: Targets,
): Promise<Reading> {
  const { ids } = evaluated;
  const text = new SymbolText(vocabulary.unit, ids, evaluated.symbols);
  const guesses = html || perCharacter ? GUESSES : 0;
  const costliest = new CostliestPassages(width, listed, 1);
  const record = html && new SurpriseRecord(ids.length, Math.min(GUESSES, vocabulary.size));
  const lines = perCharacter && new CharacterLines(perCharacter, text, vocabulary);
  const display = json || guesses > 0 ? undefined : surpriseDisplay(text);
  // The text itself is the progress where it appears on the terminal.
  const bar = display && process.stdout.isTTY ? undefined : new ProgressBar('reading', ids.length - 1);

  const start = performance.now();
  let total = 0;
  try {
    for await (const window of surprise(engine, model, ids, { guesses, signal: interruption.signal })) {
      for (const loss of window.losses) {
        total += loss;
        costliest.push(loss / Math.LN2);
      }
      record?.add(window);
      await lines?.add(window);
      await display?.show(window);
      bar?.update(window.start + window.losses.length - 1);
    }
    await display?.close();
  } finally {
    bar?.close();
  }
  const seconds = (performance.now() - start) / 1000;
  const evaluation = evaluationOf(total, ids.length - 1);
  requireFinite(evaluation);
  noteUnknown(evaluated);
  const found = costliest.finish();
  const at = text.lines(found.map(({ start }) => start));
  const passages = found.map((passage, i) => ({ ...passage, line: at[i]! }));
  return { text, evaluation, seconds, passages, record, shown: display !== undefined };
}

function pageOf(
  { run: { vocabulary }, step }: OpenModel,
  { ids, source, unknownCharacters }: EvaluationText,
  { text, evaluation, passages, record }: Reading,
  path: string,
): string {
  const model = `${path}, step ${step}`;
  return surprisePage({
    ...{ model, source, text, ids, vocabulary, unknownCharacters, evaluation, passages },
    record: record!,
  });
}

/** Prints the figures, for people or as JSON. */
async function show(
  { step, engine }: OpenModel,
  { ids, source, unknownCharacters }: EvaluationText,
  { text, evaluation, seconds, passages, shown }: Reading,
  options: SurpriseOptions,
): Promise<void> {
  const { crossEntropy, bitsPerCharacter, perplexity } = evaluation;
  if (options.json) {
    return printJson({
      characters: ids.length,
      unknownCharacters,
      crossEntropy,
      bitsPerCharacter,
      perplexity,
      charactersPerSecond: evaluation.predictions / seconds,
      step,
      source,
      engine: engine.description.name,
      passages: passages.map(({ start, end, line, cost }) => ({
        start,
        end,
        line,
        bits: cost,
        bitsPerCharacter: cost / (end - start),
        text: text.text(start, end),
      })),
    });
  }
  await print(
    (shown ? '\n' : '') +
      pairs([
        ['text', printableLine(source)],
        ['characters', `${ids.length} (${unknownCharacters} unknown)`],
        ['bits per character', bitsPerCharacter.toFixed(4)],
        ['cross-entropy', `${crossEntropy.toFixed(4)} nats per character`],
        ['perplexity', perplexity.toFixed(4)],
      ]) +
      passageTable(passages, text),
  );
  for (const name of [options.html, options.perCharacter])
    if (name !== undefined) note(`written: ${printableLine(name)}`);
}

function passageTable(passages: readonly (Passage & { line: number })[], text: SymbolText): string {
  if (passages.length === 0) return '';
  const rows = passages.map(({ start, end, cost, line }) => [
    (cost / (end - start)).toFixed(2),
    `${line}`,
    printableLine(text.text(start, end).replace(/\r?\n/g, '↵')),
  ]);
  return `\n${table([['BITS', 'LINE', 'COSTLIEST PASSAGES'], ...rows])}`;
}
