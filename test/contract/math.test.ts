/** How exact exp, tanh, σ and ln are on every engine, seen through the operations that use them. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { declare, type Engine } from '../../src/engine/engine.ts';
import { Recorder } from '../../src/engine/recorder.ts';
import { ENGINES, perEngine, withEngine } from '../engines.ts';

/**
 * In units in the last place of a float32. A GPU's exponential function may be wrong by 3 + 2|x| of them
 * (the WebGPU shading language's bound).
 */
const ULPS = perEngine(4, 4, 200);
/** What tanh may be wrong by beside that. */
const TANH_ERROR = perEngine(0, 0, 2 ** -22);

/** From 1e-30 to `largest` in geometric steps, and, finer, in linear ones; with both signs. */
function grid(largest: number): Float32Array {
  const positive = [0];
  for (let x = 1e-30; x < largest; x *= 1.07) positive.push(x);
  for (let i = 1; i <= 20000; i++) positive.push((i / 20000) * largest);
  return Float32Array.from([...positive, ...positive.map((x) => -x)]);
}

/** |actual − expected| in units in the last place of `expected`; below the normal floats, in the smallest of them. */
function ulps(actual: number, expected: number): number {
  const exponent = Math.max(-126, Math.floor(Math.log2(Math.abs(expected) || 1e-300)));
  return Math.abs(actual - expected) / 2 ** (exponent - 23);
}

function assertWithin(
  limit: number,
  inputs: ArrayLike<number>,
  outputs: ArrayLike<number>,
  exact: (x: number) => number,
  absolute = 0,
): void {
  for (let i = 0; i < inputs.length; i++) {
    if (Math.abs(outputs[i]! - exact(inputs[i]!)) <= absolute) continue;
    const error = ulps(outputs[i]!, exact(inputs[i]!));
    assert.ok(error <= limit, `f(${inputs[i]}) is ${outputs[i]}, ${error} ulp from ${exact(inputs[i]!)}`);
  }
}

async function tanh(engine: Engine, inputs: Float32Array): Promise<ArrayLike<number>> {
  const [preactivation, hidden] = ['x', 'y'].map((name) => declare(name, 'state', 1, inputs.length));
  const recorder = new Recorder('tanh');
  recorder.add('rnnForward', { hidden: hidden!, preactivation: preactivation!, activation: 'tanh' });
  engine.write(preactivation!, inputs);
  await engine.prepare(recorder.finish()).run();
  return engine.read(hidden!);
}

/** σ as the input gate of an LSTM cell. */
async function sigmoid(engine: Engine, inputs: Float32Array): Promise<ArrayLike<number>> {
  const gates = declare('gates', 'state', 1, 4 * inputs.length);
  const [previousCell, cell, hidden] = ['c', 'c2', 'h'].map((name) =>
    declare(name, 'state', 1, inputs.length),
  );
  const recorder = new Recorder('sigmoid');
  recorder.add('lstmForward', { gates, previousCell: previousCell!, cell: cell!, hidden: hidden! });
  engine.write(gates, [...inputs, ...new Float32Array(3 * inputs.length)]);
  await engine.prepare(recorder.finish()).run();
  return (await engine.read(gates)).subarray(0, inputs.length);
}

/** Cross-entropy between two symbols with logits 0 and x: −ln p of the first is ln(1 + e^x). */
async function twoSymbols(engine: Engine, inputs: Float32Array) {
  const R = inputs.length;
  const [logits, gradient] = ['logits', 'gradient'].map((name) => declare(name, 'state', R, 2));
  const losses = declare('losses', 'state', R, 1);
  const targets = declare('targets', 'input', R, 1, 'i32');
  const recorder = new Recorder('two symbols');
  recorder.add('softmaxCrossEntropy', { losses, logits: logits!, targets, gradient: gradient!, scale: 1 });
  engine.write(
    logits!,
    Array.from(inputs).flatMap((x) => [0, x]),
  );
  await engine.prepare(recorder.finish()).run();
  const both = await engine.read(gradient!);
  return { losses: await engine.read(losses), gradients: both.filter((_, i) => i % 2 === 1) };
}

for (const name of ENGINES) {
  describe(`functions on ${name}`, () => {
    it('tanh is exact to a few ulp, near 0 as well as where it saturates', async (t) => {
      await withEngine(t, name, async (engine) => {
        const inputs = grid(25);
        assertWithin(ULPS[name], inputs, await tanh(engine, inputs), Math.tanh, TANH_ERROR[name]);
      });
    });

    it('σ is exact to a few ulp, as far down as floats reach', async (t) => {
      await withEngine(t, name, async (engine) => {
        const inputs = grid(87);
        assertWithin(ULPS[name], inputs, await sigmoid(engine, inputs), (x) =>
          x < 0 ? Math.exp(x) / (1 + Math.exp(x)) : 1 / (1 + Math.exp(-x)),
        );
      });
    });

    it('tanh and σ reach their limits and stay there', async (t) => {
      await withEngine(t, name, async (engine) => {
        const inputs = Float32Array.from([-Infinity, -3e38, -1000, 1000, 3e38, Infinity]);
        assert.deepEqual([...Array.from(await tanh(engine, inputs))], [-1, -1, -1, 1, 1, 1]);
        assert.deepEqual([...Array.from(await sigmoid(engine, inputs))], [0, 0, 0, 1, 1, 1]);
      });
    });

    it('NaN stays NaN and changes no neighbour', async (t) => {
      await withEngine(t, name, async (engine) => {
        const inputs = Float32Array.from([1, Number.NaN, -1, 0, 2]);
        const clean = Float32Array.from([1, 5, -1, 0, 2]);
        for (const f of [tanh, sigmoid]) {
          const [results, expected] = [await f(engine, inputs), await f(engine, clean)];
          for (const [i, x] of inputs.entries()) {
            assert.ok(Object.is(results[i], Number.isNaN(x) ? Number.NaN : expected[i]), `element ${i}`);
          }
        }
      });
    });

    it('the softmax keeps its digits for probabilities near 1 and near 0', async (t) => {
      await withEngine(t, name, async (engine) => {
        const inputs = grid(87).filter((x) => x < 0);
        const { losses, gradients } = await twoSymbols(engine, inputs);
        assertWithin(ULPS[name], inputs, gradients, (x) => Math.exp(x) / (1 + Math.exp(x)));
        // The float64 reference takes the logarithm of 1 + e^x as it is: near 1 it has no digits of e^x left.
        // A GPU in hardware may take numbers below 2⁻¹²⁶ for 0, also where they are halves of others.
        const smallest = engine.description.adapter?.hardware ? -85 : -87;
        const [from, limit] = name === 'reference' ? [-12, 100] : [smallest, ULPS[name]];
        const chosen = inputs.map((x, i) => (x > from ? i : -1)).filter((i) => i >= 0);
        assertWithin(
          limit,
          Array.from(chosen, (i) => inputs[i]!),
          Array.from(chosen, (i) => losses[i]!),
          (x) => Math.log1p(Math.exp(x)),
        );
      });
    });

    it('the loss of an unlikely symbol is its distance from the likeliest', async (t) => {
      await withEngine(t, name, async (engine) => {
        const inputs = grid(1e4).filter((x) => x > 0);
        const { losses } = await twoSymbols(engine, inputs);
        assertWithin(ULPS[name], inputs, losses, (x) => x + Math.log1p(Math.exp(-x)));
      });
    });
  });
}
