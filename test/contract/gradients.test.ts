/** Every backward operation, on every engine, against numeric gradients of its forward operation. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { declare, type Engine, type Matrix } from '../../src/engine/engine.ts';
import { Recorder } from '../../src/engine/recorder.ts';
import { ReferenceEngine } from '../../src/engine/reference/reference-engine.ts';
import { Random } from '../../src/random.ts';
import { ENGINES, perEngine, withEngine } from '../engines.ts';

/**
 * L = Σ w ⊙ output over all outputs, with fixed random weights w. `forward` records the outputs; `backward`,
 * given ∂L/∂output = w, records ∂L/∂input for each input, in their order.
 */
interface GradientCase {
  readonly title: string;
  readonly inputs: readonly (readonly [rows: number, columns: number])[];
  readonly outputs: readonly (readonly [rows: number, columns: number])[];
  readonly forward: (recorder: Recorder, inputs: Matrix[], outputs: Matrix[]) => void;
  readonly backward: (recorder: Recorder, weights: Matrix[], gradients: Matrix[], inputs: Matrix[]) => void;
  /** w = 1 instead, for the losses, whose gradients take no weights. */
  readonly unweighted?: boolean;
}

const [B, H] = [3, 5];

const integers = (name: string, values: readonly number[]) => ({
  matrix: declare(name, 'input', values.length, 1, 'i32'),
  values,
});
const ids = integers('ids', [2, 0, 2, 3]);
const targets = integers('targets', [4, -1, 0]);
const seed = integers('seed', [77]);
const rowScale = declare('scale', 'input', B, 1);

/** What the backward operations need of the forward pass; filled by `forward`, read by `backward`. */
const kept = {
  lstm: declare('lstm gates', 'state', B, 4 * H),
  inputGates: declare('input gates', 'state', B, 3 * H),
  hiddenGates: declare('hidden gates', 'state', B, 3 * H),
  hidden: declare('kept hidden', 'state', B, H),
  cell: declare('kept cell', 'state', B, H),
};

function* cases(): Generator<GradientCase> {
  for (const activation of ['tanh', 'relu'] as const) {
    yield {
      title: `rnnBackward, ${activation}`,
      inputs: [[B, H]],
      outputs: [[B, H]],
      forward(recorder, [preactivation], [hidden]) {
        recorder.add('rnnForward', { hidden: hidden!, preactivation: preactivation!, activation });
        recorder.add('copy', { out: kept.hidden, input: hidden! });
      },
      backward(recorder, [hiddenGradient], [preactivationGradient]) {
        recorder.add('rnnBackward', {
          preactivationGradient: preactivationGradient!,
          hidden: kept.hidden,
          hiddenGradient: hiddenGradient!,
          activation,
        });
      },
    };
  }

  yield {
    title: 'lstmBackward',
    inputs: [
      [B, 4 * H],
      [B, H],
    ],
    outputs: [
      [B, H],
      [B, H],
    ],
    forward(recorder, [preactivations, previousCell], [cell, hidden]) {
      recorder.add('copy', { out: kept.lstm, input: preactivations! });
      recorder.add('lstmForward', {
        gates: kept.lstm,
        previousCell: previousCell!,
        cell: cell!,
        hidden: hidden!,
      });
      recorder.add('copy', { out: kept.cell, input: cell! });
    },
    backward(recorder, [cellWeights, hiddenGradient], [gatesGradient, cellGradient], [, previousCell]) {
      recorder.add('copy', { out: cellGradient!, input: cellWeights! });
      recorder.add('lstmBackward', {
        gates: kept.lstm,
        previousCell: previousCell!,
        cell: kept.cell,
        hiddenGradient: hiddenGradient!,
        cellGradient: cellGradient!,
        gatesGradient: gatesGradient!,
      });
    },
  };

  yield {
    title: 'gruBackward',
    inputs: [
      [B, 3 * H],
      [B, 3 * H],
      [B, H],
    ],
    outputs: [[B, H]],
    forward(recorder, [inputGates, hiddenGates, previousHidden], [hidden]) {
      recorder.add('copy', { out: kept.inputGates, input: inputGates! });
      recorder.add('copy', { out: kept.hiddenGates, input: hiddenGates! });
      recorder.add('gruForward', {
        inputGates: kept.inputGates,
        hiddenGates: kept.hiddenGates,
        previousHidden: previousHidden!,
        hidden: hidden!,
      });
    },
    backward(recorder, [hiddenGradient], [inputGradient, recurrentGradient, previousGradient], inputs) {
      recorder.add('fill', { out: previousGradient!, value: 0 });
      recorder.add('gruBackward', {
        inputGates: kept.inputGates,
        hiddenGates: kept.hiddenGates,
        previousHidden: inputs[2]!,
        hiddenGradient: hiddenGradient!,
        previousHiddenGradient: previousGradient!,
        inputGatesGradient: inputGradient!,
        hiddenGatesGradient: recurrentGradient!,
      });
    },
  };

  for (const op of ['softmaxCrossEntropy', 'softmaxSquaredError'] as const) {
    yield {
      title: op,
      unweighted: true,
      inputs: [[B, 6]],
      outputs: [[B, 1]],
      forward(recorder, [logits], [losses]) {
        recorder.add(op, { losses: losses!, logits: logits!, targets: targets.matrix, scale: 1 });
      },
      backward(recorder, [losses], [gradient], [logits]) {
        recorder.add(op, {
          losses: losses!,
          logits: logits!,
          targets: targets.matrix,
          gradient: gradient!,
          scale: 1,
        });
      },
    };
  }

  for (const transpose of [false, true]) {
    yield {
      title: `gatherGradient${transpose ? ', transpose' : ''}`,
      inputs: [transpose ? [H, 4] : [4, H]],
      outputs: [[4, H]],
      forward(recorder, [table], [out]) {
        recorder.add('gather', { out: out!, table: table!, ids: ids.matrix, transpose });
      },
      backward(recorder, [gradient], [out]) {
        recorder.add('gatherGradient', { out: out!, ids: ids.matrix, gradient: gradient!, transpose });
      },
    };
  }

  yield {
    title: 'dropout of a gradient',
    inputs: [[B, H]],
    outputs: [[B, H]],
    forward(recorder, [input], [out]) {
      recorder.add('dropout', { out: out!, input: input!, seed: seed.matrix, stream: 1, rate: 0.4 });
    },
    backward(recorder, [input], [out]) {
      recorder.add('dropout', { out: out!, input: input!, seed: seed.matrix, stream: 1, rate: 0.4 });
    },
  };

  yield {
    title: 'scaleRows of a gradient',
    inputs: [[B, H]],
    outputs: [[B, H]],
    forward(recorder, [input], [out]) {
      recorder.add('scaleRows', { out: out!, input: input!, scale: rowScale });
    },
    backward(recorder, [input], [out]) {
      recorder.add('scaleRows', { out: out!, input: input!, scale: rowScale });
    },
  };

  yield {
    title: 'the two products of a gradient, and the sum of its rows',
    inputs: [
      [4, H],
      [3, H],
      [1, 3],
    ],
    outputs: [[4, 3]],
    forward(recorder, [a, b, bias], [out]) {
      recorder.add('matmul', { out: out!, a: a!, b: b!, bias: bias!, transposeB: true });
    },
    backward(recorder, [gradient], [aGradient, bGradient, biasGradient], [a, b]) {
      recorder.add('matmul', { out: aGradient!, a: gradient!, b: b! });
      recorder.add('matmul', { out: bGradient!, a: gradient!, b: a!, transposeA: true });
      recorder.add('sumRows', { out: biasGradient!, input: gradient! });
    },
  };
}

/** A case on one engine, with all values in place. */
async function prepare(engine: Engine, { inputs, outputs, forward, backward, unweighted }: GradientCase) {
  const random = new Random(11);
  const declareAll = (name: string, shapes: GradientCase['inputs']) =>
    shapes.map(([rows, columns], i) => declare(`${name} ${i}`, 'state', rows, columns));
  const variables = declareAll('input', inputs);
  const results = declareAll('output', outputs);
  const weights = declareAll('weights', outputs);
  const gradients = declareAll('gradient', inputs);
  for (const { matrix, values } of [ids, targets, seed]) engine.write(matrix, values);
  engine.write(rowScale, [0.5, 0, -2]);

  const forwardRecorder = new Recorder('forward');
  forward(forwardRecorder, variables, results);
  const forwardPass = engine.prepare(forwardRecorder.finish());
  const backwardRecorder = new Recorder('backward');
  backward(backwardRecorder, weights, gradients, variables);
  const backwardPass = engine.prepare(backwardRecorder.finish());

  const draw = ({ length }: Matrix) => Array.from({ length }, () => Math.fround(2 * random.uniform() - 1));
  const values = variables.map(draw);
  const factors = weights.map((matrix) => (unweighted ? draw(matrix).fill(1) : draw(matrix)));
  for (const [i, matrix] of variables.entries()) engine.write(matrix, values[i]!);
  for (const [i, matrix] of weights.entries()) engine.write(matrix, factors[i]!);

  return {
    /** By the backward operations: ∂L/∂input for each input. */
    async analytic(): Promise<ArrayLike<number>[]> {
      await forwardPass.run();
      await backwardPass.run();
      return Promise.all(gradients.map((gradient) => engine.read(gradient)));
    },

    /** By central differences of L. */
    async numeric(): Promise<number[][]> {
      const step = 1e-5;
      const loss = async () => {
        await forwardPass.run();
        let sum = 0;
        for (const [i, matrix] of results.entries()) {
          for (const [j, value] of (await engine.read(matrix)).entries()) sum += value * factors[i]![j]!;
        }
        return sum;
      };
      const all: number[][] = [];
      for (const [i, matrix] of variables.entries()) {
        const gradient: number[] = [];
        for (let j = 0; j < matrix.length; j++) {
          const at = async (shift: number) => {
            engine.write(matrix, values[i]!.with(j, values[i]![j]! + shift));
            return loss();
          };
          gradient.push(((await at(step)) - (await at(-step))) / (2 * step));
        }
        engine.write(matrix, values[i]!);
        all.push(gradient);
      }
      return all;
    },
  };
}

/** float32 has no digits for differences: the numeric gradient is the reference's for all engines. */
const TOLERANCE = perEngine(1e-8, 2e-6, 1e-5);

/** By the titles of the cases, which have the same inputs for all engines. */
const numericGradients = new Map<string, number[][]>();

async function numeric(gradientCase: GradientCase): Promise<number[][]> {
  const known = numericGradients.get(gradientCase.title);
  if (known) return known;
  const gradients = await (await prepare(new ReferenceEngine(), gradientCase)).numeric();
  numericGradients.set(gradientCase.title, gradients);
  return gradients;
}

for (const name of ENGINES) {
  describe(`on ${name}, the gradient agrees with the numeric one:`, () => {
    for (const gradientCase of cases()) {
      it(gradientCase.title, (t) =>
        withEngine(t, name, async (engine) => {
          const analytic = await (await prepare(engine, gradientCase)).analytic();
          for (const [i, gradient] of (await numeric(gradientCase)).entries()) {
            for (const [j, value] of gradient.entries()) {
              const actual = analytic[i]![j]!;
              const near = Math.abs(value - actual) < TOLERANCE[name];
              assert.ok(near, `input ${i}[${j}]: ${actual}, numerically ${value}`);
            }
          }
        }),
      );
    }
  });
}
