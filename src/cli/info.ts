/** `charloom info`: what a model is, how it was trained, how good it is. */
import { dirname } from 'node:path';
import { Command } from 'commander';
import { readManifest } from '../checkpoint/manifest.ts';
import { ParameterLayout } from '../model/parameters.ts';
import { parseSummary, Run } from '../training/run.ts';
import { examples } from './help.ts';
import { parseCheckpoint } from './open-model.ts';
import { checkpointOption } from './options.ts';
import { bytes, count, duration, pairs } from './terminal/format.ts';
import { print, printJson } from './terminal/output.ts';

export function infoCommand(): Command {
  return new Command('info')
    .description('show what a model is, how it was trained and how good it is')
    .argument('<model>', 'run folder or checkpoint folder')
    .addOption(checkpointOption().default('latest'))
    .option('--json', 'print one JSON object')
    .addHelpText(
      'before',
      examples('charloom info runs/book', 'charloom info runs/book --json | jq .validation'),
    )
    .action(info);
}

async function info(path: string, { checkpoint: which, json }: { checkpoint: string; json?: boolean }) {
  const { run, checkpoint } = await Run.locate(path, parseCheckpoint(which));
  const { model, training, text, files, ...config } = run.config;
  const manifest = await readManifest(checkpoint);
  const { validation, best, seconds } = parseSummary(manifest.summary, checkpoint);
  const parameters = new ParameterLayout(model).count;
  const { step } = manifest;
  const characters = step * training.batchSize * training.sequenceLength;
  if (json) {
    return printJson({
      run: dirname(dirname(checkpoint)),
      checkpoint,
      step,
      ...model,
      parameters,
      ...config,
      text,
      files,
      training,
      seconds,
      characters,
      validation,
      best,
    });
  }
  const cell = model.cell === 'rnn' ? `textbook RNN (${model.activation})` : model.cell.toUpperCase();
  const budget = (['epochs', 'steps', 'minutes'] as const)
    .filter((name) => training[name] > 0)
    .map((name) => `${training[name]} ${name}`)
    .join(' or ');
  const nats = (value: number): string =>
    `${value.toFixed(4)} nats, ${(value / Math.LN2).toFixed(3)} bits per character, perplexity ${Math.exp(value).toFixed(2)}`;
  return print(
    pairs([
      ['model', `${cell}, ${model.layers} x ${model.hidden}, ${count(parameters)} parameters`],
      ['input', model.embedding > 0 ? `embedding of ${model.embedding}` : 'one-hot'],
      ['vocabulary', `${model.vocabulary - 1} ${text.unit}s and the unknown one`],
      ['text', files.map(({ name, bytes: size }) => `${name} (${bytes(size)})`).join(', ')],
      ['split', `${text.split} training/validation/test`],
      ['batches', `${training.batchSize} streams x ${training.sequenceLength} steps`],
      [
        'optimizer',
        `${training.optimizer}, learning rate ${training.learningRate} (${training.schedule}), clip ${training.clipNorm || 'off'}`,
      ],
      ['regularisation', `dropout ${model.dropout}, weight decay ${training.weightDecay}`],
      ['loss', training.loss],
      ['budget', `${budget}, preset ${config.preset}, seed ${training.seed}`],
      ['engine', config.engine],
      ['begun', `${config.created}, charloom ${config.charloom}`],
      ['checkpoint', `step ${step}: ${count(characters)} characters in ${duration(seconds)}`],
      [
        'validation',
        validation ? `${nats(validation.crossEntropy)} (step ${validation.step})` : 'not measured',
      ],
      ['best', best ? `${nats(best.crossEntropy)} (step ${best.step})` : 'not measured'],
    ]),
  );
}
