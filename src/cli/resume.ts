/** `charloom resume`: goes on with a run exactly where it stopped. */
import { Command } from 'commander';
import type { Trial } from '../bench/fastest-engine.ts';
import type { Engine } from '../engine/engine.ts';
import { DEVICES } from '../engine/open.ts';
import { CharloomError, shellWord } from '../errors.ts';
import { shown } from '../fields.ts';
import { LanguageModel } from '../model/language-model.ts';
import type { Corpus } from '../text/corpus.ts';
import type { TrainingConfig } from '../training/config.ts';
import { Run } from '../training/run.ts';
import { Trainer } from '../training/trainer.ts';
import { chooseEngine, deviceOfRun } from './device-choice.ts';
import { openEngine } from './engine.ts';
import { examples } from './help.ts';
import { threadsOption, trainingDeviceOption } from './options.ts';
import { readText } from './read-text.ts';
import { readRunCorpus, whereTheyAre } from './run-corpus.ts';
import { runTraining } from './run-training.ts';
import { budgetOptions, checkTraining, type ParsedOptions, replaceBudgets } from './settings.ts';
import { note } from './terminal/output.ts';

interface ResumeOptions extends ParsedOptions {
  readonly device?: string;
  readonly threads?: number;
  readonly json?: boolean;
}

export function resumeCommand(): Command {
  const command = new Command('resume')
    .description('continue a run from where it stopped')
    .argument('<run>', 'run folder')
    .argument('[files...]', "where the run's text is now, if it has moved");
  for (const option of budgetOptions()) command.addOption(option);
  const device = trainingDeviceOption();
  device.default(undefined, 'that of the run');
  return command
    .addOption(device)
    .addOption(threadsOption())
    .option('--json', 'print every event as a line of JSON')
    .addHelpText(
      'before',
      examples(
        'charloom resume runs/book',
        'charloom resume runs/book --minutes 30     until 30 minutes in total, from the start of the run',
      ),
    )
    .action(resume);
}

async function resume(path: string, files: string[], options: ResumeOptions): Promise<void> {
  const run = await Run.open(path);
  await run.lock();
  let corpus: Corpus | undefined;
  try {
    const model = new LanguageModel(run.config.model);
    await run.requireWeights(model.layout);
    const training = checkTraining(replaceBudgets({ ...run.config.training }, options));
    const { engine, trials } = await engineFor(run, training, options);
    const hint = `say where it is now: charloom resume ${shellWord(run.dir)} FILE`;
    corpus = await readText((onProgress) => readRunCorpus(run, files, hint, { folder: run.dir, onProgress }));
    const trainer = new Trainer({
      engine,
      model,
      config: training,
      vocabulary: run.vocabulary,
      training: corpus.train,
      validation: corpus.validation,
    });
    const snapshot = await run.restore(model.layout, trainer.tensors);
    trainer.restore(snapshot);
    const lost = await run.stepsAfter(snapshot.step);
    if (lost.length > 0) {
      const checkpoints = lost.length === 1 ? 'the checkpoint of step' : 'the checkpoints of steps';
      const are = lost.length === 1 ? 'is' : 'are';
      note(`${checkpoints} ${lost.join(', ')} ${are} damaged: going on from step ${snapshot.step}`);
    }
    await run.change({
      training,
      device: options.device ?? run.config.device,
      engine: engine.description.name,
      files: whereTheyAre(corpus.files, run.config.files),
    });
    await runTraining(run, trainer, engine, corpus, model.layout, { json: options.json, trials });
  } finally {
    run.close();
    corpus?.close();
  }
}

/** The engine that the run goes on with: that of `--device` if it was given, else the one that it ran on. */
async function engineFor(
  run: Run,
  training: TrainingConfig,
  { device, threads }: ResumeOptions,
): Promise<{ engine: Engine; trials?: readonly Trial[] }> {
  if (device === 'auto') return chooseEngine(run.config.model, training, { threads });
  if (device) return { engine: await openEngine(device, { threads }) };
  const own = deviceOfRun(run.config);
  const elsewhere = `go on with another engine: charloom resume ${shellWord(run.dir)} --device auto`;
  if (!DEVICES.includes(own)) {
    throw new CharloomError(
      'BAD_DATA',
      `${run.dir}/config.json: there is no engine ${shown(own)}`,
      elsewhere,
    );
  }
  try {
    return { engine: await openEngine(own, { threads }) };
  } catch (error) {
    if (!(error instanceof CharloomError) || error.code !== 'UNAVAILABLE') throw error;
    throw new CharloomError(error.code, error.message, elsewhere, { cause: error });
  }
}
