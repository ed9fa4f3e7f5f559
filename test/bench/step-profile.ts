/**
 * Where the time of a training step goes: `node --import tsx test/bench/step-profile.ts [W1,W2,...]` samples the simd engine
 * on one thread while it trains on workloads of the race, and adds up the samples by kernel. The kernels have their names
 * in kernels.wasm (`debug` in asconfig.json, which leaves the code as it is).
 */
import { Session } from 'node:inspector/promises';
import { syntheticWeights } from '../../src/bench/synthetic.ts';
import { TrainingWork } from '../../src/bench/training-work.ts';
import { openSimd } from '../../src/engine/simd/open-simd.ts';
import { LanguageModel } from '../../src/model/language-model.ts';
import { checkTrainingConfig } from '../../src/training/config.ts';
import { PRESETS } from '../../src/training/presets.ts';
import { type Training, WORKLOADS } from './race/workloads.ts';

const SECONDS = 5;
const SAMPLE_MICROSECONDS = 500;

/** What the functions of the kernels are for; one that is inlined counts where it is. */
const PARTS: Record<string, RegExp> = {
  'products: tiles and inner loop': /matmul\/panelProduct$/,
  'leftover rows': /row-product\//,
  'packing, and walking the panels': /pack\/|matmul\/matmul$|walk\/product/,
  'cells, exp and tanh': /cells\/|math\//,
  loss: /loss\//,
  'optimizer, norm': /optimizer\/|data\//,
  'gathers, sums, copies, the walker': /gather\/|walk\/|dropout\/|threads\//,
};
const REST = 'JavaScript';

const names = (process.argv[2] ?? 'W1,W2,W3,W4,W5').split(',');
const columns: Map<string, number>[] = [];
for (const name of names) columns.push(await profile(WORKLOADS[name] as Training));
console.log(`| share of the time | ${names.join(' | ')} |`);
console.log(`| --- |${' --- |'.repeat(names.length)}`);
for (const part of [...Object.keys(PARTS), REST]) {
  const cells = columns.map((shares) => `${(100 * (shares.get(part) ?? 0)).toFixed(1)}%`);
  console.log(`| ${part} | ${cells.join(' | ')} |`);
}

/** The share of each part in the samples. */
async function profile(training: Training): Promise<Map<string, number>> {
  const engine = await openSimd({ threads: 1 });
  const { cell, layers, hidden, vocabulary, batchSize, sequenceLength } = training;
  const network = { cell, layers, hidden, vocabulary, activation: 'tanh', embedding: 0, dropout: 0 } as const;
  const model = new LanguageModel(network);
  engine.write(model.parameters, syntheticWeights(model));
  const own = { batchSize, sequenceLength, optimizer: 'adam', clipNorm: 5, weightDecay: 0 };
  const origin = { code: 'USAGE', field: String } as const;
  const config = checkTrainingConfig({ ...PRESETS.default!.settings, ...own }, origin);
  const work = new TrainingWork(engine, model, config);
  await work.run();

  const session = new Session();
  session.connect();
  await session.post('Profiler.enable');
  await session.post('Profiler.setSamplingInterval', { interval: SAMPLE_MICROSECONDS });
  await session.post('Profiler.start');
  const end = performance.now() + 1000 * SECONDS;
  while (performance.now() < end) await work.run();
  const { profile } = await session.post('Profiler.stop');
  session.disconnect();
  await engine.close();

  const shares = new Map<string, number>();
  const total = profile.nodes.reduce((sum, { hitCount = 0 }) => sum + hitCount, 0);
  for (const { callFrame, hitCount = 0 } of profile.nodes) {
    const part = Object.entries(PARTS).find(([, names]) => names.test(callFrame.functionName))?.[0] ?? REST;
    shares.set(part, (shares.get(part) ?? 0) + hitCount / total);
  }
  return shares;
}
