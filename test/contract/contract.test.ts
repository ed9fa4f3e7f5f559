/** Every operation of the engine contract, on every engine, against the float64 reference. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  type Engine,
  Matrix,
  type OperationName,
  type Operations,
  type Tensor,
  WRITES,
} from '../../src/engine/engine.ts';
import { INTEGER_OPERANDS, Recorder } from '../../src/engine/recorder.ts';
import { ReferenceEngine } from '../../src/engine/reference/reference-engine.ts';
import { ENGINES, perEngine, withEngine } from '../engines.ts';
import { catalogue, type OperationCase } from './catalogue.ts';

/** Of the largest number of the result. */
const TOLERANCE = perEngine(0, 2e-6, 1e-5);

/**
 * Elements around every matrix, which nothing may read or write. Odd, so that matrices lie unaligned. NaN
 * shows where it leaks in; no index may be as low as the integer.
 */
const GUARD = 5;
const GUARD_VALUES = { f32: Number.NaN, i32: -(2 ** 30) };

interface Operand {
  readonly matrix: Matrix;
  /** The whole tensor, with the guards, before the operation. */
  readonly before: readonly number[];
}

function bind(operation: OperationCase): Map<string, Operand> {
  const bound = new Map<string, Operand>();
  for (const [name, { rows, columns, values }] of Object.entries(operation.operands)) {
    const length = rows * columns;
    const type = INTEGER_OPERANDS.has(name) ? 'i32' : 'f32';
    const tensor: Tensor = { name, kind: 'state', type, length: length + 2 * GUARD };
    const guard = new Array<number>(GUARD).fill(GUARD_VALUES[type]);
    const content = values ?? new Array<number>(length).fill(Number.NaN);
    bound.set(name, {
      matrix: new Matrix(tensor, GUARD, rows, columns),
      before: [...guard, ...content, ...guard],
    });
  }
  for (const [name, { sameAs }] of Object.entries(operation.operands)) {
    if (sameAs) bound.set(name, bound.get(sameAs)!);
  }
  return bound;
}

type Results = Map<string, Float32Array | Float64Array>;

/** The whole tensors of all f32 operands after the operation, and again after a second replay. */
async function execute(engine: Engine, operation: OperationCase, bound: Map<string, Operand>) {
  const recorder = new Recorder(operation.op);
  const matrices = Object.fromEntries([...bound].map(([name, { matrix }]) => [name, matrix]));
  recorder.add(operation.op, { ...matrices, ...operation.settings } as unknown as Operations[OperationName]);
  const executable = engine.prepare(recorder.finish());
  const whole = ({ tensor }: Matrix) => new Matrix(tensor, 0, 1, tensor.length);
  const replay = async (): Promise<Results> => {
    for (const { matrix, before } of bound.values()) engine.write(whole(matrix), before);
    await executable.run();
    const results: Results = new Map();
    for (const [name, { matrix }] of bound) {
      if (matrix.tensor.type === 'f32') results.set(name, await engine.read(whole(matrix)));
    }
    return results;
  };
  return [await replay(), await replay()] as const;
}

function compare(
  operation: OperationCase,
  bound: Map<string, Operand>,
  [actual, again]: readonly [Results, Results],
  expected: Results,
  tolerance: number,
): void {
  const written: readonly string[] = WRITES[operation.op];
  for (const [name, { matrix, before }] of bound) {
    const result = actual.get(name);
    if (!result) continue;
    const label = `${operation.op} ${operation.title}: ${name}`;
    assert.deepEqual(again.get(name), result, `${label}: the second replay gave other bits`);
    const aliased = written.some((output) => bound.get(output)?.matrix === matrix);
    const [start, end] = aliased ? [GUARD, GUARD + matrix.length] : [0, 0];
    for (let i = 0; i < result.length; i++) {
      if (i === start) i = end;
      if (!Object.is(result[i], before[i])) {
        assert.fail(`${label}: ${i < GUARD || i >= end ? 'outside' : 'input'} element ${i - GUARD} changed`);
      }
    }
    if (!aliased) continue;
    const values = result.subarray(start, end);
    const references = expected.get(name)!.subarray(start, end);
    let largest = 0;
    for (const value of references) largest = Math.max(largest, Math.abs(value));
    const allowed = tolerance > 0 ? tolerance * largest + operation.floor : 0;
    for (const [i, value] of references.entries()) {
      if (Object.is(values[i], value) || Math.abs(values[i]! - value) <= allowed) continue;
      assert.fail(`${label}[${i}] is ${values[i]}, must be ${value} (largest: ${largest})`);
    }
  }
}

const cases = catalogue();

/** What the reference engine leaves in the matrices that an operation writes, once for all engines. */
const references = new Map<OperationCase, Results>();

async function reference(operation: OperationCase, bound: Map<string, Operand>): Promise<Results> {
  const known = references.get(operation);
  if (known) return known;
  const [all] = await execute(new ReferenceEngine(), operation, bound);
  const written = WRITES[operation.op].flatMap((output) => {
    const { matrix } = bound.get(output) ?? {};
    return [...bound].filter((operand) => operand[1].matrix === matrix).map(([name]) => name);
  });
  const results: Results = new Map(written.map((name) => [name, all.get(name)!]));
  references.set(operation, results);
  return results;
}

it('the catalogue has cases for every operation', () => {
  assert.deepEqual([...cases.keys()].sort(), Object.keys(WRITES).sort());
});

for (const name of ENGINES) {
  describe(`on ${name}`, () => {
    for (const [op, operations] of cases) {
      it(`${op} agrees with the reference, touches nothing else and repeats its bits`, async (t) => {
        await withEngine(t, name, async (engine) => {
          for (const operation of operations) {
            const bound = bind(operation);
            const expected = await reference(operation, bound);
            compare(operation, bound, await execute(engine, operation, bound), expected, TOLERANCE[name]);
          }
        });
      });
    }
  });
}
