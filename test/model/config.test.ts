import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { CharloomError } from '../../src/errors.ts';
import type { Origin } from '../../src/fields.ts';
import { checkModelConfig, type ModelConfig } from '../../src/model/config.ts';

const valid: ModelConfig = {
  cell: 'gru',
  activation: 'tanh',
  layers: 2,
  hidden: 64,
  embedding: 0,
  vocabulary: 90,
  dropout: 0.2,
};

const origin: Origin = { code: 'BAD_DATA', field: (name) => `model.${name}` };

const namesField = (field: string) => (error: unknown) =>
  error instanceof CharloomError &&
  error.code === 'BAD_DATA' &&
  error.message.startsWith(`model.${field} is `) &&
  error.message.includes(', must be ');

describe('checkModelConfig', () => {
  it('when all is well then it returns the fields it knows and drops the others', () => {
    assert.deepEqual(checkModelConfig({ ...valid, color: 'red' }, origin), valid);
  });

  it('accepts the least and the greatest sizes', () => {
    for (const config of [
      { ...valid, layers: 1, hidden: 1, embedding: 0, vocabulary: 2, dropout: 0 },
      { ...valid, layers: 64, hidden: 16384, embedding: 16384, vocabulary: 2_200_000, dropout: 0.999 },
    ]) {
      assert.deepEqual(checkModelConfig(config, origin), config);
    }
  });

  for (const value of [undefined, null, 7, 'lstm']) {
    it(`when it is ${JSON.stringify(value)} then it is BAD_DATA`, () => {
      assert.throws(() => checkModelConfig(value, origin), { name: 'CharloomError', code: 'BAD_DATA' });
    });
  }

  const bad: Record<keyof ModelConfig, readonly unknown[]> = {
    cell: ['LSTM', 'transformer', '', null, 0, ['lstm']],
    activation: ['sigmoid', '', null, 1],
    layers: [0, -1, 65, 1.5, '2', null, Number.NaN, [1]],
    hidden: [0, -1, 16385, 0.5, '64', null, Number.POSITIVE_INFINITY],
    embedding: [-1, 16385, 0.5, '0', null, false],
    vocabulary: [0, 1, 2_200_001, 2.5, '90', null],
    dropout: [-0.1, 0.9991, 1, 2, '0.2', null, Number.NaN, Number.POSITIVE_INFINITY],
  };
  for (const [field, values] of Object.entries(bad)) {
    it(`when ${field} is missing or bad then it is BAD_DATA that names it`, () => {
      const { [field as keyof ModelConfig]: _, ...others } = valid;
      assert.throws(() => checkModelConfig(others, origin), namesField(field));
      for (const value of values) {
        assert.throws(
          () => checkModelConfig({ ...valid, [field]: value }, origin),
          namesField(field),
          `${value}`,
        );
      }
    });

    it(`when ${field} is inherited then it is missing`, () => {
      const { [field as keyof ModelConfig]: value, ...others } = valid;
      const config = Object.assign(Object.create({ [field]: value }), others);
      assert.throws(() => checkModelConfig(config, origin), namesField(field));
    });
  }
});
