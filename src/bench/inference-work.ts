/** The programs that `sample` and `eval` replay, to be timed. The caller has written the model's weights. */
import type { Engine } from '../engine/engine.ts';
import { Evaluator, WINDOW } from '../inference/evaluator.ts';
import { Sampler } from '../inference/sampler.ts';
import { SAMPLING_DEFAULTS } from '../inference/sampling-options.ts';
import type { LanguageModel } from '../model/language-model.ts';
import { Random } from '../random.ts';
import type { Work } from './measure.ts';
import { syntheticText } from './synthetic.ts';

/** Draws one character of one text. */
export function samplingWork(engine: Engine, model: LanguageModel): Work {
  const sampler = new Sampler(engine, model, model.config.vocabulary - 1);
  const characters = sampler.sample([0], Number.POSITIVE_INFINITY, SAMPLING_DEFAULTS, [new Random(1)]);
  return async () => {
    await characters.next();
    return 1;
  };
}

/** Evaluates one window of a text: what is read from the device at once. */
export function evaluationWork(engine: Engine, model: LanguageModel): Work {
  const evaluator = new Evaluator(engine, model);
  const ids = syntheticText(model.config.vocabulary, WINDOW + 1);
  return async () => (await evaluator.evaluate(ids)).predictions;
}
