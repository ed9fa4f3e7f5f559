/**
 * The WebAssembly memory of an engine, from the bottom up: workspace of the walker; tensors that outlive a
 * replay, and command lists; the arena of temporaries. The arena lies last and moves up when anything below
 * it grows.
 */
import { CharloomError } from '../../errors.ts';
import { align } from '../commands/arena.ts';
import type { CommandMemory } from '../commands/command-engine.ts';
import type { Storage } from '../commands/commands.ts';
import { SHARE_BYTES } from '../commands/shares.ts';
import { BLOCK_BYTES, REFUSED, SHARES } from './assembly/layout.ts';

const PAGE = 65536;
/** All that 32-bit addresses reach. */
const MOST_PAGES = 65536;

export class WasmMemory implements CommandMemory {
  readonly #memory: WebAssembly.Memory;
  readonly shares = SHARES;
  /** Where each thread packs blocks of A. */
  readonly workspace: number;
  #end: number;
  #arenaBytes = 0;

  constructor(memory: WebAssembly.Memory, threads: number) {
    this.#memory = memory;
    this.workspace = SHARES + threads * SHARE_BYTES;
    this.#end = align(this.workspace + threads * BLOCK_BYTES);
    this.#grow(this.bytes);
  }

  /** Where the arena starts now. */
  get arena(): number {
    return this.#end;
  }

  /** Bytes in use. */
  get bytes(): number {
    return this.#end + this.#arenaBytes;
  }

  floats(address: number, length: number): Float32Array {
    return new Float32Array(this.#memory.buffer, address, length);
  }

  integers(address: number, length: number): Int32Array {
    return new Int32Array(this.#memory.buffer, address, length);
  }

  /** New storage, filled with zeros, that stays where it is. */
  allocate(name: string, bytes: number): Storage {
    const storage = { name, bytes, temporary: false, address: this.#end };
    this.#grow(this.bytes + align(bytes));
    this.#end += align(bytes);
    // The arena may have left something there.
    new Uint8Array(this.#memory.buffer, storage.address, bytes).fill(0);
    return storage;
  }

  /** Whether a command met an index out of range since this was last asked. */
  takeRefusal(): boolean {
    return Atomics.exchange(this.integers(REFUSED, 1), 0, 0) !== 0;
  }

  /** Makes the arena at least this large. */
  reserveArena(bytes: number): void {
    const arenaBytes = Math.max(this.#arenaBytes, bytes);
    this.#grow(this.#end + arenaBytes);
    this.#arenaBytes = arenaBytes;
  }

  /** @throws CharloomError if the memory cannot be had; then nothing has changed */
  #grow(bytes: number): void {
    const missing = Math.ceil(bytes / PAGE) - this.#memory.buffer.byteLength / PAGE;
    if (missing <= 0) return;
    try {
      if (bytes > MOST_PAGES * PAGE) throw new RangeError('beyond 32-bit addresses');
      this.#memory.grow(missing);
    } catch (cause) {
      throw new CharloomError(
        'UNAVAILABLE',
        `the simd engine needs ${gibibytes(bytes)} of memory and cannot get it (its limit is ${gibibytes(MOST_PAGES * PAGE)})`,
        'lower --batch-size, --sequence-length or --hidden',
        { cause },
      );
    }
  }
}

function gibibytes(bytes: number): string {
  return `${(bytes / 2 ** 30).toFixed(2)} GiB`;
}
