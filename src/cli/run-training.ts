/** What `train` and `resume` share: showing the events of a run, ending in good order. */
import type { Trial } from '../bench/fastest-engine.ts';
import type { Engine } from '../engine/engine.ts';
import { shellWord } from '../errors.ts';
import { cellLabel } from '../model/config.ts';
import type { ParameterLayout } from '../model/parameters.ts';
import type { Corpus } from '../text/corpus.ts';
import type { DoneEvent } from '../training/events.ts';
import type { Run } from '../training/run.ts';
import type { Trainer } from '../training/trainer.ts';
import { interruption } from './signals.ts';
import { count, duration } from './terminal/format.ts';
import { note, printJson, StdoutClosed } from './terminal/output.ts';
import { printableLine } from './terminal/printable.ts';
import { styled } from './terminal/style.ts';
import { TrainingDisplay } from './terminal/training-display.ts';

/**
 * Trains until a budget or a signal ends it.
 * @param options.json whether every event is printed on stdout
 * @param options.trials what came of the engines that `--device auto` tried
 */
export async function runTraining(
  run: Run,
  trainer: Trainer,
  engine: Engine,
  corpus: Corpus,
  layout: ParameterLayout,
  { json = false, trials }: { json?: boolean | undefined; trials?: readonly Trial[] | undefined },
): Promise<void> {
  const { model, training, text, ...rest } = run.config;
  introduce(run, engine, corpus, layout.count);
  const display = new TrainingDisplay();
  /** Aborted when stdout takes no more events: an end in good order, with a checkpoint. */
  const unread = new AbortController();
  let done: DoneEvent | undefined;
  let trained = false;
  try {
    const start = {
      event: 'start',
      run: run.dir,
      parameters: layout.count,
      ...rest,
      ...text,
      ...model,
      ...training,
    };
    if (json) await printEvent({ ...start, ...(trials && { trials }) });
    const signal = AbortSignal.any([interruption.signal, unread.signal]);
    for await (const event of trainer.run(run.store(layout), signal)) {
      await run.record(event);
      if (json) await printEvent(event);
      display.show(event);
      if (event.event === 'step') trained = true;
      if (event.event === 'done') done = event;
    }
  } finally {
    display.close();
  }
  if (done) conclude(run, done, trained);
  // Nobody reads any more: that is no failure. A full disk is one.
  if (unread.signal.aborted && !(unread.signal.reason instanceof StdoutClosed)) throw unread.signal.reason;

  async function printEvent(event: object): Promise<void> {
    if (unread.signal.aborted) return;
    try {
      await printJson(event);
    } catch (error) {
      unread.abort(error);
    }
  }
}

/** What is trained, on which text, by which engine, where to. */
function introduce(run: Run, engine: Engine, corpus: Corpus, parameters: number): void {
  const style = styled(process.stderr);
  const { model, training, files, initFrom } = run.config;
  const known = `${run.vocabulary.size - 1} ${initFrom ? 'in the vocabulary' : 'different'}`;
  const input = model.embedding > 0 ? `embedding ${model.embedding}` : 'one-hot input';
  const names = printableLine(files.map(({ name }) => name).join(' '));
  note(
    `${style.bold(names)}  ${count(corpus.ids.length)} ${run.vocabulary.unit}s, ${known}; ` +
      `training ${count(corpus.train.length)}, validation ${count(corpus.validation.length)}, test ${count(corpus.test.length)}`,
  );
  note(
    `${style.bold(`${cellLabel(model)} ${model.layers}x${model.hidden}`)}, ${input}, ${count(parameters)} parameters; ` +
      `batches of ${training.batchSize} x ${training.sequenceLength}; ${engine.description.name}: ${engine.description.detail}`,
  );
  note(`saved in ${style.bold(run.dir)}`);
}

/** How it ended, and what can be done next. */
function conclude(run: Run, { step, reason, seconds, best }: DoneEvent, trained: boolean): void {
  const style = styled(process.stderr);
  const figure = best
    ? `; best validation ${best.crossEntropy.toFixed(4)} nats (${(best.crossEntropy / Math.LN2).toFixed(3)} bits per character) at step ${best.step}`
    : '';
  if (reason === 'interrupted') {
    note(`${style.yellow('interrupted')} and saved at step ${step} after ${duration(seconds)}${figure}`);
    note(`go on with:  charloom resume ${shellWord(run.dir)}`);
  } else if (!trained) {
    note(`nothing to do: the run is at step ${step}, its budget of ${reason} is used up${figure}`);
    note(`go on with a larger one:  charloom resume ${shellWord(run.dir)} --${reason} N`);
  } else {
    note(`${style.green('done')}: ${step} ${step === 1 ? 'step' : 'steps'} in ${duration(seconds)}${figure}`);
    note(`try:  charloom sample ${shellWord(run.dir)}`);
  }
}
