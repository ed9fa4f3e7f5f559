import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Matrix } from '../../src/engine/engine.ts';
import { ReferenceEngine } from '../../src/engine/reference/reference-engine.ts';
import type { ModelConfig } from '../../src/model/config.ts';
import { initialWeights } from '../../src/model/initial-weights.ts';
import { LanguageModel } from '../../src/model/language-model.ts';
import { Random } from '../../src/random.ts';
import {
  assertClose,
  type Batch,
  batchProgram,
  declareBatch,
  relativeError,
  type Settings,
} from './batch.ts';

const [V, T, B] = [11, 6, 3];
const settings: Settings = { loss: 'cross-entropy', scale: 1 / (T * B) };
const EXACT = 1e-12;

/** An engine with a new model and one batch in it. */
async function setUp(overrides: Partial<ModelConfig> = {}) {
  const engine = new ReferenceEngine();
  const model = new LanguageModel({
    cell: 'lstm',
    activation: 'tanh',
    layers: 2,
    hidden: 7,
    embedding: 5,
    vocabulary: V,
    dropout: 0.5,
    ...overrides,
  });
  const random = new Random(3);
  const ids = Int32Array.from({ length: T * B }, () => random.integer(V));
  const targets = Int32Array.from({ length: T * B }, () => random.integer(V));
  const batch = declareBatch(model, T, B);
  engine.write(model.parameters, await initialWeights(model.config, model.layout, random));
  engine.write(batch.ids, ids);
  engine.write(batch.targets, targets);
  engine.write(batch.dropoutSeed, [12345]);
  const run = (batch: Batch, overrides: Partial<Settings> = {}) =>
    engine.prepare(batchProgram(model, batch, { ...settings, ...overrides })).run();
  /** Sets every state to numbers between −1 and 1, the same ones for the same `seed`. */
  const fillState = (seed: number, change = (value: number, _stream: number) => value) => {
    const random = new Random(seed);
    for (const matrix of batch.state.flat()) {
      const values = Array.from({ length: matrix.length }, (_, i) =>
        change(2 * random.uniform() - 1, Math.floor(i / matrix.columns)),
      );
      engine.write(matrix, values);
    }
  };
  const readAll = async (matrices: readonly Matrix[]) =>
    (await Promise.all(matrices.map((matrix) => engine.read(matrix)))).flatMap((values) => [...values]);
  return { engine, model, batch, ids, run, fillState, readAll };
}

describe('the language model', () => {
  for (const cell of ['lstm', 'gru', 'rnn'] as const) {
    it(`when a text is cut into pieces then the carried state joins them exactly: ${cell}`, async () => {
      const { engine, model, batch, ids, run, readAll } = await setUp({ cell });
      await run(batch, { backward: false });
      const whole = [...(await engine.read(batch.logits))];

      for (const length of [1, 2, 3]) {
        const piece = declareBatch(model, length, B);
        const executable = engine.prepare(batchProgram(model, piece, { ...settings, backward: false }));
        const logits: number[] = [];
        for (let t = 0; t < T; t += length) {
          engine.write(piece.ids, ids.subarray(t * B, (t + length) * B));
          await executable.run();
          logits.push(...(await engine.read(piece.logits)));
        }
        assertClose(logits, whole, EXACT, `pieces of ${length}`);
        assertClose(await readAll(piece.state.flat()), await readAll(batch.state.flat()), EXACT, 'the state');
      }
    });
  }

  it('when a stream is not kept then it starts from zero, whatever was in its state, and the others go on', async () => {
    const { engine, batch, run, fillState, readAll } = await setUp();
    const results = () => readAll([batch.logits, batch.gradients, ...batch.state.flat()]);
    fillState(8, (value, stream) => (stream === 1 ? 0 : value));
    await run(batch);
    const expected = await results();

    fillState(8, (value, stream) => (stream === 1 ? Number.NaN : value));
    engine.write(batch.keep, [1, 0, 1]);
    await run(batch, { keep: true });
    assertClose(await results(), expected, EXACT, 'one stream started afresh');
  });

  for (const cell of ['rnn', 'lstm', 'gru'] as const) {
    it(`when the layers are a wavefront then nothing else changes: ${cell}`, async () => {
      // More layers than pieces of the text for some lags, and lags that do not divide it.
      const { engine, batch, run, fillState, readAll } = await setUp({ cell, layers: 4 });
      engine.write(batch.keep, [1, 0, 1]);
      const results = async (lag?: number): Promise<number[]> => {
        fillState(8);
        await run(batch, { keep: true, ...(lag && { lag }) });
        return readAll([
          batch.logits,
          batch.gradients,
          ...batch.state.flat(),
          ...batch.stateGradients.flat(),
        ]);
      };
      const expected = await results();
      for (const lag of [1, 2, 4, 5, T, T + 3]) assert.deepEqual(await results(lag), expected, `lag ${lag}`);
    });
  }

  it('when there is a lag then dropout is refused', async () => {
    const { run, batch } = await setUp();
    assert.throws(() => run(batch, { dropout: true, lag: 2 }), /dropout/);
  });

  it('when the ids of one stream change then the logits of the others do not', async () => {
    const { engine, batch, ids, run, fillState } = await setUp();
    const streams = async () => {
      fillState(8);
      await run(batch, { backward: false });
      const logits = await engine.read(batch.logits);
      return Array.from({ length: B }, (_, b) => [...logits.filter((_, i) => Math.floor(i / V) % B === b)]);
    };
    const before = await streams();
    engine.write(
      batch.ids,
      ids.map((id, row) => (row % B === 1 ? (id + 1) % V : id)),
    );
    const after = await streams();
    assert.deepEqual(after[0], before[0]);
    assert.notDeepEqual(after[1], before[1]);
    assert.deepEqual(after[2], before[2]);
  });

  it('when a later symbol changes then no earlier logit does', async () => {
    const { engine, batch, ids, run, fillState } = await setUp();
    const rows = async () => {
      fillState(8);
      await run(batch, { backward: false });
      return [...(await engine.read(batch.logits))];
    };
    const before = await rows();
    const changed = 4;
    engine.write(
      batch.ids,
      ids.map((id, row) => (row >= changed * B ? (id + 1) % V : id)),
    );
    const after = await rows();
    assert.deepEqual(after.slice(0, changed * B * V), before.slice(0, changed * B * V));
    assert.ok(relativeError(after.slice(changed * B * V), before.slice(changed * B * V)) > 1e-3);
  });

  it('when no dropout seed is given then nothing is dropped, and each seed drops something else', async () => {
    const logits = async (dropout: boolean, rate: number, seed: number) => {
      const { engine, batch, run } = await setUp({ dropout: rate });
      engine.write(batch.dropoutSeed, [seed]);
      await run(batch, { dropout, backward: false });
      return engine.read(batch.logits);
    };
    const plain = await logits(true, 0, 1);
    assert.deepEqual(await logits(false, 0.5, 1), plain);
    const first = await logits(true, 0.5, 1);
    assert.deepEqual(await logits(true, 0.5, 1), first);
    assert.ok(relativeError(first, plain) > 0.01);
    assert.ok(relativeError(await logits(true, 0.5, 2), first) > 0.01);
  });

  it('when no position has a target then loss and gradients are zero', async () => {
    const { engine, batch, run, readAll } = await setUp();
    engine.write(batch.targets, new Int32Array(T * B).fill(-1));
    for (const loss of ['cross-entropy', 'mse'] as const) {
      await run(batch, { loss });
      const results = await readAll([
        batch.loss,
        batch.losses,
        batch.gradients,
        ...batch.stateGradients.flat(),
      ]);
      assert.ok(results.every((value) => value === 0));
    }
  });

  it('when all logits are equal then cross-entropy is ln V and the squared error 1 − 1/V', async () => {
    const { engine, model, batch, run } = await setUp();
    engine.write(model.parameters, new Float64Array(model.layout.length));
    await run(batch, { backward: false });
    assertClose(await engine.read(batch.loss), [Math.log(V)], EXACT, 'cross-entropy');
    await run(batch, { loss: 'mse', backward: false });
    assertClose(await engine.read(batch.loss), [1 - 1 / V], EXACT, 'squared error');
  });
});
