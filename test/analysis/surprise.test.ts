import assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';
import { surprise } from '../../src/analysis/surprise.ts';
import { ReferenceEngine } from '../../src/engine/reference/reference-engine.ts';
import { Evaluator } from '../../src/inference/evaluator.ts';
import { initialWeights } from '../../src/model/initial-weights.ts';
import { LanguageModel } from '../../src/model/language-model.ts';
import { Random } from '../../src/random.ts';
import { IdSequence } from '../../src/text/id-sequence.ts';

const V = 7;
const engine = new ReferenceEngine();
const model = new LanguageModel({
  cell: 'gru',
  activation: 'tanh',
  layers: 1,
  hidden: 5,
  embedding: 3,
  vocabulary: V,
  dropout: 0,
});
const random = new Random(5);
const ids = IdSequence.of(Uint8Array.from({ length: 300 }, () => random.integer(V)));

before(async () => {
  engine.write(model.parameters, await initialWeights(model.config, model.layout, new Random(1)));
});

describe('the surprise of a text', () => {
  it('adds up to its evaluation, to the bit, with guesses and without', async () => {
    const { crossEntropy } = await new Evaluator(engine, model).evaluate(ids);
    for (const guesses of [0, 3]) {
      let total = 0;
      let next = 1;
      for await (const { start, losses, guesses: told } of surprise(engine, model, ids, { guesses })) {
        assert.equal(start, next);
        next += losses.length;
        for (const loss of losses) total += loss;
        assert.equal(told === undefined, guesses === 0);
      }
      assert.equal(next, ids.length);
      assert.equal(total / (ids.length - 1), crossEntropy);
    }
  });

  it('tells the likeliest symbols, their probabilities and the place of the one that came', async () => {
    const softmax: number[][] = [];
    for await (const { count, logits } of new Evaluator(engine, model, { logits: true }).windows(ids)) {
      for (let i = 0; i < count; i++) {
        const exp = Array.from(logits!.subarray(i * V, (i + 1) * V), Math.exp);
        const sum = exp.reduce((a, b) => a + b, 0);
        softmax.push(exp.map((value) => value / sum));
      }
    }
    const symbols = new Int32Array(ids.length);
    ids.read(0, symbols);
    for (const asked of [3, 100]) {
      for await (const { start, losses, guesses } of surprise(engine, model, ids, { guesses: asked })) {
        assert.equal(guesses!.each, Math.min(asked, V));
        assert.equal(guesses!.probabilities.length, losses.length * guesses!.each);
        for (let i = 0; i < losses.length; i++) {
          const p = softmax[start - 1 + i]!;
          const order = p.map((_, id) => id).sort((a, b) => p[b]! - p[a]! || a - b);
          const own = { start: i * guesses!.each, end: (i + 1) * guesses!.each };
          assert.deepEqual([...guesses!.ids.subarray(own.start, own.end)], order.slice(0, guesses!.each));
          guesses!.probabilities.subarray(own.start, own.end).forEach((probability, k) => {
            assert.ok(Math.abs(probability - p[order[k]!]!) < 1e-6);
          });
          assert.equal(guesses!.ranks[i], order.indexOf(symbols[start + i]!) + 1);
        }
      }
    }
  });

  it('knows equally likely symbols by their order', async () => {
    const even = new ReferenceEngine();
    even.write(model.parameters, new Float32Array(model.parameters.length));
    for await (const { guesses } of surprise(even, model, IdSequence.of(Uint8Array.of(0, 4)), {
      guesses: 3,
    })) {
      assert.deepEqual([...guesses!.ids], [0, 1, 2]);
      assert.deepEqual([...guesses!.ranks], [5]);
    }
  });
});
