/**
 * The `simd` engine: kernels in WebAssembly with 128-bit vectors (`assembly/`). Runs wherever Node does, and
 * gives the same bits on every machine.
 */
import { readFile } from 'node:fs/promises';
import { setImmediate } from 'node:timers/promises';
import { CharloomError } from '../../errors.ts';
import type { Engine, EngineDescription, Executable, Matrix, Program, Tensor } from '../engine.ts';
import { planArena } from './arena.ts';
import { type Command, encode, type Storage, stretches, wordCount } from './commands.ts';
import { lower } from './lower.ts';
import { EngineMemory } from './memory.ts';

/** What `kernels.wasm` exports. Addresses are bytes. */
interface Kernels {
  /** Executes the commands in [start, end). */
  walk(start: number, end: number, workspace: number): void;
}

/** A program with its commands in memory, linked to an arena that starts at `arena`. */
interface Prepared {
  readonly name: string;
  readonly commands: readonly Command[];
  readonly list: Storage;
  readonly cuts: readonly number[];
  arena: number;
}

/** Signals and timers wait for at most about this long, in milliseconds. */
const BREATH = 50;

/** One WebAssembly memory with all tensors, and the kernels that walk command lists in it. */
export class SimdEngine implements Engine {
  readonly description: EngineDescription = { name: 'simd', detail: 'WebAssembly SIMD, 1 thread' };
  readonly #kernels: Kernels;
  readonly #memory: EngineMemory;
  readonly #storages = new Map<Tensor, Storage>();
  #state: 'ready' | 'replaying' | 'closed' = 'ready';
  #lastBreath = performance.now();

  private constructor(kernels: Kernels, memory: EngineMemory) {
    this.#kernels = kernels;
    this.#memory = memory;
  }

  /** @throws CharloomError if the kernels are not there or cannot run */
  static async open(): Promise<SimdEngine> {
    const memory = new WebAssembly.Memory({ initial: 1, maximum: 65536 });
    const url = new URL('./kernels.wasm', import.meta.url);
    try {
      const { instance } = await WebAssembly.instantiate(await readFile(url), { env: { memory } });
      return new SimdEngine(instance.exports as unknown as Kernels, new EngineMemory(memory));
    } catch (cause) {
      if (cause instanceof CharloomError) throw cause;
      const missing = (cause as NodeJS.ErrnoException).code === 'ENOENT';
      throw new CharloomError(
        'UNAVAILABLE',
        missing
          ? 'the kernels of the simd engine have not been built'
          : `the simd engine cannot start: ${cause}`,
        missing ? 'run `npm run build:wasm`' : 'it needs a Node.js with WebAssembly SIMD',
        { cause },
      );
    }
  }

  prepare(program: Program): Executable {
    this.#assertReady();
    const commands = lower(program, (tensor) => this.#storage(tensor));
    this.#memory.reserveArena(planArena(commands));
    const list = this.#memory.allocate(`commands of ${program.name}`, wordCount(commands) * 4);
    const cuts = stretches(commands);
    const prepared: Prepared = { name: program.name, commands, list, cuts, arena: -1 };
    return { dispatches: commands.length, run: () => this.#replay(prepared) };
  }

  write(target: Matrix, values: ArrayLike<number>): void {
    this.#assertReady();
    if (values.length !== target.length) {
      throw new RangeError(`${target.tensor.name} takes ${target.length} values, not ${values.length}`);
    }
    const address = this.#address(target);
    const { length } = target;
    const view =
      target.tensor.type === 'i32'
        ? this.#memory.integers(address, length)
        : this.#memory.floats(address, length);
    view.set(values);
  }

  async read(source: Matrix): Promise<Float32Array> {
    this.#assertReady();
    if (source.tensor.type !== 'f32') throw new TypeError(`${source.tensor.name} holds integers`);
    return this.#memory.floats(this.#address(source), source.length).slice();
  }

  memoryBytes(): number {
    return this.#memory.bytes;
  }

  async close(): Promise<void> {
    this.#state = 'closed';
    this.#storages.clear();
  }

  async #replay(program: Prepared): Promise<void> {
    this.#assertReady();
    this.#link(program);
    const { address } = program.list;
    this.#state = 'replaying';
    try {
      for (let i = 1; i < program.cuts.length; i++) {
        const start = address + program.cuts[i - 1]! * 4;
        this.#kernels.walk(start, address + program.cuts[i]! * 4, this.#memory.workspace);
        if (performance.now() - this.#lastBreath > BREATH) {
          await setImmediate();
          this.#lastBreath = performance.now();
        }
      }
    } catch (cause) {
      if (!(cause instanceof WebAssembly.RuntimeError)) throw cause;
      throw new RangeError(`program ${program.name}: a token id, target or row index is out of range`, {
        cause,
      });
    } finally {
      if (this.#state === 'replaying') this.#state = 'ready';
    }
  }

  /** Writes the program's commands, unless they stand there with the arena where it is now. */
  #link(program: Prepared): void {
    if (program.arena === this.#memory.arena) return;
    const words = encode(program.commands, this.#memory.arena);
    this.#memory.integers(program.list.address, words.length).set(words);
    program.arena = this.#memory.arena;
  }

  #storage(tensor: Tensor): Storage {
    let storage = this.#storages.get(tensor);
    if (!storage) {
      storage = this.#memory.allocate(tensor.name, tensor.length * 4);
      this.#storages.set(tensor, storage);
    }
    return storage;
  }

  #address(matrix: Matrix): number {
    const { tensor } = matrix;
    if (tensor.kind === 'temporary')
      throw new TypeError(`${tensor.name} is temporary: it lives inside a replay`);
    return this.#storage(tensor).address + matrix.offset * 4;
  }

  #assertReady(): void {
    if (this.#state === 'closed') throw new Error('the simd engine is closed');
    if (this.#state === 'replaying') throw new Error('a replay is running: await it first');
  }
}
