/** The training step that `train` records, on a synthetic text, to be timed. */
import type { Engine, Executable } from '../engine/engine.ts';
import { CharloomError } from '../errors.ts';
import type { LanguageModel } from '../model/language-model.ts';
import { Random } from '../random.ts';
import { Batches } from '../text/batches.ts';
import type { TrainingConfig } from '../training/config.ts';
import { Optimizer } from '../training/optimizer.ts';
import {
  FLUSH_MILLISECONDS,
  HISTORY_ROWS,
  recordTrainingStep,
  type TrainingStep,
  writeInputs,
} from '../training/step.ts';
import { syntheticText } from './synthetic.ts';

/** Windows of the synthetic text. */
const WINDOWS = 4;
/** Steps whose launch is timed: at least, at most, and the seconds in between after which there are enough. */
const MIN_LAUNCHES = 3;
const MAX_LAUNCHES = 32;
const LAUNCH_SECONDS = 1;

/** Training of one model on one engine. The caller has written the model's weights. */
export class TrainingWork {
  readonly #engine: Engine;
  readonly #optimizer: Optimizer;
  readonly #step: TrainingStep;
  readonly #executable: Executable;
  readonly #batches: Batches;
  readonly #ids: Int32Array;
  readonly #targets: Int32Array;
  readonly #keep: Float32Array;
  readonly #random = new Random(1, 2);
  #stepsDone = 0;

  constructor(engine: Engine, model: LanguageModel, config: TrainingConfig) {
    const { batchSize: B, sequenceLength: T } = config;
    this.#engine = engine;
    this.#optimizer = new Optimizer(config, model);
    this.#step = recordTrainingStep(model, config, this.#optimizer);
    this.#executable = engine.prepare(this.#step.program);
    this.#batches = new Batches(syntheticText(model.config.vocabulary, B * (WINDOWS * T + 1)), B, T);
    this.#ids = new Int32Array(T * B);
    this.#targets = new Int32Array(T * B);
    this.#keep = new Float32Array(B).fill(1);
  }

  /** Kernel launches of one step. */
  get dispatches(): number {
    return this.#executable.dispatches;
  }

  /**
   * Trains as the trainer does, until it would read the losses, and reads them.
   * @returns characters: B·T for every step
   * @throws CharloomError DIVERGED if the engine comes to something that is not finite
   */
  async run(): Promise<number> {
    const start = performance.now();
    let steps = 0;
    do await this.#trainStep(steps++);
    while (steps < HISTORY_ROWS && performance.now() - start < FLUSH_MILLISECONDS);
    const history = await this.#engine.read(this.#step.history.slice(0, steps));
    if (!history.every(Number.isFinite)) {
      const { name } = this.#engine.description;
      throw new CharloomError('DIVERGED', `${name} computes losses that are not finite`);
    }
    return steps * this.#ids.length;
  }

  /**
   * Seconds of the host for launching one step: how long `Executable.run` takes while nothing is under way on the
   * device. The lower quartile of several steps: in some of them an engine may wait for its device all the same,
   * to keep its queue short. Means something only where an engine computes outside `run`.
   */
  async launchSeconds(): Promise<number> {
    const seconds: number[] = [];
    const end = performance.now() + 1000 * LAUNCH_SECONDS;
    do {
      await this.#engine.read(this.#step.history.slice(0, 1));
      const start = performance.now();
      await this.#executable.run();
      seconds.push((performance.now() - start) / 1000);
    } while (seconds.length < MIN_LAUNCHES || (seconds.length < MAX_LAUNCHES && performance.now() < end));
    return seconds.sort((a, b) => a - b)[Math.floor(seconds.length / 4)]!;
  }

  async #trainStep(row: number): Promise<void> {
    this.#batches.next(this.#ids, this.#targets);
    this.#stepsDone++;
    writeInputs(this.#engine, this.#step, {
      ids: this.#ids,
      targets: this.#targets,
      keep: this.#keep,
      dropoutSeed: this.#random.integer(2 ** 24),
      historyRow: row,
      // The update is computed and changes nothing: no rate, however large, makes the work diverge.
      rates: this.#optimizer.ratesAt(this.#stepsDone, 0),
    });
    await this.#executable.run();
  }
}
