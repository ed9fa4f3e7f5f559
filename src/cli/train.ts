/** `charloom train`: from text files to a run folder. */
import { existsSync } from 'node:fs';
import { basename, extname, join, resolve } from 'node:path';
import { Command } from 'commander';
import { CharloomError } from '../errors.ts';
import { LanguageModel } from '../model/language-model.ts';
import { loadCorpus } from '../text/corpus.ts';
import { isStdin } from '../text/source.ts';
import { parseSplit } from '../text/split.ts';
import { Run } from '../training/run.ts';
import { Trainer } from '../training/trainer.ts';
import { chooseEngine } from './device-choice.ts';
import { openEngine } from './engine.ts';
import { examples } from './help.ts';
import { type ReadModel, readModel } from './open-model.ts';
import { threadsOption, trainingDeviceOption } from './options.ts';
import { readText } from './read-text.ts';
import { whereTheyAre } from './run-corpus.ts';
import { runTraining } from './run-training.ts';
import { addSettingOptions, type InheritedSettings, type ParsedOptions, settingsFrom } from './settings.ts';
import { note } from './terminal/output.ts';
import { printableLine } from './terminal/printable.ts';
import { waiting } from './terminal/wait.ts';
import { version } from './version.ts';

export function trainCommand(): Command {
  const command = new Command('train')
    .description('train a model on text files')
    .argument('<files...>', "UTF-8 text files, one after the other; '-' is standard input")
    .option('--out <dir>', 'run folder to create (default: runs/ and the name of the first file)')
    .option(
      '--init-from <model>',
      'start from the weights of this run (the best) or checkpoint, not from random ones',
    )
    .addOption(trainingDeviceOption())
    .addOption(threadsOption())
    .option('--json', 'print every event as a line of JSON');
  addSettingOptions(command);
  return command
    .addHelpText(
      'before',
      examples(
        'charloom train book.txt',
        'charloom train book.txt --preset tiny --out runs/first',
        'charloom train *.txt --cell gru --layers 2 --hidden 256 --epochs 20 --dropout 0.3',
        'zcat big.gz | charloom train - --minutes 60',
        'charloom train letters.txt --init-from runs/book --learning-rate 0.001',
      ),
    )
    .action(train);
}

async function train(
  files: string[],
  options: ParsedOptions & {
    out?: string;
    initFrom?: string;
    device: string;
    threads?: number;
    json?: boolean;
  },
): Promise<void> {
  const trained = options.initFrom === undefined ? undefined : await readModel(options.initFrom, 'best');
  const settings = await settingsFrom(options, trained && inheritedFrom(trained));
  const out = options.out ?? freeFolder(files[0]!);
  if (out === '')
    throw new CharloomError('USAGE', "--out '' is no name of a folder", 'leave it out, or name one');
  const folder = await Run.requireFree(out);
  // A device that was asked for by name fails before the text is read; `auto` has to know the model first.
  const named = options.device === 'auto' ? undefined : await openEngine(options.device, options);
  const { unit, minCount, split } = settings.text;
  const corpus = await readText((onProgress) =>
    loadCorpus(files, {
      unit,
      minCount,
      base: trained?.run.vocabulary,
      split: parseSplit(split),
      folder,
      onProgress,
    }),
  );
  let run: Run | undefined;
  try {
    const { vocabulary } = corpus;
    if (trained) {
      const added = vocabulary.size - trained.run.vocabulary.size;
      const news = added > 0 ? `; ${added} ${unit}${added > 1 ? 's' : ''} added to its vocabulary` : '';
      note(`starting from ${printableLine(options.initFrom!)}, step ${trained.step}${news}`);
    }
    const model = new LanguageModel({ ...settings.model, vocabulary: vocabulary.size });
    const { engine, trials } = named
      ? { engine: named, trials: undefined }
      : await chooseEngine(model.config, settings.training, options);
    const trainer = new Trainer({
      engine,
      model,
      config: settings.training,
      vocabulary,
      training: corpus.train,
      validation: corpus.validation,
      trained: trained && { layout: trained.model.layout, values: trained.weights },
    });
    await waiting('drawing the initial weights', trainer.initialise());
    // The run folder is created when nothing can be wrong with the settings and the text any more.
    run = await Run.create(
      out,
      {
        format: 1,
        charloom: version(),
        created: new Date().toISOString(),
        device: options.device,
        engine: engine.description.name,
        preset: settings.preset,
        text: settings.text,
        model: model.config,
        training: settings.training,
        files: whereTheyAre(corpus.files),
        ...(trained && {
          initFrom: { checkpoint: resolve(trained.checkpoint), step: trained.step, sha256: trained.sha256 },
        }),
      },
      vocabulary,
    );
    await runTraining(run, trainer, engine, corpus, model.layout, { json: options.json, trials });
  } finally {
    run?.close();
    corpus.close();
  }
}

function inheritedFrom({ run: { config } }: ReadModel): InheritedSettings {
  const { cell, activation, layers, hidden, embedding } = config.model;
  return { cell, activation, layers, hidden, embedding, unit: config.text.unit };
}

/** runs/NAME for NAME.txt, or runs/NAME-2, -3, … where that exists. */
function freeFolder(file: string): string {
  // Without leading dots: of `..txt` there would be left the folder `runs` itself.
  const name = isStdin(file) ? 'stdin' : basename(file, extname(file)).replace(/^\.+/, '') || 'text';
  let folder = join('runs', name);
  for (let n = 2; existsSync(folder); n++) folder = join('runs', `${name}-${n}`);
  return folder;
}
