/** The arithmetic of `charloom bench`: operations counted, shapes read, medians. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { EngineBench } from '../../src/bench/engine-bench.ts';
import { measure, median } from '../../src/bench/measure.ts';
import {
  forwardFlops,
  layerProducts,
  productFlops,
  productWork,
  trainingFlops,
} from '../../src/bench/products.ts';
import { type BenchShape, DEFAULT_SHAPES, parseShape } from '../../src/bench/shapes.ts';
import { declare, type Program } from '../../src/engine/engine.ts';
import { openEngine } from '../../src/engine/open.ts';
import { Recorder } from '../../src/engine/recorder.ts';
import { ReferenceEngine } from '../../src/engine/reference/reference-engine.ts';
import { CharloomError } from '../../src/errors.ts';
import { CELLS } from '../../src/model/config.ts';
import { LanguageModel } from '../../src/model/language-model.ts';
import { Optimizer } from '../../src/training/optimizer.ts';
import { recordTrainingStep } from '../../src/training/step.ts';

const { signal } = new AbortController();

/** Multiplications and additions of every product in a program. */
function flopsOf({ operations }: Program): number {
  return operations.reduce((sum, operation) => {
    if (operation.op !== 'matmul') return sum;
    const { out, a, transposeA } = operation;
    return sum + 2 * out.length * (transposeA ? a.rows : a.columns);
  }, 0);
}

describe('the operations of a model', () => {
  for (const cell of CELLS) {
    for (const embedding of [0, 5]) {
      it(`are those of the products recorded: ${cell}, ${embedding > 0 ? 'embedded' : 'one-hot'} input`, () => {
        const { model: config, training } = parseShape('2x12@3x4', cell);
        const model = new LanguageModel({ ...config, embedding });
        const step = recordTrainingStep(model, training, new Optimizer(training, model));
        assert.equal(flopsOf(step.program), trainingFlops(model) * 3 * 4);

        const forward = new Recorder('forward');
        const ids = declare('ids', 'input', 3 * 4, 1, 'i32');
        model.recordForward(forward, { ids, state: model.declareState(3) });
        assert.equal(flopsOf(forward.finish()), forwardFlops(model) * 3 * 4);
      });
    }
  }
});

describe('a product', () => {
  const model = new LanguageModel(parseShape('1x12@3x4', 'gru').model);

  it('is one of a recurrent layer, with 2·rows·depth·columns operations each time', () => {
    const products = layerProducts(model, 3, 4);
    assert.deepEqual(
      products.map(({ rows, depth, columns, times }) => [rows, depth, columns, times]),
      [
        [12, 12, 36, 1],
        [3, 12, 36, 4],
        [3, 36, 12, 4],
        [12, 36, 12, 1],
        [36, 12, 12, 1],
      ],
    );
    for (const product of products) assert.equal(productFlops(product), 2 * 12 * 12 * 36);
  });

  it('counts every replay as work', async () => {
    for (const product of layerProducts(model, 3, 4)) {
      const amount = await productWork(new ReferenceEngine(), product)();
      assert.ok(amount > 0 && amount % productFlops(product) === 0);
    }
  });
});

describe('a shape', () => {
  it('is a preset, or layers x hidden and a batch', () => {
    const charRnn = parseShape('char-rnn', 'gru');
    assert.deepEqual(
      [charRnn.model.cell, charRnn.model.layers, charRnn.model.embedding, charRnn.training.batchSize],
      ['gru', 2, 0, 50],
    );
    assert.deepEqual(
      ['char-rnn', 'default'].map((name) => parseShape(name).model.cell),
      ['lstm', 'gru'],
    );
    const own = parseShape('3x40@7x9', 'lstm');
    assert.deepEqual(
      [own.model.layers, own.model.hidden, own.training.batchSize, own.training.sequenceLength],
      [3, 40, 7, 9],
    );
    const { training } = parseShape('3x40', 'lstm');
    assert.deepEqual([training.batchSize, training.sequenceLength], [32, 64]);
    for (const name of DEFAULT_SHAPES) assert.equal(parseShape(name, 'lstm').name, name);
  });

  it('is refused if it is neither, or has a size of 0', () => {
    for (const text of ['2y3', '2x', 'x2', '2x3@4', 'toString', '2x3@4x5x6', '']) {
      assert.throws(() => parseShape(text, 'lstm'), { code: 'USAGE', message: /--shape/ });
    }
    assert.throws(() => parseShape('2x0', 'lstm'), { message: /--shape 2x0: hidden is 0/ });
    assert.throws(() => parseShape('2x8@0x5', 'lstm'), { message: /batchSize is 0/ });
  });
});

describe('a measurement', () => {
  it('is the median of repeats after two runs that do not count', async () => {
    let runs = 0;
    const work = async (): Promise<number> => {
      await sleep(runs++ < 2 ? 100 : 10);
      return 5;
    };
    const { perSecond, repeats } = await measure(work, 0.15, signal);
    assert.ok(perSecond > 50 && perSecond <= 550, `${perSecond}`);
    assert.ok(repeats >= 1 && repeats <= 3, `${repeats}`);
  });

  it('has one repeat where that takes longer than the time given', async () => {
    let runs = 0;
    const speed = await measure(async () => sleep(60).then(() => ++runs), 0.001, signal);
    assert.deepEqual([runs, speed.repeats], [3, 1]);
  });

  it('ends when it is interrupted', async () => {
    const controller = new AbortController();
    const work = async () => {
      controller.abort();
      return 1;
    };
    await assert.rejects(measure(work, 10, controller.signal), { name: 'AbortError' });
  });

  it('has the median of even and odd numbers of repeats', () => {
    assert.equal(median([3]), 3);
    assert.equal(median([10, 1, 2]), 2);
    assert.equal(median([4, 1, 2, 9]), 3);
  });
});

describe('the bench of an engine', () => {
  const shapes: BenchShape[] = [parseShape('1x8@2x4', 'lstm'), parseShape('2x512@64x64', 'lstm')];
  const show = <T>(_: string, work: Promise<T>): Promise<T> => work;

  it('leaves out what would take too long, and says so', async () => {
    const open = async () => new ReferenceEngine();
    const bench = new EngineBench({ name: 'reference', open, seconds: 0.01, signal, show });
    const small = await bench.model(shapes[0]!);
    assert.ok(small.training && small.sampling && small.evaluation);
    assert.deepEqual(bench.notes, []);
    const large = await bench.model(shapes[1]!);
    assert.deepEqual([large.training, large.dispatches], [null, null]);
    assert.match(bench.notes[0]!, /^reference, lstm 2x512@64x64, training: left out, .* about \d+ s/);
  });

  it('goes on after a failure of the engine, and says what it was', async () => {
    const open = async () => {
      const engine = await openEngine('simd');
      engine.prepare = () => {
        throw new CharloomError('UNAVAILABLE', 'no memory');
      };
      return engine;
    };
    const bench = new EngineBench({ name: 'simd', open, seconds: 0.01, signal, show });
    const { training, sampling, evaluation } = await bench.model(shapes[0]!);
    assert.deepEqual([training, sampling, evaluation], [null, null, null]);
    assert.deepEqual(bench.notes, ['simd, lstm 1x8@2x4: no memory']);
  });

  it('keeps what it has where the device is lost: it can be neither closed nor opened again', async () => {
    const lost = new CharloomError('IO', 'the device is lost');
    let opened = 0;
    const open = async () => {
      if (opened++ > 0) throw lost;
      const engine = new ReferenceEngine();
      engine.close = () => Promise.reject(lost);
      return engine;
    };
    const bench = new EngineBench({ name: 'reference', open, seconds: 0.01, signal, show });
    const small = await bench.model(shapes[0]!);
    assert.ok(small.training && small.sampling && small.evaluation);
    assert.equal((await bench.model(shapes[0]!)).training, null);
    assert.deepEqual(bench.notes, ['reference, lstm 1x8@2x4: the device is lost']);
  });

  it('has the host time of a launch only where the engine does not compute while it launches', async () => {
    const open = () => openEngine('simd');
    const { dispatches, launchSeconds } = await new EngineBench({
      name: 'simd',
      open,
      seconds: 0.01,
      signal,
      show,
    }).model(shapes[0]!);
    assert.ok(dispatches! > 10);
    assert.equal(launchSeconds, null);
  });
});
