/**
 * The `native` engine: the command lists of the simd engine, walked by a C program (`c/`) that is compiled for this very
 * processor when it is first needed. For machines with a C compiler.
 */
import { availableParallelism } from 'node:os';
import { promisify } from 'node:util';
import koffi from 'koffi';
import { CharloomError } from '../../errors.ts';
import { CommandEngine, type Walker } from '../commands/command-engine.ts';
import type { Target } from '../commands/target.ts';
import type { EngineDescription, WeightType } from '../engine.ts';
import { findKernels, type KernelsOptions } from './compiler.ts';
import { NativeMemory, RESERVATIONS, visibleBytes } from './memory.ts';

// The kernels run on stacks of koffi's; those of asynchronous calls are small, and sanitizers take a lot. To be set once.
koffi.config({ ...koffi.config(), async_stack_size: 2 ** 20 });

/** What `c/walk.c` exports, on an engine of its own making. Addresses count floats. */
interface Kernels {
  open(threads: number, bytes: number): bigint | null;
  memory(engine: bigint): bigint;
  /** Returns whether a command met an index out of range. */
  run: KernelRun & {
    async(...args: [...Parameters<KernelRun>, (error: unknown, refused: boolean) => void]): void;
  };
  close(engine: bigint): void;
  panelColumns(): number;
  tileRows(): number;
  vectorBits(): number;
}

type KernelRun = (engine: bigint, start: number, end: number, onAll: boolean) => boolean;

export interface NativeOptions extends KernelsOptions {
  /** How many threads compute; all processors there are, if not given. */
  readonly threads?: number | undefined;
  /** How programs that leave the weights as they are keep them for products: bfloat16 takes half the time to read. */
  readonly weights?: WeightType | undefined;
}

export class NativeEngine extends CommandEngine {
  /** @throws CharloomError UNAVAILABLE if the kernels cannot be compiled or loaded, or there is no memory */
  static async open({
    threads = availableParallelism(),
    weights = 'f32',
    ...options
  }: NativeOptions = {}): Promise<NativeEngine> {
    const kernels = load(await findKernels(options));
    for (const bytes of RESERVATIONS) {
      const engine = kernels.open(threads, bytes);
      if (engine) return new NativeEngine(new NativeWalker(kernels, engine, threads, bytes, weights));
    }
    throw new CharloomError(
      'UNAVAILABLE',
      `the native engine cannot start ${threads} threads, or gets no memory`,
      'give fewer --threads, or use --device simd',
    );
  }
}

function load(path: string): Kernels {
  try {
    const library = koffi.load(path);
    return {
      open: library.func('void *charloom_open(int threads, size_t bytes)'),
      memory: library.func('void *charloom_memory(void *engine)'),
      run: library.func('bool charloom_run(void *engine, uint32_t start, uint32_t end, bool on_all)'),
      close: library.func('void charloom_close(void *engine)'),
      panelColumns: library.func('int charloom_panel_columns(void)'),
      tileRows: library.func('int charloom_tile_rows(void)'),
      vectorBits: library.func('int charloom_vector_bits(void)'),
    } as Kernels;
  } catch (cause) {
    throw new CharloomError(
      'UNAVAILABLE',
      `the native engine cannot load its kernels: ${cause}`,
      `remove ${path}, or use --device simd`,
      { cause },
    );
  }
}

/** Work from which on the event loop is not to wait for a list: about two milliseconds. */
const LONG_WORK = 1e8;

/** Threads of the C program, and their memory. */
class NativeWalker implements Walker {
  readonly description: EngineDescription;
  readonly target: Target;
  readonly memory: NativeMemory;
  readonly #kernels: Kernels;
  readonly #runAside: (engine: bigint, start: number, end: number, onAll: boolean) => Promise<boolean>;
  readonly #engine: bigint;
  #refused = false;

  constructor(kernels: Kernels, engine: bigint, threads: number, bytes: number, weights: WeightType) {
    this.#kernels = kernels;
    this.#engine = engine;
    this.#runAside = promisify(kernels.run.async);
    this.memory = new NativeMemory(koffi.view(kernels.memory(engine), visibleBytes(bytes)), bytes, threads);
    const parts = [
      'C',
      `${kernels.vectorBits()}-bit vectors`,
      `${threads} ${threads === 1 ? 'thread' : 'threads'}`,
      ...(weights === 'bf16' ? ['bfloat16 weights'] : []),
    ];
    this.description = { name: 'native', detail: parts.join(', ') };
    this.target = {
      threads,
      addressBytes: Float32Array.BYTES_PER_ELEMENT,
      panelColumns: kernels.panelColumns(),
      halves: weights === 'bf16',
      tileRows: kernels.tileRows(),
      leastRows: 3,
      barrierWork: 1e5,
    };
  }

  run(start: number, end: number, threads: number, work: number): void | Promise<void> {
    const { addressBytes } = this.target;
    const range = [this.#engine, start / addressBytes, end / addressBytes, threads > 1] as const;
    if (work > LONG_WORK) return this.#runAside(...range).then((refused) => this.#note(refused));
    return this.#note(this.#kernels.run(...range));
  }

  #note(refused: boolean): void {
    this.#refused ||= refused;
  }

  takeRefusal(): boolean {
    const refused = this.#refused;
    this.#refused = false;
    return refused;
  }

  async close(): Promise<void> {
    this.#kernels.close(this.#engine);
  }
}
