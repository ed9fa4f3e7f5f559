/** `charloom neurons --neuron`: a whole text in the activations of one cell. */
import { ACTIVATION_NAMES, activations } from '../analysis/activations.ts';
import { collectActivations } from '../analysis/excerpt.ts';
import { type Neuron, nameOfNeuron } from '../analysis/neurons.ts';
import { PAGE_SYMBOLS } from '../page/neurons-data.ts';
import type { SymbolText } from '../text/symbol-text.ts';
import { ActivationDisplay } from './activation-display.ts';
import type { EvaluationText } from './evaluation-text.ts';
import type { OpenModel } from './open-model.ts';
import { interruption } from './signals.ts';
import { ProgressBar } from './terminal/bar.ts';
import { pairs } from './terminal/format.ts';
import { print, printJson } from './terminal/output.ts';
import { printableLine } from './terminal/printable.ts';

/** The activation that counts as the strongest: only of ReLU there is no bound, so the text has to tell. */
async function extentOf(
  { run, model, engine }: OpenModel,
  { ids }: EvaluationText,
  neuron: Neuron,
): Promise<number> {
  const { cell, activation } = run.config.model;
  if (cell !== 'rnn' || activation !== 'relu') return 1;
  const first = ids.part(0, Math.min(ids.length, PAGE_SYMBOLS));
  const [values] = await collectActivations(engine, model, first, [neuron], interruption.signal);
  return values!.reduce((most, value) => Math.max(most, value), Number.MIN_VALUE);
}

/**
 * Shows the text as it is read, then what the cell's activations were; as JSON these themselves.
 * @throws as `Evaluator.windows`; the errors of `print`
 */
export async function showNeuron(
  opened: OpenModel,
  read: EvaluationText,
  text: SymbolText,
  neuron: Neuron,
  json = false,
): Promise<void> {
  const { run, step, model, engine } = opened;
  const { cell, hidden: H } = run.config.model;
  const display = json ? undefined : new ActivationDisplay(text, await extentOf(opened, read, neuron));
  const bar = display && process.stdout.isTTY ? undefined : new ProgressBar('reading', read.ids.length - 1);
  const all: number[] = [];
  let sum = 0;
  let low = Number.POSITIVE_INFINITY;
  let high = Number.NEGATIVE_INFINITY;
  try {
    for await (const window of activations(engine, model, read.ids, interruption.signal)) {
      const { start, count } = window;
      const layer = window.activations[neuron.layer]!;
      const values = Float64Array.from({ length: count }, (_, i) => layer[i * H + neuron.index]!);
      for (const value of values) {
        sum += value;
        low = Math.min(low, value);
        high = Math.max(high, value);
        if (json) all.push(Number(value.toFixed(4)));
      }
      await display?.show(start, values);
      bar?.update(start + count);
    }
    await display?.close(true);
  } finally {
    bar?.close();
  }
  const figures = { mean: sum / (read.ids.length - 1), minimum: low, maximum: high };
  const name = nameOfNeuron(neuron);
  if (json) {
    const { source } = read;
    const shown = ACTIVATION_NAMES[cell];
    return printJson({ neuron: name, activation: shown, source, step, ...figures, activations: all });
  }
  await print(
    `\n${pairs([
      ['cell', `${name}, ${ACTIVATION_NAMES[cell]} after each character`],
      ['text', printableLine(read.source)],
      ['mean', figures.mean.toFixed(3)],
      ['range', `${low.toFixed(3)} to ${high.toFixed(3)}`],
    ])}`,
  );
}
