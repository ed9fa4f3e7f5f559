/** Opening a trained model: its run, its weights, and, for the commands that compute with it, an engine. */
import type { CheckpointChoice } from '../checkpoint/locate.ts';
import { loadWeights } from '../checkpoint/weights.ts';
import type { Engine, WeightType } from '../engine/engine.ts';
import { CharloomError } from '../errors.ts';
import { withRoundedMatrices } from '../model/bfloat16.ts';
import { LanguageModel } from '../model/language-model.ts';
import { Run } from '../training/run.ts';
import { openEngine } from './engine.ts';

interface Located {
  readonly run: Run;
  /** The step of the checkpoint. */
  readonly step: number;
  readonly model: LanguageModel;
}

export interface OpenModel extends Located {
  readonly engine: Engine;
}

export interface ReadModel extends Located {
  /** The folder of the checkpoint. */
  readonly checkpoint: string;
  /** Flat, as `model.layout` says. */
  readonly weights: Float64Array;
  /** Of the file of the weights. */
  readonly sha256: string;
}

/** The argument of `--checkpoint`. @throws CharloomError USAGE unless it is best, latest or a step */
export function parseCheckpoint(text: string): CheckpointChoice {
  if (text === 'best' || text === 'latest') return text;
  if (/^\d+$/.test(text)) return Number(text);
  throw new CharloomError('USAGE', `--checkpoint ${text}: expected best, latest or the number of a step`);
}

/**
 * Reads a model's weights.
 * @param path a run folder or one checkpoint folder
 */
export async function readModel(path: string, which: CheckpointChoice): Promise<ReadModel> {
  const { run, checkpoint } = await Run.locate(path, which);
  const model = new LanguageModel(run.config.model);
  const { step, sha256, weights } = await loadWeights(checkpoint, model.layout);
  return { run, step, model, checkpoint, weights, sha256 };
}

/**
 * Loads a model's weights into an engine.
 * @param path a run folder or one checkpoint folder
 */
export async function openModel(
  path: string,
  options: { checkpoint: string; device: string; threads?: number; weights?: WeightType },
): Promise<OpenModel> {
  const { run, step, model, weights } = await readModel(path, parseCheckpoint(options.checkpoint));
  const engine = await openEngine(options.device, options);
  const rounded = options.weights === 'bf16';
  engine.write(model.parameters, rounded ? withRoundedMatrices(weights, model.layout) : weights);
  return { run, step, model, engine };
}
