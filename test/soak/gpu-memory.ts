/**
 * Does training on the GPU hold on to memory? 10,000 steps of a small model on `gpu.js:webgpu`, with the reads
 * that the trainer does; prints resident memory and live GPU buffers every 1,000 steps, and fails if the memory at the
 * end is not within 10% of that at step 1,000, or the number of buffers changes:
 * `node --import tsx test/soak/gpu-memory.ts [STEPS]`.
 */
import { acquireDevice } from '../../src/engine/gpu/adapter.ts';
import { GpuEngine } from '../../src/engine/gpu/gpu-engine.ts';
import { initialWeights } from '../../src/model/initial-weights.ts';
import { LanguageModel } from '../../src/model/language-model.ts';
import { Random } from '../../src/random.ts';
import { Optimizer } from '../../src/training/optimizer.ts';
import { PRESETS } from '../../src/training/presets.ts';
import { HISTORY_ROWS, recordTrainingStep } from '../../src/training/step.ts';

const steps = Number(process.argv[2] ?? 10_000);
const tick = steps / 10;
const [T, B, V] = [8, 4, 20];

// The engine shares this device.
const { device, release } = await acquireDevice();
let buffers = 0;
const createBuffer = device.createBuffer.bind(device);
device.createBuffer = (descriptor) => {
  const buffer = createBuffer(descriptor);
  const destroy = buffer.destroy.bind(buffer);
  buffers++;
  buffer.destroy = () => {
    buffers--;
    return destroy();
  };
  return buffer;
};
const engine = await GpuEngine.open('webgpu');

const shape = { layers: 2, hidden: 16, embedding: 8, vocabulary: V, dropout: 0.1 };
const model = new LanguageModel({ cell: 'lstm', activation: 'tanh', ...shape });
const config = { ...PRESETS.default!.settings, sequenceLength: T, batchSize: B };
const optimizer = new Optimizer(config, model);
const step = recordTrainingStep(model, config, optimizer);
const executable = engine.prepare(step.program);
engine.write(model.parameters, await initialWeights(model.config, model.layout, new Random(1)));
engine.write(step.keep, new Array(B).fill(1));

console.log(`${engine.description.detail}: ${executable.dispatches} dispatches a step`);
const marks: { rss: number; buffers: number }[] = [];
const started = performance.now();
for (let i = 1; i <= steps; i++) {
  const ids = Int32Array.from({ length: T * B }, (_, row) => (i * 7 + row * 3) % V);
  engine.write(step.ids, ids);
  engine.write(step.targets, ids.toReversed());
  engine.write(step.dropoutSeed, [i]);
  engine.write(step.historyRow, [i % HISTORY_ROWS]);
  engine.write(optimizer.rates, optimizer.ratesAt(i, 1e-3));
  await executable.run();
  if (i % HISTORY_ROWS === 0) await engine.read(step.history);
  if (i % tick !== 0) continue;
  await engine.read(model.parameters);
  const mark = { rss: process.memoryUsage().rss, buffers };
  marks.push(mark);
  const seconds = ((performance.now() - started) / 1000).toFixed(0);
  console.log(
    `step ${i}: ${(mark.rss / 2 ** 20).toFixed(1)} MiB resident, ${mark.buffers} live buffers, ${seconds} s`,
  );
}
await engine.close();
await release();

const [first, last] = [marks[0]!, marks.at(-1)!];
const growth = last.rss / first.rss - 1;
console.log(
  `resident memory at the end against step ${tick}: ${growth < 0 ? '' : '+'}${(100 * growth).toFixed(1)}%`,
);
if (Math.abs(growth) > 0.1 || marks.some((mark) => mark.buffers !== first.buffers)) {
  console.error('memory was held on to');
  process.exitCode = 1;
}
