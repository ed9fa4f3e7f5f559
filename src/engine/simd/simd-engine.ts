/**
 * The `simd` engine: kernels in WebAssembly with 128-bit vectors (`assembly/`). Runs wherever Node does, and
 * gives the same bits on every machine.
 */
import { readFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { CharloomError } from '../../errors.ts';
import { CommandEngine, type Walker } from '../commands/command-engine.ts';
import type { Target } from '../commands/target.ts';
import type { EngineDescription } from '../engine.ts';
import { TILE_COLUMNS, TILE_ROWS } from './assembly/layout.ts';
import { WasmMemory } from './memory.ts';
import { startWorkers } from './workers.ts';

/** What `kernels.wasm` exports. Addresses are bytes. */
interface Kernels {
  /** Executes the commands in [start, end) on so many threads. */
  run(start: number, end: number, threads: number, workspace: number): void;
}

export class SimdEngine extends CommandEngine {
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
      return new SimdEngine(new WasmWalker(module, memory, threads));
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
}

/** One WebAssembly memory, and the threads with kernels that walk command lists in it. */
class WasmWalker implements Walker {
  readonly description: EngineDescription;
  readonly target: Target;
  readonly memory: WasmMemory;
  readonly #kernels: Kernels;
  readonly #startWorkers: () => Promise<void>;
  #workers: Promise<void> | undefined;

  constructor(module: WebAssembly.Module, memory: WebAssembly.Memory, threads: number) {
    const { exports } = new WebAssembly.Instance(module, { env: { memory } });
    this.#kernels = exports as unknown as Kernels;
    this.memory = new WasmMemory(memory, threads);
    this.#startWorkers = () => startWorkers(threads, { module, memory, workspace: this.memory.workspace });
    const detail = `WebAssembly SIMD, ${threads} ${threads === 1 ? 'thread' : 'threads'}`;
    this.description = { name: 'simd', detail };
    this.target = {
      threads,
      addressBytes: 1,
      panelColumns: TILE_COLUMNS,
      halves: false,
      tileRows: TILE_ROWS,
      leastRows: 1,
      barrierWork: 2.5e4,
    };
  }

  run(start: number, end: number, threads: number): void | Promise<void> {
    if (threads > 1 && !this.#workers) return this.#startAndRun(start, end, threads);
    return this.#kernels.run(start, end, threads, this.memory.workspace);
  }

  async #startAndRun(start: number, end: number, threads: number): Promise<void> {
    this.#workers = this.#startWorkers();
    try {
      await this.#workers;
    } catch (error) {
      this.#workers = undefined;
      throw error;
    }
    this.#kernels.run(start, end, threads, this.memory.workspace);
  }

  takeRefusal(): boolean {
    return this.memory.takeRefusal();
  }

  async close(): Promise<void> {
    if (!this.#workers) return;
    await this.#workers;
    // An empty list sends the workers home.
    this.#kernels.run(0, 0, this.target.threads, this.memory.workspace);
  }
}
