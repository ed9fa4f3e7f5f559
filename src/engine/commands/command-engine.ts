/**
 * An engine that replays command lists: what the `simd` and the `native` engine have in common. They differ in who walks the
 * lists, and in what memory.
 */
import { Breath } from '../breath.ts';
import type { Engine, EngineDescription, Executable, Matrix, Program, Tensor } from '../engine.ts';
import { planArena } from './arena.ts';
import { type Command, encode, type Storage, stretches, wordCount } from './commands.ts';
import { Crew } from './crew.ts';
import { lower } from './lower.ts';
import { type Lowered, writtenTensors } from './lowering.ts';
import { type Schedule, schedule } from './schedule.ts';
import { Shares } from './shares.ts';
import type { Target } from './target.ts';

/** Memory for tensors and lists, from the bottom up, and, where it likes, the arena of temporaries. Addresses are bytes. */
export interface CommandMemory {
  /** Where the threads' shares lie: see `shares.ts`. */
  readonly shares: number;
  /** Where the arena starts now. */
  readonly arena: number;
  /** Bytes in use. */
  readonly bytes: number;
  floats(address: number, length: number): Float32Array;
  integers(address: number, length: number): Int32Array;
  /**
   * New storage, filled with zeros, that stays where it is. The arena may move.
   * @throws CharloomError UNAVAILABLE if there is no more
   */
  allocate(name: string, bytes: number): Storage;
  /** Makes the arena at least this large. @throws CharloomError UNAVAILABLE if there is no more */
  reserveArena(bytes: number): void;
}

/** Who walks the lists. */
export interface Walker {
  readonly description: EngineDescription;
  readonly target: Target;
  readonly memory: CommandMemory;
  /**
   * Executes the commands in [start, end), bytes of the memory, on so many threads: one, or all of the target's.
   * @param work what they are, in multiplications and additions of one thread
   */
  run(start: number, end: number, threads: number, work: number): void | Promise<void>;
  /** Whether a command met an index out of range since this was last asked. */
  takeRefusal(): boolean;
  close(): Promise<void>;
}

/** Commands in memory, linked to an arena that starts at `arena`. */
interface CommandList {
  readonly commands: readonly Command[];
  readonly storage: Storage;
  readonly cuts: readonly number[];
  /** How many threads it is worth. */
  readonly threads: number;
  readonly crew: Crew;
  /** Multiplications and additions between two cuts, at most about. */
  readonly work: number;
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

/** Lowers programs to lists, and has them walked. */
export class CommandEngine implements Engine {
  readonly description: EngineDescription;
  readonly concurrency: number;
  readonly #walker: Walker;
  readonly #memory: CommandMemory;
  readonly #target: Target;
  readonly #shares: Shares;
  readonly #storages = new Map<Tensor, Storage>();
  /** How often each parameter tensor may have changed. */
  readonly #versions = new Map<Tensor, number>();
  #state: 'ready' | 'replaying' | 'closed' = 'ready';
  readonly #breath = new Breath();
  /** Tells `close` that the replay under way has come to its end. */
  #onIdle: (() => void) | undefined;

  protected constructor(walker: Walker) {
    this.#walker = walker;
    this.#memory = walker.memory;
    this.#target = walker.target;
    this.#shares = new Shares(walker.memory, walker.target.threads);
    this.description = walker.description;
    this.concurrency = walker.target.threads;
  }

  prepare(program: Program): Executable {
    this.#assertReady();
    const { lowered, main } = this.#fastest(program);
    for (const storage of lowered.prepared) {
      storage.address = this.#memory.allocate(storage.name, storage.bytes).address;
    }
    // Not worth threads that nothing else needs: they take longer to start than a small model to pack.
    const preparation = schedule(lowered.preparation, { ...this.#target, threads: main.threads });
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
      const lowered = lower(program, this.#target, (tensor) => this.#storage(tensor), byUnits);
      return { lowered, main: schedule(lowered.commands, this.#target) };
    };
    const whole = way(false);
    if (this.#target.threads === 1 || !whole.lowered.hasFewTexts) return whole;
    const divided = way(true);
    return divided.main.time < whole.main.time ? divided : whole;
  }

  /** Finds memory for commands and their temporaries. */
  #place(name: string, { commands, threads, time }: Schedule): CommandList {
    this.#memory.reserveArena(planArena(commands, threads));
    const storage = this.#memory.allocate(name, wordCount(commands) * 4);
    const cuts = stretches(commands, this.#target);
    const work = time / Math.max(1, cuts.length - 1);
    return { commands, storage, cuts, threads, crew: new Crew(), work, arena: -1 };
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
    const replaying = this.#state === 'replaying';
    this.#state = 'closed';
    this.#storages.clear();
    if (replaying) {
      await new Promise<void>((resolve) => {
        this.#onIdle = resolve;
      });
    }
    await this.#walker.close();
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
      if (!this.#isClosed()) this.#state = 'ready';
      this.#onIdle?.();
    }
    if (this.#walker.takeRefusal()) {
      const { name } = prepared.program;
      throw new RangeError(`program ${name}: a token id, target or row index is out of range`);
    }
  }

  async #walk(list: CommandList): Promise<void> {
    const { cuts, crew, work } = list;
    const { address } = list.storage;
    const threads = crew.together ? list.threads : 1;
    this.#assertOpen();
    this.#link(list);
    let milliseconds = 0;
    for (let i = 1; i < cuts.length; i++) {
      const start = address + cuts[i - 1]! * 4;
      const begun = performance.now();
      const running = this.#walker.run(start, address + cuts[i]! * 4, threads, work);
      if (running) await running;
      milliseconds += performance.now() - begun;
      if (threads > 1) this.#shares.follow();
      const turn = this.#breath.take();
      if (turn) await turn;
      this.#assertOpen();
    }
    if (list.threads > 1) crew.walked(milliseconds);
  }

  /** Writes the commands, unless they stand there with the arena where it is now. */
  #link(list: CommandList): void {
    if (list.arena === this.#memory.arena) return;
    const words = encode(list.commands, this.#memory.arena, this.#target);
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
    if (this.#isClosed()) throw new Error(`the ${this.description.name} engine was closed during a replay`);
  }

  #assertReady(): void {
    if (this.#isClosed()) throw new Error(`the ${this.description.name} engine is closed`);
    if (this.#state === 'replaying') throw new Error('a replay is running: await it first');
  }
}
