/** Programs of several operations: order, lifetimes of temporaries, and what engines keep between operations. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { declare, type Engine, Matrix, type Program } from '../../src/engine/engine.ts';
import { Recorder } from '../../src/engine/recorder.ts';
import { ReferenceEngine } from '../../src/engine/reference/reference-engine.ts';
import { Random } from '../../src/random.ts';
import { ENGINES, withEngine } from '../engines.ts';

function assertNear(
  actual: ArrayLike<number>,
  expected: ArrayLike<number>,
  { tolerance = 1e-6, label = 'element' } = {},
): void {
  assert.equal(actual.length, expected.length);
  for (let i = 0; i < expected.length; i++) {
    const [a, e] = [actual[i]!, expected[i]!];
    const near = Math.abs(a - e) <= tolerance * Math.max(1, Math.abs(e));
    assert.ok(near, `${label} ${i} is ${a}, must be ${e}`);
  }
}

function numbers(random: Random, length: number): number[] {
  return Array.from({ length }, () => Math.fround(2 * random.uniform() - 1));
}

/**
 * A program that reads and rewrites a dozen temporaries of different sizes in random order: whole or by rows, as
 * left and right factor of products, with results that depend on every step.
 */
function randomProgram(random: Random): { program: Program; inputs: Matrix[]; result: Matrix } {
  const recorder = new Recorder('random');
  const widths = [3, 8, 13];
  const pick = <T>(list: readonly T[]): T => list[random.integer(list.length)]!;
  const squares = (width: number, of: readonly Matrix[]) => of.filter((matrix) => matrix.columns === width);
  const scale = declare('scale', 'input', 13, 1);
  const inputs = widths.map((width) => declare(`input ${width}`, 'input', width, width));
  const temporaries = widths.flatMap((width) =>
    [0, 1, 2, 3].map((i) => recorder.temporary(`t${width}.${i}`, width, width)),
  );
  const result = declare('result', 'state', 1, temporaries.length * 13);
  const total = recorder.temporary('total', 1, 1);
  const written = [...inputs];
  const finished = (out: Matrix) => {
    if (!written.includes(out)) written.push(out);
  };
  for (let step = 0; step < 80; step++) {
    const out = pick(temporaries);
    const readable = squares(out.columns, written).filter((matrix) => matrix !== out);
    const input = pick(readable);
    switch (random.integer(5)) {
      case 0:
        recorder.add('copy', { out, input });
        finished(out);
        break;
      case 1:
        recorder.add('rnnForward', { hidden: out, preactivation: input, activation: 'tanh' });
        finished(out);
        break;
      case 2: {
        const first = random.integer(out.rows);
        if (!written.includes(out)) continue;
        recorder.add('copy', { out: out.slice(first, 1), input: input.slice(random.integer(out.rows), 1) });
        break;
      }
      default: {
        const transpose = pick([{}, { transposeA: true }, { transposeB: true }]);
        const accumulate = written.includes(out) && random.integer(2) === 1;
        recorder.add('matmul', { out, a: input, b: pick(readable), accumulate, ...transpose });
        // Keeps the numbers near 1.
        recorder.add('scaleRows', { out, input: out, scale: scale.slice(0, out.rows) });
        finished(out);
      }
    }
  }
  let at = 0;
  for (const matrix of written) {
    if (inputs.includes(matrix)) continue;
    recorder.add('norm', { out: total, input: matrix });
    recorder.add('copy', { out: new Matrix(result.tensor, at++, 1, 1), input: total });
    const row = new Matrix(result.tensor, at, 1, matrix.columns);
    recorder.add('sumRows', { out: row, input: matrix });
    at += matrix.columns;
  }
  return { program: recorder.finish(), inputs: [...inputs, scale], result };
}

async function resultOf(engine: Engine, seed: number) {
  const random = new Random(seed);
  const { program, inputs, result } = randomProgram(random);
  const executable = engine.prepare(program);
  for (const input of inputs) engine.write(input, numbers(random, input.length));
  await executable.run();
  const first = await engine.read(result);
  await executable.run();
  assert.deepEqual(await engine.read(result), first, 'the second replay gave other bits');
  return first;
}

/** out = input · weightsᵀ, as the forward pass of a layer; many rows, so that engines rearrange the weights. */
function layer(rows: number) {
  const weights = declare('weights', 'parameter', 5, 3);
  const input = declare('input', 'input', rows, 3);
  const out = declare('out', 'state', rows, 5);
  return { weights, input, out };
}

const ones = (length: number) => new Array<number>(length).fill(1);

for (const name of ENGINES) {
  describe(`programs on ${name}`, () => {
    it('compute as the reference does, however the lifetimes of their temporaries cross', async (t) => {
      await withEngine(t, name, async (engine) => {
        for (let seed = 1; seed <= 60; seed++) {
          const expected = await resultOf(new ReferenceEngine(), seed);
          // Eighty steps, many of them products of products, magnify what rounding began.
          const lenient = { tolerance: 1e-3, label: `seed ${seed}: element` };
          assertNear(await resultOf(engine, seed), expected, lenient);
        }
      });
    });

    for (const rows of [2, 9]) {
      it(`see a parameter that was written between two replays (${rows} rows)`, async (t) => {
        await withEngine(t, name, async (engine) => {
          const { weights, input, out } = layer(rows);
          const recorder = new Recorder('forward');
          recorder.add('matmul', { out, a: input, b: weights, transposeB: true });
          const forward = engine.prepare(recorder.finish());
          engine.write(input, ones(rows * 3));
          for (const value of [1, 2]) {
            engine.write(weights, ones(15).fill(value));
            await forward.run();
            assertNear(await engine.read(out), ones(rows * 5).fill(3 * value));
          }
        });
      });

      it(`see a parameter that an optimizer or a copy has changed half-way (${rows} rows)`, async (t) => {
        await withEngine(t, name, async (engine) => {
          const { weights, input, out } = layer(rows);
          const after = [1, 2].map((i) => declare(`after ${i}`, 'state', rows, 5));
          const [gradient, velocity] = ['gradient', 'velocity'].map((part) => declare(part, 'state', 5, 3));
          const [norm, rates] = [declare('norm', 'input', 1, 1), declare('rates', 'input', 1, 3)];
          const recorder = new Recorder('step');
          const forward = (to: Matrix) =>
            recorder.add('matmul', { out: to, a: input, b: weights, transposeB: true });
          forward(out);
          recorder.add('sgd', {
            parameters: weights,
            gradient: gradient!,
            velocity: velocity!,
            norm,
            rates,
            clipNorm: 0,
            weightDecay: 0,
            momentum: 0,
          });
          forward(after[0]!);
          recorder.add('copy', { out: weights.slice(4, 1), input: gradient!.slice(0, 1) });
          forward(after[1]!);
          const step = engine.prepare(recorder.finish());
          engine.write(input, ones(rows * 3));
          engine.write(weights, ones(15));
          engine.write(gradient!, ones(15).fill(2));
          engine.write(rates, [0.25, 1, 1]);
          await step.run();
          assertNear(await engine.read(out), ones(rows * 5).fill(3));
          assertNear(await engine.read(after[0]!), ones(rows * 5).fill(1.5));
          const last = await engine.read(after[1]!);
          assertNear(
            last,
            Array.from(last, (_, i) => (i % 5 === 4 ? 6 : 1.5)),
          );
        });
      });
    }

    it('see a table whose columns were gathered before it changed', async (t) => {
      await withEngine(t, name, async (engine) => {
        const table = declare('table', 'parameter', 3, 4);
        const other = declare('other', 'input', 3, 4);
        const ids = declare('ids', 'input', 6, 1, 'i32');
        const outs = [1, 2].map((i) => declare(`out ${i}`, 'state', 6, 3));
        const recorder = new Recorder('gathers');
        recorder.add('gather', { out: outs[0]!, table, ids, transpose: true });
        recorder.add('copy', { out: table, input: other });
        recorder.add('gather', { out: outs[1]!, table, ids, transpose: true });
        const gathers = engine.prepare(recorder.finish());
        engine.write(table, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
        engine.write(other, [0, -1, -2, -3, -4, -5, -6, -7, -8, -9, -10, -11]);
        engine.write(ids, [3, 0, 1, 2, 3, 3]);
        await gathers.run();
        const expected = [3, 7, 11, 0, 4, 8, 1, 5, 9, 2, 6, 10, 3, 7, 11, 3, 7, 11];
        assertNear(await engine.read(outs[0]!), expected);
        assertNear(
          await engine.read(outs[1]!),
          expected.map((value) => -value),
        );
      });
    });

    it('keep parameters and states while other programs come and run', async (t) => {
      await withEngine(t, name, async (engine) => {
        const counter = declare('counter', 'state', 1, 1);
        const one = declare('one', 'input', 1, 1);
        const grow = (size: number) => {
          const recorder = new Recorder(`grow ${size}`);
          const temporary = recorder.temporary('wide', size, 1);
          recorder.add('fill', { out: temporary, value: 7 });
          recorder.add('matmul', { out: counter, a: one, b: one, accumulate: true });
          const kept = declare(`kept ${size}`, 'state', size, 1);
          recorder.add('copy', { out: kept, input: temporary });
          return { executable: engine.prepare(recorder.finish()), kept };
        };
        engine.write(one, [1]);
        const programs = [1, 1000, 100000].map((size) => grow(size));
        for (const { executable } of [...programs, ...programs.reverse()]) await executable.run();
        assertNear(await engine.read(counter), [6]);
        for (const { kept } of programs) assertNear(await engine.read(kept), ones(kept.length).fill(7));
        const untouched = declare('untouched', 'state', 1, 50000);
        assertNear(await engine.read(untouched), ones(50000).fill(0));
      });
    });
  });
}
