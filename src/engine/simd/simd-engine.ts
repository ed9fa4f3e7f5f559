/**
 * The `simd` engine: kernels in WebAssembly with 128-bit vectors (`assembly/`). Runs wherever Node does, and
 * gives the same bits on every machine.
 */
import { readFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { setImmediate } from 'node:timers/promises';
import { CharloomError } from '../../errors.ts';
import type { Engine, EngineDescription, Executable, Matrix, Program, Tensor } from '../engine.ts';
import { planArena } from './arena.ts';
import { type Command, encode, type Storage, stretches, wordCount } from './commands.ts';
import { lower } from './lower.ts';
import { type Lowered, writtenTensors } from './lowering.ts';
import { EngineMemory } from './memory.ts';
import { type Schedule, schedule } from './schedule.ts';
import { startWorkers } from './workers.ts';

/** What `kernels.wasm` exports. Addresses are bytes. */
interface Kernels {
  /** Executes the commands in [start, end) on so many threads. */
  run(start: number, end: number, threads: number, workspace: number): void;
}

/** Commands in memory, linked to an arena that starts at `arena`. */
interface CommandList {
  readonly commands: readonly Command[];
  readonly storage: Storage;
  readonly cuts: readonly number[];
  /** How many threads it is worth. */
  readonly threads: number;
  arena: number;
}

interface Prepared {
  readonly program: Program;
  readonly preparation: CommandList;
  readonly main: CommandList;
  readonly sources: ReadonlySet<Tensor>;
  /** The tensors that a replay changes. */
  readonly written: ReadonlySet<Tensor>;
  /** Versions of the sources that the preparation has seen. */
  seen: number;
}

/** Signals and timers wait for at most about this long, in milliseconds. */
const BREATH = 25;

/** One WebAssembly memory with all tensors, and the kernels that walk command lists in it. */
export class SimdEngine implements Engine {
  readonly description: EngineDescription;
  readonly concurrency: number;
  readonly #kernels: Kernels;
  readonly #memory: EngineMemory;
  readonly #threads: number;
  readonly #startWorkers: () => Promise<void>;
  #workers: Promise<void> | undefined;
  readonly #storages = new Map<Tensor, Storage>();
  /** How often each parameter tensor may have changed. */
  readonly #versions = new Map<Tensor, number>();
  #state: 'ready' | 'replaying' | 'closed' = 'ready';
  #lastBreath = performance.now();

  private constructor(module: WebAssembly.Module, memory: WebAssembly.Memory, threads: number) {
    const { exports } = new WebAssembly.Instance(module, { env: { memory } });
    this.#kernels = exports as unknown as Kernels;
    this.#memory = new EngineMemory(memory, threads);
    this.#threads = threads;
    this.concurrency = threads;
    this.#startWorkers = () => startWorkers(threads, { module, memory, workspace: this.#memory.workspace });
    const detail = `WebAssembly SIMD, ${threads} ${threads === 1 ? 'thread' : 'threads'}`;
    this.description = { name: 'simd', detail };
  }

  /**
   * @param threads how many compute, this one included; all processors there are, if not given
   * @throws CharloomError if the kernels are not there or cannot run
   */
  static async open({
    threads = availableParallelism(),
  }: {
    threads?: number | undefined;
  } = {}): Promise<SimdEngine> {
    try {
      const module = new WebAssembly.Module(await readFile(new URL('./kernels.wasm', import.meta.url)));
      const memory = new WebAssembly.Memory({ initial: 1, maximum: 65536, shared: true });
      return new SimdEngine(module, memory, threads);
    } catch (cause) {
      if (cause instanceof CharloomError) throw cause;
      const missing = (cause as NodeJS.ErrnoException).code === 'ENOENT';
      throw new CharloomError(
        'UNAVAILABLE',
        missing
          ? 'the kernels of the simd engine have not been built'
          : `the simd engine cannot start: ${cause}`,
        missing ? 'run `npm run build:wasm`' : 'it needs a Node.js with WebAssembly SIMD and threads',
        { cause },
      );
    }
  }

  prepare(program: Program): Executable {
    this.#assertReady();
    const { lowered, main } = this.#fastest(program);
    for (const storage of lowered.prepared) {
      storage.address = this.#memory.allocate(storage.name, storage.bytes).address;
    }
    // Not worth workers that nothing else needs: they take longer to start than a small model to pack.
    const preparation = schedule(lowered.preparation, main.threads);
    const prepared: Prepared = {
      program,
      preparation: this.#place(`preparation of ${program.name}`, preparation),
      main: this.#place(`commands of ${program.name}`, main),
      sources: lowered.sources,
      written: writtenTensors(program),
      seen: -1,
    };
    return { dispatches: prepared.main.commands.length, run: () => this.#replay(prepared) };
  }

  /** The commands of a program, and who does what of them: in the better of two ways to share time steps of few texts. */
  #fastest(program: Program): { lowered: Lowered; main: Schedule } {
    const way = (byUnits: boolean) => {
      const lowered = lower(program, (tensor) => this.#storage(tensor), byUnits);
      return { lowered, main: schedule(lowered.commands, this.#threads) };
    };
    const whole = way(false);
    if (this.#threads === 1 || !whole.lowered.hasFewTexts) return whole;
    const divided = way(true);
    return divided.main.time < whole.main.time ? divided : whole;
  }

  /** Finds memory for commands and their temporaries. */
  #place(name: string, { commands, threads }: Schedule): CommandList {
    this.#memory.reserveArena(planArena(commands, threads));
    const storage = this.#memory.allocate(name, wordCount(commands) * 4);
    return { commands, storage, cuts: stretches(commands), threads, arena: -1 };
  }

  write(target: Matrix, values: ArrayLike<number>): void {
    this.#assertReady();
    if (values.length !== target.length) {
      throw new RangeError(`${target.tensor.name} takes ${target.length} values, not ${values.length}`);
    }
    const address = this.#address(target);
    this.#touch(target.tensor);
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
    if (this.#state === 'closed') return;
    this.#state = 'closed';
    this.#storages.clear();
    if (!this.#workers) return;
    await this.#workers;
    // An empty list sends the workers home.
    this.#kernels.run(0, 0, this.#threads, this.#memory.workspace);
  }

  async #replay(prepared: Prepared): Promise<void> {
    this.#assertReady();
    this.#state = 'replaying';
    try {
      let versions = 0;
      for (const tensor of prepared.sources) versions += this.#versions.get(tensor) ?? 0;
      if (versions !== prepared.seen) await this.#walk(prepared.preparation);
      prepared.seen = versions;
      await this.#walk(prepared.main);
      for (const tensor of prepared.written) this.#touch(tensor);
    } finally {
      if (this.#state === 'replaying') this.#state = 'ready';
    }
    if (this.#memory.takeRefusal()) {
      const { name } = prepared.program;
      throw new RangeError(`program ${name}: a token id, target or row index is out of range`);
    }
  }

  async #walk(list: CommandList): Promise<void> {
    const { cuts, threads } = list;
    const { address } = list.storage;
    this.#assertOpen();
    if (threads > 1) {
      this.#workers ??= this.#startWorkers();
      await this.#workers;
    }
    this.#link(list);
    for (let i = 1; i < cuts.length; i++) {
      this.#assertOpen();
      const start = address + cuts[i - 1]! * 4;
      this.#kernels.run(start, address + cuts[i]! * 4, threads, this.#memory.workspace);
      if (performance.now() - this.#lastBreath > BREATH) {
        await setImmediate();
        this.#lastBreath = performance.now();
      }
    }
  }

  /** Writes the commands, unless they stand there with the arena where it is now. */
  #link(list: CommandList): void {
    if (list.arena === this.#memory.arena) return;
    const words = encode(list.commands, this.#memory.arena);
    this.#memory.integers(list.storage.address, words.length).set(words);
    list.arena = this.#memory.arena;
  }

  /** What was made from the tensor's values is out of date. */
  #touch(tensor: Tensor): void {
    if (tensor.kind === 'parameter') this.#versions.set(tensor, (this.#versions.get(tensor) ?? 0) + 1);
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

  #isClosed(): boolean {
    return this.#state === 'closed';
  }

  #assertOpen(): void {
    if (this.#isClosed()) throw new Error('the simd engine was closed during a replay');
  }

  #assertReady(): void {
    if (this.#isClosed()) throw new Error('the simd engine is closed');
    if (this.#state === 'replaying') throw new Error('a replay is running: await it first');
  }
}
