/**
 * The training loop: batches in, events out. Runs on any engine; knows no file, prints nothing.
 *
 * Everything that decides the next bits is in a snapshot: weights, moments, carried states, generator, data
 * position, budget used. A run restored from a snapshot goes on exactly as one that never stopped.
 */
import { setImmediate as yieldToEventLoop } from 'node:timers/promises';
import type { Engine, Executable, Matrix } from '../engine/engine.ts';
import { Evaluator } from '../inference/evaluator.ts';
import { Sampler } from '../inference/sampler.ts';
import { SAMPLING_DEFAULTS } from '../inference/sampling-options.ts';
import type { TrainedWeights } from '../model/initial-weights.ts';
import type { LanguageModel } from '../model/language-model.ts';
import { Random } from '../random.ts';
import { Batches } from '../text/batches.ts';
import type { IdSequence } from '../text/id-sequence.ts';
import type { Vocabulary } from '../text/vocabulary.ts';
import type { TrainingConfig } from './config.ts';
import { Divergence, rateAfter } from './divergence.ts';
import type {
  Best,
  CheckpointEvent,
  DoneReason,
  RollbackEvent,
  StepEvent,
  TrainingEvent,
  Validation,
} from './events.ts';
import { Optimizer } from './optimizer.ts';
import { learningRateAt } from './schedule.ts';
import { initialSnapshot, type Snapshot, type SnapshotStore, STREAMS } from './snapshot.ts';
import {
  FLUSH_MILLISECONDS,
  HISTORY_ROWS,
  recordTrainingStep,
  type TrainingStep,
  writeInputs,
} from './step.ts';

/** Characters of a sample event. */
const SAMPLE_LENGTH = 300;
/** Decay of the running mean of the training loss: about the last 50 steps. */
const RUNNING_MEAN_DECAY = 0.98;
/** An evaluation so many nats above the training loss is worth a warning, once the model has settled. */
const WARNING_GAP = 0.5;
const WARNING_STEP = 200;

/** What is known of a step before its loss is read. */
type PendingStep = Pick<StepEvent, 'step' | 'epoch' | 'learningRate' | 'progress'>;

export interface TrainerOptions {
  readonly engine: Engine;
  readonly model: LanguageModel;
  readonly config: TrainingConfig;
  readonly vocabulary: Vocabulary;
  /** Ids of the training text and of the validation text (fewer than 2: no evaluation). */
  readonly training: IdSequence;
  readonly validation: IdSequence;
  /** Of a model that a new run starts from: see `startFrom`. */
  readonly trained?: TrainedWeights | undefined;
}

/** One training run of one model on one text, driven by `run`. */
export class Trainer {
  readonly #options: TrainerOptions;
  readonly #optimizer: Optimizer;
  readonly #batches: Batches;
  readonly #step: TrainingStep;
  readonly #executable: Executable;
  readonly #evaluator: Evaluator | undefined;
  readonly #sampler: Sampler | undefined;
  readonly #inputs: Int32Array;
  readonly #targets: Int32Array;

  #random: Random;
  #stepsDone = 0;
  #rollbacks = 0;
  #seconds = 0;
  #runningLoss: number | null = null;
  #best: Best | null = null;
  #validation: Validation | null = null;
  #savedStep: number | undefined;
  #warned = false;

  /** Prepares all programs. @throws CharloomError BAD_DATA if the text is too short */
  constructor(options: TrainerOptions) {
    const { engine, model, config } = options;
    this.#options = options;
    this.#batches = new Batches(options.training, config.batchSize, config.sequenceLength);
    this.#optimizer = new Optimizer(config, model);
    this.#step = recordTrainingStep(model, config, this.#optimizer);
    this.#executable = engine.prepare(this.#step.program);
    if (config.evalEvery > 0 && options.validation.length > 1) this.#evaluator = new Evaluator(engine, model);
    if (config.sampleEvery > 0) this.#sampler = new Sampler(engine, model, options.vocabulary.unknown);
    this.#inputs = new Int32Array(config.batchSize * config.sequenceLength);
    this.#targets = new Int32Array(config.batchSize * config.sequenceLength);
    this.#random = new Random(config.seed, STREAMS.training);
  }

  /** The start of a run: draws the initial weights from its seed. For wide layers this takes seconds. */
  async initialise(): Promise<void> {
    const { model, config, trained } = this.#options;
    this.restore(await initialSnapshot(model, config.seed, this.tensors, trained));
    this.#savedStep = undefined;
  }

  /** Matrices that a snapshot holds beside the weights. */
  get tensors(): readonly Matrix[] {
    return [...this.#optimizer.moments.values(), ...this.#step.state.flat()];
  }

  /** Makes `snapshot` the present. @throws CharloomError BAD_DATA if it does not fit the text */
  restore(snapshot: Snapshot): void {
    const { engine, model } = this.#options;
    engine.write(model.parameters, snapshot.weights);
    for (const { matrix, values } of snapshot.tensors) engine.write(matrix, values);
    this.#batches.restore({ epoch: snapshot.epoch, window: snapshot.window });
    this.#random = Random.fromState(snapshot.generator);
    this.#stepsDone = snapshot.step;
    this.#savedStep = snapshot.step;
    this.#rollbacks = snapshot.rollbacks;
    this.#seconds = snapshot.seconds;
    this.#runningLoss = snapshot.runningLoss;
    this.#best = snapshot.best;
    this.#validation = snapshot.validation;
    this.#warned = this.#warning() !== undefined; // it was said then, at the latest
  }

  /**
   * Trains until a budget is used up or `signal` is aborted; evaluates, samples and saves in `store` on the way and at the
   * end. When the loss, the gradient or a weight is no longer finite, the run goes back to what was saved last.
   * @throws CharloomError DIVERGED when it has done so as often as it may; what is saved stays good
   */
  async *run(store: SnapshotStore, signal: AbortSignal): AsyncGenerator<TrainingEvent> {
    for (;;) {
      try {
        return yield* this.#train(store, signal);
      } catch (error) {
        const divergence = Divergence.of(error, this.#stepsDone);
        if (!divergence) throw error;
        yield await this.#rollBack(store, divergence);
      }
    }
  }

  /** @throws Divergence, or CharloomError DIVERGED */
  async *#train(store: SnapshotStore, signal: AbortSignal): AsyncGenerator<TrainingEvent, void> {
    const { config } = this.#options;
    let clock = performance.now();
    let flushed = clock;
    /** Steps whose losses still wait on the device. */
    let pending: PendingStep[] = [];
    let reason: DoneReason | undefined;
    const due = (every: number): boolean => every > 0 && this.#stepsDone % every === 0;

    const evaluated = (): boolean => this.#validation?.step === this.#stepsDone;

    // The run may have been interrupted in the evaluation that was due at this step.
    if (this.#stepsDone > 0 && due(config.evalEvery) && !evaluated()) {
      yield* this.#evaluate(signal);
      if (evaluated()) yield await this.#save(store);
      flushed = performance.now();
    }
    while (!reason) {
      reason = signal.aborted ? 'interrupted' : this.#budgetReached();
      if (!reason) {
        pending.push(await this.#trainStep(pending.length));
      }
      const now = performance.now();
      this.#seconds += (now - clock) / 1000;
      clock = now;

      const evaluate = reason ? !evaluated() : due(config.evalEvery);
      const sample = !reason && due(config.sampleEvery);
      const checkpoint = reason !== undefined || due(config.checkpointEvery);
      const mustRead = evaluate || sample || checkpoint || pending.length === HISTORY_ROWS;
      if (!mustRead && now - flushed < FLUSH_MILLISECONDS) continue;

      for (const event of await this.#readHistory(pending, (now - flushed) / 1000)) yield event;
      pending = [];
      flushed = now;
      await yieldToEventLoop();

      const before = this.#validation;
      const isBest = evaluate && reason !== 'interrupted' && (yield* this.#evaluate(signal));
      if (sample) yield { event: 'sample', step: this.#stepsDone, text: await this.#sample() };
      // Even where a checkpoint of this step is there: the best is named in it, and the last evaluation.
      const isNews = isBest || (reason !== undefined && this.#validation !== before);
      if (isNews || (checkpoint && this.#savedStep !== this.#stepsDone)) yield await this.#save(store);
      // Evaluating, sampling and saving count against a budget of minutes, but not as training speed.
      flushed = performance.now();
    }

    yield {
      event: 'done',
      step: this.#stepsDone,
      reason,
      seconds: this.#seconds,
      characters: this.#stepsDone * this.#inputs.length,
      best: this.#best,
    };
  }

  /** Fraction of each budget that is used. */
  #used(): Record<'epochs' | 'steps' | 'minutes', number> {
    const { epochs, steps, minutes } = this.#options.config;
    return {
      epochs: epochs > 0 ? this.#epochs() / epochs : 0,
      steps: steps > 0 ? this.#stepsDone / steps : 0,
      minutes: minutes > 0 ? this.#seconds / (60 * minutes) : 0,
    };
  }

  #budgetReached(): 'epochs' | 'steps' | 'minutes' | undefined {
    const used = this.#used();
    return (['epochs', 'steps', 'minutes'] as const).find((budget) => used[budget] >= 1);
  }

  /** Passes over the training text so far. */
  #epochs(): number {
    const { epoch, window } = this.#batches.position;
    return epoch + window / this.#batches.windowsPerEpoch;
  }

  /** Runs one step; its loss will be in row `row` of the history. */
  async #trainStep(row: number): Promise<PendingStep> {
    const { engine, config } = this.#options;
    const fraction = this.#progress();
    const { epoch, startsEpoch } = this.#batches.next(this.#inputs, this.#targets);
    const scheduled = learningRateAt(config, { step: this.#stepsDone, epoch, fraction });
    const learningRate = rateAfter(this.#rollbacks) * scheduled;
    const keep = Float32Array.from({ length: config.batchSize }, () => {
      const reset = this.#random.uniform() < config.resetProbability;
      return startsEpoch || reset ? 0 : 1;
    });
    this.#stepsDone++;
    writeInputs(engine, this.#step, {
      ids: this.#inputs,
      targets: this.#targets,
      keep,
      dropoutSeed: this.#random.integer(2 ** 24),
      historyRow: row,
      rates: this.#optimizer.ratesAt(this.#stepsDone, learningRate),
    });
    await this.#executable.run();
    return { step: this.#stepsDone, epoch: this.#epochs(), learningRate, progress: this.#progress() };
  }

  /** Of the budget that is used up first, in [0, 1]. */
  #progress(): number {
    return Math.min(1, Math.max(...Object.values(this.#used())));
  }

  /** Reads the losses of the pending steps and makes their events. */
  async #readHistory(pending: readonly PendingStep[], seconds: number): Promise<StepEvent[]> {
    if (pending.length === 0) return [];
    const history = await this.#options.engine.read(this.#step.history.slice(0, pending.length));
    const charactersPerSecond = (pending.length * this.#inputs.length) / Math.max(seconds, 1e-9);
    return pending.map((step, row) => {
      const loss = history[2 * row]!;
      const gradientNorm = history[2 * row + 1]!;
      if (!Number.isFinite(loss) || !Number.isFinite(gradientNorm)) {
        throw new Divergence(step.step, `the loss is ${loss}, the gradient norm ${gradientNorm}`);
      }
      this.#runningLoss ??= loss;
      this.#runningLoss += (1 - RUNNING_MEAN_DECAY) * (loss - this.#runningLoss);
      return {
        event: 'step',
        ...step,
        loss,
        gradientNorm,
        charactersPerSecond,
        secondsLeft: this.#secondsLeft(),
      };
    });
  }

  /** Goes back to what was saved last, or to the start of the run, and on with half the learning rate. */
  async #rollBack(store: SnapshotStore, divergence: Divergence): Promise<RollbackEvent> {
    const rollbacks = this.#rollbacks + 1;
    if (rollbacks > this.#options.config.rollbacks)
      throw divergence.asError(this.#rollbacks, this.#savedStep);
    const seconds = this.#seconds;
    const last = await store.last(this.tensors);
    if (last) this.restore(last);
    else await this.initialise();
    this.#rollbacks = rollbacks;
    this.#seconds = seconds; // a budget of minutes is one of minutes
    // Whatever ends the run before the next checkpoint, it has gone back.
    if (last) await this.#save(store);
    return {
      event: 'rollback',
      step: this.#stepsDone,
      divergedAt: divergence.step,
      reason: divergence.message,
      rollbacks,
      learningRateFactor: rateAfter(rollbacks),
    };
  }

  /** At the speed of the run so far. */
  #secondsLeft(): number {
    const fraction = Math.max(...Object.values(this.#used()));
    return fraction > 0 ? Math.max(0, this.#seconds * (1 / fraction - 1)) : Number.POSITIVE_INFINITY;
  }

  /** Keeps the present in `store`. */
  async #save(store: SnapshotStore): Promise<CheckpointEvent> {
    const path = await store.save(await this.#snapshot());
    this.#savedStep = this.#stepsDone;
    return { event: 'checkpoint', step: this.#stepsDone, path };
  }

  /** Evaluates, unless there is nothing to evaluate on, or the signal comes first. @returns whether it is the best so far */
  async *#evaluate(signal: AbortSignal): AsyncGenerator<TrainingEvent, boolean> {
    if (!this.#evaluator) return false;
    let figures: Awaited<ReturnType<Evaluator['evaluate']>>;
    try {
      figures = await this.#evaluator.evaluate(this.#options.validation, { signal });
    } catch (error) {
      if (signal.aborted) return false;
      throw error;
    }
    const { crossEntropy, bitsPerCharacter, perplexity } = figures;
    if (!Number.isFinite(crossEntropy)) {
      throw new Divergence(this.#stepsDone, `the validation cross-entropy is ${crossEntropy}`);
    }
    const best = !this.#best || crossEntropy < this.#best.crossEntropy;
    if (best) this.#best = { step: this.#stepsDone, crossEntropy };
    this.#validation = {
      step: this.#stepsDone,
      crossEntropy,
      bitsPerCharacter,
      perplexity,
      trainingLoss: this.#runningLoss,
    };
    yield { event: 'eval', split: 'validation', ...this.#validation, best };
    const message = this.#warned ? undefined : this.#warning();
    if (message !== undefined) {
      this.#warned = true;
      yield { event: 'warning', step: this.#stepsDone, message };
    }
    return best;
  }

  /** That validation is far above training, if it is, and what may be the cause. */
  #warning(): string | undefined {
    const { loss, resetProbability } = this.#options.config;
    if (!this.#validation || loss !== 'cross-entropy') return undefined;
    const { step, crossEntropy, trainingLoss } = this.#validation;
    const gap = crossEntropy - (trainingLoss ?? crossEntropy);
    if (step < WARNING_STEP || gap < WARNING_GAP) return undefined;
    const cause =
      resetProbability === 0
        ? 'the model may have lost the zero state (set --reset-probability) or memorises the text'
        : 'the model memorises its text: more text, more --dropout or a smaller --hidden helps';
    return `validation is ${gap.toFixed(2)} nats above the training loss: ${cause}`;
  }

  async #sample(): Promise<string> {
    const { vocabulary, config, training } = this.#options;
    // A generator of its own, so that sampling does not change the run.
    const random = new Random(config.seed, STREAMS.samples + this.#stepsDone);
    const decoder = vocabulary.decoder();
    let text = '';
    const first = new Int32Array(1);
    training.read(0, first);
    this.#sampler!.reset();
    for await (const [id] of this.#sampler!.sample([...first], SAMPLE_LENGTH, SAMPLING_DEFAULTS, [random])) {
      text += decoder.push(id!);
    }
    return text + decoder.end();
  }

  async #snapshot(): Promise<Snapshot> {
    const { engine, model } = this.#options;
    const tensors: { matrix: Matrix; values: Float32Array | Float64Array }[] = [];
    for (const matrix of this.tensors) tensors.push({ matrix, values: await engine.read(matrix) });
    return {
      step: this.#stepsDone,
      weights: await engine.read(model.parameters),
      tensors,
      generator: this.#random.state,
      ...this.#batches.position,
      rollbacks: this.#rollbacks,
      seconds: this.#seconds,
      runningLoss: this.#runningLoss,
      best: this.#best,
      validation: this.#validation,
    };
  }
}
