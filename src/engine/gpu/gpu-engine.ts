/**
 * The `gpu.js:…` engines: programs lowered to gpu.js kernels, and an executor for each way to run them. All of
 * them compute in 32-bit floats.
 */
import type { Engine, EngineDescription, Executable, Matrix, Program } from '../engine.ts';
import { view1d } from './commands.ts';
import { EncoderExecutor } from './encoder.ts';
import type { Executor } from './executor.ts';
import { lower } from './lower.ts';
import { PortableExecutor } from './portable.ts';

/** What the portable modes run on, for people. */
const PORTABLE = {
  webasm: 'gpu.js kernels as WebAssembly, without a GPU: slow, for comparison',
  cpu: 'gpu.js kernels as JavaScript, without a GPU: very slow, for comparison',
};

export class GpuEngine implements Engine {
  readonly concurrency = 1;
  readonly description: EngineDescription;
  readonly #executor: Executor;
  #closed = false;

  private constructor(description: EngineDescription, executor: Executor) {
    this.description = description;
    this.#executor = executor;
  }

  /**
   * @param mode of gpu.js
   * @throws CharloomError UNAVAILABLE if there is no adapter (mode `webgpu`)
   */
  static async open(mode: 'webgpu' | 'webasm' | 'cpu'): Promise<GpuEngine> {
    const name = `gpu.js:${mode}`;
    if (mode !== 'webgpu') return new GpuEngine({ name, detail: PORTABLE[mode] }, new PortableExecutor(mode));
    const executor = await EncoderExecutor.open();
    const { adapter } = executor;
    return new GpuEngine({ name, detail: `WebGPU on ${adapter.name}`, adapter }, executor);
  }

  prepare(program: Program): Executable {
    this.#assertOpen();
    const commands = lower(program);
    const { run } = this.#executor.prepare(program.name, commands);
    return {
      dispatches: commands.filter(({ kind }) => kind === 'dispatch').length,
      run: async () => {
        this.#assertOpen();
        await run();
      },
    };
  }

  write(target: Matrix, values: ArrayLike<number>): void {
    this.#assertOpen();
    assertLasting(target);
    if (values.length !== target.length) {
      throw new RangeError(`${target.tensor.name} takes ${target.length} values, not ${values.length}`);
    }
    this.#executor.write(view1d(target), values);
  }

  async read(source: Matrix): Promise<Float32Array> {
    this.#assertOpen();
    assertLasting(source);
    if (source.tensor.type !== 'f32') throw new TypeError(`${source.tensor.name} holds integers`);
    return this.#executor.read(view1d(source));
  }

  memoryBytes(): number {
    return this.#executor.memoryBytes();
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.#executor.close();
  }

  #assertOpen(): void {
    if (this.#closed) throw new Error(`the ${this.description.name} engine is closed`);
  }
}

function assertLasting({ tensor }: Matrix): void {
  if (tensor.kind === 'temporary')
    throw new TypeError(`${tensor.name} is temporary: it lives inside a replay`);
}
