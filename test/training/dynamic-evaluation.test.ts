/** Dynamic evaluation: it learns, only from what it has predicted before, and leaves no trace. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Engine } from '../../src/engine/engine.ts';
import { ReferenceEngine } from '../../src/engine/reference/reference-engine.ts';
import { Evaluator } from '../../src/inference/evaluator.ts';
import type { CellName } from '../../src/model/config.ts';
import { initialWeights } from '../../src/model/initial-weights.ts';
import { LanguageModel } from '../../src/model/language-model.ts';
import { Random } from '../../src/random.ts';
import { IdSequence } from '../../src/text/id-sequence.ts';
import { DynamicEvaluator, type DynamicSettings } from '../../src/training/dynamic-evaluation.ts';
import { ENGINES, withEngine } from '../engines.ts';
import { batchProgram, declareBatch } from '../model/batch.ts';

const V = 7;
const CASES = [
  ['gru', 3],
  ['lstm', 0],
  ['rnn', 3],
] as const;
const SETTINGS = { learningRate: 0.01, segment: 9 };

async function modelOn(engine: Engine, cell: CellName = 'gru', embedding = 3): Promise<LanguageModel> {
  const shape = { activation: 'tanh', layers: 2, hidden: 6, vocabulary: V, dropout: 0.3 } as const;
  const model = new LanguageModel({ cell, ...shape, embedding });
  engine.write(model.parameters, await initialWeights(model.config, model.layout, new Random(1)));
  return model;
}

function text(length: number, seed = 5): number[] {
  const random = new Random(seed);
  return Array.from({ length }, () => random.integer(V));
}

const sequence = (ids: readonly number[]): IdSequence => IdSequence.of(Uint8Array.from(ids));

/** The loss of every prediction. */
async function losses(
  evaluator: Pick<DynamicEvaluator, 'windows'>,
  ids: readonly number[],
): Promise<number[]> {
  const found: number[] = [];
  for await (const window of evaluator.windows(sequence(ids))) {
    assert.equal(window.start, found.length);
    assert.equal(window.count, window.losses.length);
    found.push(...window.losses);
  }
  assert.equal(found.length, ids.length - 1);
  return found;
}

const dynamicLosses = (
  engine: Engine,
  model: LanguageModel,
  ids: readonly number[],
  settings: DynamicSettings = SETTINGS,
): Promise<number[]> => losses(new DynamicEvaluator(engine, model, settings), ids);

const staticLosses = (engine: Engine, model: LanguageModel, ids: readonly number[]): Promise<number[]> =>
  losses(new Evaluator(engine, model), ids);

function assertNear(actual: readonly number[], expected: readonly number[], tolerance: number): void {
  assert.equal(actual.length, expected.length);
  actual.forEach((value, i) => {
    assert.ok(Math.abs(value - expected[i]!) <= tolerance, `${value} instead of ${expected[i]} at ${i}`);
  });
}

/** The same by hand: gradients of one segment after the other from the engine, the step in plain arithmetic. */
async function byHand(
  ids: readonly number[],
  cell: CellName,
  embedding: number,
  { learningRate, segment: S }: DynamicSettings,
): Promise<number[]> {
  const engine = new ReferenceEngine();
  const model = await modelOn(engine, cell, embedding);
  const batch = declareBatch(model, S, 1);
  const program = engine.prepare(batchProgram(model, batch, { loss: 'cross-entropy', scale: 1 / S }));
  const weights = Float64Array.from(await engine.read(model.parameters));
  const square = new Float64Array(weights.length);
  const found: number[] = [];
  for (let start = 0, step = 1; start < ids.length - 1; start += S, step++) {
    const rest = ids.slice(start + 1, start + S + 1);
    const inputs = ids.slice(start, start + rest.length);
    const fill = (values: number[], value: number): number[] => [
      ...values,
      ...Array(S - values.length).fill(value),
    ];
    engine.write(batch.ids, fill(inputs, 0));
    engine.write(batch.targets, fill(rest, -1));
    await program.run();
    found.push(...(await engine.read(batch.losses)).subarray(0, rest.length));
    const gradients = await engine.read(batch.gradients);
    for (let i = 0; i < weights.length; i++) {
      square[i] = 0.999 * square[i]! + 0.001 * gradients[i]! ** 2;
      weights[i]! -= (learningRate * gradients[i]!) / (Math.sqrt(square[i]! / (1 - 0.999 ** step)) + 1e-8);
    }
    engine.write(model.parameters, weights);
  }
  return found;
}

describe('dynamic evaluation', () => {
  for (const name of ENGINES) {
    const cells = name.startsWith('gpu.js') ? CASES.slice(0, 1) : CASES;
    it(`${name}: every loss is what a computation by hand gives, the first ones as ever`, async (t) => {
      await withEngine(t, name, async (engine) => {
        for (const [cell, embedding] of cells) {
          const model = await modelOn(engine, cell, embedding);
          const found = await dynamicLosses(engine, model, text(60));
          assertNear(found, await byHand(text(60), cell, embedding, SETTINGS), 2e-3);
          const still = await staticLosses(engine, model, text(60));
          const { segment } = SETTINGS;
          assertNear(found.slice(0, segment), still.slice(0, segment), 1e-5);
          const later = found.map((loss, i) => Math.abs(loss - still[i]!)).slice(segment);
          assert.ok(Math.max(...later) > 1e-2, 'it has learnt');
        }
      });
    });

    it(`${name}: a text that keeps to its own rules is learnt, and then the weights are the old ones`, async (t) => {
      await withEngine(t, name, async (engine) => {
        const model = await modelOn(engine);
        const before = await engine.read(model.parameters);
        const repeating = Array.from({ length: 200 }, (_, i) => (i * i) % V);
        const evaluator = new DynamicEvaluator(engine, model, SETTINGS);
        const told: number[] = [];
        const first = await evaluator.evaluate(sequence(repeating), {
          onProgress: (predictions) => told.push(predictions),
        });
        const plain = await new Evaluator(engine, model).evaluate(sequence(repeating));
        assert.ok(first.crossEntropy < plain.crossEntropy - 0.2, `${first.crossEntropy}`);
        assert.deepEqual([first.predictions, told.at(-1)], [199, 199]);
        assert.deepEqual(await engine.read(model.parameters), before);
        assert.deepEqual(await evaluator.evaluate(sequence(repeating)), first, 'nothing is remembered');
      });
    });
  }

  it('no loss depends on the symbols behind it', async (t) => {
    await withEngine(t, 'simd', async (engine) => {
      const model = await modelOn(engine);
      const evaluator = new DynamicEvaluator(engine, model, SETTINGS);
      const ids = text(40);
      const expected = await losses(evaluator, ids);
      for (let j = 1; j < ids.length; j++) {
        const changed = ids.with(j, (ids[j]! + 1) % V);
        const found = await losses(evaluator, changed);
        // Prediction j − 1 is about symbol j.
        assert.deepEqual(found.slice(0, j - 1), expected.slice(0, j - 1), `symbol ${j}`);
        assert.notDeepEqual(found.slice(j - 1), expected.slice(j - 1));
      }
    });
  });

  it('a step that moves nothing leaves the evaluation as it is', async () => {
    const engine = new ReferenceEngine();
    const model = await modelOn(engine);
    for (const segment of [1, 2, 7, 64, 300]) {
      const found = await dynamicLosses(engine, model, text(130), { learningRate: 1e-30, segment });
      assertNear(found, await staticLosses(engine, model, text(130)), 1e-9);
    }
  });

  it('texts of two symbols and more are told whole, those of fewer are refused', async () => {
    const engine = new ReferenceEngine();
    const model = await modelOn(engine);
    for (const length of [2, 3, 9, 10, 11, 19]) {
      for (const segment of [1, 9, 10])
        await dynamicLosses(engine, model, text(length), { ...SETTINGS, segment });
    }
    for (const length of [0, 1]) await assert.rejects(dynamicLosses(engine, model, text(length)), RangeError);
  });

  it('where it is broken off the weights are the old ones, too', async (t) => {
    await withEngine(t, 'simd', async (engine) => {
      const model = await modelOn(engine);
      const before = await engine.read(model.parameters);
      const evaluator = new DynamicEvaluator(engine, model, { ...SETTINGS, segment: 1 });
      for await (const { count } of evaluator.windows(sequence(text(1000)))) {
        assert.ok(count < 999);
        assert.notDeepEqual(await engine.read(model.parameters), before);
        break;
      }
      assert.deepEqual(await engine.read(model.parameters), before);
      const reason = new Error('enough');
      const controller = new AbortController();
      const onProgress = (): void => controller.abort(reason);
      await assert.rejects(
        evaluator.evaluate(sequence(text(1000)), { onProgress, signal: controller.signal }),
        reason,
      );
      assert.deepEqual(await engine.read(model.parameters), before);
    });
  });
});
