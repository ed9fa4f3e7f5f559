/** `charloom eval`: cross-entropy, bits per character and perplexity of a text under a model. */
import { Command, Option } from 'commander';
import type { WeightType } from '../engine/engine.ts';
import { CharloomError } from '../errors.ts';
import { type Evaluation, Evaluator } from '../inference/evaluator.ts';
import { encodeFiles } from '../text/corpus.ts';
import type { IdSequence } from '../text/id-sequence.ts';
import { examples } from './help.ts';
import { openModel } from './open-model.ts';
import { checkpointOption, inferenceDeviceOption, threadsOption, weightsOption } from './options.ts';
import { readText } from './read-text.ts';
import { readRunCorpus } from './run-corpus.ts';
import { interruption } from './signals.ts';
import { ProgressBar } from './terminal/bar.ts';
import { count, pairs } from './terminal/format.ts';
import { note, print, printJson } from './terminal/output.ts';
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
    .addOption(
      new Option('--split <part>', "part of the run's own text (default: validation)").choices([
        'validation',
        'test',
      ]),
    )
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
  if (options.split && files.length > 0) {
    throw new CharloomError(
      'USAGE',
      "--split is a part of the run's own text",
      'give --split or files, not both',
    );
  }
  const { run, step, model, engine } = await openModel(path, options);
  const { vocabulary } = run;
  let ids: IdSequence;
  let close: () => void;
  let unknownCharacters: number;
  let source: string;
  if (files.length > 0) {
    ({ ids, unknownCharacters, close } = await readText((onProgress) =>
      encodeFiles(files, vocabulary, { onProgress }),
    ));
    source = files.join(' ');
  } else {
    const split = options.split ?? 'validation';
    const hint = 'give the text to evaluate as a file';
    const corpus = await readText((onProgress) => readRunCorpus(run, [], hint, { onProgress }));
    close = corpus.close;
    ids = corpus[split];
    unknownCharacters = corpus.unknownCharacters[split];
    source = `${split} part of ${run.config.files.map(({ name }) => name).join(' ')}`;
  }
  if (ids.length < 2) {
    throw new CharloomError(
      'BAD_DATA',
      `${source}: ${ids.length} characters, an evaluation needs at least 2`,
      options.split ? 'this run was trained without such a part: see --split of train' : '',
    );
  }

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
    close();
  }
  if (!Number.isFinite(evaluation.crossEntropy)) {
    throw new CharloomError(
      'DIVERGED',
      `the cross-entropy is ${evaluation.crossEntropy}: the training of this model has diverged`,
    );
  }
  const charactersPerSecond = evaluation.predictions / ((performance.now() - start) / 1000);
  if (unknownCharacters > 0) {
    note(
      `${unknownCharacters} of ${ids.length} characters are not in the model's vocabulary and count as the unknown symbol`,
    );
  }
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
