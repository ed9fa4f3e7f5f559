/** How often gates are nearly shut or nearly open: counted by hand, and of networks whose gates are known by name. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { GateCounts } from '../../src/analysis/gates.ts';
import { ReferenceEngine } from '../../src/engine/reference/reference-engine.ts';
import { Evaluator } from '../../src/inference/evaluator.ts';
import { LanguageModel } from '../../src/model/language-model.ts';
import { IdSequence } from '../../src/text/id-sequence.ts';

const H = 2;

describe('the saturation of gates', () => {
  it('is the fraction of symbols at which a gate is below 0.1 or above 0.9, over all that was read', () => {
    const counts = new GateCounts('gru', 1, H);
    // Of each symbol: reset, update, candidate, two cells each.
    const add = (...rows: number[][]) => counts.add([rows.flat()], rows.length);
    add([0.05, 0.5, 0.95, 0.1, 0.01, 0.99], [0.09, 0.91, 0.5, 0.9, 0.01, 0.99]);
    add([0.5, 0.95, 0.99, 0.05, 0.5, 0.5], [0.5, 0.95, 0.02, 0.5, 0.5, 0.5]);
    assert.deepEqual(counts.fractions(), [
      { layer: 0, gate: 'update', left: [0.25, 0.25], right: [0.5, 0] },
      { layer: 0, gate: 'reset', left: [0.5, 0], right: [0, 0.75] },
    ]);
  });

  // The blocks of PyTorch's biases, in its order.
  for (const [cell, blocks] of [
    ['lstm', ['input', 'forget', 'candidate', 'output']],
    ['gru', ['reset', 'update', 'candidate']],
  ] as const) {
    for (const [place, name] of blocks.entries()) {
      if (name === 'candidate') continue;
      it(`of a ${cell} is that of the ${name} gate where its bias alone is large`, async () => {
        const engine = new ReferenceEngine();
        const shape = { activation: 'tanh', layers: 1, hidden: H, embedding: 3, dropout: 0 } as const;
        const model = new LanguageModel({ ...shape, cell, vocabulary: 4 });
        engine.write(model.parameters, new Float64Array(model.layout.length));
        const bias = new Float64Array(blocks.length * H);
        bias.set([9, -9], place * H);
        engine.write(model.weights('rnn.bias_ih_l0'), bias);
        const counts = new GateCounts(cell, 1, H);
        const text = IdSequence.of(Uint8Array.from({ length: 20 }, (_, i) => i % 4));
        for await (const { count, layers } of new Evaluator(engine, model, { layers: true }).windows(text)) {
          counts.add(
            layers!.map(({ gates }) => gates),
            count,
          );
        }
        for (const { gate, left, right } of counts.fractions()) {
          const expected: number[] = gate === name ? [0, 1, 1, 0] : [0, 0, 0, 0];
          assert.deepEqual([...left, ...right], expected, gate);
        }
      });
    }
  }
});
