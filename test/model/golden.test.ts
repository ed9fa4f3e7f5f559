/** The whole model, forward and backward, against PyTorch (test/golden). */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { describe, it } from 'node:test';
import type { ModelConfig } from '../../src/model/config.ts';
import { LanguageModel } from '../../src/model/language-model.ts';
import { ENGINES, perEngine, withEngine } from '../engines.ts';
import { assertClose, batchProgram, declareBatch } from './batch.ts';

interface Golden {
  readonly shape: readonly number[];
  /** Flat, row-major. */
  readonly data: readonly number[];
}

interface GoldenLoss {
  readonly loss: number;
  readonly perPosition: Golden;
  readonly gradients: Record<string, Golden>;
}

interface Case {
  readonly name: string;
  readonly config: Omit<ModelConfig, 'dropout'>;
  readonly inputs: Golden;
  readonly targets: Golden;
  readonly weights: Record<string, Golden>;
  readonly initial: Record<string, Golden>;
  readonly logits: Golden;
  readonly final: Record<string, Golden>;
  readonly crossEntropy: GoldenLoss;
  readonly squaredError: GoldenLoss;
}

/** ‖actual − expected‖ / ‖expected‖ of every tensor. float64 is limited by the nine digits of the file. */
const TOLERANCES = perEngine(1e-8, 1e-5, 1e-5);

const file = new URL('../golden/cells.json', import.meta.url);
const { cases } = JSON.parse(await readFile(file, 'utf8')) as { cases: Case[] };

for (const name of ENGINES) {
  const tolerance = TOLERANCES[name];

  describe(`the model on ${name} agrees with PyTorch`, () => {
    for (const golden of cases) {
      it(golden.name, (t) =>
        withEngine(t, name, async (engine) => {
          const [T, B] = golden.inputs.shape as [number, number];
          const model = new LanguageModel({ ...golden.config, dropout: 0 });
          const { entries } = model.layout;
          const batch = declareBatch(model, T, B);
          const stateNames = golden.config.cell === 'lstm' ? ['h', 'c'] : ['h'];
          const layerOf = (all: Golden, l: number) => {
            const size = B * golden.config.hidden;
            return all.data.slice(l * size, (l + 1) * size);
          };
          let worst = 0;
          const check = async (matrix: Parameters<typeof engine.read>[0], expected: readonly number[]) => {
            const what = matrix.tensor.name;
            worst = Math.max(worst, assertClose(await engine.read(matrix), expected, tolerance, what));
          };

          assert.deepEqual(entries.map((entry) => entry.name).sort(), Object.keys(golden.weights).sort());
          for (const { name } of entries) engine.write(model.weights(name), golden.weights[name]!.data);
          engine.write(batch.ids, golden.inputs.data);
          engine.write(batch.targets, golden.targets.data);

          for (const [loss, expected] of [
            ['cross-entropy', golden.crossEntropy],
            ['mse', golden.squaredError],
          ] as const) {
            batch.state.forEach((layer, l) => {
              layer.forEach((matrix, s) => {
                engine.write(matrix, layerOf(golden.initial[`${stateNames[s]}0`]!, l));
              });
            });
            await engine.prepare(batchProgram(model, batch, { loss, scale: 1 / (T * B) })).run();

            await check(batch.logits, golden.logits.data);
            await check(batch.losses, expected.perPosition.data);
            await check(batch.loss, [expected.loss]);
            for (const [l, layer] of batch.state.entries()) {
              for (const [s, matrix] of layer.entries()) {
                await check(matrix, layerOf(golden.final[stateNames[s]!]!, l));
                const gradient = expected.gradients[`${stateNames[s]}0`]!;
                await check(batch.stateGradients[l]![s]!, layerOf(gradient, l));
              }
            }
            const gradients = model.layout.views(batch.gradients);
            for (const { name } of entries) await check(gradients(name), expected.gradients[name]!.data);
          }
          t.diagnostic(`worst relative error ${worst.toExponential(1)}`);
        }),
      );
    }
  });
}
