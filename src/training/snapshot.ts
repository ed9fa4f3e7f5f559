/** Everything that decides the next bits of a run, at one step; what a run starts from, and goes back to. */
import type { Matrix } from '../engine/engine.ts';
import { initialWeights, startFrom, type TrainedWeights } from '../model/initial-weights.ts';
import type { LanguageModel } from '../model/language-model.ts';
import { Random } from '../random.ts';
import type { Best, Validation } from './events.ts';

/** Sub-streams of a run's seed. */
export const STREAMS = { initialWeights: 0, training: 1, samples: 2 };

/** A point in a run, complete. */
export interface Snapshot {
  readonly step: number;
  /** All weights, flat; see `ParameterLayout`. */
  readonly weights: Float32Array | Float64Array;
  /** Optimizer moments and carried hidden states, row-major. */
  readonly tensors: readonly { readonly matrix: Matrix; readonly values: Float32Array | Float64Array }[];
  /** State of the generator of dropout seeds and resets. */
  readonly generator: Uint32Array;
  readonly epoch: number;
  readonly window: number;
  /** How often the run has gone back after it diverged. */
  readonly rollbacks: number;
  readonly seconds: number;
  readonly runningLoss: number | null;
  readonly best: Best | null;
  /** The latest evaluation. */
  readonly validation: Validation | null;
}

/** Where snapshots are kept. */
export interface SnapshotStore {
  /**
   * Keeps a snapshot; returns the path of the checkpoint it made.
   * @throws CharloomError DIVERGED if a value is not finite: then nothing is kept
   */
  save(snapshot: Snapshot): Promise<string>;
  /**
   * The snapshot that was kept last; undefined if there is none.
   * @param matrices what it must hold beside the weights
   */
  last(matrices: readonly Matrix[]): Promise<Snapshot | undefined>;
}

/**
 * The start of a run: weights drawn from its seed, which takes seconds for wide layers, all else 0.
 * @param matrices what a snapshot holds beside the weights
 * @param trained weights that the run starts from instead, as far as they go
 */
export async function initialSnapshot(
  model: LanguageModel,
  seed: number,
  matrices: readonly Matrix[],
  trained?: TrainedWeights,
): Promise<Snapshot> {
  const random = new Random(seed, STREAMS.initialWeights);
  const drawn = await initialWeights(model.config, model.layout, random);
  return {
    step: 0,
    weights: trained ? startFrom(trained, model.layout, drawn) : drawn,
    tensors: matrices.map((matrix) => ({ matrix, values: new Float32Array(matrix.rows * matrix.columns) })),
    generator: new Random(seed, STREAMS.training).state,
    epoch: 0,
    window: 0,
    rollbacks: 0,
    seconds: 0,
    runningLoss: null,
    best: null,
    validation: null,
  };
}
