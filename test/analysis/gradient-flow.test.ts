/**
 * The norms of ∂L_t/∂h_{t−k} against differences: a twin of the network, written here in plain loops, whose h is moved at one
 * step. And against what is known in closed form.
 */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { compareCells, lagsOfFactors, panelsOf } from '../../src/analysis/gradient-comparison.ts';
import { cutWindows, GradientFlowMeter, lagOf, withGain } from '../../src/analysis/gradient-flow.ts';
import { ReferenceEngine } from '../../src/engine/reference/reference-engine.ts';
import type { ModelConfig } from '../../src/model/config.ts';
import { LanguageModel } from '../../src/model/language-model.ts';
import { Random } from '../../src/random.ts';
import { IdSequence } from '../../src/text/id-sequence.ts';

const [V, E, H] = [7, 3, 5];
const LAGS = 6;
const CELLS = [
  { cell: 'rnn', activation: 'tanh' },
  { cell: 'rnn', activation: 'relu' },
  { cell: 'lstm', activation: 'tanh' },
  { cell: 'gru', activation: 'tanh' },
] as const;

const configOf = (cell: (typeof CELLS)[number], rest: Partial<ModelConfig> = {}): ModelConfig => ({
  ...{ ...cell, layers: 1, hidden: H, embedding: E, vocabulary: V, dropout: 0 },
  ...rest,
});

/** A text as long as one window. */
const textOf = (length: number): Uint8Array => {
  const random = new Random(3);
  return Uint8Array.from({ length }, () => random.integer(V));
};

const drawn = (model: LanguageModel, size: number): Float64Array => {
  const random = new Random(5);
  return Float64Array.from({ length: model.layout.length }, () => size * (2 * random.uniform() - 1));
};

const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));
const activationOf = (name: string) => (name === 'relu' ? (x: number) => Math.max(0, x) : Math.tanh);

/** −ln p of the last symbol of `ids` after all others, `nudge` added to unit `unit` of layer `layer`'s h after step `step`. */
function lossOf(
  model: LanguageModel,
  flat: Float64Array,
  ids: Uint8Array,
  nudge: { layer: number; step: number; unit: number; by: number },
): number {
  const { cell, activation, layers } = model.config;
  const weights = (name: string): number[][] => {
    const { rows, columns, offset } = model.layout.entries.find((entry) => entry.name === name)!;
    return Array.from({ length: rows }, (_, r) => [
      ...flat.subarray(offset + r * columns, offset + (r + 1) * columns),
    ]);
  };
  const affine = (name: string, bias: string, x: readonly number[]): number[] =>
    weights(name).map((row, i) => row.reduce((sum, w, j) => sum + w * x[j]!, weights(bias)[0]![i]!));
  const f = activationOf(activation);
  const h = Array.from({ length: layers }, () => Array<number>(H).fill(0));
  const c = Array.from({ length: layers }, () => Array<number>(H).fill(0));
  for (let t = 0; t + 1 < ids.length; t++) {
    let x = weights('embedding.weight')[ids[t]!]!;
    for (let l = 0; l < layers; l++) {
      const a = affine(`rnn.weight_ih_l${l}`, `rnn.bias_ih_l${l}`, x);
      const b = affine(`rnn.weight_hh_l${l}`, `rnn.bias_hh_l${l}`, h[l]!);
      const both = (gate: number, i: number): number => a[gate * H + i]! + b[gate * H + i]!;
      h[l] = h[l]!.map((before, i) => {
        if (cell === 'rnn') return f(both(0, i));
        if (cell === 'gru') {
          const z = sigmoid(both(1, i));
          return (1 - z) * Math.tanh(a[2 * H + i]! + sigmoid(both(0, i)) * b[2 * H + i]!) + z * before;
        }
        c[l]![i] = sigmoid(both(1, i)) * c[l]![i]! + sigmoid(both(0, i)) * Math.tanh(both(2, i));
        return sigmoid(both(3, i)) * Math.tanh(c[l]![i]!);
      });
      if (nudge.layer === l && nudge.step === t) h[l]![nudge.unit]! += nudge.by;
      x = h[l]!;
    }
  }
  const logits = affine('head.weight', 'head.bias', h.at(-1)!);
  return Math.log(logits.reduce((sum, y) => sum + Math.exp(y), 0)) - logits[ids.at(-1)!]!;
}

describe('the norms of the gradients', () => {
  for (const cell of CELLS) {
    for (const layers of [1, 2]) {
      it(`are those of differences: ${cell.cell} (${cell.activation}), ${layers} layers`, async () => {
        const model = new LanguageModel(configOf(cell, { layers }));
        const weights = drawn(model, 0.8);
        const engine = new ReferenceEngine();
        engine.write(model.parameters, weights);
        const ids = textOf(LAGS + 4);
        const steps = ids.length - 1;
        const flow = await new GradientFlowMeter(engine, model, IdSequence.of(ids), {
          lags: LAGS,
          windows: 9,
        }).measure();
        assert.deepEqual([flow.windows, flow.lags, flow.layers.length], [1, LAGS, layers]);
        for (const [layer, { median }] of flow.layers.entries()) {
          const norms = Array.from({ length: LAGS }, (_, k) => {
            const at = (unit: number, by: number) =>
              lossOf(model, weights, ids, { layer, step: steps - 1 - k, unit, by });
            return Math.hypot(
              ...Array.from({ length: H }, (_, unit) => (at(unit, 1e-5) - at(unit, -1e-5)) / 2e-5),
            );
          });
          for (let k = 0; k < LAGS; k++) {
            const expected = norms[k]! / norms[0]!;
            assert.ok(expected > 1e-4, 'it says something');
            assert.ok(Math.abs(median[k]! / expected - 1) < 1e-6, `k = ${k}: ${median[k]}, ${expected}`);
          }
        }
      });
    }
  }

  it('are powers of the gain where the network is linear', async () => {
    // ReLU with all preactivations above 0 is the identity, and orthogonal matrices keep norms.
    const model = new LanguageModel(configOf(CELLS[1], { embedding: 0 }));
    const engine = new ReferenceEngine();
    const weights = new Float32Array(model.layout.length);
    const entry = (name: string) => model.layout.entries.find((found) => found.name === name)!;
    const permutation = [3, 0, 4, 2, 1];
    for (const [i, j] of permutation.entries()) weights[entry('rnn.weight_hh_l0').offset + i * H + j] = 1;
    weights.fill(1, entry('rnn.bias_ih_l0').offset, entry('rnn.bias_ih_l0').offset + H);
    for (let i = 0; i < V * H; i++) weights[entry('head.weight').offset + i] = Math.sin(i);
    for (const gain of [0.5, 1, 1.25]) {
      engine.write(model.parameters, withGain(weights, model.layout, gain));
      const { layers } = await new GradientFlowMeter(engine, model, IdSequence.of(textOf(300)), {
        lags: 30,
        windows: 20,
      }).measure();
      for (const [k, norm] of layers[0]!.median.entries()) {
        assert.ok(Math.abs(norm / gain ** k - 1) < 1e-9, `gain ${gain}, k = ${k}: ${norm}`);
      }
      assert.deepEqual(layers[0]!.median.length, 30);
    }
  });

  it('do not depend on how many windows are read side by side', async () => {
    const model = new LanguageModel(configOf(CELLS[3]));
    const engine = new ReferenceEngine();
    engine.write(model.parameters, drawn(model, 1));
    const text = IdSequence.of(textOf(400));
    const measured = async (windows: number) =>
      new GradientFlowMeter(engine, model, text, { lags: 10, windows }).measure();
    // 11 windows are a batch of 8 and one of 3; their starts, and those of a single window, are known.
    const { starts } = cutWindows(400, { lags: 10, windows: 11 });
    const all = await measured(11);
    const single: number[] = [];
    for (const start of starts) {
      const part = textOf(400).subarray(start, start + 61);
      const flow = await new GradientFlowMeter(engine, model, IdSequence.of(part), {
        lags: 10,
        windows: 1,
      }).measure();
      single.push(flow.layers[0]!.median[9]!);
    }
    single.sort((a, b) => a - b);
    assert.ok(Math.abs(all.layers[0]!.median[9]! - single[5]!) < 1e-12);
    assert.ok(all.layers[0]!.lower[9]! < all.layers[0]!.upper[9]!);
  });
});

describe('the windows', () => {
  it('are spread over the whole text, each with room for its target', () => {
    const { steps, lags, starts } = cutWindows(1000, { lags: 100, windows: 5 });
    assert.deepEqual([steps, lags, starts], [150, 100, [0, 212, 425, 637, 849]]);
    assert.equal(starts.at(-1)! + steps + 1, 1000);
  });

  it('are fewer and shorter where the text is short', () => {
    assert.deepEqual(cutWindows(2, { lags: 100, windows: 5 }), { steps: 1, lags: 1, starts: [0] });
    assert.deepEqual(cutWindows(12, { lags: 100, windows: 5 }), { steps: 11, lags: 11, starts: [0] });
    assert.deepEqual(cutWindows(64, { lags: 10, windows: 99 }), {
      steps: 60,
      lags: 10,
      starts: [0, 1, 2, 3],
    });
    assert.throws(() => cutWindows(1, { lags: 1, windows: 1 }), RangeError);
  });
});

describe('the lag of a factor', () => {
  it('is the first one at which the norm is there', () => {
    const norms = [1, 0.6, 0.4, 0.6, 3, Number.NaN];
    assert.deepEqual(
      [0.5, 0.1, 2, 3].map((factor) => lagOf(factor, norms)),
      [2, undefined, 4, 4],
    );
  });
});

describe('a comparison', () => {
  it('has every cell with every gain, and of new networks the top layer', async () => {
    const engines: ReferenceEngine[] = [];
    const open = async () => {
      engines.push(new ReferenceEngine());
      return engines.at(-1)!;
    };
    const networks = [];
    const options = { gains: [0.5, 2], seed: 1, lags: 20, windows: 3, signal: new AbortController().signal };
    for await (const network of compareCells(
      open,
      configOf(CELLS[3], { layers: 2 }),
      IdSequence.of(textOf(200)),
      options,
    )) {
      networks.push(network);
    }
    networks.push({ ...networks.at(-1)!, gain: undefined });
    const panels = panelsOf(networks);
    assert.deepEqual(
      panels.map(({ name, curves }) => [name, curves.map(({ label }) => label).join('; ')]),
      [
        ['textbook RNN, tanh', 'gain 0.5; gain 2'],
        ['textbook RNN, ReLU', 'gain 0.5; gain 2'],
        ['LSTM', 'gain 0.5; gain 2'],
        ['GRU', 'gain 0.5; gain 2; trained, layer 1; trained, layer 2'],
      ],
    );
    // Small recurrent weights make the gradient vanish, in the textbook RNN at least as fast as they are small.
    const [vanishing, larger] = panels[0]!.curves;
    assert.ok(lagsOfFactors(vanishing!)[2]! <= 10);
    assert.ok(larger!.norms.median[19]! > vanishing!.norms.median[19]!);
  });

  it('ends when it is interrupted', async () => {
    const controller = new AbortController();
    const options = { gains: [1], seed: 1, lags: 5, windows: 9, signal: controller.signal };
    const networks = compareCells(
      async () => new ReferenceEngine(),
      configOf(CELLS[0]),
      IdSequence.of(textOf(200)),
      options,
    );
    await networks.next();
    controller.abort();
    await assert.rejects(networks.next(), { name: 'AbortError' });
  });
});
