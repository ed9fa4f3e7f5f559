import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { CellName, ModelConfig } from '../../src/model/config.ts';
import { initialWeights } from '../../src/model/initial-weights.ts';
import { declareParameters, ParameterLayout, savedShape } from '../../src/model/parameters.ts';
import { Random } from '../../src/random.ts';

const config: ModelConfig = {
  cell: 'lstm',
  activation: 'tanh',
  layers: 2,
  hidden: 7,
  embedding: 5,
  vocabulary: 11,
  dropout: 0,
};
const GATES: Record<CellName, number> = { lstm: 4, gru: 3, rnn: 1 };
const CELLS: CellName[] = ['lstm', 'gru', 'rnn'];

/** The initial weights by name. */
async function draw(config: ModelConfig, seed = 1): Promise<Map<string, Float32Array>> {
  const layout = new ParameterLayout(config);
  const flat = await initialWeights(config, layout, new Random(seed));
  return new Map(
    layout.entries.map(({ name, rows, columns, offset }) => [
      name,
      flat.subarray(offset, offset + rows * columns),
    ]),
  );
}

describe('the layout of the weights', () => {
  it('has the names and shapes of PyTorch', () => {
    const shapes = (config: ModelConfig) =>
      Object.fromEntries(new ParameterLayout(config).entries.map((entry) => [entry.name, savedShape(entry)]));
    assert.deepEqual(shapes(config), {
      'embedding.weight': [11, 5],
      'rnn.weight_ih_l0': [28, 5],
      'rnn.weight_hh_l0': [28, 7],
      'rnn.bias_ih_l0': [28],
      'rnn.bias_hh_l0': [28],
      'rnn.weight_ih_l1': [28, 7],
      'rnn.weight_hh_l1': [28, 7],
      'rnn.bias_ih_l1': [28],
      'rnn.bias_hh_l1': [28],
      'head.weight': [11, 7],
      'head.bias': [11],
    });
    assert.deepEqual(shapes({ ...config, cell: 'gru', layers: 1, embedding: 0 }), {
      'rnn.weight_ih_l0': [21, 11],
      'rnn.weight_hh_l0': [21, 7],
      'rnn.bias_ih_l0': [21],
      'rnn.bias_hh_l0': [21],
      'head.weight': [11, 7],
      'head.bias': [11],
    });
  });

  for (const cell of CELLS) {
    for (const [layers, hidden, embedding, vocabulary] of [
      [1, 1, 0, 2],
      [3, 7, 5, 11],
      [2, 64, 16, 128],
    ] as const) {
      const sizes = `${cell}, L=${layers} H=${hidden} E=${embedding} V=${vocabulary}`;
      const layout = new ParameterLayout({ ...config, cell, layers, hidden, embedding, vocabulary });

      it(`has no overlaps, is aligned and ends with the biases: ${sizes}`, async () => {
        let end = 0;
        for (const { name, rows, columns, offset } of layout.entries) {
          assert.ok(offset >= end, `${name} overlaps what is before it`);
          assert.ok(offset - end < 64, `no more than padding is before ${name}`);
          assert.equal(offset % 64, 0, `${name} is aligned`);
          assert.equal(name.includes('bias'), offset >= layout.decayedLength, `${name}: decay`);
          end = offset + rows * columns;
        }
        assert.ok(layout.length >= end && layout.length - end < 64);
      });

      it(`counts the weights: ${sizes}`, async () => {
        const gates = GATES[cell] * hidden;
        const layerInputs = (embedding || vocabulary) + (layers - 1) * hidden;
        const stack = gates * (layerInputs + layers * (hidden + 2));
        assert.equal(layout.count, vocabulary * embedding + stack + vocabulary * (hidden + 1));
      });
    }
  }

  it('when a weight does not exist then asking for it is an error that names it', () => {
    const layout = new ParameterLayout({ ...config, embedding: 0 });
    assert.throws(() => layout.views(declareParameters(layout))('embedding.weight'), /embedding\.weight/);
  });
});

describe('the initial weights', () => {
  for (const cell of CELLS) {
    it(`have orthogonal recurrent blocks, one a gate: ${cell}`, async () => {
      for (const H of [1, 2, 7, 64]) {
        for (const [name, weights] of await draw({ ...config, cell, hidden: H })) {
          if (!name.includes('weight_hh')) continue;
          assert.equal(weights.length, GATES[cell] * H * H);
          for (let gate = 0; gate < GATES[cell]; gate++) {
            const q = weights.subarray(gate * H * H, (gate + 1) * H * H);
            for (let i = 0; i < H; i++) {
              for (let j = 0; j < H; j++) {
                let product = 0;
                for (let k = 0; k < H; k++) product += q[k * H + i]! * q[k * H + j]!;
                const error = Math.abs(product - (i === j ? 1 : 0));
                assert.ok(error < 1e-6, `${name}, gate ${gate}: (QᵀQ)[${i}, ${j}] is off by ${error}`);
              }
            }
          }
        }
      }
    });

    it(`have zero biases, but for the LSTM's forget gate: ${cell}`, async () => {
      const H = config.hidden;
      for (const [name, weights] of await draw({ ...config, cell })) {
        if (!name.includes('bias')) continue;
        const forgets = (i: number) => cell === 'lstm' && name.includes('bias_ih') && i >= H && i < 2 * H;
        assert.deepEqual(
          [...weights],
          Array.from(weights, (_, i) => (forgets(i) ? 1 : 0)),
          name,
        );
      }
    });
  }

  it('fill the range ±1/√H in input and output matrices', async () => {
    const bound = 1 / Math.sqrt(64);
    for (const [name, weights] of await draw({ ...config, hidden: 64, vocabulary: 90 })) {
      if (!name.includes('weight_ih') && name !== 'head.weight') continue;
      const [low, high] = [Math.min(...weights), Math.max(...weights)];
      assert.ok(low >= -bound && low < -0.95 * bound, `${name}: least is ${low}`);
      assert.ok(high <= bound && high > 0.95 * bound, `${name}: greatest is ${high}`);
    }
  });

  it('are standard normal in the embedding', async () => {
    const weights = (await draw({ ...config, embedding: 64, vocabulary: 200 })).get('embedding.weight')!;
    const mean = weights.reduce((sum, w) => sum + w, 0) / weights.length;
    const variance = weights.reduce((sum, w) => sum + (w - mean) ** 2, 0) / weights.length;
    assert.ok(Math.abs(mean) < 0.03, `mean ${mean}`);
    assert.ok(Math.abs(variance - 1) < 0.05, `variance ${variance}`);
    assert.ok(
      weights.every((weight) => weight !== 0),
      'all are drawn',
    );
  });

  it('when the seed is the same then all bits are, and otherwise not', async () => {
    const layout = new ParameterLayout(config);
    const bits = async (seed: number) =>
      Buffer.from((await initialWeights(config, layout, new Random(seed))).buffer);
    assert.ok((await bits(1)).equals(await bits(1)));
    assert.ok(!(await bits(1)).equals(await bits(2)));
  });

  it('leave the padding zero', async () => {
    const layout = new ParameterLayout(config);
    const flat = await initialWeights(config, layout, new Random(1));
    for (const { rows, columns, offset } of layout.entries) flat.fill(0, offset, offset + rows * columns);
    assert.ok(flat.every((value) => value === 0));
  });
});
