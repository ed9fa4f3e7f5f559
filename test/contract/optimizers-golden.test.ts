/** The optimizer operations against PyTorch's optimizers over six steps (test/golden). */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { describe, it } from 'node:test';
import { declare } from '../../src/engine/engine.ts';
import { Recorder } from '../../src/engine/recorder.ts';
import { ENGINES, perEngine, withEngine } from '../engines.ts';

interface Settings {
  readonly learningRate: number;
  readonly weightDecay: number;
  readonly clipNorm: number;
}
interface AdamSettings extends Settings {
  readonly beta1: number;
  readonly beta2: number;
  readonly epsilon: number;
}
type Case = { readonly parameters: readonly (readonly number[])[] } & (
  | { readonly optimizer: 'adam' | 'adamw'; readonly settings: AdamSettings }
  | { readonly optimizer: 'rmsprop'; readonly settings: Settings & { alpha: number; epsilon: number } }
  | { readonly optimizer: 'sgd'; readonly settings: Settings & { momentum: number } }
);
interface Goldens {
  readonly initial: readonly number[];
  readonly gradients: readonly (readonly number[])[];
  readonly gradientNorms: readonly number[];
  readonly cases: readonly Case[];
}

/** Of |actual − expected| / max(1, |expected|): the parameters are near 1. */
const TOLERANCES = perEngine(1e-8, 1e-5, 1e-5);

const file = new URL('../golden/optimizers.json', import.meta.url);
const { initial, gradients, gradientNorms, cases } = JSON.parse(await readFile(file, 'utf8')) as Goldens;

/** The norm of the gradient and one update, over declared tensors. */
function recordUpdate({ optimizer, settings }: Case) {
  const flat = (name: string) => declare(name, 'state', 1, initial.length);
  const parameters = declare('parameters', 'parameter', 1, initial.length);
  const gradient = declare('gradient', 'input', 1, initial.length);
  const norm = declare('norm', 'state', 1, 1);
  const rates = declare('rates', 'input', 1, 3);
  const { clipNorm, weightDecay } = settings;
  const shared = { parameters, gradient, norm, clipNorm, rates, weightDecay };

  const recorder = new Recorder(optimizer);
  recorder.add('norm', { out: norm, input: gradient });
  switch (optimizer) {
    case 'adam':
    case 'adamw': {
      const moments = { firstMoment: flat('firstMoment'), secondMoment: flat('secondMoment') };
      const { beta1, beta2, epsilon } = settings;
      const decoupled = optimizer === 'adamw';
      recorder.add('adam', { ...shared, ...moments, beta1, beta2, epsilon, decoupled });
      break;
    }
    case 'rmsprop': {
      const { alpha, epsilon } = settings;
      recorder.add('rmsprop', { ...shared, secondMoment: flat('secondMoment'), alpha, epsilon });
      break;
    }
    case 'sgd':
      recorder.add('sgd', { ...shared, velocity: flat('velocity'), momentum: settings.momentum });
  }
  return { program: recorder.finish(), parameters, gradient, norm, rates };
}

for (const name of ENGINES) {
  describe(`the optimizers on ${name} agree with PyTorch`, () => {
    for (const golden of cases) {
      const { optimizer, settings } = golden;
      it(`${optimizer}, weight decay ${settings.weightDecay}, clip norm ${settings.clipNorm}`, (t) =>
        withEngine(t, name, async (engine) => {
          const { program, parameters, gradient, norm, rates } = recordUpdate(golden);
          const executable = engine.prepare(program);
          engine.write(parameters, initial);
          const beta1 = 'beta1' in settings ? settings.beta1 : 0;
          const beta2 = 'beta2' in settings ? settings.beta2 : 0;
          let worst = 0;
          const check = (actual: ArrayLike<number>, expected: readonly number[], what: string) => {
            expected.forEach((value, i) => {
              const error = Math.abs(actual[i]! - value) / Math.max(1, Math.abs(value));
              assert.ok(error <= TOLERANCES[name], `${what}[${i}] is ${actual[i]}, must be ${value}`);
              worst = Math.max(worst, error);
            });
          };
          for (const [i, values] of gradients.entries()) {
            engine.write(gradient, values);
            engine.write(rates, [settings.learningRate, 1 - beta1 ** (i + 1), 1 - beta2 ** (i + 1)]);
            await executable.run();
            check(await engine.read(norm), [gradientNorms[i]!], `step ${i + 1}: norm`);
            check(await engine.read(parameters), golden.parameters[i]!, `step ${i + 1}: parameters`);
          }
          t.diagnostic(`worst error ${worst.toExponential(1)}`);
        }));
    }

    for (const golden of cases.filter(({ settings }) => settings.weightDecay > 0)) {
      it(`when the gradient is not finite then ${golden.optimizer} changes nothing`, (t) =>
        withEngine(t, name, async (engine) => {
          const { program, parameters, gradient, rates } = recordUpdate(golden);
          const executable = engine.prepare(program);
          engine.write(rates, [golden.settings.learningRate, 0.1, 0.001]);
          engine.write(parameters, initial);
          for (const bad of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) {
            engine.write(gradient, gradients[0]!.with(3, bad));
            await executable.run();
            assert.deepEqual([...(await engine.read(parameters))], initial, `${bad}`);
          }
          // The moments have not seen them either: the next update is a first one.
          engine.write(gradient, gradients[0]!);
          const beta1 = 'beta1' in golden.settings ? golden.settings.beta1 : 0;
          const beta2 = 'beta2' in golden.settings ? golden.settings.beta2 : 0;
          engine.write(rates, [golden.settings.learningRate, 1 - beta1, 1 - beta2]);
          await executable.run();
          for (const [i, value] of (await engine.read(parameters)).entries()) {
            assert.ok(Math.abs(value - golden.parameters[0]![i]!) <= TOLERANCES[name]);
          }
        }));
    }
  });
}
