/** `charloom eval`: cross-entropy, bits per character and perplexity of a text under a model. */
import { Command } from 'commander';
import type { WeightType } from '../engine/engine.ts';
import { type Evaluation, Evaluator } from '../inference/evaluator.ts';
import {
  noteUnknown,
  readEvaluationText,
  requireFinite,
  requireOneText,
  splitOption,
} from './evaluation-text.ts';
import { examples } from './help.ts';
import { openModel } from './open-model.ts';
import { checkpointOption, inferenceDeviceOption, threadsOption, weightsOption } from './options.ts';
import { interruption } from './signals.ts';
import { ProgressBar } from './terminal/bar.ts';
import { count, pairs } from './terminal/format.ts';
import { print, printJson } from './terminal/output.ts';
import { printableLine } from './terminal/printable.ts';

interface EvalOptions {
  readonly split?: 'validation' | 'test';
  readonly checkpoint: string;
  readonly device: string;
  readonly threads?: number;
  readonly weights: WeightType;
  readonly json?: boolean;
}

export function evalCommand(): Command {
  return new Command('eval')
    .description('measure cross-entropy, bits per character and perplexity, over whole texts')
    .argument('<model>', 'run folder or checkpoint folder')
    .argument('[files...]', "texts to evaluate; '-' is standard input; none: the run's own text")
    .addOption(splitOption())
    .addOption(checkpointOption())
    .addOption(inferenceDeviceOption())
    .addOption(threadsOption())
    .addOption(weightsOption())
    .option('--json', 'print one JSON object')
    .addHelpText(
      'before',
      examples(
        'charloom eval runs/book other.txt',
        'charloom eval runs/book --split test --json',
        'cat letter.txt | charloom eval runs/book -',
      ),
    )
    .action(evaluate);
}

async function evaluate(path: string, files: string[], options: EvalOptions): Promise<void> {
  requireOneText(files, options.split);
  const { run, step, model, engine } = await openModel(path, options);
  const text = await readEvaluationText(run, files, options.split);
  const { ids, unknownCharacters, source } = text;

  const bar = new ProgressBar('evaluating', ids.length - 1);
  const start = performance.now();
  let evaluation: Evaluation;
  try {
    evaluation = await new Evaluator(engine, model).evaluate(ids, {
      onProgress: (done) => bar.update(done),
      signal: interruption.signal,
    });
  } finally {
    bar.close();
    text.close();
  }
  requireFinite(evaluation);
  const charactersPerSecond = evaluation.predictions / ((performance.now() - start) / 1000);
  noteUnknown(text);
  const { crossEntropy, bitsPerCharacter, perplexity } = evaluation;
  if (options.json) {
    return printJson({
      characters: ids.length,
      unknownCharacters,
      crossEntropy,
      bitsPerCharacter,
      perplexity,
      charactersPerSecond,
      step,
      source,
      engine: engine.description.name,
    });
  }
  return print(
    pairs([
      ['text', printableLine(source)],
      ['characters', `${ids.length} (${unknownCharacters} unknown)`],
      ['cross-entropy', `${crossEntropy.toFixed(4)} nats per character`],
      ['bits per character', bitsPerCharacter.toFixed(4)],
      ['perplexity', perplexity.toFixed(4)],
      ['speed', `${count(charactersPerSecond)} characters/s on ${engine.description.name}`],
    ]),
  );
}
