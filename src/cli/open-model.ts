/** Opening a trained model for `sample`, `eval` and `compress`: its run, its weights on an engine. */
import { loadModel } from '../checkpoint/checkpoint.ts';
import type { CheckpointChoice } from '../checkpoint/locate.ts';
import { weightsFromTensors } from '../checkpoint/weights.ts';
import type { Engine, WeightType } from '../engine/engine.ts';
import { CharloomError } from '../errors.ts';
import { withRoundedMatrices } from '../model/bfloat16.ts';
import { LanguageModel } from '../model/language-model.ts';
import { Run } from '../training/run.ts';
import { openEngine } from './engine.ts';

export interface OpenModel {
  readonly run: Run;
  /** The step of the checkpoint. */
  readonly step: number;
  readonly model: LanguageModel;
  readonly engine: Engine;
}

/** The argument of `--checkpoint`. @throws CharloomError USAGE unless it is best, latest or a step */
export function parseCheckpoint(text: string): CheckpointChoice {
  if (text === 'best' || text === 'latest') return text;
  if (/^\d+$/.test(text)) return Number(text);
  throw new CharloomError('USAGE', `--checkpoint ${text}: expected best, latest or the number of a step`);
}

/**
 * Loads a model's weights into an engine.
 * @param path a run folder or one checkpoint folder
 */
export async function openModel(
  path: string,
  options: { checkpoint: string; device: string; threads?: number; weights?: WeightType },
): Promise<OpenModel> {
  const { run, checkpoint } = await Run.locate(path, parseCheckpoint(options.checkpoint));
  const { step, model: tensors } = await loadModel(checkpoint);
  const model = new LanguageModel(run.config.model);
  const weights = weightsFromTensors(model.layout, tensors, `${checkpoint}/model.safetensors`);
  const engine = await openEngine(options.device, options);
  const rounded = options.weights === 'bf16';
  engine.write(model.parameters, rounded ? withRoundedMatrices(weights, model.layout) : weights);
  return { run, step, model, engine };
}
