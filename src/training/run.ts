/**
 * A run folder: everything about one training run.
 *
 *     config.json       every setting, version, engine, texts with their sha256
 *     vocabulary.json   the symbols in id order
 *     metrics.jsonl     one line per event
 *     samples.txt       texts drawn while training
 *     checkpoints/STEP/ weights and training state
 */
import { existsSync, lstatSync } from 'node:fs';
import { access, appendFile, constants, stat } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { makeFolder, writeFileAtomic } from '../checkpoint/atomic-write.ts';
import {
  CHECKPOINTS,
  listCheckpoints,
  loadCheckpoint,
  pruneCheckpoints,
  recoverCheckpoints,
  saveCheckpoint,
  savedSteps,
  type Tensors,
  type Verdict,
  verifyCheckpoints,
} from '../checkpoint/checkpoint.ts';
import { readJsonObject } from '../checkpoint/json.ts';
import { type CheckpointChoice, requireFolder, resolveModel } from '../checkpoint/locate.ts';
import { MODEL, TRAINING } from '../checkpoint/manifest.ts';
import { LOCK, lockRun, type RunLock } from '../checkpoint/run-lock.ts';
import type { SafeTensor } from '../checkpoint/safetensors.ts';
import {
  floatsOf,
  floatTensor,
  loadWeights,
  weightsFromTensors,
  weightsToTensors,
} from '../checkpoint/weights.ts';
import type { Matrix } from '../engine/engine.ts';
import { CharloomError, shellWord } from '../errors.ts';
import { type Check, checkFields, integer, number, orNull } from '../fields.ts';
import { LanguageModel } from '../model/language-model.ts';
import type { ParameterLayout } from '../model/parameters.ts';
import { asWriteError } from '../system-errors.ts';
import { Vocabulary } from '../text/vocabulary.ts';
import type { Best, TrainingEvent, Validation } from './events.ts';
import { dropEventsAfter, METRICS } from './metrics.ts';
import { Optimizer } from './optimizer.ts';
import { parseRunConfig, type RunConfig } from './run-config.ts';
import type { Snapshot, SnapshotStore } from './snapshot.ts';

const CONFIG = 'config.json';
const VOCABULARY = 'vocabulary.json';
const SAMPLES = 'samples.txt';

const OWN: readonly string[] = [CONFIG, VOCABULARY, METRICS, SAMPLES, LOCK, CHECKPOINTS];

/** Whether a path is that of a file which belongs to a run, whatever run: all but what others have put into its folder. */
export function belongsToRun(path: string): boolean {
  for (let inner = resolve(path), dir = dirname(inner); dir !== inner; inner = dir, dir = dirname(dir)) {
    const isRun = existsSync(join(dir, CONFIG)) && existsSync(join(dir, VOCABULARY));
    if (isRun && OWN.includes(basename(inner))) return true;
  }
  return false;
}

/** The part of a snapshot that is in the manifest of a checkpoint, for people and for `info`. */
export type CheckpointSummary = Pick<
  Snapshot,
  'epoch' | 'window' | 'rollbacks' | 'seconds' | 'runningLoss' | 'best' | 'validation'
>;

/** One run folder. */
export class Run {
  readonly dir: string;
  readonly vocabulary: Vocabulary;
  #config: RunConfig;
  #lock: RunLock | undefined;

  private constructor(dir: string, config: RunConfig, vocabulary: Vocabulary) {
    this.dir = dir;
    this.#config = config;
    this.vocabulary = vocabulary;
  }

  get config(): RunConfig {
    return this.#config;
  }

  /**
   * Whether a run can be created in `dir`, as far as a look tells.
   * @returns the folder that is there: this one, or where it would be made
   * @throws CharloomError CANNOT_CREATE if it holds a run, is no folder, or cannot be made
   */
  static async requireFree(dir: string): Promise<string> {
    Run.#refuseTaken(dir);
    try {
      let folder = resolve(dir);
      while (!isThere(folder) && dirname(folder) !== folder) folder = dirname(folder);
      if (!(await stat(folder)).isDirectory()) {
        throw new CharloomError('CANNOT_CREATE', `cannot create ${dir}: ${folder} is a file`);
      }
      await access(folder, constants.W_OK);
      return folder;
    } catch (error) {
      throw asWriteError(error, dir);
    }
  }

  static #refuseTaken(dir: string): void {
    if (!existsSync(join(dir, CONFIG)) && !existsSync(join(dir, CHECKPOINTS))) return;
    throw new CharloomError(
      'CANNOT_CREATE',
      `${dir} holds a run already`,
      `choose another --out, or go on with it: charloom resume ${shellWord(dir)}`,
    );
  }

  /**
   * Creates the folder of a new run, locked.
   * @throws CharloomError CANNOT_CREATE if it holds a run, or cannot be made
   */
  static async create(dir: string, config: RunConfig, vocabulary: Vocabulary): Promise<Run> {
    Run.#refuseTaken(dir);
    await makeFolder(dir);
    const run = new Run(dir, config, vocabulary);
    await run.lock();
    try {
      await writeFileAtomic(join(dir, VOCABULARY), `${JSON.stringify(vocabulary)}\n`);
      await run.#writeConfig();
    } catch (error) {
      run.close();
      throw error;
    }
    return run;
  }

  /**
   * Opens the run in `dir`.
   * @throws CharloomError NO_INPUT if there is none, BAD_DATA if its files are not what they should be
   */
  static async open(dir: string): Promise<Run> {
    await requireFolder(dir);
    if (!existsSync(join(dir, CONFIG))) {
      throw new CharloomError('NO_INPUT', `${dir} is no run: it has no ${CONFIG}`);
    }
    const path = join(dir, CONFIG);
    const config = parseRunConfig(await readJsonObject(path), path);
    const vocabularyPath = join(dir, VOCABULARY);
    const vocabulary = Vocabulary.parse(await readJsonObject(vocabularyPath), vocabularyPath);
    if (vocabulary.size !== config.model.vocabulary) {
      throw new CharloomError(
        'BAD_DATA',
        `${dir}: ${VOCABULARY} has ${vocabulary.size} symbols, ${CONFIG} says ${config.model.vocabulary}`,
      );
    }
    return new Run(dir, config, vocabulary);
  }

  /**
   * The run and the checkpoint that a `<model>` argument means.
   * @param path a run folder or one checkpoint folder
   */
  static async locate(path: string, which: CheckpointChoice): Promise<{ run: Run; checkpoint: string }> {
    const { runDir, checkpointDir } = await resolveModel(path, which);
    return { run: await Run.open(runDir), checkpoint: checkpointDir };
  }

  /**
   * Keeps other processes from training this run, and clears up after one that was killed while saving.
   * @throws CharloomError BUSY if another process trains it
   */
  async lock(): Promise<void> {
    this.#lock = lockRun(this.dir);
    try {
      await recoverCheckpoints(this.dir);
    } catch (error) {
      this.close();
      throw error;
    }
  }

  /** Gives the lock back. */
  close(): void {
    this.#lock?.release();
    this.#lock = undefined;
  }

  /** Changes what a `resume` may change: budgets, the engine, where the text is. */
  async change(changes: Partial<Pick<RunConfig, 'training' | 'device' | 'engine' | 'files'>>): Promise<void> {
    this.#config = { ...this.#config, ...changes };
    await this.#writeConfig();
  }

  /** Keeps an event in `metrics.jsonl`, a sample also in `samples.txt`. */
  async record(event: TrainingEvent): Promise<void> {
    await append(join(this.dir, METRICS), `${JSON.stringify(event)}\n`);
    if (event.event === 'sample') {
      await append(join(this.dir, SAMPLES), `── step ${event.step} ──\n${event.text}\n\n`);
    }
  }

  /** Saves a snapshot as a checkpoint; returns its folder. */
  async save(layout: ParameterLayout, snapshot: Snapshot): Promise<string> {
    const training = new Map<string, SafeTensor>();
    for (const { matrix, values } of snapshot.tensors) {
      training.set(matrix.tensor.name, floatTensor([matrix.rows, matrix.columns], values));
    }
    const { generator, epoch, window, rollbacks, seconds, runningLoss, best, validation } = snapshot;
    training.set('generator', { dtype: 'U32', shape: [generator.length], data: generator });
    const summary: CheckpointSummary = { epoch, window, rollbacks, seconds, runningLoss, best, validation };
    const path = await saveCheckpoint(this.dir, snapshot.step, {
      model: weightsToTensors(layout, snapshot.weights),
      training,
      summary: { ...summary },
      bestStep: best?.step ?? null,
    });
    await pruneCheckpoints(this.dir);
    return path;
  }

  /**
   * The latest checkpoint as a snapshot; events after it are dropped from `metrics.jsonl`, since the run will
   * tell them again.
   * @param matrices what the snapshot must hold beside the weights; see `Trainer.tensors`
   */
  async restore(layout: ParameterLayout, matrices: readonly Matrix[]): Promise<Snapshot> {
    const { checkpointDir, step } = await resolveModel(this.dir, 'latest');
    const { model, training, summary } = await loadCheckpoint(checkpointDir);
    const file = join(checkpointDir, TRAINING);
    const generator = generatorState(training, file);
    const snapshot: Snapshot = {
      step,
      weights: weightsFromTensors(layout, model, join(checkpointDir, MODEL)),
      tensors: matrices.map((matrix) => ({ matrix, values: valuesOf(matrix, training, file) })),
      generator,
      ...parseSummary(summary, checkpointDir),
    };
    await dropEventsAfter(this.dir, step);
    return snapshot;
  }

  /** The checkpoints of this run, for its trainer. */
  store(layout: ParameterLayout): SnapshotStore {
    return {
      save: (snapshot) => this.save(layout, snapshot),
      last: async (matrices) => {
        if ((await listCheckpoints(this.dir)).length > 0) return this.restore(layout, matrices);
        await dropEventsAfter(this.dir, 0);
        return undefined;
      },
    };
  }

  /**
   * Makes sure that the latest weights are those of the model that `config.json` tells of, before anybody takes memory for one
   * of that size.
   * @throws CharloomError BAD_DATA if they are not, NO_INPUT if there are none
   */
  async requireWeights(layout: ParameterLayout): Promise<void> {
    const { checkpointDir } = await resolveModel(this.dir, 'latest');
    await loadWeights(checkpointDir, layout);
  }

  /** The steps after `step` that have a folder among the checkpoints, whatever is in it. */
  async stepsAfter(step: number): Promise<number[]> {
    return (await savedSteps(this.dir)).filter((saved) => saved > step);
  }

  /** Looks at every byte of all checkpoints, and whether weights and training state are those of the model. */
  async verify(): Promise<Verdict[]> {
    const network = new LanguageModel(this.#config.model);
    const { moments } = new Optimizer(this.#config.training, network);
    const state = network.declareState(this.#config.training.batchSize).flat();
    return verifyCheckpoints(this.dir, ({ model, training, summary }, dir) => {
      const file = join(dir, TRAINING);
      weightsFromTensors(network.layout, model, join(dir, MODEL));
      generatorState(training, file);
      for (const matrix of [...moments.values(), ...state]) valuesOf(matrix, training, file);
      parseSummary(summary, dir);
    });
  }

  async #writeConfig(): Promise<void> {
    await writeFileAtomic(join(this.dir, CONFIG), `${JSON.stringify(this.#config, null, 2)}\n`);
  }
}

/** The saved values of a matrix. @throws CharloomError BAD_DATA if they are not there, of another shape or not finite */
function valuesOf(
  { tensor, rows, columns }: Matrix,
  training: Tensors,
  file: string,
): Float32Array | Float64Array {
  return floatsOf(training, tensor.name, [rows, columns], file);
}

/** @throws CharloomError BAD_DATA if there is none */
function generatorState(training: Tensors, file: string): Uint32Array {
  const generator = training.get('generator')?.data;
  if (generator instanceof Uint32Array) return generator;
  throw new CharloomError('BAD_DATA', `${file}: there is no generator state`);
}

/** Not through a symbolic link, which may lead out of the run folder, nor into a pipe that nobody reads. */
const APPEND =
  constants.O_WRONLY | constants.O_CREAT | constants.O_APPEND | constants.O_NOFOLLOW | constants.O_NONBLOCK;

async function append(path: string, text: string): Promise<void> {
  try {
    await appendFile(path, text, { flag: APPEND });
  } catch (error) {
    throw asWriteError(error, path);
  }
}

/**
 * The summary in the manifest of a checkpoint.
 * @throws CharloomError BAD_DATA naming the field that is wrong
 */
export function parseSummary(summary: Record<string, unknown>, checkpoint: string): CheckpointSummary {
  const field = (name: string): string => `${checkpoint}/manifest.json: ${name}`;
  const origin = { code: 'BAD_DATA', field } as const;
  const count = integer(0, Number.MAX_SAFE_INTEGER);
  const nonNegative = number(0, Number.MAX_VALUE);
  const fields =
    <T extends object>(checks: { readonly [K in keyof T]: Check }): Check =>
    (value) => {
      checkFields<T>(value, checks, origin);
      return undefined;
    };
  return checkFields<CheckpointSummary>(
    summary,
    {
      epoch: count,
      window: count,
      rollbacks: count,
      seconds: nonNegative,
      runningLoss: orNull(nonNegative),
      best: orNull(fields<Best>({ step: count, crossEntropy: nonNegative })),
      validation: orNull(
        fields<Validation>({
          step: count,
          crossEntropy: nonNegative,
          bitsPerCharacter: nonNegative,
          perplexity: orNull(nonNegative), // JSON has no infinity
          trainingLoss: orNull(nonNegative),
        }),
      ),
    },
    origin,
  );
}

/** Whether something has this name, a symbolic link that leads nowhere included. */
function isThere(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false }) !== undefined;
}
