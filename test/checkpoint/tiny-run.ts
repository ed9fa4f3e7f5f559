/**
 * A run of a model of 2 units and 3 symbols with one checkpoint: small enough to be damaged and opened again thousands of
 * times, in the way that each command opens it.
 */
import { mkdirSync, readdirSync, readFileSync, rmdirSync, rmSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { formatManifest, MANIFEST, readManifest } from '../../src/checkpoint/manifest.ts';
import { openModel } from '../../src/cli/open-model.ts';
import { readRunCorpus } from '../../src/cli/run-corpus.ts';
import type { Engine } from '../../src/engine/engine.ts';
import { openEngine } from '../../src/engine/open.ts';
import { CharloomError } from '../../src/errors.ts';
import { LanguageModel } from '../../src/model/language-model.ts';
import { Random } from '../../src/random.ts';
import { type Corpus, loadCorpus } from '../../src/text/corpus.ts';
import { parseSplit } from '../../src/text/split.ts';
import { PRESETS } from '../../src/training/presets.ts';
import { Run } from '../../src/training/run.ts';
import { Trainer } from '../../src/training/trainer.ts';

/** The files of the run, by the name that each has in its folder. */
export const FILES = [
  'manifest.json',
  'model.safetensors',
  'training.safetensors',
  'config.json',
  'vocabulary.json',
] as const;
export type FileName = (typeof FILES)[number];

/** The commands that read checkpoints; `info` with `--verify`. */
export const COMMANDS = ['sample', 'eval', 'info', 'resume'] as const;
export type Command = (typeof COMMANDS)[number];

const STEPS = 8;
const TEXT_LENGTH = 2000;
const TEXT = { unit: 'character', minCount: 1, split: '90/5/5' } as const;
const MODEL = {
  cell: 'lstm',
  activation: 'tanh',
  layers: 1,
  hidden: 2,
  embedding: 2,
  vocabulary: 3,
  dropout: 0.1,
} as const;
/** The best checkpoint is the only one. */
const TRAINING = {
  optimizer: 'adam',
  batchSize: 2,
  sequenceLength: 4,
  steps: STEPS,
  minutes: 0,
  evalEvery: STEPS,
  checkpointEvery: 0,
} as const;

/** What a file becomes: other bytes, nothing, or a folder. */
export type Change = Uint8Array | 'missing' | 'folder';

export class TinyRun {
  /** The run folder. */
  readonly dir: string;
  readonly step = STEPS;
  /** What the files hold as long as they are sound. */
  readonly sound: ReadonlyMap<FileName, Uint8Array>;
  readonly #settings: string;
  readonly #trainer: Trainer;

  private constructor(run: Run, trainer: Trainer) {
    this.dir = run.dir;
    this.#settings = settingsOf(run);
    this.#trainer = trainer;
    this.sound = new Map(FILES.map((file) => [file, new Uint8Array(readFileSync(this.path(file)))]));
  }

  /** Trains it, in a folder that is empty. */
  static async create(folder: string): Promise<TinyRun> {
    const path = join(folder, 'text.txt');
    const dir = join(folder, 'run');
    const random = new Random(1);
    writeFileSync(path, Array.from({ length: TEXT_LENGTH }, () => 'ab'[random.integer(2)]).join(''));
    const corpus = await loadCorpus([path], { ...TEXT, split: parseSplit(TEXT.split) });
    const { cell, activation, layers, hidden, embedding, dropout, ...preset } = PRESETS.default!.settings;
    const settings = { text: TEXT, model: MODEL, training: { ...preset, ...TRAINING } };
    const origin = {
      charloom: '0',
      created: '2026-01-01T00:00:00Z',
      preset: 'default',
      files: corpus.files,
      initFrom: { checkpoint: '/nowhere/run/checkpoints/3', step: 3, sha256: '0'.repeat(64) },
    };
    const run = await Run.create(
      dir,
      { format: 1, ...origin, device: 'simd', engine: 'simd', ...settings },
      corpus.vocabulary,
    );
    const model = new LanguageModel(MODEL);
    const trainer = trainerOf(run, model, await openEngine('simd', { threads: 1 }), corpus);
    await trainer.initialise();
    for await (const _ of trainer.run(run.store(model.layout), new AbortController().signal));
    run.close();
    // The time that it took would make other bytes of it each time, and other mutations of the same seed.
    const checkpoint = join(dir, 'checkpoints', String(STEPS));
    const { summary, ...manifest } = await readManifest(checkpoint);
    const timeless = formatManifest({ ...manifest, summary: { ...summary, seconds: 1 } });
    writeFileSync(join(checkpoint, MANIFEST), timeless);
    return new TinyRun(await Run.open(dir), trainer);
  }

  /** Puts what `changes` say in the place of sound files. */
  damage(changes: ReadonlyMap<FileName, Change>): void {
    for (const [file, change] of changes) {
      const path = this.path(file);
      // Not written over: truncating a file may make the system flush it.
      unlinkSync(path);
      if (change === 'folder') mkdirSync(path);
      else if (change !== 'missing') writeFileSync(path, change);
    }
  }

  /** Makes the run sound again after `damage`. */
  mend(changes: ReadonlyMap<FileName, Change>): void {
    for (const [file, change] of changes) {
      const path = this.path(file);
      if (change === 'folder') rmdirSync(path);
      else if (change !== 'missing') unlinkSync(path);
      writeFileSync(path, this.sound.get(file)!);
    }
  }

  /** Makes it anew, whatever has been written there. */
  renew(): void {
    for (const name of readdirSync(this.dir)) rmSync(join(this.dir, name), { recursive: true });
    mkdirSync(join(this.dir, 'checkpoints', String(STEPS)), { recursive: true });
    for (const [file, bytes] of this.sound) writeFileSync(this.path(file), bytes);
  }

  /**
   * Loads what `command` loads, as it does, but on the reference engine, and without computing anything.
   * @throws what stops the command, which should be a CharloomError
   */
  async open(command: Command): Promise<void> {
    if (command === 'info') {
      for (const { problem } of await (await Run.open(this.dir)).verify()) {
        if (problem !== null) throw new CharloomError('BAD_DATA', problem);
      }
      return;
    }
    const checkpoint = command === 'resume' ? 'latest' : 'best';
    const { run, model, engine } = await openModel(this.dir, { checkpoint, device: 'reference' });
    if (command === 'sample') return;
    // Text and trainer follow from the settings. With those of the sound run they are at hand: making them takes the longest.
    const unchanged = settingsOf(run) === this.#settings;
    if (command === 'eval' && unchanged) return;
    const corpus = unchanged ? undefined : await readRunCorpus(run, [], '', {});
    try {
      if (command === 'resume') {
        const trainer = corpus ? trainerOf(run, model, engine, corpus) : this.#trainer;
        trainer.restore(await run.restore(model.layout, trainer.tensors));
      } else if (corpus!.validation.length < 2) {
        throw new CharloomError('BAD_DATA', 'there is nothing to evaluate');
      }
    } finally {
      corpus?.close();
    }
  }

  path(file: FileName): string {
    const isOfRun = file === 'config.json' || file === 'vocabulary.json';
    return isOfRun ? join(this.dir, file) : join(this.dir, 'checkpoints', String(STEPS), file);
  }
}

function settingsOf({ config, vocabulary }: Run): string {
  return JSON.stringify([config, vocabulary]);
}

function trainerOf(
  { config, vocabulary }: Run,
  model: LanguageModel,
  engine: Engine,
  corpus: Corpus,
): Trainer {
  const parts = { training: corpus.train, validation: corpus.validation };
  return new Trainer({ engine, model, config: config.training, vocabulary, ...parts });
}
