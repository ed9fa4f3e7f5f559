/** `charloom eval`: cross-entropy, bits per character and perplexity of a text under a model. */
import { Command } from 'commander';
import { type Evaluation, Evaluator, evaluationOf } from '../inference/evaluator.ts';
import { DYNAMIC_DEFAULTS } from '../training/dynamic-evaluation.ts';
import { Baseline, type BaselineResult, DEFAULT_ORDER, orderOf } from './eval-baseline.ts';
import {
  type DynamicOptions,
  type DynamicResult,
  dynamicJson,
  dynamicSettings,
  evaluateDynamically,
} from './eval-dynamic.ts';
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
import { addModelOptions, type ModelOptions, numberOption } from './options.ts';
import { interruption } from './signals.ts';
import { ProgressBar } from './terminal/bar.ts';
import { count, pairs, table } from './terminal/format.ts';
import { print, printJson } from './terminal/output.ts';
import { printableLine } from './terminal/printable.ts';

interface EvalOptions extends ModelOptions, DynamicOptions {
  readonly split?: SplitOption;
  readonly baseline?: number | true;
  readonly json?: boolean;
}

export function evalCommand(): Command {
  const command = new Command('eval')
    .description('measure cross-entropy, bits per character and perplexity, over whole texts')
    .argument('<model>', 'run folder or checkpoint folder')
    .argument('[files...]', "texts to evaluate; '-' is standard input; none: the run's own text")
    .addOption(splitOption())
    .addOption(
      numberOption(
        '--baseline [order]',
        `compare with an n-gram model (Kneser-Ney, default: ${DEFAULT_ORDER}-grams) of the run's training text`,
      ),
    )
    .option('--dynamic', 'evaluate also with a network that goes on learning from what it has read')
    .addOption(
      numberOption(
        '--dynamic-rate <rate>',
        `step size of that learning (default: ${DYNAMIC_DEFAULTS.learningRate})`,
      ),
    )
    .addOption(
      numberOption(
        '--dynamic-segment <n>',
        `characters predicted before a step (default: ${DYNAMIC_DEFAULTS.segment})`,
      ),
    );
  addModelOptions(command);
  return command
    .option('--json', 'print one JSON object')
    .addHelpText(
      'before',
      examples(
        'charloom eval runs/book other.txt',
        'charloom eval runs/book --split test --json',
        'charloom eval runs/book --baseline                 beside 7-grams: is the network worth it?',
        'charloom eval runs/book other.txt --dynamic        while it learns from what it reads',
        'cat letter.txt | charloom eval runs/book -',
      ),
    )
    .action(run);
}

async function run(path: string, files: string[], options: EvalOptions): Promise<void> {
  requireOneText(files, options.split);
  const order = options.baseline === undefined ? undefined : orderOf(options.baseline);
  const settings = dynamicSettings(options);
  const opened = await openModel(path, options);
  const text = await readEvaluationText(opened.run, files, options.split);
  let result: Result;
  try {
    const baseline = order === undefined ? undefined : await Baseline.train(opened.run, order, text);
    result = await evaluate(opened, text, baseline);
    if (settings) result.dynamic = await evaluateDynamically(opened, text.ids, settings);
  } finally {
    text.close();
  }
  noteUnknown(text);
  return options.json ? printJson(asJson(opened, text, result)) : print(asText(opened, text, result));
}

interface Result {
  readonly evaluation: Evaluation;
  /** Of the network alone. */
  readonly charactersPerSecond: number;
  readonly baseline: BaselineResult | undefined;
  dynamic?: DynamicResult;
}

/** @throws CharloomError DIVERGED; the reason of the signal */
async function evaluate(
  { engine, model }: OpenModel,
  { ids }: EvaluationText,
  baseline: Baseline | undefined,
): Promise<Result> {
  const bar = new ProgressBar('evaluating', ids.length - 1);
  let total = 0;
  let start = performance.now();
  try {
    for await (const window of new Evaluator(engine, model).windows(ids, interruption.signal)) {
      for (const loss of window.losses) total += loss;
      bar.update(window.start + window.count);
      if (!baseline) continue;
      const networkDone = performance.now();
      baseline.add(window);
      start += performance.now() - networkDone;
    }
  } finally {
    bar.close();
  }
  const seconds = (performance.now() - start) / 1000;
  const evaluation = evaluationOf(total, ids.length - 1);
  requireFinite(evaluation);
  return {
    evaluation,
    charactersPerSecond: evaluation.predictions / seconds,
    baseline: baseline?.finish(),
  };
}

function asJson({ step, engine }: OpenModel, text: EvaluationText, result: Result): object {
  const { ids, unknownCharacters, source } = text;
  const { crossEntropy, bitsPerCharacter, perplexity } = result.evaluation;
  return {
    characters: ids.length,
    unknownCharacters,
    crossEntropy,
    bitsPerCharacter,
    perplexity,
    charactersPerSecond: result.charactersPerSecond,
    step,
    source,
    engine: engine.description.name,
    ...(result.baseline && { baseline: result.baseline }),
    ...(result.dynamic && { dynamic: dynamicJson(result.dynamic) }),
  };
}

function asText({ engine }: OpenModel, text: EvaluationText, result: Result): string {
  const { evaluation, charactersPerSecond, baseline, dynamic } = result;
  const { name } = engine.description;
  const figures = pairs([
    ['text', printableLine(text.source)],
    ['characters', `${text.ids.length} (${text.unknownCharacters} unknown)`],
    ['cross-entropy', `${evaluation.crossEntropy.toFixed(4)} nats per character`],
    ['bits per character', evaluation.bitsPerCharacter.toFixed(4)],
    ['perplexity', evaluation.perplexity.toFixed(4)],
    ['speed', `${count(charactersPerSecond)} characters/s on ${name}`],
    ...(dynamic ? [['speed, learning', `${count(dynamic.charactersPerSecond)} characters/s`] as const] : []),
  ]);
  if (!baseline && !dynamic) return figures;
  const row = (label: string, own: Evaluation): string[] => {
    const gain = own.bitsPerCharacter - evaluation.bitsPerCharacter;
    return [
      label,
      own.bitsPerCharacter.toFixed(4),
      own.crossEntropy.toFixed(4),
      own.perplexity.toFixed(4),
      own === evaluation ? '' : `${gain < 0 ? '−' : '+'}${Math.abs(gain).toFixed(4)} bits`,
    ];
  };
  const rows = [
    ['MODEL', 'BITS/CHARACTER', 'CROSS-ENTROPY', 'PERPLEXITY', ''],
    row('network', evaluation),
    ...(dynamic ? [row('network, learning', dynamic.evaluation)] : []),
    ...(baseline ? [row(`${baseline.order}-gram, Kneser-Ney`, baseline.evaluation)] : []),
  ];
  return `${figures}\n${table(rows)}${baseline?.tables() ?? ''}`;
}
