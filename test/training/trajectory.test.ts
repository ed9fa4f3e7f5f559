/** Twenty whole training steps, each from the weights, moments and state that the last one left. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Engine } from '../../src/engine/engine.ts';
import { ReferenceEngine } from '../../src/engine/reference/reference-engine.ts';
import type { ModelConfig } from '../../src/model/config.ts';
import { initialWeights } from '../../src/model/initial-weights.ts';
import { LanguageModel } from '../../src/model/language-model.ts';
import { Random } from '../../src/random.ts';
import { OPTIMIZERS, type TrainingConfig } from '../../src/training/config.ts';
import { Optimizer } from '../../src/training/optimizer.ts';
import { PRESETS } from '../../src/training/presets.ts';
import { recordTrainingStep } from '../../src/training/step.ts';
import { ENGINES, withEngine } from '../engines.ts';

const [V, T, B, STEPS] = [13, 9, 5, 20];

interface Trained {
  readonly losses: number[];
  readonly norms: number[];
  readonly model: LanguageModel;
  /** Flat vectors by name: the parameters and the optimizer's moments. */
  readonly vectors: Map<string, ArrayLike<number>>;
}

/** Trains on a text of eight repeating symbols; one stream is started afresh on the way. */
async function train(
  engine: Engine,
  modelConfig: Partial<ModelConfig>,
  overrides: Partial<TrainingConfig> = {},
): Promise<Trained> {
  const model = new LanguageModel({
    cell: 'lstm',
    activation: 'tanh',
    layers: 2,
    hidden: 11,
    embedding: 7,
    vocabulary: V,
    dropout: 0.25,
    ...modelConfig,
  });
  const config: TrainingConfig = {
    ...PRESETS.default!.settings,
    batchSize: B,
    sequenceLength: T,
    optimizer: 'adam',
    learningRate: 0.01,
    clipNorm: 0.5,
    weightDecay: 0.001,
    ...overrides,
  };
  const optimizer = new Optimizer(config, model);
  const step = recordTrainingStep(model, config, optimizer);
  const executable = engine.prepare(step.program);
  engine.write(model.parameters, await initialWeights(model.config, model.layout, new Random(5)));

  const text = [3, 1, 4, 1, 5, 9, 2, 6];
  const symbol = (position: number) => text[position % text.length]!;
  const ids = (first: number) =>
    Int32Array.from({ length: T * B }, (_, row) => symbol(first + Math.floor(row / B) + 17 * (row % B)));
  for (let i = 0; i < STEPS; i++) {
    engine.write(step.ids, ids(i * T));
    engine.write(step.targets, ids(i * T + 1));
    engine.write(step.keep, i === 7 ? [1, 1, 0, 1, 1] : [1, 1, 1, 1, 1]);
    engine.write(step.dropoutSeed, [(i * 7919) % 2 ** 24]);
    engine.write(step.historyRow, [i]);
    engine.write(optimizer.rates, optimizer.ratesAt(i + 1, config.learningRate));
    await executable.run();
  }
  const history = await engine.read(step.history);
  const column = (c: number) => Array.from({ length: STEPS }, (_, i) => history[2 * i + c]!);
  const vectors = new Map<string, ArrayLike<number>>();
  for (const [name, matrix] of [['parameters', model.parameters] as const, ...optimizer.moments]) {
    vectors.set(name, await engine.read(matrix));
  }
  return { losses: column(0), norms: column(1), model, vectors };
}

const CELLS = [
  { cell: 'lstm' },
  { cell: 'gru' },
  { cell: 'rnn' },
  { cell: 'rnn', activation: 'relu', embedding: 0 },
] as const;

/** What the reference engine comes to, once for all engines. */
const references = new Map<object, Promise<Trained>>();

function reference(config: Partial<ModelConfig>): Promise<Trained> {
  const trained = references.get(config) ?? train(new ReferenceEngine(), config);
  references.set(config, trained);
  return trained;
}

for (const name of ENGINES.filter((name) => name !== 'reference')) {
  describe(`twenty training steps on ${name} agree with the reference`, () => {
    for (const config of CELLS) {
      it(Object.values(config).join(', '), (t) =>
        withEngine(t, name, async (engine) => {
          const expected = await reference(config);
          const actual = await train(engine, config);
          let worst = 0;
          for (const series of ['losses', 'norms'] as const) {
            for (const [i, value] of actual[series].entries()) {
              const error = Math.abs(value / expected[series][i]! - 1);
              assert.ok(error < 1e-4, `step ${i + 1}: ${series} ${value}, ${error} off`);
              worst = Math.max(worst, error);
            }
          }
          t.diagnostic(`worst relative error ${worst.toExponential(1)}`);
        }),
      );
    }
  });
}

for (const name of ENGINES) {
  describe(`training on ${name}`, () => {
    for (const optimizer of OPTIMIZERS) {
      for (const loss of ['cross-entropy', 'mse'] as const) {
        it(`lowers the loss and leaves the padding zero: ${optimizer}, ${loss}`, (t) =>
          withEngine(t, name, async (engine) => {
            const learningRate = optimizer === 'sgd' ? 0.3 : 0.02;
            const { losses, model, vectors } = await train(
              engine,
              { dropout: 0 },
              { optimizer, loss, learningRate, clipNorm: 1, weightDecay: 0.01 },
            );
            assert.ok(losses.at(-1)! < 0.95 * losses[0]!, `from ${losses[0]} to ${losses.at(-1)}`);
            for (const [vector, values] of vectors) {
              const padding = Array.from(values);
              for (const { rows, columns, offset } of model.layout.entries) {
                padding.fill(0, offset, offset + rows * columns);
              }
              assert.ok(
                padding.every((value) => value === 0),
                vector,
              );
            }
          }));
      }
    }
  });
}
