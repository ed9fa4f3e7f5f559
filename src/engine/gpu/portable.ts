/**
 * Runs commands through the public interface of gpu.js, in its modes that need no device: `webasm` and `cpu`.
 * Tensors are arrays of this process; every dispatch is a call that returns a new array.
 */
import { GPU, type IKernelRunShortcut, Input } from 'gpu.js';
import { Breath } from '../breath.ts';
import type { Tensor } from '../engine.ts';
import { type Command, type Kernel, kernelKey, type Size, type View, volume } from './commands.ts';
import type { Executor, Replayable } from './executor.ts';

/** What a kernel returns: an array for each dimension of the grid, and one more for components. */
type Result = Float32Array | readonly Result[];

export class PortableExecutor implements Executor {
  readonly #gpu: GPU;
  readonly #memory = new Map<Tensor, Float32Array>();
  readonly #kernels = new Map<string, IKernelRunShortcut>();
  readonly #breath = new Breath();

  constructor(mode: 'webasm' | 'cpu') {
    this.#gpu = new GPU({ mode });
  }

  prepare(_name: string, commands: readonly Command[]): Replayable {
    const steps = commands.map((command) => this.#bind(command));
    return {
      run: async () => {
        for (const step of steps) {
          step();
          const turn = this.#breath.take();
          if (turn) await turn;
        }
      },
    };
  }

  write(target: View, values: ArrayLike<number>): void {
    this.#array(target).set(values);
  }

  async read(source: View): Promise<Float32Array> {
    return this.#array(source).slice();
  }

  memoryBytes(): number {
    let bytes = 0;
    for (const array of this.#memory.values()) bytes += array.byteLength;
    return bytes;
  }

  async close(): Promise<void> {
    this.#memory.clear();
    this.#kernels.clear();
    await this.#gpu.destroy();
  }

  /** The command as a function, with everything it needs looked up. */
  #bind(command: Command): () => void {
    switch (command.kind) {
      case 'clear': {
        const array = this.#array(command.view);
        return () => array.fill(0);
      }
      case 'copy': {
        const [from, to] = [this.#array(command.from), this.#array(command.to)];
        return () => to.set(from);
      }
      case 'dispatch': {
        const inputs = command.inputs.map((view) => argument(this.#array(view), view.size));
        const run = this.#kernel(command.kernel, command.grid, command.inputs);
        const output = this.#array(command.output);
        return () => {
          store(run(...inputs) as unknown as Result, output, 0);
        };
      }
    }
  }

  #array({ tensor, offset, size }: View): Float32Array {
    let array = this.#memory.get(tensor);
    if (!array) {
      array = new Float32Array(tensor.length);
      this.#memory.set(tensor, array);
    }
    return array.subarray(offset, offset + volume(size));
  }

  /** Compiled for one grid and one set of input sizes: `webasm` builds the sizes into the code. */
  #kernel(kernel: Kernel, grid: Size, inputs: readonly View[]): IKernelRunShortcut {
    const key = `${kernelKey(kernel)}${JSON.stringify([grid, inputs.map(({ size }) => size)])}`;
    let compiled = this.#kernels.get(key);
    if (!compiled) {
      compiled = this.#gpu.createKernel(kernel.source, {
        ...settings(kernel),
        output: [...grid] as [number],
      });
      this.#kernels.set(key, compiled);
    }
    return compiled;
  }
}

/** A flat array that kernels index by `size`. */
export function argument(values: Float32Array, size: Size): Input {
  // gpu.js declares number[] and takes typed arrays.
  return new Input(values as unknown as number[], [...size] as [number]);
}

/** Settings that every mode shares. Loops may be as long as they need to be; gpu.js would cut them at 1000. */
export function settings({ sizes, factors }: Kernel) {
  return {
    constants: { ...sizes, ...factors },
    constantTypes: {
      ...Object.fromEntries(Object.keys(sizes).map((name) => [name, 'Integer'])),
      ...Object.fromEntries(Object.keys(factors).map((name) => [name, 'Float'])),
    } as Record<string, 'Integer' | 'Float'>,
    precision: 'single' as const,
    loopMaxIterations: 2 ** 30,
  };
}

/** Writes a result flat into `output` from `at` on; returns where it ends. */
function store(result: Result, output: Float32Array, at: number): number {
  if (result instanceof Float32Array) {
    output.set(result, at);
    return at + result.length;
  }
  let end = at;
  for (const part of result) end = store(part, output, end);
  return end;
}
