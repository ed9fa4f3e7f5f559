import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { weightsFromTensors, weightsToTensors } from '../../src/checkpoint/weights.ts';
import { CharloomError } from '../../src/errors.ts';
import type { ModelConfig } from '../../src/model/config.ts';
import { ParameterLayout } from '../../src/model/parameters.ts';

const small: ModelConfig = {
  cell: 'lstm',
  activation: 'tanh',
  layers: 1,
  hidden: 2,
  embedding: 2,
  vocabulary: 3,
  dropout: 0,
};

describe('weightsFromTensors', () => {
  it('when the weights are those of the model then they come back as they were', () => {
    const layout = new ParameterLayout(small);
    const flat = new Float64Array(layout.length);
    for (const { offset, rows, columns } of layout.entries) {
      for (let i = 0; i < rows * columns; i++) flat[offset + i] = offset + i / 8;
    }
    assert.deepEqual(weightsFromTensors(layout, weightsToTensors(layout, flat), 'x'), flat);
  });

  it('when the model of config.json is larger than any memory then it is refused, as any other that does not fit', () => {
    const saved = new ParameterLayout(small);
    const tensors = weightsToTensors(saved, new Float64Array(saved.length));
    for (const change of [
      { hidden: 3 },
      { hidden: 16384 },
      { hidden: 16384, embedding: 16384, layers: 64 },
    ]) {
      assert.throws(
        () => weightsFromTensors(new ParameterLayout({ ...small, ...change }), tensors, 'x'),
        (error) => error instanceof CharloomError && error.code === 'BAD_DATA' && /shape/.test(error.message),
      );
    }
  });
});
