/** Programs that are legal, and that a chain of steps would get wrong: one step's memory is another's operand. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { declare, type Engine, Matrix } from '../../src/engine/engine.ts';
import { GpuEngine } from '../../src/engine/gpu/gpu-engine.ts';
import { Recorder } from '../../src/engine/recorder.ts';
import { ReferenceEngine } from '../../src/engine/reference/reference-engine.ts';

const [T, B, H] = [4, 2, 3];

/** T steps of an RNN whose weights [H, H] begin where the hidden state of step `at` goes. */
async function hiddenStates(engine: Engine, at: number): Promise<number[]> {
  const hidden = declare('hidden', 'state', (T + 2) * B, H);
  const x = declare('x', 'state', T * B, H);
  const weights = new Matrix(hidden.tensor, at * B * H, H, H);
  const recorder = new Recorder('entangled');
  // A temporary: a state would have to hold the sums, and the steps would not be taken for a chain.
  const preactivations = recorder.temporary('preactivations', T * B, H);
  recorder.add('copy', { out: preactivations, input: x });
  for (let t = 0; t < T; t++) {
    const preactivation = preactivations.slice(t * B, B);
    recorder.add('matmul', {
      out: preactivation,
      a: hidden.slice(t * B, B),
      b: weights,
      transposeB: true,
      accumulate: true,
    });
    recorder.add('rnnForward', { hidden: hidden.slice((t + 1) * B, B), preactivation, activation: 'tanh' });
  }
  const executable = engine.prepare(recorder.finish());
  for (const matrix of [hidden, x]) {
    engine.write(
      matrix,
      Float32Array.from({ length: matrix.length }, (_, i) => Math.sin(i + 1)),
    );
  }
  await executable.run();
  const result = Array.from(await engine.read(hidden));
  await engine.close();
  return result;
}

for (let at = 1; at <= T; at++) {
  it(`when step ${at} overwrites the weights then the steps after it multiply with what it wrote`, async () => {
    const expected = await hiddenStates(new ReferenceEngine(), at);
    const actual = await hiddenStates(await GpuEngine.open('cpu'), at);
    for (const [i, value] of expected.entries()) {
      assert.ok(Math.abs(actual[i]! - value) < 1e-5, `hidden[${i}] is ${actual[i]}, must be ${value}`);
    }
  });
}
