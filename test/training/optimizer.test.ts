import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { declare } from '../../src/engine/engine.ts';
import { Recorder } from '../../src/engine/recorder.ts';
import { ReferenceEngine } from '../../src/engine/reference/reference-engine.ts';
import { LanguageModel } from '../../src/model/language-model.ts';
import { OPTIMIZERS } from '../../src/training/config.ts';
import { Optimizer } from '../../src/training/optimizer.ts';
import { PRESETS } from '../../src/training/presets.ts';

const model = new LanguageModel({
  cell: 'gru',
  activation: 'tanh',
  layers: 2,
  hidden: 3,
  embedding: 2,
  vocabulary: 5,
  dropout: 0,
});

describe('the optimizer', () => {
  for (const name of OPTIMIZERS) {
    it(`when the gradient is zero then matrices decay and biases stay: ${name}`, async () => {
      const engine = new ReferenceEngine();
      const config = { ...PRESETS.default!.settings, optimizer: name, weightDecay: 0.1 };
      const optimizer = new Optimizer(config, model);
      const gradient = declare('gradient', 'input', 1, model.layout.length);
      const norm = declare('norm', 'input', 1, 1);
      const recorder = new Recorder('update');
      optimizer.record(recorder, gradient, norm);
      engine.write(model.parameters, new Float64Array(model.layout.length).fill(1));
      engine.write(optimizer.rates, optimizer.ratesAt(1, 0.01));
      await engine.prepare(recorder.finish()).run();
      for (const { name } of model.layout.entries) {
        const values = await engine.read(model.weights(name));
        if (name.includes('bias'))
          assert.ok(
            values.every((value) => value === 1),
            name,
          );
        else
          assert.ok(
            values.every((value) => value > 0.9 && value < 1),
            name,
          );
      }
    });
  }

  it('remembers one flat vector for each of its moments', () => {
    const expected = {
      adam: ['firstMoment', 'secondMoment'],
      adamw: ['firstMoment', 'secondMoment'],
      rmsprop: ['secondMoment'],
      sgd: ['velocity'],
    };
    for (const name of OPTIMIZERS) {
      const { moments } = new Optimizer({ ...PRESETS.default!.settings, optimizer: name }, model);
      assert.deepEqual([...moments.keys()], expected[name]);
      for (const moment of moments.values()) assert.equal(moment.length, model.layout.length);
    }
  });

  it('gives the learning rate and the bias corrections of Adam', () => {
    const { ratesAt } = new Optimizer(PRESETS.default!.settings, model);
    const [rate, first, second] = ratesAt(3, 0.02);
    assert.equal(rate, 0.02);
    assert.ok(Math.abs(first - (1 - 0.9 ** 3)) < 1e-15 && Math.abs(second - (1 - 0.999 ** 3)) < 1e-15);
  });
});
