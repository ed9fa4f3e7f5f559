/**
 * What the cells can learn, on texts whose right continuation is known: strings of the embedded Reber grammar,
 * whose second symbol must come back at the end, and a sine wave written as digits.
 *
 * `make showcase` prints the table of the README; `structured-text.test.ts` asserts its claims.
 */

import { legalNext, reberStrings } from '../../corpora/generate/reber.ts';
import { SINE_STEP, sineSample } from '../../corpora/generate/sine.ts';
import type { Engine } from '../../src/engine/engine.ts';
import { declare } from '../../src/engine/engine.ts';
import { openEngine } from '../../src/engine/open.ts';
import { Recorder } from '../../src/engine/recorder.ts';
import { Sampler } from '../../src/inference/sampler.ts';
import { LanguageModel } from '../../src/model/language-model.ts';
import { Random } from '../../src/random.ts';
import { IdSequence } from '../../src/text/id-sequence.ts';
import { Vocabulary } from '../../src/text/vocabulary.ts';
import { PRESETS, type Settings } from '../../src/training/presets.ts';
import { Trainer } from '../../src/training/trainer.ts';

export interface Trained {
  readonly engine: Engine;
  readonly model: LanguageModel;
  readonly vocabulary: Vocabulary;
}

/** Trains a small network on `text`; all of it, nothing is kept for validation. */
export async function trainOn(text: string, changes: Partial<Settings>): Promise<Trained> {
  const own = { batchSize: 32, dropout: 0, weightDecay: 0, minutes: 0, evalEvery: 0 };
  const settings: Settings = { ...PRESETS.tiny!.settings, ...own, ...changes };
  const counts = new Map<string, number>();
  for (const symbol of text) counts.set(symbol, (counts.get(symbol) ?? 0) + 1);
  const vocabulary = Vocabulary.fromCounts('character', counts, 1);
  const engine = await openEngine('cpu');
  const model = new LanguageModel({ ...settings, vocabulary: vocabulary.size });
  const trainer = new Trainer({
    engine,
    model,
    config: settings,
    vocabulary,
    training: IdSequence.of(vocabulary.encode(text).ids),
    validation: IdSequence.of(new Uint8Array(0)),
  });
  await trainer.initialise();
  const nowhere = { save: async () => '', last: async () => undefined };
  for await (const _ of trainer.run(nowhere, new AbortController().signal));
  return { engine, model, vocabulary };
}

/** A generator of the corpora's kind from one of ours. */
const uniform = (seed: number): (() => number) => {
  const random = new Random(seed);
  return () => random.uniform();
};

export interface ReberScore {
  readonly strings: number;
  /** Fraction of positions where the likeliest next symbol is legal. */
  readonly legal: number;
  /** Fraction of strings whose second symbol is the likeliest where it must come back. */
  readonly remembered: number;
}

/** Trains on `characters` of embedded Reber strings. */
export function trainReber(characters: number, changes: Partial<Settings>): Promise<Trained> {
  let text = '';
  for (const string of reberStrings(uniform(1))) {
    text += `${string}\n`;
    if (text.length >= characters) break;
  }
  return trainOn(text, { hidden: 64, embedding: 0, sequenceLength: 48, ...changes });
}

/** Reads strings that the training text does not have, and looks at the likeliest symbol at every position. */
export async function scoreReber(
  { engine, model, vocabulary }: Trained,
  strings: number,
): Promise<ReberScore> {
  const seen = new Set<string>();
  let trained = 0;
  for (const string of reberStrings(uniform(1))) {
    seen.add(string);
    if (++trained === 50_000) break;
  }
  const state = model.declareState(1);
  const ids = declare('ids', 'input', 1, 1, 'i32');
  const out = declare('logits', 'state', 1, vocabulary.size);
  const recorder = new Recorder('next symbol');
  recorder.add('copy', { out, input: model.recordForward(recorder, { ids, state }).logits });
  const next = engine.prepare(recorder.finish());

  let legal = 0;
  let positions = 0;
  let remembered = 0;
  let read = 0;
  for (const string of reberStrings(uniform(2))) {
    if (seen.has(string)) continue;
    for (const matrix of state.flat()) engine.write(matrix, new Float32Array(matrix.length));
    const line = `\n${string}`;
    for (let i = 0; i < line.length; i++) {
      engine.write(ids, [vocabulary.idOf(line[i]!)]);
      await next.run();
      const logits = await engine.read(out);
      const symbol = vocabulary.symbols[logits.indexOf(Math.max(...logits))]!;
      positions++;
      if (legalNext(line.slice(1, i + 1)).has(symbol)) legal++;
      if (i === line.length - 3 && symbol === string[1]) remembered++;
    }
    if (++read === strings) break;
  }
  return { strings: read, legal: legal / positions, remembered: remembered / read };
}

/** Trains on `characters` of a sine wave in digits. */
export function trainSine(characters: number, changes: Partial<Settings>): Promise<Trained> {
  let text = '';
  for (let n = 0; text.length < characters; n++) text += `${sineSample(n, 1)} `;
  return trainOn(text, { hidden: 64, embedding: 0, sequenceLength: 64, ...changes });
}

/**
 * Lets the model continue, greedily, a wave it has not read (another phase): 40 samples of prompt, then `samples`.
 * @returns the root of the mean squared error against the true wave, in digits (the wave's amplitude is 49.5)
 */
export async function scoreSine({ engine, model, vocabulary }: Trained, samples: number): Promise<number> {
  const phase = 4;
  const start = 40;
  let prompt = '';
  for (let n = 0; n < start; n++) prompt += `${sineSample(n, phase)} `;
  const sampler = new Sampler(engine, model, vocabulary.unknown);
  const ids = vocabulary.encode(prompt).ids;
  await sampler.feed(ids.subarray(0, -1));
  let text = '';
  const greedy = { temperature: 0, topK: 0, topP: 1, minP: 0 };
  for await (const [id] of sampler.sample([ids.at(-1)!], 3 * samples, greedy, [new Random(1)])) {
    text += vocabulary.symbols[id!]!;
  }
  const drawn = text.trim().split(' ');
  let square = 0;
  for (let i = 0; i < samples; i++) {
    const value = /^\d\d$/.test(drawn[i] ?? '') ? Number(drawn[i]) : Number.NaN;
    square += (value - (49.5 + 49.5 * Math.sin((start + i) * SINE_STEP + phase))) ** 2;
  }
  return Math.sqrt(square / samples);
}

if (process.argv[1] === import.meta.filename) {
  const percent = (x: number): string => `${(100 * x).toFixed(2)}%`;
  console.log('| cell | legal next symbols | second symbol remembered | sine wave, error of 100 samples |');
  console.log('| --- | --- | --- | --- |');
  for (const cell of ['rnn', 'gru', 'lstm'] as const) {
    const reber = await trainReber(300_000, { cell, steps: 1500 });
    const { legal, remembered } = await scoreReber(reber, 1000);
    const sine = await trainSine(100_000, { cell, steps: 1500 });
    const error = await scoreSine(sine, 100);
    console.log(`| ${cell} | ${percent(legal)} | ${percent(remembered)} | ${error.toFixed(2)} |`);
  }
}
