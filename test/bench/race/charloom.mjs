/**
 * charloom as a contestant: the compiled package, as it is installed, without the loader of TypeScript that a clone
 * runs its sources with. Usage: charloom.mjs ENGINE[,bf16] THREADS WORKLOAD, where the workload may be a matrix product of
 * training: `{"kind":"product","product":NUMBER, ...}`, whose amount of work is its floating-point operations.
 */
import { layerProducts, productWork } from '../../../dist/bench/products.js';
import { syntheticText, syntheticWeights } from '../../../dist/bench/synthetic.js';
import { TrainingWork } from '../../../dist/bench/training-work.js';
import { openEngine } from '../../../dist/engine/open.js';
import { Evaluator } from '../../../dist/inference/evaluator.js';
import { Sampler } from '../../../dist/inference/sampler.js';
import { LanguageModel } from '../../../dist/model/language-model.js';
import { Random } from '../../../dist/random.js';
import { checkTrainingConfig } from '../../../dist/training/config.js';
import { PRESETS } from '../../../dist/training/presets.js';
import { serve } from '../peers/serve.mjs';

const SAMPLING = { temperature: 1, topK: 0, topP: 1, minP: 0 };

const [engineAndWeights, threads, json] = process.argv.slice(2);
const workload = JSON.parse(json);
const { cell, layers, hidden, vocabulary } = workload;
const [engineName, weights] = engineAndWeights.split(',');
const engine = await openEngine(engineName, { threads: Number(threads), weights });
const model = new LanguageModel({
  cell,
  activation: 'tanh',
  layers,
  hidden,
  embedding: 0,
  vocabulary,
  dropout: 0,
});
engine.write(model.parameters, syntheticWeights(model));

function trainingUnit({ batchSize, sequenceLength }) {
  const own = { batchSize, sequenceLength, optimizer: 'adam', clipNorm: 5, weightDecay: 0 };
  const origin = { code: 'USAGE', field: String };
  const work = new TrainingWork(
    engine,
    model,
    checkTrainingConfig({ ...PRESETS.default.settings, ...own }, origin),
  );
  return () => work.run();
}

function samplingUnit({ characters, streams }) {
  const sampler = new Sampler(engine, model, vocabulary - 1, streams);
  const generators = Array.from({ length: streams }, (_, b) => new Random(b));
  const first = new Array(streams).fill(0);
  return async () => {
    sampler.reset();
    let drawn = 0;
    for await (const ids of sampler.sample(first, characters, SAMPLING, generators)) drawn += ids.length;
    return drawn;
  };
}

function evaluationUnit({ characters }) {
  const evaluator = new Evaluator(engine, model);
  const text = syntheticText(vocabulary, characters + 1);
  return async () => (await evaluator.evaluate(text)).predictions;
}

function productUnit({ batchSize, sequenceLength, product }) {
  return productWork(engine, layerProducts(model, batchSize, sequenceLength)[product]);
}

const units = {
  training: trainingUnit,
  sampling: samplingUnit,
  evaluation: evaluationUnit,
  product: productUnit,
};
const unit = units[workload.kind](workload);
await unit(); // in the next one the engine tries how many threads to take
await serve(unit, engine.description.detail);
