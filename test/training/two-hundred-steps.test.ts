/** Training on the GPU goes the way it goes on the processor: the same text, seeds and masks, step for step. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { it } from 'node:test';
import type { Engine } from '../../src/engine/engine.ts';
import { CELLS, type CellName } from '../../src/model/config.ts';
import { initialWeights } from '../../src/model/initial-weights.ts';
import { LanguageModel } from '../../src/model/language-model.ts';
import { Random } from '../../src/random.ts';
import { Optimizer } from '../../src/training/optimizer.ts';
import { PRESETS } from '../../src/training/presets.ts';
import { HISTORY_ROWS, recordTrainingStep } from '../../src/training/step.ts';
import { withEngine } from '../engines.ts';

// So long a training is faster with optimized shaders, where lavapipe is the GPU: see the Makefile.
delete process.env.GALLIVM_PERF;

const STEPS = 200;
const [T, B, H, E] = [20, 6, 32, 16];
const config = { ...PRESETS.default!.settings, sequenceLength: T, batchSize: B };

const text = readFileSync(new URL('../../corpora/lighthouse.txt', import.meta.url), 'utf8').slice(0, 40_000);
const symbols = [...new Set(text)].sort();
const ids = Int32Array.from(text, (symbol) => symbols.indexOf(symbol));

/** The losses of all steps; B streams walk through the text side by side. */
async function losses(engine: Engine, cell: CellName): Promise<number[]> {
  const shape = { layers: 2, hidden: H, embedding: E, vocabulary: symbols.length, dropout: 0.2 };
  const model = new LanguageModel({ cell, activation: 'tanh', ...shape });
  const optimizer = new Optimizer(config, model);
  const step = recordTrainingStep(model, config, optimizer);
  const executable = engine.prepare(step.program);
  engine.write(model.parameters, await initialWeights(model.config, model.layout, new Random(1)));
  engine.write(step.keep, new Array(B).fill(1));
  const stream = Math.floor((ids.length - 1) / B);
  const batch = (start: number): Int32Array =>
    Int32Array.from({ length: T * B }, (_, row) => ids[(row % B) * stream + start + Math.floor(row / B)]!);
  const all: number[] = [];
  for (let i = 0; i < STEPS; i++) {
    engine.write(step.ids, batch(i * T));
    engine.write(step.targets, batch(i * T + 1));
    engine.write(step.dropoutSeed, [(i * 7919 + 13) % 2 ** 24]);
    engine.write(step.historyRow, [i % HISTORY_ROWS]);
    engine.write(optimizer.rates, optimizer.ratesAt(i + 1, config.learningRate));
    await executable.run();
    if ((i + 1) % HISTORY_ROWS !== 0 && i + 1 < STEPS) continue;
    const history = await engine.read(step.history);
    for (let row = 0; row <= i % HISTORY_ROWS; row++) all.push(history[2 * row]!);
  }
  return all;
}

for (const cell of CELLS) {
  it(`${STEPS} steps of a 2-layer ${cell} with dropout on gpu.js:webgpu follow simd within 0.001`, async (t) => {
    await withEngine(t, 'gpu.js:webgpu', async (gpu) => {
      await withEngine(t, 'simd', async (simd) => {
        const [actual, expected] = [await losses(gpu, cell), await losses(simd, cell)];
        assert.equal(expected.length, STEPS);
        assert.ok(expected.at(-1)! < expected[0]! - 0.5, 'the model learns');
        const gaps = actual.map((loss, i) => Math.abs(loss - expected[i]!));
        const largest = Math.max(...gaps);
        t.diagnostic(`largest gap ${largest.toExponential(1)}, at step ${gaps.indexOf(largest) + 1}`);
        assert.ok(largest <= 1e-3, `at step ${gaps.indexOf(largest) + 1} the losses differ by ${largest}`);
      });
    });
  });
}
