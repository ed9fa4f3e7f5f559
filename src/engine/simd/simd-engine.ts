/**
 * The `simd` engine: kernels in WebAssembly with 128-bit vectors (`assembly/`). Runs wherever Node does, and in browsers, and
 * gives the same bits on every machine. Nothing here is Node's: see `open-simd.ts` for that.
 */
import { CommandEngine, type Walker } from '../commands/command-engine.ts';
import type { Target } from '../commands/target.ts';
import type { EngineDescription } from '../engine.ts';
import { TILE_COLUMNS, TILE_ROWS } from './assembly/layout.ts';
import { WasmMemory } from './memory.ts';

/** What `kernels.wasm` exports. Addresses are bytes. */
interface Kernels {
  /** Executes the commands in [start, end) on so many threads. */
  run(start: number, end: number, threads: number, workspace: number): void;
}

/** What all workers have in common. */
export interface WorkerContext {
  readonly module: WebAssembly.Module;
  readonly memory: WebAssembly.Memory;
  /** See `run` in `assembly/walk.ts`. */
  readonly workspace: number;
}

/** What the engine is made of. */
interface Parts {
  /** `kernels.wasm`. */
  readonly module: WebAssembly.Module;
  /** Empty. */
  readonly memory: WebAssembly.Memory;
  /** How many compute, this one included. */
  readonly threads: number;
  /** Starts threads 1 to `threads` − 1 and waits until they are there; is called only if there are any. */
  readonly startWorkers: (threads: number, context: WorkerContext) => Promise<void>;
}

export class SimdEngine extends CommandEngine {
  /** @throws the errors of WebAssembly if the kernels cannot run here */
  constructor(parts: Parts) {
    super(new WasmWalker(parts));
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

  constructor({ module, memory, threads, startWorkers }: Parts) {
    const { exports } = new WebAssembly.Instance(module, {
      env: { memory, 'performance.now': () => performance.now() },
    });
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
