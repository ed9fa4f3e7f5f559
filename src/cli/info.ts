/** `charloom info`: what a model is, how it was trained, how good it is. */
import { dirname } from 'node:path';
import { Command, Option } from 'commander';
import { readManifest } from '../checkpoint/manifest.ts';
import { CharloomError } from '../errors.ts';
import { cellLabel } from '../model/config.ts';
import { ParameterLayout } from '../model/parameters.ts';
import { halved } from '../training/divergence.ts';
import { parseSummary, Run } from '../training/run.ts';
import { examples } from './help.ts';
import { parseCheckpoint } from './open-model.ts';
import { checkpointOption } from './options.ts';
import { bytes, count, duration, pairs } from './terminal/format.ts';
import { print, printJson } from './terminal/output.ts';
import { printable, printableLine } from './terminal/printable.ts';

export function infoCommand(): Command {
  return new Command('info')
    .description('show what a model is, how it was trained and how good it is')
    .argument('<model>', 'run folder or checkpoint folder')
    .addOption(checkpointOption().default('latest'))
    .addOption(
      new Option(
        '--verify',
        'look at every byte of all checkpoints of a run, and say which are sound',
      ).conflicts('checkpoint'),
    )
    .option('--json', 'print one JSON object')
    .addHelpText(
      'before',
      examples(
        'charloom info runs/book',
        'charloom info runs/book --verify',
        'charloom info runs/book --json | jq .validation',
      ),
    )
    .action(info);
}

interface InfoOptions {
  readonly checkpoint: string;
  readonly verify?: boolean;
  readonly json?: boolean;
}

async function info(path: string, { checkpoint: which, verify, json }: InfoOptions): Promise<void> {
  if (verify) return verifyRun(path, json === true);
  const { run, checkpoint } = await Run.locate(path, parseCheckpoint(which));
  const { model, training, text, files, ...config } = run.config;
  const manifest = await readManifest(checkpoint);
  const { validation, best, seconds, rollbacks } = parseSummary(manifest.summary, checkpoint);
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
      rollbacks,
      validation,
      best,
    });
  }
  const budget = (['epochs', 'steps', 'minutes'] as const)
    .filter((name) => training[name] > 0)
    .map((name) => `${training[name]} ${name}`)
    .join(' or ');
  const lowered = rollbacks > 0 ? `, ${halved(rollbacks)} after divergence` : '';
  const nats = (value: number): string =>
    `${value.toFixed(4)} nats, ${(value / Math.LN2).toFixed(3)} bits per character, perplexity ${Math.exp(value).toFixed(2)}`;
  return print(
    pairs([
      ['model', `${cellLabel(model)}, ${model.layers} x ${model.hidden}, ${count(parameters)} parameters`],
      ['input', model.embedding > 0 ? `embedding of ${model.embedding}` : 'one-hot'],
      ['vocabulary', `${model.vocabulary - 1} ${text.unit}s and the unknown one`],
      ['text', printableLine(files.map(({ name, bytes: size }) => `${name} (${bytes(size)})`).join(', '))],
      ['split', `${text.split} training/validation/test`],
      ['batches', `${training.batchSize} streams x ${training.sequenceLength} steps`],
      [
        'optimizer',
        `${training.optimizer}, learning rate ${training.learningRate} (${training.schedule}${lowered}), clip ${training.clipNorm || 'off'}`,
      ],
      ['regularisation', `dropout ${model.dropout}, weight decay ${training.weightDecay}`],
      ['loss', training.loss],
      ['budget', printableLine(`${budget}, preset ${config.preset}, seed ${training.seed}`)],
      ['engine', printableLine(config.engine)],
      ['begun', printableLine(`${config.created}, charloom ${config.charloom}`)],
      ...(config.initFrom ? [['started from', printableLine(config.initFrom.checkpoint)] as const] : []),
      ['checkpoint', `step ${step}: ${count(characters)} characters in ${duration(seconds)}`],
      [
        'validation',
        validation ? `${nats(validation.crossEntropy)} (step ${validation.step})` : 'not measured',
      ],
      ['best', best ? `${nats(best.crossEntropy)} (step ${best.step})` : 'not measured'],
    ]),
  );
}

/** @throws CharloomError BAD_DATA if a checkpoint is not sound, NO_INPUT if there is none */
async function verifyRun(path: string, json: boolean): Promise<void> {
  const verdicts = await (await Run.open(path)).verify();
  if (verdicts.length === 0) throw new CharloomError('NO_INPUT', `${path} has no checkpoint yet`);
  if (json) {
    await printJson({ run: path, checkpoints: verdicts });
  } else {
    const lines = verdicts.map(
      ({ step, problem }) => [`step ${step}`, problem === null ? 'sound' : printable(problem)] as const,
    );
    await print(pairs(lines));
  }
  const damaged = verdicts.filter(({ problem }) => problem !== null);
  if (damaged.length === 0) return;
  throw new CharloomError(
    'BAD_DATA',
    `${path}: ${damaged.length} of ${verdicts.length} checkpoints ${damaged.length === 1 ? 'is' : 'are'} not sound`,
    `remove ${damaged.map(({ step }) => `checkpoints/${step}`).join(', ')}, and resume goes on from the latest that is left`,
  );
}
