/** What programs become on a GPU: how many dispatches, and the rules that every list of commands keeps. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { declare, Matrix, type Program } from '../../src/engine/engine.ts';
import { align } from '../../src/engine/gpu/align.ts';
import { type Command, type View, view1d, volume } from '../../src/engine/gpu/commands.ts';
import { isRead, withoutDeadOperations } from '../../src/engine/gpu/liveness.ts';
import { lower } from '../../src/engine/gpu/lower.ts';
import { PortableExecutor } from '../../src/engine/gpu/portable.ts';
import { Recorder } from '../../src/engine/recorder.ts';
import { CELLS, type CellName } from '../../src/model/config.ts';
import { LanguageModel } from '../../src/model/language-model.ts';
import { LOSSES, type LossName } from '../../src/model/loss.ts';
import { OPTIMIZERS, type OptimizerName } from '../../src/training/config.ts';
import { Optimizer } from '../../src/training/optimizer.ts';
import { PRESETS } from '../../src/training/presets.ts';
import { recordTrainingStep, type TrainingStep } from '../../src/training/step.ts';

interface Options {
  readonly cell?: CellName;
  readonly T?: number;
  readonly B?: number;
  readonly H?: number;
  readonly layers?: number;
  readonly optimizer?: OptimizerName;
  readonly loss?: LossName;
}

function trainingStep({ cell = 'lstm', T = 64, B = 8, H = 12, layers = 2, ...rest }: Options): TrainingStep {
  const shape = { layers, hidden: H, embedding: 6, vocabulary: 11, dropout: 0.1 };
  const model = new LanguageModel({ cell, activation: 'tanh', ...shape });
  const config = { ...PRESETS.default!.settings, batchSize: B, sequenceLength: T, clipNorm: 1, ...rest };
  return recordTrainingStep(model, config, new Optimizer(config, model));
}

/** The forward pass alone, as evaluation and sampling record it, with the logits copied to where they can be read. */
function inference(cell: CellName, T: number, B: number): Program {
  const shape = { layers: 2, hidden: 12, embedding: 6, vocabulary: 11, dropout: 0.1 };
  const model = new LanguageModel({ cell, activation: 'tanh', ...shape });
  const recorder = new Recorder('inference');
  const ids = declare('ids', 'input', T * B, 1, 'i32');
  const { logits } = model.recordForward(recorder, { ids, state: model.declareState(B) });
  recorder.add('copy', { out: declare('result', 'state', T * B, 11), input: logits });
  return recorder.finish();
}

const dispatches = (program: Program): number =>
  lower(program).filter(({ kind }) => kind === 'dispatch').length;

describe('the dispatches of a training step', () => {
  for (const B of [8, 50]) {
    it(`are at most 300 for a 2-layer LSTM at T = 64, with all options on (B = ${B})`, () => {
      assert.ok(dispatches(trainingStep({ B }).program) <= 300);
    });
  }
  for (const cell of CELLS) {
    it(`grow by two for each time step and layer of the ${cell}: one forward, one backward`, () => {
      const count = (T: number, layers: number) => dispatches(trainingStep({ cell, T, layers }).program);
      for (const layers of [1, 3]) assert.equal(count(9, layers) - count(8, layers), 2 * layers);
    });
  }
});

function assertRules(commands: readonly Command[]): void {
  const inside = ({ tensor, offset, size }: View) => offset >= 0 && offset + volume(size) <= tensor.length;
  for (const command of commands) {
    switch (command.kind) {
      case 'dispatch': {
        const { inputs, output, grid, kernel } = command;
        assert.ok([...inputs, output].every(inside), `${kernel.name}: a view leaves its tensor`);
        assert.ok(
          inputs.every(({ tensor }) => tensor !== output.tensor),
          `${kernel.name} reads what it writes`,
        );
        assert.equal(volume(output.size), volume(grid) * kernel.components, kernel.name);
        break;
      }
      case 'copy':
        assert.ok(inside(command.from) && inside(command.to));
        assert.notEqual(command.from.tensor, command.to.tensor);
        assert.equal(volume(command.from.size), volume(command.to.size));
        break;
      case 'clear':
        assert.ok(inside(command.view));
    }
  }
}

describe('commands stay inside their tensors, and no dispatch or copy reads the tensor it writes', () => {
  for (const cell of CELLS) {
    for (const loss of LOSSES) {
      it(`training a ${cell} with ${loss}`, () =>
        assertRules(lower(trainingStep({ cell, loss, T: 5 }).program)));
    }
    it(`evaluating and sampling with a ${cell}`, () => {
      assertRules(lower(inference(cell, 7, 1)));
      assertRules(lower(inference(cell, 1, 3)));
    });
  }
  for (const optimizer of OPTIMIZERS) {
    it(`updating with ${optimizer}`, () => assertRules(lower(trainingStep({ optimizer, T: 2 }).program)));
  }
});

describe('work whose results nothing reads is left out', () => {
  const kernels = (program: Program): string[] =>
    lower(program).flatMap((command) => (command.kind === 'dispatch' ? [command.kernel.name] : []));

  for (const [cell, gates] of [
    ['lstm', 'lstmGates'],
    ['gru', 'gruGates'],
  ] as const) {
    it(`a ${cell} that is not trained computes no gates for a backward pass`, () => {
      const names = kernels(inference(cell, 5, 2));
      assert.ok(!names.includes(gates));
      // The projection of each layer, and the head.
      assert.equal(names.filter((name) => name === 'matmul').length, 3);
    });
  }

  it('the gradient of the initial state is computed only if it is read', () => {
    const shape = { layers: 1, hidden: 4, embedding: 3, vocabulary: 5, dropout: 0 };
    const model = new LanguageModel({ cell: 'rnn', activation: 'tanh', ...shape });
    const record = (read: boolean): Program => {
      const recorder = new Recorder('gradients');
      const ids = declare('ids', 'input', 6, 1, 'i32');
      const state = model.declareState(2);
      const gradient = declare('gradient', 'state', 1, model.layout.length);
      const { logits, backward } = model.recordForward(recorder, { ids, state });
      const initial = backward(logits, model.layout.views(gradient))[0]![0]!;
      if (read) recorder.add('copy', { out: declare('initial', 'state', 2, 4), input: initial });
      return recorder.finish();
    };
    const products = (program: Program) => kernels(program).filter((name) => name === 'matmul').length;
    assert.equal(products(record(true)), products(record(false)) + 1);
  });
});

describe('liveness', () => {
  const rows = (name: string, kind: 'temporary' | 'state', count: number) => declare(name, kind, count, 2);
  const source = rows('source', 'state', 4);

  function program(record: (recorder: Recorder) => void) {
    const recorder = new Recorder('test');
    record(recorder);
    return recorder.finish();
  }

  it('a temporary is not read after its last use, nor where all of it is overwritten first', () => {
    const [t, out] = [rows('t', 'temporary', 4), rows('out', 'state', 4)];
    const { operations } = program((recorder) => {
      recorder.add('copy', { out: t, input: source });
      recorder.add('copy', { out, input: t });
      recorder.add('copy', { out: t.slice(0, 2), input: source.slice(0, 2) });
      recorder.add('copy', { out: out.slice(2, 2), input: t.slice(2, 2) });
    });
    assert.ok(isRead(operations, 1, t));
    assert.ok(isRead(operations, 2, t), 'half of it was overwritten, the other half is read');
    assert.ok(!isRead(operations, 2, t.slice(0, 2)));
    assert.ok(!isRead(operations, 4, t));
    assert.ok(isRead(operations, 4, out), 'the host may read a state');
  });

  it('an operation that adds to its output reads it', () => {
    const [t, w] = [rows('t', 'temporary', 2), rows('w', 'state', 2)];
    const { operations } = program((recorder) => {
      recorder.add('matmul', { out: t, a: w, b: w, accumulate: true });
      recorder.add('matmul', { out: t, a: w, b: w });
    });
    assert.ok(isRead(operations, 0, t));
    assert.ok(!isRead(operations, 1, t));
  });

  it('chains of operations of no consequence disappear, those that lead to a state stay', () => {
    const [a, b, c] = ['a', 'b', 'c'].map((name) => rows(name, 'temporary', 4));
    const kept = withoutDeadOperations(
      program((recorder) => {
        recorder.add('copy', { out: a!, input: source });
        recorder.add('copy', { out: b!, input: a! });
        recorder.add('copy', { out: c!, input: a! });
        recorder.add('copy', { out: rows('out', 'state', 4), input: c! });
      }),
    );
    assert.deepEqual(
      kept.map((operation) => 'out' in operation && operation.out.tensor.name),
      ['a', 'c', 'out'],
    );
  });
});

describe('alignment', () => {
  const [T, B] = [3, 5];
  const { program, ids, targets, keep, rates, history } = trainingStep({ T, B, H: 7 });
  const plain = lower(program);
  const aligned = align(plain, 64);

  it('puts everything that a dispatch binds at a multiple', () => {
    assertRules(aligned);
    for (const command of aligned) {
      if (command.kind !== 'dispatch') continue;
      for (const { offset } of [...command.inputs, command.output]) assert.equal(offset % 64, 0);
    }
  });

  it('changes no bit of the results', async () => {
    const results = [];
    for (const commands of [plain, aligned]) {
      const executor = new PortableExecutor('cpu');
      const parameters = program.operations.find(({ op }) => op === 'adam') as { parameters: Matrix };
      const { tensor } = parameters.parameters;
      const weights = new Matrix(tensor, 0, 1, tensor.length);
      const write = (matrix: Matrix, value: (i: number) => number) =>
        executor.write(
          view1d(matrix),
          Float32Array.from({ length: matrix.length }, (_, i) => value(i)),
        );
      write(weights, (i) => Math.sin(i));
      write(ids, (i) => (i * 3) % 11);
      write(targets, (i) => (i * 5) % 11);
      write(keep, () => 1);
      write(rates, (i) => [0.01, 0.1, 0.001][i]!);
      await executor.prepare('step', commands).run();
      results.push([await executor.read(view1d(weights)), await executor.read(view1d(history))]);
      await executor.close();
    }
    assert.deepEqual(results[1], results[0]);
    assert.ok(results[0]![1]![0]! > 1, 'a loss');
  });
});
