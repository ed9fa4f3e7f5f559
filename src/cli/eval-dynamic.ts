/** `charloom eval --dynamic`: the network goes on learning from what it has read. */
import { CharloomError } from '../errors.ts';
import { checkFields, integer, positive } from '../fields.ts';
import type { Evaluation } from '../inference/evaluator.ts';
import type { IdSequence } from '../text/id-sequence.ts';
import { DYNAMIC_DEFAULTS, DynamicEvaluator, type DynamicSettings } from '../training/dynamic-evaluation.ts';
import type { OpenModel } from './open-model.ts';
import { flagOf, type ModelOptions, OPTION_ORIGIN } from './options.ts';
import { interruption } from './signals.ts';
import { ProgressBar, withBar } from './terminal/bar.ts';

export interface DynamicOptions extends Pick<ModelOptions, 'weights'> {
  readonly dynamic?: boolean;
  readonly dynamicRate?: number;
  readonly dynamicSegment?: number;
}

/**
 * What was asked for; undefined if nothing was.
 * @throws CharloomError USAGE
 */
export function dynamicSettings(options: DynamicOptions): DynamicSettings | undefined {
  const { learningRate, segment } = DYNAMIC_DEFAULTS;
  if (!options.dynamic) {
    const stray = (['dynamicRate', 'dynamicSegment'] as const).find((name) => options[name] !== undefined);
    if (!stray) return undefined;
    throw new CharloomError('USAGE', `${flagOf(stray)} is an option of --dynamic`, 'give --dynamic, too');
  }
  if (options.weights !== 'f32') {
    throw new CharloomError(
      'USAGE',
      `--dynamic changes the weights, --weights ${options.weights} only reads them`,
      'give one of them, not both',
    );
  }
  const { dynamicRate, dynamicSegment } = checkFields<{ dynamicRate: number; dynamicSegment: number }>(
    { dynamicRate: options.dynamicRate ?? learningRate, dynamicSegment: options.dynamicSegment ?? segment },
    {
      dynamicRate: positive(1),
      dynamicSegment: integer(1, 1024),
    },
    OPTION_ORIGIN,
  );
  return { learningRate: dynamicRate, segment: dynamicSegment };
}

export interface DynamicResult extends DynamicSettings {
  readonly evaluation: Evaluation;
  readonly charactersPerSecond: number;
}

/**
 * Evaluates a text with weights that learn; afterwards they are what they were.
 * @throws CharloomError DIVERGED if they learn what makes no sense; the reason of the signal
 */
export async function evaluateDynamically(
  { engine, model }: OpenModel,
  ids: IdSequence,
  settings: DynamicSettings,
): Promise<DynamicResult> {
  const start = performance.now();
  const evaluation = await withBar(new ProgressBar('evaluating dynamically', ids.length - 1), (bar) =>
    new DynamicEvaluator(engine, model, settings).evaluate(ids, {
      onProgress: (done) => bar.update(done),
      signal: interruption.signal,
    }),
  );
  if (!Number.isFinite(evaluation.crossEntropy)) {
    throw new CharloomError(
      'DIVERGED',
      `dynamic evaluation diverged: the cross-entropy is ${evaluation.crossEntropy}`,
      'lower --dynamic-rate',
    );
  }
  const seconds = (performance.now() - start) / 1000;
  return { ...settings, evaluation, charactersPerSecond: evaluation.predictions / seconds };
}

export function dynamicJson({ evaluation, ...rest }: DynamicResult): object {
  const { crossEntropy, bitsPerCharacter, perplexity } = evaluation;
  return { crossEntropy, bitsPerCharacter, perplexity, ...rest };
}
