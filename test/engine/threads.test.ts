/** The threads of the engines on the processor: the same bits with any number of them, and good manners. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { describe, it } from 'node:test';
import { Crew } from '../../src/engine/commands/crew.ts';
import { Shares } from '../../src/engine/commands/shares.ts';
import { declare, type Engine, Matrix } from '../../src/engine/engine.ts';
import { openEngine } from '../../src/engine/open.ts';
import { Recorder } from '../../src/engine/recorder.ts';
import type { ModelConfig } from '../../src/model/config.ts';
import { initialWeights } from '../../src/model/initial-weights.ts';
import { LanguageModel } from '../../src/model/language-model.ts';
import { Random } from '../../src/random.ts';
import { Optimizer } from '../../src/training/optimizer.ts';
import { PRESETS, type Settings } from '../../src/training/presets.ts';
import { recordTrainingStep, writeInputs } from '../../src/training/step.ts';
import { whyMissing } from '../engines.ts';

const THREADS = [1, 2, 3, 4];
/** Odd sizes: no share of anything is a whole number of tiles, lanes or cache lines. */
const SIZES = { hidden: 61, batchSize: 13, sequenceLength: 31, vocabulary: 37 };

const MODELS: Record<string, Partial<Settings & ModelConfig>> = {
  'LSTM, one-hot, AdamW': { cell: 'lstm', layers: 2, embedding: 0, optimizer: 'adamw' },
  'LSTM, embedding, dropout, RMSprop': { cell: 'lstm', embedding: 19, dropout: 0.3, optimizer: 'rmsprop' },
  'GRU, two layers, dropout, Adam': {
    cell: 'gru',
    layers: 2,
    embedding: 21,
    dropout: 0.2,
    optimizer: 'adam',
    weightDecay: 0.01,
  },
  'RNN, squared error, momentum': { cell: 'rnn', layers: 3, loss: 'mse', optimizer: 'sgd' },
  'more rows than one block of a sum': { cell: 'gru', layers: 1, hidden: 96, batchSize: 48 },
  'three texts, shared by hidden units on the way forward': { cell: 'lstm', hidden: 168, batchSize: 3 },
  'two texts, a width that is no whole number of panels': { cell: 'gru', hidden: 150, batchSize: 2 },
  'seven texts': { cell: 'rnn', layers: 2, hidden: 208, batchSize: 7 },
};

/** Everything that three training steps leave behind, and the commands of one. */
async function train(
  engine: Engine,
  settings: Settings & ModelConfig,
): Promise<{ dispatches: number; values: Float32Array[] }> {
  const model = new LanguageModel(settings);
  const optimizer = new Optimizer(settings, model);
  const step = recordTrainingStep(model, settings, optimizer);
  const executable = engine.prepare(step.program);
  engine.write(model.parameters, await initialWeights(settings, model.layout, new Random(7, 0)));
  const random = new Random(8, 0);
  for (let n = 1; n <= 3; n++) {
    const ids = () => Int32Array.from({ length: step.ids.length }, () => random.integer(settings.vocabulary));
    const keep = Float32Array.from({ length: settings.batchSize }, (_, b) => (b % 5 === n ? 0 : 1));
    const rates = optimizer.ratesAt(n, 0.01);
    writeInputs(engine, step, { ids: ids(), targets: ids(), keep, dropoutSeed: n, historyRow: n, rates });
    await executable.run();
  }
  const matrices: Matrix[] = [model.parameters, step.history, ...step.state.flat()];
  const read = matrices.map(async (matrix) => Float32Array.from(await engine.read(matrix)));
  return { dispatches: executable.dispatches, values: await Promise.all(read) };
}

const noNative = await whyMissing('native');

for (const name of ['simd', 'native'] as const) {
  describe(`threads of ${name}`, { skip: name === 'native' && noNative }, () => {
    const open = (threads: number): Promise<Engine> => openEngine(name, { threads });
    /** Hidden sizes of steps that are worth sharing, in more panels than two a thread, and in shares of different sizes. */
    const [hidden, rnnHidden] = name === 'simd' ? [168, 280] : [416, 480];

    for (const [name, changes] of Object.entries(MODELS)) {
      it(`leave the same bits, whatever their number: ${name}`, async (t) => {
        t.mock.getter(Crew.prototype, 'together', () => true);
        const settings = { ...PRESETS.default!.settings, ...SIZES, ...changes } as Settings & ModelConfig;
        const results: Awaited<ReturnType<typeof train>>[] = [];
        for (const threads of THREADS) {
          const engine = await open(threads);
          results.push(await train(engine, settings));
          await engine.close();
        }
        const [alone, ...shared] = results;
        for (const { dispatches, values } of shared) {
          assert.ok(dispatches > alone!.dispatches, 'the work was shared: there are barriers');
          assert.deepEqual(values, alone!.values);
        }
      });
    }

    it('leave the same bits, however unequal their shares are and whenever they change', async (t) => {
      const settings = { ...PRESETS.default!.settings, ...SIZES, cell: 'lstm', layers: 2 } as Settings &
        ModelConfig;
      const alone = await open(1);
      const { values } = await train(alone, settings);
      await alone.close();
      t.mock.getter(Crew.prototype, 'together', () => true);
      const random = new Random(9, 0);
      const changes = t.mock.method(Shares.prototype, 'follow', function (this: Shares) {
        this.divide(Array.from({ length: threads }, () => random.uniform() ** 4));
      });
      let threads = 2;
      for (; threads <= 4; threads++) {
        const engine = await open(threads);
        assert.deepEqual((await train(engine, settings)).values, values);
        await engine.close();
      }
      assert.ok(changes.mock.callCount() >= 3 * 3, 'after each walk');
    });

    it('leave the same bits when now and then one of them does everything', async (t) => {
      const settings = {
        ...PRESETS.default!.settings,
        ...SIZES,
        cell: 'gru',
        batchSize: 3,
        hidden,
      } as Settings & ModelConfig;
      const alone = await open(1);
      const { values } = await train(alone, settings);
      await alone.close();
      for (const together of [
        [true, false, true],
        [false, true, false],
      ]) {
        const walks = [...together];
        const asked = t.mock.getter(Crew.prototype, 'together', () => walks.shift() ?? true);
        const engine = await open(3);
        assert.deepEqual((await train(engine, settings)).values, values);
        await engine.close();
        assert.ok(asked.mock.callCount() >= together.length);
        asked.mock.restore();
      }
    });

    it('have their speeds measured, and shares that follow them', async (t) => {
      const divide = t.mock.method(Shares.prototype, 'divide');
      const engine = await open(2);
      const settings = { ...PRESETS.default!.settings, vocabulary: 65, hidden: 256 };
      for (let i = 0; i < 100 && divide.mock.callCount() < 3; i++) await train(engine, settings);
      await engine.close();
      assert.ok(divide.mock.callCount() >= 3, 'seconds of training, and no speed was measured');
      const [equal, ...measured] = divide.mock.calls.map((call) => call.arguments[0]);
      assert.deepEqual(equal, [1, 1]);
      // Parts of a program a millisecond. Whatever else the machine does, a core is not a hundred times as fast as another.
      for (const [one, other] of measured) {
        assert.ok(one! > 0 && one! <= 1 / 20, `${one}`);
        assert.ok(one! / other! > 0.01 && one! / other! < 100, `${one}, ${other}`);
      }
    });

    it('wait for each other only where the split changes: not in the time loop', async () => {
      const dispatches: number[] = [];
      for (const T of [10, 40]) {
        const settings = { ...PRESETS.default!.settings, vocabulary: 65, sequenceLength: T };
        const model = new LanguageModel(settings);
        const { program } = recordTrainingStep(model, settings, new Optimizer(settings, model));
        const [alone, shared] = [await open(1), await open(2)];
        dispatches.push(shared.prepare(program).dispatches - alone.prepare(program).dispatches);
        await shared.close();
      }
      assert.ok(dispatches[0]! > 0, 'there are barriers');
      assert.equal(dispatches[0], dispatches[1]);
    });

    for (const [cell, H, B] of [
      ['lstm', hidden, 1],
      ['gru', hidden, 1],
      ['rnn', rnnHidden, 1],
      ['rnn', rnnHidden, 5],
    ] as const) {
      it(`share the hidden units of a few texts, waiting once a step: ${cell}, B = ${B}`, async () => {
        const settings = { ...PRESETS.default!.settings, cell, layers: 2, hidden: H, vocabulary: 65 };
        const model = new LanguageModel(settings);
        const weights = await initialWeights(settings, model.layout, new Random(7, 0));
        const barriers: number[] = [];
        const results: Float32Array[] = [];
        for (const threads of THREADS) {
          const engine = await open(threads);
          const dispatches: number[] = [];
          for (const T of [20, 30]) {
            const recorder = new Recorder('reading');
            const ids = declare('ids', 'input', T * B, 1, 'i32');
            const logits = declare('logits', 'state', T * B, 65);
            const forward = model.recordForward(recorder, { ids, state: model.declareState(B) });
            recorder.add('copy', { out: logits, input: forward.logits });
            const executable = engine.prepare(recorder.finish());
            dispatches.push(executable.dispatches);
            engine.write(model.parameters, weights);
            engine.write(
              ids,
              Int32Array.from({ length: T * B }, (_, i) => (7 * i) % 65),
            );
            await executable.run();
            if (T === 20) results.push(Float32Array.from(await engine.read(logits)));
          }
          barriers.push(dispatches[1]! - dispatches[0]!);
          await engine.close();
        }
        const [alone, ...shared] = results;
        for (const values of shared) assert.deepEqual(values, alone);
        for (const count of barriers.slice(1)) assert.equal(count - barriers[0]!, 2 * 10);
      });
    }

    it('read one text in several layers at once, and leave the same bits', async () => {
      const settings = { ...PRESETS['char-rnn']!.settings, layers: 3, vocabulary: 65 };
      const model = new LanguageModel(settings);
      const weights = await initialWeights(settings, model.layout, new Random(7, 0));
      // No whole number of lags; and the state after the text is the next one's start.
      const text = Int32Array.from({ length: 150 }, (_, i) => (7 * i) % 65);
      const results: Float32Array[][] = [];
      for (const [threads, lag] of [
        [1, undefined],
        [1, 16],
        [2, 16],
        [3, 16],
        [4, 7],
      ] as const) {
        const engine = await open(threads);
        const recorder = new Recorder('reading');
        const ids = declare('ids', 'input', text.length, 1, 'i32');
        const logits = declare('logits', 'state', text.length, 65);
        const state = model.declareState(1);
        const forward = model.recordForward(recorder, { ids, state, ...(lag && { lag }) });
        recorder.add('copy', { out: logits, input: forward.logits });
        const executable = engine.prepare(recorder.finish());
        engine.write(model.parameters, weights);
        engine.write(ids, text);
        for (let times = 0; times < 2; times++) await executable.run();
        const matrices = [logits, ...state.flat()];
        results.push(
          await Promise.all(matrices.map(async (one) => Float32Array.from(await engine.read(one)))),
        );
        await engine.close();
      }
      for (const values of results.slice(1)) assert.deepEqual(values, results[0]);
    });

    it('leave alone what is mostly one row after the other, and narrow: one text, an LSTM 2x64', async () => {
      const settings = { ...PRESETS['char-rnn']!.settings, hidden: 64, vocabulary: 65 };
      const model = new LanguageModel(settings);
      const recorder = new Recorder('evaluation');
      const ids = declare('ids', 'input', 256, 1, 'i32');
      model.recordForward(recorder, { ids, state: model.declareState(1) });
      const program = recorder.finish();
      const engines = [await open(1), await open(2)];
      const [alone, shared] = engines.map((engine) => engine.prepare(program).dispatches);
      assert.equal(shared, alone);
    });

    it('compute what the reference does where two cells of different widths use one tensor', async () => {
      // Nothing that the models record, but the contract allows it: 168 and 100 hidden units, and a product.
      const gates = declare('gates', 'state', 1, 4 * 168);
      const [narrowGates, product] = [
        new Matrix(gates.tensor, 0, 1, 400),
        new Matrix(gates.tensor, 0, 1, 250),
      ];
      const [a, b] = [declare('a', 'input', 1, 300), declare('b', 'parameter', 300, 250)];
      const outputs = [168, 100].flatMap((H) => [
        declare('cell', 'state', 1, H),
        declare('hidden', 'state', 1, H),
      ]);
      const previous = [168, 100].map((H) => declare('previousCell', 'input', 1, H));
      const recorder = new Recorder('two widths');
      recorder.add('matmul', { out: product, a, b });
      for (const [i, matrix] of [gates, narrowGates].entries()) {
        const [cell, hidden] = [outputs[2 * i]!, outputs[2 * i + 1]!];
        recorder.add('lstmForward', { gates: matrix, previousCell: previous[i]!, cell, hidden });
      }
      const program = recorder.finish();
      const results: number[][] = [];
      for (const engine of [await openEngine('reference', {}), await open(2)]) {
        for (const matrix of [gates, a, b, ...previous]) {
          engine.write(
            matrix,
            Float32Array.from({ length: matrix.length }, (_, i) => Math.sin(i)),
          );
        }
        await engine.prepare(program).run();
        const read = await Promise.all(outputs.map((matrix) => engine.read(matrix)));
        results.push(read.flatMap((values) => [...values]));
        await engine.close();
      }
      for (const [i, value] of results[0]!.entries()) {
        assert.ok(Math.abs(results[1]![i]! - value) < 1e-5, `element ${i}: ${results[1]![i]}, not ${value}`);
      }
    });

    it('refuse an id out of range that any of them meets, and go on', async () => {
      const engine = await open(3);
      const rows = 3000;
      const ids = declare('ids', 'input', rows, 1, 'i32');
      const table = declare('table', 'parameter', 7, 512);
      const out = declare('out', 'state', rows, 512);
      const recorder = new Recorder('gather');
      recorder.add('gather', { out, table, ids });
      const gather = engine.prepare(recorder.finish());
      for (const at of [0, 1500, rows - 1]) {
        const given = new Int32Array(rows);
        given[at] = 7;
        engine.write(ids, given);
        await assert.rejects(gather.run(), /out of range/);
      }
      engine.write(ids, new Int32Array(rows).fill(6));
      await gather.run();
      await engine.close();
    });

    it('let timers and signals have their turn during one long product', async () => {
      const engine = await open(2);
      const [a, b, out] = ['a', 'b', 'out'].map((name) => declare(name, 'state', 2048, 2048));
      const recorder = new Recorder('long');
      recorder.add('matmul', { out: out!, a: a!, b: b! });
      const long = engine.prepare(recorder.finish());
      // Of the processor, which other processes may have had meanwhile, and of both threads.
      const milliseconds = (): number => {
        const { user, system } = process.cpuUsage();
        return (user + system) / 1000 / 2;
      };
      let last = milliseconds();
      let longest = 0;
      let turns = 0;
      const turn = (): void => {
        turns++;
        longest = Math.max(longest, milliseconds() - last);
        last = milliseconds();
      };
      const timer = setInterval(turn, 1);
      for (let i = 0; i < 3; i++) await long.run();
      clearInterval(timer);
      assert.ok(turns > 0, 'a timer had its turn');
      turn();
      // 100 ms on a machine of its own; caches are shared with other tests.
      assert.ok(longest < 200, `a timer waited for ${longest} ms of the processor`);
      await engine.close();
    });

    it('do not keep the process alive', () => {
      const module = new URL('../../src/engine/open.ts', import.meta.url).href;
      const matrices = new URL('../../src/engine/engine.ts', import.meta.url).href;
      // Of many threads some are still looking for work while the process ends, and their code must not go before them.
      const threads = name === 'native' ? 256 : 2;
      const source = `
      import { declare } from ${JSON.stringify(matrices)};
      import { openEngine } from ${JSON.stringify(module)};
      const engine = await openEngine('${name}', { threads: ${threads} });
      const [a, b, out] = ['a', 'b', 'out'].map((name) => declare(name, 'state', 256, 256));
      const program = { name: 'product', operations: [{ op: 'matmul', out, a, b }] };
      await engine.prepare(program).run();
      console.log('done');
    `;
      const options = { encoding: 'utf8', timeout: 30_000 } as const;
      const child = spawnSync(
        process.execPath,
        ['--import', 'tsx', '--input-type=module', '-e', source],
        options,
      );
      assert.deepEqual([child.stdout, child.status, child.signal], ['done\n', 0, null], child.stderr);
    });

    it('are refused in numbers that make no sense', async () => {
      for (const threads of [0, -1, 1.5, 257, Number.NaN]) {
        await assert.rejects(openEngine(name, { threads }), { code: 'USAGE' });
      }
      const engine = await open(2);
      assert.match(engine.description.detail, /, 2 threads$/);
      await engine.close();
      await engine.close();
    });
  });
}
