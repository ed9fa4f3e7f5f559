import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { declare, type Engine } from '../../src/engine/engine.ts';
import { Recorder } from '../../src/engine/recorder.ts';
import { ReferenceEngine } from '../../src/engine/reference/reference-engine.ts';
import { Evaluator } from '../../src/inference/evaluator.ts';
import { Sampler } from '../../src/inference/sampler.ts';
import { initialWeights } from '../../src/model/initial-weights.ts';
import { LanguageModel } from '../../src/model/language-model.ts';
import { recordLoss } from '../../src/model/loss.ts';
import { Random } from '../../src/random.ts';
import { IdSequence } from '../../src/text/id-sequence.ts';

const V = 7;
const UNKNOWN = 6;
const GREEDY = { temperature: 0, topK: 0, topP: 1, minP: 0 };

async function untrained(scale = 1): Promise<{ engine: Engine; model: LanguageModel }> {
  const engine = new ReferenceEngine();
  const model = new LanguageModel({
    cell: 'lstm',
    activation: 'tanh',
    layers: 2,
    hidden: 5,
    embedding: 3,
    vocabulary: V,
    dropout: 0,
  });
  const weights = await initialWeights(model.config, model.layout, new Random(1));
  engine.write(
    model.parameters,
    weights.map((weight) => scale * weight),
  );
  return { engine, model };
}

const textOf = (length: number): IdSequence => IdSequence.of(symbolsOf(length));

const symbolsOf = (length: number): Uint8Array => {
  const random = new Random(5);
  return Uint8Array.from({ length }, () => random.integer(V));
};

async function draw(sampler: Sampler, first: number, length: number, generator: Random): Promise<number[]> {
  const ids: number[] = [];
  for await (const [id] of sampler.sample([first], length, { ...GREEDY, temperature: 1 }, [generator]))
    ids.push(id!);
  return ids;
}

describe('the evaluator', () => {
  it('predicts every symbol but the first, whatever the length is to its window', async () => {
    const { engine, model } = await untrained();
    const evaluator = new Evaluator(engine, model);
    for (const length of [2, 256, 257, 258, 600]) {
      const { predictions } = await evaluator.evaluate(textOf(length));
      assert.equal(predictions, length - 1);
    }
  });

  it('carries the state over its windows: the sum is that of one symbol after the other', async () => {
    const { engine, model } = await untrained();
    const text = symbolsOf(600);
    const recorder = new Recorder('one symbol');
    const ids = declare('ids', 'input', 1, 1, 'i32');
    const targets = declare('targets', 'input', 1, 1, 'i32');
    const losses = declare('losses', 'state', 1, 1);
    const { logits } = model.recordForward(recorder, { ids, state: model.declareState(1) });
    recordLoss(recorder, 'cross-entropy', { losses, logits, targets, scale: 1 });
    const step = engine.prepare(recorder.finish());
    let total = 0;
    for (let i = 0; i + 1 < text.length; i++) {
      engine.write(ids, [text[i]!]);
      engine.write(targets, [text[i + 1]!]);
      await step.run();
      total += (await engine.read(losses))[0]!;
    }
    const { crossEntropy, predictions } = await new Evaluator(engine, model).evaluate(IdSequence.of(text));
    assert.ok(Math.abs(crossEntropy * predictions - total) < 1e-9 * total);
  });

  it('starts from the zero state every time: twice the same text, the same figures', async () => {
    const { engine, model } = await untrained();
    const evaluator = new Evaluator(engine, model);
    assert.deepEqual(await evaluator.evaluate(textOf(300)), await evaluator.evaluate(textOf(300)));
  });

  it('gives bits as nats over ln 2, and perplexity as exp of nats', async () => {
    const { engine, model } = await untrained();
    const figures = await new Evaluator(engine, model).evaluate(textOf(100));
    assert.equal(figures.bitsPerCharacter, figures.crossEntropy / Math.log(2));
    assert.equal(figures.perplexity, Math.exp(figures.crossEntropy));
  });

  it('is near ln V for an untrained model, and tells progress to the end', async () => {
    const { engine, model } = await untrained();
    const seen: number[] = [];
    const options = { onProgress: (done: number) => seen.push(done) };
    const { crossEntropy } = await new Evaluator(engine, model).evaluate(textOf(600), options);
    assert.ok(Math.abs(crossEntropy - Math.log(V)) < 0.3, `${crossEntropy}`);
    assert.deepEqual(seen, [256, 512, 599]);
  });

  it('stops when its signal is aborted, and refuses a text without predictions', async () => {
    const { engine, model } = await untrained();
    const evaluator = new Evaluator(engine, model);
    const signal = AbortSignal.abort(new Error('enough'));
    await assert.rejects(evaluator.evaluate(textOf(10), { signal }), /enough/);
    await assert.rejects(evaluator.evaluate(textOf(1)), RangeError);
  });
});

describe('the sampler', () => {
  it('draws the same symbols from the same seed, others from another', async () => {
    const { engine, model } = await untrained();
    const sampler = new Sampler(engine, model, UNKNOWN);
    const first = await draw(sampler, 0, 50, new Random(1));
    sampler.reset();
    assert.deepEqual(await draw(sampler, 0, 50, new Random(1)), first);
    sampler.reset();
    assert.notDeepEqual(await draw(sampler, 0, 50, new Random(2)), first);
  });

  it('never draws the unknown symbol', async () => {
    const { engine, model } = await untrained();
    const ids = await draw(new Sampler(engine, model, UNKNOWN), 0, 500, new Random(1));
    assert.ok(!ids.includes(UNKNOWN));
    assert.equal(new Set(ids).size, V - 1);
  });

  it('goes on from what it was fed: feeding a text equals having drawn it', async () => {
    // Weights so large that what was read decides about what comes.
    const { engine, model } = await untrained(5);
    const sampler = new Sampler(engine, model, UNKNOWN);
    const generator = new Random(1);
    const drawn = await draw(sampler, 0, 30, generator);
    const other = new Sampler(engine, model, UNKNOWN);
    const read: number[] = [];
    await other.feed([0, ...drawn.slice(0, 19)], { onProgress: (symbols) => read.push(symbols) });
    assert.deepEqual(
      read,
      Array.from({ length: 20 }, (_, i) => i + 1),
    );
    const replay = Random.fromState(new Random(1).state);
    for (let n = 0; n < 20; n++) replay.uniform();
    assert.deepEqual(await draw(other, drawn[19]!, 10, replay), drawn.slice(20));
  });

  it('draws in several streams what it draws in one', async () => {
    const { engine, model } = await untrained();
    const seeds = [3, 4, 5];
    const streams: number[][] = seeds.map(() => []);
    const sampler = new Sampler(engine, model, UNKNOWN, seeds.length);
    const options = { ...GREEDY, temperature: 1 };
    for await (const ids of sampler.sample(
      [0, 0, 0],
      20,
      options,
      seeds.map((seed) => new Random(seed)),
    )) {
      for (const [b, id] of ids.entries()) streams[b]!.push(id);
    }
    for (const [b, seed] of seeds.entries()) {
      assert.deepEqual(await draw(new Sampler(engine, model, UNKNOWN), 0, 20, new Random(seed)), streams[b]);
    }
  });
});
