/**
 * The oracle: every operation of the catalogue as plain loops in float64, written to be compared with the
 * formulas and with nothing else in mind. All other engines are tested against it, and numeric gradients are
 * taken on it.
 */
import { Breath } from '../breath.ts';
import {
  type Engine,
  type EngineDescription,
  type Executable,
  type Matrix,
  type Operation,
  type OperationName,
  operands,
  type Program,
  type Tensor,
} from '../engine.ts';
import { cellKernels } from './cells.ts';
import { lossKernels } from './losses.ts';
import { matrixKernels } from './matrices.ts';
import type { Kernels, Operand } from './operand.ts';
import { optimizerKernels } from './optimizers.ts';

const KERNELS: Kernels<OperationName> = {
  ...matrixKernels,
  ...cellKernels,
  ...lossKernels,
  ...optimizerKernels,
};

/** Float64 arrays, one for each tensor, and a loop for each operation. */
export class ReferenceEngine implements Engine {
  readonly concurrency = 1;
  readonly description: EngineDescription = {
    name: 'reference',
    detail: 'plain loops in float64: the oracle of the tests, slow',
  };
  readonly #storage = new Map<Tensor, Float64Array | Int32Array>();
  readonly #breath = new Breath();

  prepare(program: Program): Executable {
    const temporaries = new Set<Tensor>();
    for (const { matrix } of program.operations.flatMap(operands)) {
      if (matrix.tensor.kind === 'temporary') temporaries.add(matrix.tensor);
    }
    const steps = program.operations.map((operation) => this.#bind(operation));
    return {
      dispatches: steps.length,
      run: async () => {
        // The contract promises garbage in temporaries; NaN is the garbage that shows.
        for (const tensor of temporaries) this.#data(tensor).fill(Number.NaN);
        for (const step of steps) {
          step();
          const turn = this.#breath.take();
          if (turn) await turn;
        }
      },
    };
  }

  write(target: Matrix, values: ArrayLike<number>): void {
    if (values.length !== target.length) {
      throw new RangeError(`${target.tensor.name}: ${values.length} values for ${target.length} elements`);
    }
    this.#data(target.tensor).set(values, target.offset);
  }

  async read(source: Matrix): Promise<Float64Array> {
    return Float64Array.from(this.#window(source));
  }

  memoryBytes(): number {
    let bytes = 0;
    for (const data of this.#storage.values()) bytes += data.byteLength;
    return bytes;
  }

  async close(): Promise<void> {
    this.#storage.clear();
  }

  #data(tensor: Tensor): Float64Array | Int32Array {
    let data = this.#storage.get(tensor);
    if (!data) {
      data = tensor.type === 'i32' ? new Int32Array(tensor.length) : new Float64Array(tensor.length);
      this.#storage.set(tensor, data);
    }
    return data;
  }

  #window({ tensor, offset, length }: Matrix): Float64Array | Int32Array {
    return this.#data(tensor).subarray(offset, offset + length);
  }

  /** The kernel of an operation with its operands bound to memory, ready to be called at every replay. */
  #bind(operation: Operation): () => void {
    const bound: Record<string, unknown> = { ...operation };
    for (const { name, matrix } of operands(operation)) {
      bound[name] = {
        rows: matrix.rows,
        columns: matrix.columns,
        data: this.#window(matrix),
      } satisfies Operand;
    }
    const kernel = KERNELS[operation.op] as (operands: unknown) => void;
    return () => kernel(bound);
  }
}
