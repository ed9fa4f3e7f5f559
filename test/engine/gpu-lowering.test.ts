/** What programs become on a GPU: how many dispatches, and the rules that every list of commands keeps. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { isDeepStrictEqual } from 'node:util';
import { declare, Matrix, type Program, type TensorKind, WRITES } from '../../src/engine/engine.ts';
import { align } from '../../src/engine/gpu/align.ts';
import { type Command, type View, view1d, volume } from '../../src/engine/gpu/commands.ts';
import { isRead, withoutDeadOperations } from '../../src/engine/gpu/liveness.ts';
import { lower } from '../../src/engine/gpu/lower.ts';
import { PortableExecutor } from '../../src/engine/gpu/portable.ts';
import { INTEGER_OPERANDS, Recorder } from '../../src/engine/recorder.ts';
import { ReferenceEngine } from '../../src/engine/reference/reference-engine.ts';
import { CELLS, type CellName } from '../../src/model/config.ts';
import { LanguageModel } from '../../src/model/language-model.ts';
import { LOSSES, type LossName } from '../../src/model/loss.ts';
import { OPTIMIZERS, type OptimizerName } from '../../src/training/config.ts';
import { Optimizer } from '../../src/training/optimizer.ts';
import { PRESETS } from '../../src/training/presets.ts';
import { recordTrainingStep, type TrainingStep } from '../../src/training/step.ts';
import { catalogue, type OperationCase } from '../contract/catalogue.ts';

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
    it(`are at most 306 for a 2-layer LSTM at T = 64, with all options on (B = ${B})`, () => {
      assert.ok(dispatches(trainingStep({ B }).program) <= 306);
    });
  }
  // What the others have, and a little room.
  for (const [cell, most] of [
    ['gru', 310],
    ['rnn', 298],
  ] as const) {
    it(`are at most ${most} for a 2-layer ${cell}`, () => {
      assert.ok(dispatches(trainingStep({ cell, B: 50 }).program) <= most);
    });
  }
  for (const cell of CELLS) {
    it(`grow by two for each time step and layer of the ${cell}: one forward, one backward`, () => {
      const count = (T: number, layers: number) => dispatches(trainingStep({ cell, T, layers }).program);
      for (const layers of [1, 3]) assert.equal(count(9, layers) - count(8, layers), 2 * layers);
    });
  }
});

function viewsOf(command: Command): readonly View[] {
  if (command.kind === 'dispatch') return [...command.inputs, command.output];
  return command.kind === 'copy' ? [command.from, command.to] : [command.view];
}

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
        assert.ok(inputs.length < 8, `${kernel.name} binds more than every WebGPU can`);
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
      const { initialState } = backward(logits, model.layout.views(gradient));
      const initial = initialState[0]![0]!;
      if (read) recorder.add('copy', { out: declare('initial', 'state', 2, 4), input: initial });
      return recorder.finish();
    };
    const products = (program: Program) => kernels(program).filter((name) => name === 'matmul').length;
    assert.equal(products(record(true)), products(record(false)) + 1);
  });
});

/** A program of this operation alone, none of whose operands are aliases. */
function bind(operation: OperationCase, kind: TensorKind) {
  const matrices = new Map<string, Matrix>();
  for (const [name, { rows, columns }] of Object.entries(operation.operands)) {
    matrices.set(name, declare(name, kind, rows, columns, INTEGER_OPERANDS.has(name) ? 'i32' : 'f32'));
  }
  const recorder = new Recorder(operation.op);
  recorder.add(operation.op, { ...Object.fromEntries(matrices), ...operation.settings } as never);
  return { matrices, program: recorder.finish() };
}

/** Does the result depend on what the operand `name` holds before? */
async function depends(operation: OperationCase, name: string): Promise<boolean> {
  const { matrices, program } = bind(operation, 'state');
  const results = [];
  for (const content of [0.25, 0.75]) {
    const engine = new ReferenceEngine();
    const executable = engine.prepare(program);
    for (const [other, matrix] of matrices) {
      const { values } = operation.operands[other]!;
      if (values) engine.write(matrix, values);
    }
    engine.write(matrices.get(name)!, new Array(matrices.get(name)!.length).fill(content));
    await executable.run();
    const floats = [...matrices.values()].filter(({ tensor }) => tensor.type === 'f32');
    results.push(await Promise.all(floats.map((operand) => engine.read(operand))));
  }
  return !isDeepStrictEqual(results[0], results[1]);
}

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

  it('what is overwritten before anything reads it is not read, though it is read after that', () => {
    const [t, out] = [rows('t', 'temporary', 4), rows('out', 'state', 4)];
    const { operations } = program((recorder) => {
      recorder.add('copy', { out: t.slice(0, 2), input: source.slice(0, 2) });
      recorder.add('copy', { out: t, input: source });
      recorder.add('copy', { out, input: t });
      recorder.add('copy', { out: source, input: out });
    });
    assert.ok(!isRead(operations, 0, t));
    assert.ok(isRead(operations, 2, t));
    assert.ok(!isRead(operations, 1, out), 'a state, too');
  });

  for (const [op, cases] of catalogue()) {
    it(`${op} reads of what it writes that on which the reference's result depends`, async () => {
      const [needed, read] = [new Set<string>(), new Set<string>()];
      const apart = cases.filter(({ operands }) => Object.values(operands).every(({ sameAs }) => !sameAs));
      for (const operation of [...apart.slice(0, 12), ...apart.slice(-4)]) {
        for (const name of WRITES[op] as readonly string[]) {
          if (!operation.operands[name]) continue;
          const { matrices, program } = bind(operation, 'temporary');
          const kind = `${name}, accumulate: ${operation.settings.accumulate}`;
          if (isRead(program.operations, 0, matrices.get(name)!)) read.add(kind);
          if (await depends(operation, name)) needed.add(kind);
        }
      }
      assert.deepEqual([...read].sort(), [...needed].sort());
    });
  }

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

/** What a training step leaves; `fill` is what its temporaries hold before. */
async function results(step: TrainingStep, commands: readonly Command[], fill = 0): Promise<Float32Array[]> {
  const executor = new PortableExecutor('cpu');
  const write = (matrix: Matrix, value: (i: number) => number) =>
    executor.write(
      view1d(matrix),
      Float32Array.from({ length: matrix.length }, (_, i) => value(i)),
    );
  const adam = step.program.operations.find(({ op }) => op === 'adam') as { parameters: Matrix };
  const { tensor } = adam.parameters;
  const weights = new Matrix(tensor, 0, 1, tensor.length);
  write(weights, (i) => Math.sin(i));
  write(step.ids, (i) => (i * 3) % 11);
  write(step.targets, (i) => (i * 5) % 11);
  write(step.keep, () => 1);
  write(step.rates, (i) => [0.01, 0.1, 0.001][i]!);
  const tensors = commands.flatMap(viewsOf).map((view) => view.tensor);
  for (const tensor of new Set(tensors.filter(({ kind }) => kind === 'temporary'))) {
    write(new Matrix(tensor, 0, 1, tensor.length), () => fill);
  }
  await executor.prepare('step', commands).run();
  const lasting = [weights, step.history, ...step.state.flat()];
  const left = await Promise.all(lasting.map((matrix) => executor.read(view1d(matrix))));
  await executor.close();
  return left;
}

for (const cell of CELLS) {
  for (const layers of [1, 2]) {
    describe(`a training step of odd sizes: ${cell}, ${layers} layers`, () => {
      const step = trainingStep({ cell, layers, T: 3, B: 5, H: 7 });
      const plain = lower(step.program);
      const aligned = align(plain, 64);

      it('when it is aligned then everything that a dispatch binds is at a multiple', () => {
        assertRules(aligned);
        for (const command of aligned) {
          if (command.kind !== 'dispatch') continue;
          for (const { offset } of [...command.inputs, command.output]) assert.equal(offset % 64, 0);
        }
      });

      it('when it is aligned, and when temporaries hold garbage, then no bit of the results is another', async () => {
        const expected = await results(step, plain);
        assert.ok(expected[1]![0]! > 1, 'a loss');
        assert.deepEqual(await results(step, aligned), expected);
        assert.deepEqual(await results(step, plain, Number.NaN), expected);
        assert.deepEqual(await results(step, aligned, Number.NaN), expected);
      });
    });
  }
}
