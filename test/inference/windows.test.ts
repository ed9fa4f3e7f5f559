/** What the evaluator tells of every symbol, on every engine against the reference. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Engine } from '../../src/engine/engine.ts';
import { ReferenceEngine } from '../../src/engine/reference/reference-engine.ts';
import { Evaluator, evaluationOf, type Observation, type Window } from '../../src/inference/evaluator.ts';
import { CELLS, type CellName } from '../../src/model/config.ts';
import { initialWeights } from '../../src/model/initial-weights.ts';
import { LanguageModel } from '../../src/model/language-model.ts';
import { Random } from '../../src/random.ts';
import { IdSequence } from '../../src/text/id-sequence.ts';
import { ENGINES, withEngine } from '../engines.ts';

const V = 7;
const H = 6;

const text = (length: number): IdSequence => {
  const random = new Random(5);
  return IdSequence.of(Uint8Array.from({ length }, () => random.integer(V)));
};

async function windowsOf(
  engine: Engine,
  cell: CellName,
  length: number,
  observe: Observation,
): Promise<Window[]> {
  const shape = {
    activation: 'tanh',
    layers: 2,
    hidden: H,
    embedding: 3,
    vocabulary: V,
    dropout: 0,
  } as const;
  const model = new LanguageModel({ cell, ...shape });
  engine.write(model.parameters, await initialWeights(model.config, model.layout, new Random(1)));
  const windows: Window[] = [];
  for await (const window of new Evaluator(engine, model, observe).windows(text(length)))
    windows.push(window);
  return windows;
}

const everything = { logits: true, layers: true };

/** All that a window tells, in a row. */
function numbers({ losses, logits, layers }: Window): number[] {
  return [losses, logits!, ...layers!.flatMap(({ states, gates }) => [...states, gates])].flatMap(
    (values) => [...values],
  );
}

describe('the windows of an evaluation', () => {
  for (const name of ENGINES.filter((name) => name !== 'reference')) {
    for (const cell of CELLS) {
      it(`${name}: losses, logits, states and gates of a ${cell} are the reference's`, async (t) => {
        await withEngine(t, name, async (engine) => {
          const found = await windowsOf(engine, cell, 300, everything);
          const expected = await windowsOf(new ReferenceEngine(), cell, 300, everything);
          assert.deepEqual(
            found.map(({ start, count }) => [start, count]),
            [
              [0, 256],
              [256, 43],
            ],
          );
          found.forEach((window, i) => {
            const want = numbers(expected[i]!);
            const have = numbers(window);
            assert.equal(have.length, want.length);
            have.forEach((value, j) => {
              assert.ok(Math.abs(value - want[j]!) < 1e-4, `${value} instead of ${want[j]}`);
            });
          });
        });
      });
    }
  }

  it('gates are activated, and the states follow from them', async () => {
    const [window] = await windowsOf(new ReferenceEngine(), 'lstm', 9, everything);
    const { states, gates } = window!.layers![1]!;
    const [hidden, cell] = states as [Float64Array, Float64Array];
    assert.equal(hidden.length, 8 * H);
    for (let t = 1; t < 8; t++) {
      for (let j = 0; j < H; j++) {
        const gate = (g: number): number => gates[t * 4 * H + g * H + j]!;
        const c = gate(1) * cell[(t - 1) * H + j]! + gate(0) * gate(2);
        assert.ok(Math.abs(c - cell[t * H + j]!) < 1e-6);
        assert.ok(Math.abs(gate(3) * Math.tanh(c) - hidden[t * H + j]!) < 1e-6);
      }
    }
  });

  it('losses are those of the softmax of the logits', async () => {
    const [window] = await windowsOf(new ReferenceEngine(), 'gru', 40, everything);
    const ids = new Int32Array(40);
    text(40).read(0, ids);
    for (let i = 0; i < 39; i++) {
      const logits = [...window!.logits!.subarray(i * V, (i + 1) * V)];
      const total = logits.reduce((sum, logit) => sum + Math.exp(logit), 0);
      assert.ok(Math.abs(Math.log(total) - logits[ids[i + 1]!]! - window!.losses[i]!) < 1e-6);
    }
  });

  it('what is observed changes no bit of the losses, and their sum is the evaluation', async (t) => {
    await withEngine(t, 'simd', async (engine) => {
      const plain = await windowsOf(engine, 'gru', 700, {});
      const observed = await windowsOf(engine, 'gru', 700, everything);
      assert.deepEqual(
        observed.map(({ losses }) => losses),
        plain.map(({ losses }) => losses),
      );
      assert.equal(plain[0]!.logits, undefined);
      assert.equal(plain[0]!.layers, undefined);
    });
  });

  it('an evaluation is the mean of its losses in other units', () => {
    const { crossEntropy, bitsPerCharacter, perplexity } = evaluationOf(4 * Math.log(8), 4);
    assert.ok(Math.abs(crossEntropy - Math.log(8)) < 1e-12);
    assert.ok(Math.abs(bitsPerCharacter - 3) < 1e-12);
    assert.ok(Math.abs(perplexity - 8) < 1e-12);
  });
});
