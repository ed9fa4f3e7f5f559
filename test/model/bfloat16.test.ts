/** Weights in bfloat16: how they are rounded, and that the native engine computes with the very same numbers. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { openEngine as openForPeople } from '../../src/cli/engine.ts';
import { declare, type Engine, type WeightType } from '../../src/engine/engine.ts';
import { openEngine } from '../../src/engine/open.ts';
import { Recorder } from '../../src/engine/recorder.ts';
import { withRoundedMatrices } from '../../src/model/bfloat16.ts';
import { initialWeights } from '../../src/model/initial-weights.ts';
import { LanguageModel } from '../../src/model/language-model.ts';
import { Random } from '../../src/random.ts';
import { whyMissing } from '../engines.ts';

const V = 37;

function modelOf(cell: 'lstm' | 'gru' | 'rnn', hidden: number, layers = 2, embedding = 0): LanguageModel {
  return new LanguageModel({
    cell,
    activation: 'tanh',
    layers,
    hidden,
    embedding,
    vocabulary: V,
    dropout: 0,
  });
}

describe('rounding to bfloat16', () => {
  const model = modelOf('rnn', 4, 1);
  const round = (...values: number[]): number[] => {
    const flat = new Float32Array(model.layout.length);
    flat.set(values);
    return [...withRoundedMatrices(flat, model.layout).subarray(0, values.length)];
  };

  it('goes to the nearest, and from halfway to the even one', () => {
    assert.deepEqual(round(1, -2.5, 0, -0), [1, -2.5, 0, -0]);
    assert.deepEqual(round(1 + 2 ** -9, -1 - 2 ** -9), [1, -1]);
    assert.deepEqual(round(1 + 2 ** -8, 1 + 3 * 2 ** -8), [1, 1 + 2 ** -6]);
    assert.deepEqual(round(1 + 2 ** -8 + 2 ** -20, 255 / 256 + 2 ** -9), [1 + 2 ** -7, 1]);
  });

  it('leaves what is not finite as it is', () => {
    assert.deepEqual(round(Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY), [
      Number.NaN,
      Number.POSITIVE_INFINITY,
      Number.NEGATIVE_INFINITY,
    ]);
  });

  it('is off by a 256th at most', () => {
    const random = new Random(3, 0);
    const values = Array.from({ length: 100 }, () => Math.fround(random.uniform() * 4 - 2));
    for (const [i, rounded] of round(...values).entries()) {
      assert.ok(
        Math.abs(rounded - values[i]!) <= Math.abs(values[i]!) / 256,
        `${values[i]} became ${rounded}`,
      );
    }
  });

  it('leaves biases alone', () => {
    const flat = new Float32Array(model.layout.length).fill(1.2345);
    const rounded = withRoundedMatrices(flat, model.layout);
    assert.notEqual(rounded[0], flat[0]);
    assert.ok(model.layout.decayedLength < model.layout.length);
    for (let i = model.layout.decayedLength; i < flat.length; i++) assert.equal(rounded[i], flat[i]);
  });
});

/** The logits of three time steps of B texts. */
async function logitsOf(
  { model, weights, B }: { model: LanguageModel; weights: Float32Array; B: number },
  options: { threads: number; weights: WeightType },
): Promise<Float32Array> {
  const T = 3;
  const recorder = new Recorder('three steps');
  const ids = declare('ids', 'input', T * B, 1, 'i32');
  const { logits } = model.recordForward(recorder, { ids, state: model.declareState(B) });
  const result = declare('result', 'state', T * B, V);
  recorder.add('copy', { out: result, input: logits });
  let engine: Engine | undefined;
  try {
    engine = await openEngine('native', options);
    const { run } = engine.prepare(recorder.finish());
    engine.write(model.parameters, weights);
    engine.write(
      ids,
      Int32Array.from({ length: T * B }, (_, i) => (i * 7) % V),
    );
    await run();
    return Float32Array.from(await engine.read(result));
  } finally {
    await engine?.close();
  }
}

/** A product with a parameter of bfloat16 numbers, on the native engine. */
async function productOf(
  [rows, depth, columns]: readonly [number, number, number],
  { transposeB, accumulate, bias }: { transposeB: boolean; accumulate: boolean; bias: boolean },
  weights: WeightType,
): Promise<Float32Array> {
  const random = new Random(9, 0);
  const matrix = (name: string, kind: 'parameter' | 'state', r: number, c: number) => ({
    matrix: declare(name, kind, r, c),
    // Sixteenths up to 8: bfloat16 has them all.
    values: Float32Array.from({ length: r * c }, () => random.integer(255) / 16 - 8),
  });
  const a = matrix('a', 'state', rows, depth);
  const [bRows, bColumns] = transposeB ? [columns, depth] : [depth, columns];
  const b = matrix('b', 'parameter', bRows, bColumns);
  const added = matrix('bias', 'state', 1, columns);
  const out = matrix('out', 'state', rows, columns);
  const recorder = new Recorder('product');
  const operands = { out: out.matrix, a: a.matrix, b: b.matrix, ...(bias && { bias: added.matrix }) };
  recorder.add('matmul', { ...operands, transposeB, accumulate });
  const engine = await openEngine('native', { threads: 2, weights });
  try {
    const { run } = engine.prepare(recorder.finish());
    for (const { matrix, values } of [a, b, added, out]) engine.write(matrix, values);
    await run();
    return Float32Array.from(await engine.read(out.matrix));
  } finally {
    await engine.close();
  }
}

describe('the native engine with bfloat16 weights', { skip: await whyMissing('native') }, () => {
  const models = {
    'LSTM, no whole number of panels': modelOf('lstm', 61),
    'GRU, shared by hidden units, more than one block of depth': modelOf('gru', 288, 1, 19),
    'RNN, three layers': modelOf('rnn', 96, 3),
  };
  for (const [name, model] of Object.entries(models)) {
    for (const B of [1, 3, 20]) {
      it(`computes what it does with the same numbers as floats: ${name}, B = ${B}`, async () => {
        const full = Float32Array.from(await initialWeights(model.config, model.layout, new Random(5, 0)));
        const weights = withRoundedMatrices(full, model.layout);
        const expected = await logitsOf({ model, weights, B }, { threads: 1, weights: 'f32' });
        assert.ok(expected.some((x) => x !== 0) && expected.every(Number.isFinite));
        for (const threads of [1, 2, 3]) {
          const found = await logitsOf({ model, weights, B }, { threads, weights: 'bf16' });
          assert.deepEqual(found, expected, `${threads} threads`);
        }
        const unrounded = await logitsOf({ model, weights: full, B }, { threads: 1, weights: 'f32' });
        assert.notDeepEqual(unrounded, expected, 'rounding changes something');
      });
    }
  }

  it('computes every form of product that it does with floats', async () => {
    const forms = [0, 1, 2, 3].flatMap((bits) =>
      [false, true].map((transposeB) => ({ transposeB, accumulate: bits % 2 > 0, bias: bits > 1 })),
    );
    const shapes = [
      [1, 300, 70],
      [2, 5, 3],
      [13, 257, 33],
      [40, 600, 96],
    ] as const;
    for (const [rows, depth, columns] of shapes) {
      for (const form of forms) {
        const [floats, halves] = await Promise.all(
          (['f32', 'bf16'] as const).map((weights) => productOf([rows, depth, columns], form, weights)),
        );
        assert.ok(floats!.every(Number.isFinite));
        assert.deepEqual(
          halves,
          floats,
          `[${rows}, ${depth}] x [${depth}, ${columns}] ${JSON.stringify(form)}`,
        );
      }
    }
  });

  it('says what its weights are, also when it is asked for as the command line does', async () => {
    for (const [weights, expected] of [
      ['bf16', /bfloat16 weights$/],
      ['f32', /threads$/],
    ] as const) {
      const engine = await openForPeople('cpu', { threads: 2, weights });
      await engine.close();
      assert.match(engine.description.detail, expected);
    }
  });

  it('rounds by itself what was not', async () => {
    const model = modelOf('lstm', 61);
    const full = Float32Array.from(await initialWeights(model.config, model.layout, new Random(6, 0)));
    // Without a head and a second layer to compare: one-hot input is gathered, not multiplied, and keeps its digits.
    const rounded = withRoundedMatrices(full, model.layout);
    const views = model.layout.entries.filter(({ name }) => name === 'rnn.weight_ih_l0');
    for (const { offset, rows, columns } of views) {
      rounded.set(full.subarray(offset, offset + rows * columns), offset);
    }
    const [given, expected] = await Promise.all(
      [full, rounded].map((weights) => logitsOf({ model, weights, B: 2 }, { threads: 2, weights: 'bf16' })),
    );
    assert.deepEqual(given, expected);
  });
});
